// Box: drives the CPU, serves its stops, keeps the accounts. See engine/process.h.
#include <algorithm>
#include <atomic>
#include <deque>
#include <utility>

#include "engine/base/host_cpu.h"
#include "engine/linux/call.h"
#include "engine/linux/deadlock.h"
#include "engine/linux/debugger.h"
#include "engine/linux/deliver.h"
#include "engine/linux/exec.h"
#include "engine/linux/exit.h"
#include "engine/linux/kernel.h"
#include "engine/linux/live_input.h"
#include "engine/linux/proc.h"
#include "engine/linux/proc_sys.h"
#include "engine/linux/process_table.h"
#include "engine/linux/streams.h"
#include "engine/linux/syscalls/arguments.h"
#include "engine/linux/syscalls/table.h"
#include "engine/linux/task.h"
#include "engine/process.h"

namespace glovebox::engine {
namespace {

// Instructions between two looks at the host's clock: a fraction of a millisecond with the slowest
// build.
constexpr std::uint64_t kInstructionsPerLook = 100'000;

class LinuxBox final : public Box, private Launcher {
 public:
  LinuxBox(const BoxSpec& spec, WorldValues world, TreeSource& tree, BoxHost& host)
      : kernel_(spec, std::move(world), tree, host),
        tree_(tree),
        own_{spec.program, spec.argv, spec.env, spec.working_directory},
        layouts_(kernel_.exec_random),
        first_(kernel_.processes().AddFirst(kernel_)) {
    kernel_.scheduler.Add(*first_);
  }

  Result<RunState, Error> Run(Moment until) override {
    kernel_.BeginSlice();
    const RunState state = Drive(until);
    if (kernel_.failure()) return std::unexpected(*kernel_.failure());
    return state;
  }

  Moment At() const override { return {kernel_.icount(), step_}; }

  bool TakesInput() const override {
    const Task* const task = kernel_.scheduler.current();
    return task == nullptr || !task->call;
  }

  Result<std::size_t, Error> InjectInput(std::span<const std::byte> bytes, bool end) override {
    if (!live_) return NotLive("input");
    return live_->Take(bytes, end);
  }

  Result<void, Error> InjectTime(Nanoseconds now) override {
    if (!kernel_.spec.real_clock) return NotLive("time");
    kernel_.JumpTo(now);
    return {};
  }
  Nanoseconds WakeTime() const override {
    return debugger_ && debugger_->HoldsBack() ? debugger_->NextWake() : NextWake();
  }

  Result<void, Error> InjectResize(const TerminalSize& size) override {
    if (!live_ || live_->terminal() == nullptr) return NotLive("a size");
    live_->terminal()->Resize({size.rows, size.columns, 0, 0});
    return {};
  }

  Result<Icount, Error> InjectSignal(int signal_number) override {
    if (signal_number < 1 || signal_number > kSignalCount) {
      return Fail(ErrorCode::kInvalidArgument, "SIGNAL_INVALID",
                  "signal " + std::to_string(signal_number) + " does not exist", "number");
    }
    // As from a process outside: pid 0 of no namespace of the guest's.
    // To the group in the foreground, as a terminal does.
    const std::uint32_t group =
        live_ && live_->terminal() != nullptr && live_->terminal()->foreground != 0
            ? live_->terminal()->foreground
            : first_->process.group;
    for (const auto& [id, task] : kernel_.processes().tasks()) {
      Process& process = task->process;
      if (process.pid == id && process.group == group)
        process.Send(SenderInfo(signal_number, kSiUser, 0, 0));
    }
    return kernel_.icount();
  }

  BoxDebugger& AttachDebugger(DebugHost& debug_host) override {
    if (!debugger_) {
      debugger_ =
          std::make_unique<Debugger>(kernel_, tree_, debug_host, static_cast<Launcher&>(*this));
    }
    kernel_.debugger = debugger_.get();
    return *debugger_;
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
  static std::unexpected<Error> NotLive(const std::string& what) {
    return Fail(ErrorCode::kFailedPrecondition, "NOT_LIVE",
                "the box takes no " + what + " while it runs");
  }

  RunState Drive(const Moment& until) {
    if (!started_) Start();
    for (; !launches_.empty(); launches_.pop_front()) Start(launches_.front());
    Scheduler& scheduler = kernel_.scheduler;
    while (!kernel_.ended() && !kernel_.failure()) {
      if (debugger_) {
        debugger_->NoteMoment(At());
        if (debugger_->halted()) return RunState::kStopped;
      }
      kernel_.processes().Bury();
      scheduler.WakeDue(kernel_.Now());
      FireTimers();
      if (debugger_ && debugger_->halted()) continue;  // a debugger hears of an ignored signal
      Task* const task = debugger_ ? debugger_->Pick() : scheduler.Pick();
      if (task == nullptr) {
        if (debugger_ && debugger_->HoldsBack()) {
          // Some are held back by a debugger, and the others wait: time goes on for these.
          if (debugger_->NextWake() == kNever) return RunState::kStopped;
          if (kernel_.spec.real_clock) return RunState::kWaitsForClock;
          Idle();
          continue;
        }
        if (!CanWake()) {
          if (live_ && live_->open()) return RunState::kWaitsForInput;
          if (debugger_ && debugger_->TellDeadlock()) continue;
          EndAsDeadlock();
          break;
        }
        if (kernel_.spec.real_clock) return RunState::kWaitsForClock;
        Idle();
        if (At() >= until || kernel_.SliceIsOver()) break;
        continue;
      }
      task->TakeCpu();
      if (scheduler.turn() != turn_) {
        turn_ = scheduler.turn();
        turn_end_ = kernel_.icount() + scheduler.TurnLength();
        ++step_;
      }
      if (task->debug && !debugger_->GoesOn(*task)) continue;
      if (task->tracing && !GoesOn(*task)) continue;
      if (task->call) {
        if (At() >= until) return RunState::kRunning;
        const CallProgress progress = AdvanceCall(*task);
        Account(*task, Share::kSystem);
        if (progress == CallProgress::kWaitsForInput) return RunState::kWaitsForInput;
        if (progress == CallProgress::kMoreToDo) return RunState::kRunning;
        if (progress == CallProgress::kHalted) continue;
        ++step_;
        continue;
      }
      if (task->tracing || task->signals.HasDeliverable() || task->signals.saved_mask)
        DeliverSignals(*task);
      CheckMemoryLimit(*task);
      if (kernel_.ended() || scheduler.current() != task) continue;
      if (task->debug && task->debug->stopped) continue;
      if (kernel_.icount() >= kernel_.spec.limits[LimitId::kInstructions]) {
        kernel_.EndByLimit(LimitId::kInstructions);
        break;
      }
      if (At() >= until || SliceIsOver()) return RunState::kRunning;
      if (kernel_.icount() >= turn_end_ && scheduler.HasOthers()) {
        scheduler.Yield();
        continue;
      }
      const Stop stop = RunCpu(*task, until.icount);
      Account(*task, Share::kUser);
      Serve(*task, stop);
      if (debugger_) debugger_->AfterRun(*task);
    }
    if (!kernel_.ended()) return RunState::kRunning;
    // By a limit, say: what is left of it is gone.
    if (debugger_) debugger_->NoteBoxEnd({.code = 0, .signal = kSIGKILL});
    return RunState::kEnded;
  }

  // The host's clock is asked behind some instructions or some short turns: each would be a large
  // part of a program of system calls.
  bool SliceIsOver() {
    constexpr unsigned kTurnsPerLook = 16;
    if (kernel_.IsNudged()) return true;
    if (++turns_ < kTurnsPerLook && kernel_.icount() - looked_at_ < kInstructionsPerLook)
      return false;
    turns_ = 0;
    looked_at_ = kernel_.icount();
    return kernel_.SliceIsOver();
  }

  // What is left to do of a stop for a tracer. False: it is done, and the task has ended or stands
  // still.
  bool GoesOn(Task& task) {
    if (const auto& dying = task.tracing->dying) {
      task.call.reset();
      EndProcess(task.process, ExitStatus(*dying));
      return false;
    }
    if (!task.tracing->entry) return true;
    ResumeEntry(task);
    return !ptrace::InStop(task);
  }

  // Every task waits: for the next deadline or timer, or for something else that cannot come.
  Nanoseconds NextWake() const {
    return std::min(kernel_.scheduler.NextDeadline(), NextTimer(nullptr));
  }
  bool CanWake() const { return NextWake() != kNever; }
  void Idle() {
    kernel_.JumpTo(WakeTime());
    ++step_;
  }

  void EndAsDeadlock() {
    Termination termination;
    termination.kind = Termination::Kind::kDeadlock;
    termination.detail = DescribeDeadlock(kernel_);
    kernel_.End(std::move(termination));
  }

  // Clocks of CPU time move for the process of `running` alone, which may be null.
  Nanoseconds NextTimer(const Task* running) const {
    const Nanoseconds next = kernel_.alarms.Next();
    if (running == nullptr || running->process.cpu_alarms.empty()) return next;
    const Nanoseconds left = running->process.cpu_alarms.Left(*running);
    return left == kNever ? next : std::min(next, kernel_.Now() + left);
  }
  void FireTimers() {
    kernel_.alarms.Fire(kernel_.Now());
    for (auto it = kernel_.timed_processes.begin(); it != kernel_.timed_processes.end();) {
      Process& process = *it->second;
      ++it;
      process.cpu_alarms.Fire();
    }
  }

  // Whose time it is: that of instructions, or of a system call.
  enum class Share : std::uint8_t { kUser, kSystem };
  // Adds the time since the last call to the CPU time of a task.
  void Account(Task& task, Share share) {
    const Nanoseconds spent = kernel_.CpuTime() - accounted_;
    accounted_ += spent;
    task.cpu_ns += spent;
    task.process.cpu_ns += spent;
    if (share == Share::kUser) return;
    task.system_ns += spent;
    task.process.system_ns += spent;
  }

  void Start() {
    started_ = true;
    pts_ = std::make_shared<tty::PtsDirectory>(kernel_);
    const auto mounted = kernel_.files().Mount("dev", MakeDev(*first_, pts_));
    const auto mounted_proc = kernel_.files().Mount("proc", MakeProc(kernel_));
    const auto mounted_sys = kernel_.files().Mount("sys", MakeSys(kernel_));
    if (!mounted || !mounted_proc || !mounted_sys)
      return;  // the root cannot be read: failure() says why
    if (!PutStreams()) return kernel_.EndByLimit(LimitId::kDisk);
    if (const auto loaded = LoadProgram(*first_, own_); !loaded) {
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
  }

  // --- what a debugger runs ---

  struct Launching {
    std::shared_ptr<Task> task;
    DebugLaunch launch;
    bool is_first;
  };

  const DebugLaunch& own() const override { return own_; }

  Result<Task*, Errno> Make(const DebugLaunch& launch, bool is_first) override {
    const LimitValues& limits = kernel_.spec.limits;
    if (kernel_.failure() || !started_ || kernel_.icount() >= limits[LimitId::kInstructions])
      return std::unexpected(kENOSPC);
    ProcessTable& table = kernel_.processes();
    auto task = table.AddProcess(kernel_, table.FindProcess(kInitPid));
    if (!task) return std::unexpected(kENOSPC);
    task->process.group = task->process.pid;
    task->process.exit_signal = kSIGCHLD;
    if (is_first) first_ = task;
    kernel_.scheduler.Add(*task);
    launches_.push_back({task, launch, is_first});
    return task.get();
  }

  void Start(const Launching& launching) {
    Task& task = *launching.task;
    if (task.scheduling.state == Scheduling::State::kEnded || kernel_.ended()) return;
    if (!launching.launch.randomize) kernel_.exec_random = layouts_;
    if (!launching.is_first) JoinStreams(task);
    const LoadResult<void> loaded =
        launching.is_first && !PutStreams()
            ? FailLoad(kENOSPC, "the standard streams do not fit into the disk limit")
            : LoadProgram(task, launching.launch);
    if (loaded) return;
    const LoadError& error = loaded.error();
    debugger_->TellNotStarted(
        task, error.error,
        error.memory_limit ? "the program does not fit into the memory limit" : error.detail);
    EndProcess(task.process, {.code = 0, .signal = kSIGKILL});
  }

  void JoinStreams(Task& task) {
    PutPipes(task);
    if (live_) live_->Join(task);
  }

  // False: not even the standard streams fit into the disk limit.
  bool PutStreams() {
    const bool was_closed = live_ && !live_->open();
    if (live_) live_->HangUp();
    if (kernel_.spec.terminal) {
      live_ = LiveInput::MakeTerminal(*first_, *pts_, *kernel_.spec.terminal);
      if (!live_) return false;
    } else {
      PutPipes(*first_);
      if (kernel_.spec.live_input) live_ = LiveInput::MakePipe(*first_);
    }
    if (was_closed) live_->HangUp();  // nobody is there who could close it again
    return true;
  }

  void PutPipes(Task& task) {
    const auto& services = kernel_.services();
    const std::shared_ptr<Inode> nodes[] = {
        std::make_shared<InputInode>(services, kernel_),
        std::make_shared<OutputInode>(services, kernel_, OutputStream::kStdout),
        std::make_shared<OutputInode>(services, kernel_, OutputStream::kStderr)};
    for (int fd = 0; fd < 3; ++fd) {
      const auto& inode = nodes[fd];
      inode->uid = task.credentials.uid;
      inode->gid = task.credentials.gid;
      auto file = inode->Open({inode, nullptr, {}}, fd == 0 ? kOpenReadOnly : kOpenWriteOnly);
      if (file) task.fds().Put(fd, {std::move(*file), false});
    }
  }

  LoadResult<void> LoadProgram(Task& task, const DebugLaunch& what) {
    const auto directory = task.Resolve(kAtFdCwd, what.working_directory, {});
    if (!directory || !directory->ref.inode->is(kTypeDirectory)) {
      return FailLoad(
          directory ? kENOTDIR : directory.error(),
          "the working directory " + what.working_directory + " is not a directory of the root");
    }
    task.fs().working_directory = std::static_pointer_cast<Directory>(directory->ref.inode);
    ExecRequest request{{}, {}, what.argv, what.env};
    const std::string& program = what.program.empty() ? what.argv.front() : what.program;
    auto found = FindProgram(task, program, what.env, &request.filename);
    if (!found) return std::unexpected(found.error());
    request.file = std::move(*found);
    TellStart(task, request);
    return Execute(task, std::move(request));
  }

  // strace(1) starts with it. Only an event: no call of the guest's, so neither hashed nor counted.
  void TellStart(const Task& task, const ExecRequest& request) {
    if (!kernel_.spec.trace_syscalls) return;
    TraceEvent event;
    event.pid = task.process.pid;
    event.tid = task.tid;
    event.name = "execve";
    std::string argv;
    for (const std::string& argument : request.argv)
      argv += (argv.empty() ? "" : ", ") + PrintText(argument);
    event.arguments = {PrintText(request.filename), "[" + argv + "]",
                       "[/* " + std::to_string(request.env.size()) + " variables */]"};
    event.result = "0";
    kernel_.host().OnTrace(event);
  }

  Stop RunCpu(Task& task, Icount until) {
    const Icount now = kernel_.icount();
    // At `until` itself, before its step, nothing is to be retired; what faults instead may.
    const Icount end =
        std::min(std::max(until, now + 1), kernel_.spec.limits[LimitId::kInstructions]);
    std::uint64_t budget = std::min(end - now, kInstructionsPerLook);
    if (kernel_.scheduler.HasOthers()) budget = std::min(budget, turn_end_ - now);
    // Timers go off, and sleepers wake, at their instruction.
    const Nanoseconds next = std::min(NextTimer(&task), kernel_.scheduler.NextDeadline());
    if (next != kNever) {
      budget = std::min(budget, std::max<std::uint64_t>(next - std::min(next, kernel_.Now()), 1));
    }
    x86::Vcpu& cpu = task.cpu();
    // The time-stamp counter shows virtual time, whatever this CPU has run of it.
    const Icount before = cpu.icount();
    cpu.SetTscOffset(kernel_.time_offset() + now - before);
    running_.store(&cpu, std::memory_order_relaxed);
    const bool steps = ptrace::IsTraced(task) && Steps(task.tracing->mode);
    if (task.tracing) task.tracing->original = -1;
    Stop stop = steps ? cpu.Step() : debugger_ ? debugger_->RunCpu(task, budget) : cpu.Run(budget);
    running_.store(nullptr, std::memory_order_relaxed);
    const Icount retired = cpu.icount() - before;
    kernel_.SetIcount(now + retired);
    if (retired != 0) step_ = 0;
    return stop;
  }

  void Serve(Task& task, const Stop& stop) {
    switch (stop.kind) {
      case StopKind::kBudget:
      case StopKind::kYield:
        return;
      case StopKind::kSyscall:
        BeginCall(task, stop.entry);
        return;
      case StopKind::kMemoryLimit:
        kernel_.EndByLimit(LimitId::kMemory);
        return;
      case StopKind::kException:
        ++step_;
        if (stop.exception == ExceptionKind::kNotImplemented && !unimplemented_)
          unimplemented_ = stop.instruction;
        RaiseFault(task, stop);
        return;
      case StopKind::kMemoryFault:
        ++step_;
        RaiseFault(task, stop);
        return;
    }
  }

  void CheckMemoryLimit(Task& task) {
    if (task.program && task.memory().hit_memory_limit()) kernel_.EndByLimit(LimitId::kMemory);
  }

  Kernel kernel_;
  TreeSource& tree_;
  const DebugLaunch own_;
  const SeededRandom layouts_;   // as the first program draws from it
  std::shared_ptr<Task> first_;  // of the process whose end is the box'
  std::shared_ptr<tty::PtsDirectory> pts_;
  std::unique_ptr<Debugger> debugger_;  // once somebody has asked for it
  std::unique_ptr<LiveInput> live_;     // of a box that has it
  std::deque<Launching> launches_;      // made, and without a program as yet
  bool started_ = false;
  std::uint64_t step_ = 0;  // see Moment
  std::uint64_t turn_ = 0;  // of the scheduler, to which turn_end_ belongs
  Icount turn_end_ = 0;     // when somebody else is to get the CPU
  unsigned turns_ = 0;      // of the CPU since the host's clock was asked, at looked_at_
  Icount looked_at_ = 0;
  Nanoseconds accounted_ = 0;  // CPU time that was given to tasks
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
  if (spec.terminal && !spec.live_input)
    return refuse("a terminal needs live input", "spec.terminal");
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
