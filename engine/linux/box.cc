// Box: drives the CPU, serves its stops, keeps the accounts. See engine/process.h.
#include <algorithm>
#include <atomic>
#include <utility>

#include "engine/base/host_cpu.h"
#include "engine/linux/call.h"
#include "engine/linux/deliver.h"
#include "engine/linux/exec.h"
#include "engine/linux/kernel.h"
#include "engine/linux/proc.h"
#include "engine/linux/streams.h"
#include "engine/linux/syscalls/arguments.h"
#include "engine/linux/task.h"
#include "engine/process.h"

namespace glovebox::engine {
namespace {

constexpr std::uint32_t kFirstPid = 2;  // WorldId::kPid
// Instructions between two looks at the host's clock: a fraction of a millisecond with the slowest
// build.
constexpr std::uint64_t kInstructionsPerLook = 100'000;

class LinuxBox : public Box {
 public:
  LinuxBox(const BoxSpec& spec, WorldValues world, TreeSource& tree, BoxHost& host)
      : kernel_(spec, std::move(world), tree, host),
        process_(kernel_, kFirstPid),
        task_(kernel_, process_, kFirstPid) {}

  Result<RunState, Error> Run(Icount until) override {
    kernel_.BeginSlice();
    const RunState state = Drive(until);
    if (kernel_.failure()) return std::unexpected(*kernel_.failure());
    return state;
  }

  Result<Icount, Error> InjectSignal(int signal_number) override {
    if (signal_number < 1 || signal_number > kSignalCount) {
      return Fail(ErrorCode::kInvalidArgument, "SIGNAL_INVALID",
                  "signal " + std::to_string(signal_number) + " does not exist", "number");
    }
    // As from a process outside: pid 0 of no namespace of the guest's.
    process_.Send(SenderInfo(signal_number, kSiUser, 0, 0));
    return kernel_.icount();
  }

  void Nudge() override {
    kernel_.Nudge();
    if (x86::Vcpu* cpu = running_.load(std::memory_order_relaxed)) cpu->Nudge();
  }

  BoxReport Report() const override {
    BoxReport report;
    report.termination = kernel_.termination();
    report.icount = kernel_.icount();
    report.virtual_time = kernel_.Now();
    report.peak_memory_bytes = kernel_.memory_meter.peak_bytes();
    report.output_bytes = kernel_.output_bytes();
    report.syscall_count = kernel_.syscall_count();
    report.trace_hash = kernel_.trace.Digits();
    for (const auto& [name, count] : kernel_.absent())
      report.absent_syscalls.emplace_back(name, count);
    report.unimplemented_instruction = unimplemented_;
    return report;
  }

 private:
  RunState Drive(Icount until) {
    if (!started_) Start();
    while (!kernel_.ended() && !kernel_.failure()) {
      if (task_.call) {
        const CallProgress progress = AdvanceCall(task_);
        if (progress == CallProgress::kWaitsForInput) return RunState::kWaitsForInput;
        if (progress == CallProgress::kMoreToDo) return RunState::kRunning;
        NoteProgram();
        continue;
      }
      process_.FireTimers();
      DeliverSignals(task_);
      CheckMemoryLimit();
      if (kernel_.ended()) break;
      if (kernel_.icount() >= kernel_.spec.limits[LimitId::kInstructions]) {
        kernel_.EndByLimit(LimitId::kInstructions);
        break;
      }
      if (kernel_.icount() >= until || kernel_.SliceIsOver()) return RunState::kRunning;
      Serve(RunCpu(until));
    }
    return kernel_.ended() ? RunState::kEnded : RunState::kRunning;
  }

  void Start() {
    started_ = true;
    PutStreams();
    const auto mounted = kernel_.files().Mount("dev", MakeDev(task_));
    const auto mounted_proc = kernel_.files().Mount("proc", MakeProc(task_));
    if (!mounted || !mounted_proc) return;  // the root cannot be read: failure() says why
    if (const auto loaded = LoadProgram(); !loaded) {
      const LoadError& error = loaded.error();
      if (error.memory_limit) {
        kernel_.EndByLimit(LimitId::kMemory);
        return;
      }
      Termination termination;
      termination.kind = Termination::Kind::kNotStarted;
      termination.code = error.error;
      termination.detail = error.detail;
      kernel_.End(std::move(termination));
    }
    NoteProgram();
  }

  void PutStreams() {
    const auto& services = kernel_.services();
    const std::shared_ptr<Inode> nodes[] = {
        std::make_shared<InputInode>(services, kernel_),
        std::make_shared<OutputInode>(services, kernel_, OutputStream::kStdout),
        std::make_shared<OutputInode>(services, kernel_, OutputStream::kStderr)};
    for (int fd = 0; fd < 3; ++fd) {
      const auto& inode = nodes[fd];
      inode->uid = task_.credentials.uid;
      inode->gid = task_.credentials.gid;
      auto file = inode->Open({inode, nullptr, {}}, fd == 0 ? kOpenReadOnly : kOpenWriteOnly);
      if (file) task_.fds().Put(fd, {std::move(*file), false});
    }
  }

  LoadResult<void> LoadProgram() {
    const BoxSpec& spec = kernel_.spec;
    const auto directory = task_.Resolve(kAtFdCwd, spec.working_directory, {});
    if (!directory || !directory->ref.inode->is(kTypeDirectory)) {
      return FailLoad(
          directory ? kENOTDIR : directory.error(),
          "the working directory " + spec.working_directory + " is not a directory of the root");
    }
    task_.fs().working_directory = std::static_pointer_cast<Directory>(directory->ref.inode);
    ExecRequest request{{}, {}, spec.argv, spec.env};
    const std::string& program = spec.program.empty() ? spec.argv.front() : spec.program;
    auto found = FindProgram(task_, program, spec.env, &request.filename);
    if (!found) return std::unexpected(found.error());
    request.file = std::move(*found);
    TellStart(request);
    return Execute(task_, std::move(request));
  }

  // strace(1) starts with it. Only an event: no call of the guest's, so neither hashed nor counted.
  void TellStart(const ExecRequest& request) {
    if (!kernel_.spec.trace_syscalls) return;
    TraceEvent event;
    event.pid = task_.process.pid;
    event.tid = task_.tid;
    event.name = "execve";
    std::string argv;
    for (const std::string& argument : request.argv)
      argv += (argv.empty() ? "" : ", ") + PrintText(argument);
    event.arguments = {PrintText(request.filename), "[" + argv + "]",
                       "[/* " + std::to_string(request.env.size()) + " variables */]"};
    event.result = "0";
    kernel_.host().OnTrace(event);
  }

  // After execve a new CPU counts from 0.
  void NoteProgram() {
    if (task_.program.get() == noted_) return;
    noted_ = task_.program.get();
    icount_base_ = kernel_.icount();
  }

  Stop RunCpu(Icount until) {
    const Icount now = kernel_.icount();
    const Icount end = std::min(until, kernel_.spec.limits[LimitId::kInstructions]);
    std::uint64_t budget = std::min(end - now, kInstructionsPerLook);
    // Timers go off at their instruction.
    if (const Nanoseconds timer = process_.NextTimer(false); timer != kNever) {
      budget = std::min(budget, std::max<std::uint64_t>(timer - std::min(timer, kernel_.Now()), 1));
    }
    x86::Vcpu& cpu = task_.cpu();
    cpu.SetTscOffset(kernel_.time_offset() + icount_base_);
    running_.store(&cpu, std::memory_order_relaxed);
    Stop stop = cpu.Run(budget);
    running_.store(nullptr, std::memory_order_relaxed);
    kernel_.SetIcount(icount_base_ + cpu.icount());
    return stop;
  }

  void Serve(const Stop& stop) {
    switch (stop.kind) {
      case StopKind::kBudget:
      case StopKind::kYield:
        return;
      case StopKind::kSyscall:
        BeginCall(task_, stop.entry);
        return;
      case StopKind::kMemoryLimit:
        kernel_.EndByLimit(LimitId::kMemory);
        return;
      case StopKind::kException:
        if (stop.exception == ExceptionKind::kNotImplemented && !unimplemented_)
          unimplemented_ = stop.instruction;
        RaiseFault(task_, stop);
        return;
      case StopKind::kMemoryFault:
        RaiseFault(task_, stop);
        return;
    }
  }

  void CheckMemoryLimit() {
    if (task_.memory().hit_memory_limit()) kernel_.EndByLimit(LimitId::kMemory);
  }

  Kernel kernel_;
  Process process_;
  Task task_;
  bool started_ = false;
  const Program* noted_ = nullptr;
  Icount icount_base_ = 0;
  std::atomic<x86::Vcpu*> running_ = nullptr;
  std::optional<InstructionReport> unimplemented_;
};

Result<void, Error> CheckSpec(const BoxSpec& spec) {
  const auto refuse = [](std::string message, std::string field) {
    return Fail(ErrorCode::kInvalidArgument, "SPEC_INVALID", std::move(message), std::move(field));
  };
  if (spec.argv.empty()) return refuse("argv is empty", "spec.argv");
  const auto has_nul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  if (std::ranges::any_of(spec.argv, has_nul))
    return refuse("an argument holds a NUL byte", "spec.argv");
  if (std::ranges::any_of(spec.env, has_nul))
    return refuse("an environment string holds a NUL byte", "spec.env");
  if (has_nul(spec.program)) return refuse("the program's name holds a NUL byte", "spec.program");
  if (!spec.working_directory.starts_with('/') || has_nul(spec.working_directory)) {
    return refuse("the working directory is not an absolute path", "spec.working_directory");
  }
  for (const LimitRow& row : kLimits) {
    if (spec.limits[row.id] > row.ceiling) {
      return refuse("limit " + std::string(row.name) + ": " + std::to_string(spec.limits[row.id]) +
                        " exceeds the ceiling " + std::to_string(row.ceiling),
                    "spec.limits[\"" + std::string(row.name) + "\"]");
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Box>, Error> Box::Make(const BoxSpec& spec, TreeSource& tree,
                                              BoxHost& host) {
  if (const auto ok = CheckHostCpu(); !ok) return std::unexpected(ok.error());
  if (const auto ok = CheckSpec(spec); !ok) return std::unexpected(ok.error());
  auto world = WorldValues::Make(spec.world_overrides);
  if (!world) return std::unexpected(world.error());
  return std::make_unique<LinuxBox>(spec, std::move(*world), tree, host);
}

}  // namespace glovebox::engine
