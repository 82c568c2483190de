#include "server/worker/debuggee.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "server/worker/debuggee_registers.h"

namespace glovebox::worker {
namespace {

using engine::DebugEvent;
using engine::Errno;
using gdbstub::Architecture;
using gdbstub::BreakpointKind;
using gdbstub::Refuse;
using gdbstub::StopReason;

constexpr int kTrap = 5, kInterrupt = 2;
constexpr const char* kJournalIsFull =
    "debuggers have changed as much of this job as its journal takes";

template <typename T>
gdbstub::Answer<T> AnswerOf(Result<T, Errno> result) {
  if (!result) return Refuse(result.error());
  if constexpr (!std::is_void_v<T>) {
    return std::move(*result);
  } else {
    return {};
  }
}

engine::ThreadId IdOf(const gdbstub::ThreadRef& thread) { return {thread.pid, thread.tid}; }
gdbstub::ThreadRef RefOf(const engine::ThreadId& thread) { return {thread.pid, thread.tid}; }

struct ReasonRow {
  DebugEvent::Kind kind;
  StopReason reason;
};
constexpr ReasonRow kReasons[] = {
    {DebugEvent::Kind::kSignal, StopReason::kSignal},
    {DebugEvent::Kind::kStepped, StopReason::kSignal},
    {DebugEvent::Kind::kBreakpoint, StopReason::kSoftwareBreakpoint},
    {DebugEvent::Kind::kWatchpoint, StopReason::kWatchWrite},
    {DebugEvent::Kind::kFork, StopReason::kFork},
    {DebugEvent::Kind::kVfork, StopReason::kVfork},
    {DebugEvent::Kind::kVforkDone, StopReason::kVforkDone},
    {DebugEvent::Kind::kExec, StopReason::kExec},
    {DebugEvent::Kind::kThreadCreated, StopReason::kThreadCreated},
    {DebugEvent::Kind::kSyscallEntry, StopReason::kSyscallEntry},
    {DebugEvent::Kind::kSyscallReturn, StopReason::kSyscallReturn},
    {DebugEvent::Kind::kInterrupted, StopReason::kSignal},
    {DebugEvent::Kind::kDeadlock, StopReason::kSignal},
    {DebugEvent::Kind::kThreadExited, StopReason::kThreadExited},
    {DebugEvent::Kind::kProcessExited, StopReason::kProcessExited},
    {DebugEvent::Kind::kProcessSignaled, StopReason::kProcessSignaled},
};

struct WatchRow {
  gdbstub::WatchKind stub;
  engine::WatchKind engine;
  StopReason reason;
};
constexpr WatchRow kWatches[] = {
    {gdbstub::WatchKind::kWrite, engine::WatchKind::kWrite, StopReason::kWatchWrite},
    {gdbstub::WatchKind::kRead, engine::WatchKind::kRead, StopReason::kWatchRead},
    {gdbstub::WatchKind::kAccess, engine::WatchKind::kAccess, StopReason::kWatchAccess},
};
engine::WatchKind KindOf(gdbstub::WatchKind kind) {
  return std::ranges::find(kWatches, kind, &WatchRow::stub)->engine;
}

// The state at a hit, as conditions and commands ask for it.
class View final : public gdbstub::HitView {
 public:
  View(const engine::DebugHit& hit, BoxDebuggee& debuggee) : hit_(hit), debuggee_(debuggee) {}
  gdbstub::ThreadRef thread() const override { return RefOf(hit_.thread); }
  std::uint64_t Register(gdbstub::RegisterNumber number) override {
    return RegisterOf(architecture(), number, hit_.cpu);
  }
  Architecture architecture() const override {
    const bool is_64bit = hit_.cpu.mode() == engine::x86::CpuMode::kLong64;
    return is_64bit ? Architecture::kAmd64 : Architecture::kI386;
  }
  bool ReadRegisters(std::span<std::byte> out) override {
    return debuggee_.ReadRegisters(thread(), out).has_value();
  }
  std::uint64_t Nanoseconds() const override { return hit_.now; }
  bool Read(engine::GuestAddr address, std::span<std::byte> out) override {
    return hit_.memory.Inspect(out, address) == out.size();
  }

 private:
  const engine::DebugHit& hit_;
  BoxDebuggee& debuggee_;
};

}  // namespace

BoxDebuggee::BoxDebuggee(engine::Box& box, const engine::LimitValues& limits, ChangeSink* changes)
    : box_(box), limits_(limits), debugger_(box.AttachDebugger(*this)), sink_(changes) {}

// --- from the owner ---

bool BoxDebuggee::Begin(std::uint32_t pid) { return debugger_.Attach(pid).has_value(); }

void BoxDebuggee::StandWhoRuns() {
  while (debugger_.TakeEvent()) {
  }
  GoOn();
  debugger_.Interrupt();
}

void BoxDebuggee::GoOn(engine::ThreadId thread, int signal) {
  std::vector<engine::DebugResume> resumes;
  for (const auto& row : debugger_.Threads()) {
    if (!row.stopped) continue;
    engine::DebugResume& resume = resumes.emplace_back();
    resume.thread = row.thread;
    resume.signal = row.thread == thread ? signal : 0;
  }
  static_cast<void>(debugger_.Resume(resumes));
}

bool BoxDebuggee::Await(const std::function<bool(const DebugEvent&)>& wanted) {
  while (const auto event = debugger_.TakeEvent()) {
    if (wanted(*event)) {
      awaited_stop_ = Translate(*event);
      return true;
    }
    GoOn(event->thread, event->signal);
  }
  return false;
}

void BoxDebuggee::TakeInitialStop() {
  initial_stop_ = std::exchange(awaited_stop_, std::nullopt);
  if (initial_stop_) return;
  if (const auto event = debugger_.TakeEvent()) initial_stop_ = Translate(*event);
}

void BoxDebuggee::Pump() {
  place_.reset();
  while (listener_ != nullptr) {
    const auto event = debugger_.TakeEvent();
    if (!event) return;
    if (event->kind == DebugEvent::Kind::kNotStarted) {
      launching_ = false;
      listener_->OnLaunchRefused(
          {static_cast<Errno>(event->code), fmt::format("cannot run: {}", event->path)});
    } else {
      listener_->OnStop(Translate(*event));
    }
  }
}

void BoxDebuggee::LetGo() {
  listener_ = nullptr;
  debugger_.HoldEnd(false);
  stepping_.clear();
  for (const auto& row : debugger_.Processes()) {
    if (row.debugged) static_cast<void>(Detach(row.pid, 0));
  }
}

gdbstub::StopEvent BoxDebuggee::Translate(const DebugEvent& event) {
  if (event.kind < DebugEvent::Kind::kThreadExited) last_ = event;
  gdbstub::StopEvent out;
  out.thread = RefOf(event.thread);
  out.reason = std::ranges::find(kReasons, event.kind, &ReasonRow::kind)->reason;
  out.signal = event.signal;
  out.code = event.code;
  out.address = event.address;
  out.other = RefOf(event.other);
  out.syscall = event.syscall;
  out.path = event.path;
  switch (event.kind) {
    case DebugEvent::Kind::kStepped:
      out.signal = kTrap;
      break;
    case DebugEvent::Kind::kInterrupted:
      out.signal = std::exchange(interrupted_, false) ? kInterrupt : 0;
      if (std::exchange(launching_, false)) out.signal = kTrap;
      break;
    case DebugEvent::Kind::kBreakpoint:
      if (processes_[event.thread.pid].breakpoints[event.address].told ==
          BreakpointKind::kHardware) {
        out.reason = StopReason::kHardwareBreakpoint;
      }
      break;
    case DebugEvent::Kind::kWatchpoint:
      out.reason = std::ranges::find(kWatches, event.watch, &WatchRow::engine)->reason;
      break;
    case DebugEvent::Kind::kFork:
    case DebugEvent::Kind::kVfork:
      processes_[event.other.pid] = processes_[event.thread.pid];
      break;
    case DebugEvent::Kind::kExec:
    case DebugEvent::Kind::kProcessExited:
    case DebugEvent::Kind::kProcessSignaled:
      processes_.erase(event.thread.pid);
      break;
    default:
      break;
  }
  return out;
}

engine::DebugVerdict BoxDebuggee::OnBreakpoint(const engine::DebugHit& hit) {
  Here& here = processes_[hit.thread.pid].breakpoints[hit.address];
  View view(hit, *this);
  engine::DebugVerdict verdict;
  for (const auto& [kind, action] : here.kinds) {
    const gdbstub::HitVerdict one =
        action ? action->OnHit(view) : gdbstub::HitVerdict{.stops = true};
    if (one.steps > 0) stepping_[view.thread()] = action;
    verdict.steps = std::max(verdict.steps, one.steps);
    if (!one.stops) continue;
    here.told = kind;
    verdict.stops = true;
  }
  return verdict;
}

bool BoxDebuggee::OnStep(const engine::DebugHit& hit) {
  View view(hit, *this);
  const auto action = stepping_.find(view.thread());
  if (action == stepping_.end()) return false;
  if (action->second->OnStep(view)) return true;
  stepping_.erase(action);
  return false;
}

std::uint64_t BoxDebuggee::changes() const {
  std::uint64_t changes = 0;
  for (const auto& [kind, count] : changes_) changes += count;
  return changes;
}

void BoxDebuggee::OnChange(const engine::DebugChange& change) {
  ++changes_[change.kind];
  if (sink_ != nullptr) sink_->Take(change, place_.value_or(ChangePlace{.thread = change.thread}));
}

// The same for all changes until the box runs again: the first may be that of rip.
void BoxDebuggee::NotePlace(engine::ThreadId thread) {
  if (sink_ == nullptr || place_) return;
  ChangePlace place;
  place.thread = last_.thread.tid != 0 ? last_.thread : thread;
  auto general = debugger_.ReadRegisters(place.thread, engine::DebugRegisterSet::kGeneral);
  if (!general && place.thread != thread) {
    place.thread = thread;
    general = debugger_.ReadRegisters(thread, engine::DebugRegisterSet::kGeneral);
  } else if (last_.kind == DebugEvent::Kind::kSignal) {
    place.kind = ChangePlace::Kind::kDelivery;
    place.number = static_cast<std::uint64_t>(last_.signal);
  } else if (last_.kind == DebugEvent::Kind::kSyscallEntry) {
    place.kind = ChangePlace::Kind::kCallEntry;
    place.number = last_.syscall;
  }
  // Of a box that runs: the moment has to do.
  if (!general) place.thread = {};
  if (general) place.rip = InstructionPointer(*general);
  place_ = place;
}

// --- who is there ---

gdbstub::Answer<Architecture> BoxDebuggee::ArchitectureOf(std::uint32_t pid) {
  const auto is_i386 = debugger_.IsI386(pid);
  if (!is_i386) return Refuse(is_i386.error());
  return *is_i386 ? Architecture::kI386 : Architecture::kAmd64;
}

std::vector<gdbstub::ProcessInfo> BoxDebuggee::Processes() {
  std::vector<gdbstub::ProcessInfo> out;
  for (const auto& row : debugger_.Processes()) {
    if (!row.debugged) continue;
    out.push_back({.pid = row.pid,
                   .parent = row.parent,
                   .uid = row.uid,
                   .gid = row.gid,
                   .architecture = row.is_i386 ? Architecture::kI386 : Architecture::kAmd64,
                   .executable = row.executable});
  }
  return out;
}

std::vector<gdbstub::ThreadInfo> BoxDebuggee::Threads() {
  std::vector<gdbstub::ThreadInfo> out;
  for (const auto& row : debugger_.Threads())
    out.push_back({RefOf(row.thread), row.name, !row.stopped});
  return out;
}

std::vector<gdbstub::OsProcess> BoxDebuggee::AllProcesses() {
  std::vector<gdbstub::OsProcess> out;
  for (const auto& row : debugger_.Processes()) {
    gdbstub::OsProcess process{.pid = row.pid,
                               .parent = row.parent,
                               .uid = row.uid,
                               .user = row.uid == 0 ? "root" : std::to_string(row.uid),
                               .command = {},
                               .threads = row.threads};
    for (const std::string& argument : row.arguments)
      process.command += (process.command.empty() ? "" : " ") + argument;
    out.push_back(std::move(process));
  }
  return out;
}

// --- state ---

gdbstub::Answer<std::size_t> BoxDebuggee::ReadMemory(std::uint32_t pid, GuestAddr address,
                                                     std::span<std::byte> out) {
  return AnswerOf(debugger_.ReadMemory(pid, address, out));
}

gdbstub::Answer<void> BoxDebuggee::WriteMemory(std::uint32_t pid, GuestAddr address,
                                               std::span<const std::byte> in) {
  if (!HasRoom(in.size())) return Refuse(engine::kENOSPC, kJournalIsFull);
  NotePlace({pid, pid});
  return AnswerOf(debugger_.WriteMemory(pid, address, in));
}

gdbstub::Answer<void> BoxDebuggee::ReadRegisters(ThreadRef thread, std::span<std::byte> out) {
  const auto architecture = ArchitectureOf(thread.pid);
  auto general = debugger_.ReadRegisters(IdOf(thread), engine::DebugRegisterSet::kGeneral);
  if (!general) return Refuse(general.error());
  auto xstate = debugger_.ReadRegisters(IdOf(thread), engine::DebugRegisterSet::kXstate);
  if (!xstate || !architecture) return Refuse(engine::kESRCH);
  FillRegisters(*architecture, {std::move(*general), std::move(*xstate)}, out);
  return {};
}

gdbstub::Answer<void> BoxDebuggee::WriteRegister(ThreadRef thread, gdbstub::RegisterNumber number,
                                                 std::span<const std::byte> value) {
  const auto architecture = ArchitectureOf(thread.pid);
  if (!architecture) return Refuse(engine::kESRCH);
  const auto set = SetOf(*architecture, number);
  if (!set) return Refuse(engine::kEINVAL, "there is no such register");
  auto image = debugger_.ReadRegisters(IdOf(thread), *set);
  if (!image) return Refuse(image.error());
  RegisterImages images;
  images.Of(*set) = std::move(*image);
  PutRegister(*architecture, number, value, images);
  if (!HasRoom(images.Of(*set).size())) return Refuse(engine::kENOSPC, kJournalIsFull);
  NotePlace(IdOf(thread));
  return AnswerOf(debugger_.WriteRegisters(IdOf(thread), *set, images.Of(*set)));
}

gdbstub::Answer<engine::GuestAddr> BoxDebuggee::ThreadPointer(ThreadRef thread) {
  return AnswerOf(debugger_.ThreadPointer(IdOf(thread)));
}

// --- going on and standing still ---

gdbstub::Answer<void> BoxDebuggee::Resume(std::span<const gdbstub::ResumeAction> actions) {
  std::vector<engine::DebugResume> resumes;
  for (const gdbstub::ResumeAction& action : actions) {
    if (action.signal != 0 || last_.kind == DebugEvent::Kind::kSignal)
      NotePlace(IdOf(action.thread));
    using How = engine::DebugResume::How;
    const How how = action.kind == gdbstub::ResumeKind::kContinue ? How::kContinue
                    : action.kind == gdbstub::ResumeKind::kStep   ? How::kStep
                                                                  : How::kStepRange;
    resumes.push_back(
        {IdOf(action.thread), how, action.signal, action.range_begin, action.range_end});
  }
  auto resumed = AnswerOf(debugger_.Resume(resumes));
  if (resumed) last_ = {};
  return resumed;
}

void BoxDebuggee::Interrupt() { interrupted_ = debugger_.Interrupt() || interrupted_; }

gdbstub::Answer<void> BoxDebuggee::Halt(ThreadRef thread) {
  return AnswerOf(debugger_.Halt(IdOf(thread)));
}

gdbstub::Answer<void> BoxDebuggee::SetNonStop(bool on) {
  debugger_.SetNonStop(on);
  return {};
}

void BoxDebuggee::PassSignals(std::span<const int> signals) {
  debugger_.SetPassed({signals.begin(), signals.end()});
}

void BoxDebuggee::ProgramSignals(std::span<const int> signals) {
  std::optional<std::set<int>> delivered;
  if (!signals.empty()) delivered.emplace(signals.begin(), signals.end());
  debugger_.SetDelivered(std::move(delivered));
}

gdbstub::Answer<void> BoxDebuggee::Detach(std::uint32_t pid, int signal) {
  processes_.erase(pid);
  if (signal != 0 || last_.kind == DebugEvent::Kind::kSignal) NotePlace({pid, pid});
  return AnswerOf(debugger_.Detach(pid, signal));
}

gdbstub::Answer<void> BoxDebuggee::Kill(std::uint32_t pid) {
  processes_.erase(pid);
  NotePlace({pid, pid});
  return AnswerOf(debugger_.Kill(pid));
}

// --- breakpoints, watchpoints, events ---

gdbstub::Answer<void> BoxDebuggee::Insert(std::uint32_t pid, BreakpointKind kind, GuestAddr address,
                                          Action action) {
  const auto set = debugger_.SetBreakpoint(pid, address);
  if (!set) return Refuse(set.error());
  processes_[pid].breakpoints[address].kinds[kind] = std::move(action);
  return {};
}

gdbstub::Answer<void> BoxDebuggee::Remove(std::uint32_t pid, BreakpointKind kind,
                                          GuestAddr address) {
  auto& breakpoints = processes_[pid].breakpoints;
  const auto at = breakpoints.find(address);
  if (at == breakpoints.end() || at->second.kinds.erase(kind) == 0) return Refuse(engine::kENOENT);
  if (!at->second.kinds.empty()) return {};
  breakpoints.erase(at);
  return AnswerOf(debugger_.ClearBreakpoint(pid, address));
}

gdbstub::Answer<void> BoxDebuggee::Insert(std::uint32_t pid, gdbstub::WatchKind kind,
                                          GuestAddr address, std::uint64_t length) {
  auto& watches = processes_[pid].watches;
  watches.push_back({KindOf(kind), address, length});
  return AnswerOf(debugger_.SetWatches(pid, watches));
}

gdbstub::Answer<void> BoxDebuggee::Remove(std::uint32_t pid, gdbstub::WatchKind kind,
                                          GuestAddr address, std::uint64_t length) {
  auto& watches = processes_[pid].watches;
  const auto found = std::ranges::find(watches, engine::Watch{KindOf(kind), address, length});
  if (found == watches.end()) return Refuse(engine::kENOENT);
  watches.erase(found);
  return AnswerOf(debugger_.SetWatches(pid, watches));
}

// --- files ---

namespace {

constexpr std::size_t kMaxOpenFiles = 256;
constexpr int kNoFollow = 0400000;  // open(2)

Result<gdbstub::FileStatus, Errno> StatusFrom(const Result<engine::abi::x86_64::Stat, Errno>& got) {
  if (!got) return std::unexpected(got.error());
  const engine::abi::x86_64::Stat& stat = *got;
  gdbstub::FileStatus out;
  out.device = stat.device;
  out.inode = stat.inode;
  out.links = stat.links;
  out.rdevice = stat.special_device;
  out.size = static_cast<std::uint64_t>(stat.size);
  out.block_size = static_cast<std::uint64_t>(stat.block_size);
  out.blocks = static_cast<std::uint64_t>(stat.blocks);
  out.mode = stat.mode;
  out.uid = stat.uid;
  out.gid = stat.gid;
  out.accessed = stat.accessed.seconds;
  out.modified = stat.modified.seconds;
  out.changed = stat.changed.seconds;
  return out;
}

}  // namespace

Result<int, Errno> BoxDebuggee::Open(std::uint32_t filesystem_pid, std::string_view path,
                                     std::uint32_t flags, std::uint32_t mode) {
  if (files_.size() >= kMaxOpenFiles) return std::unexpected(engine::kEMFILE);
  auto file = debugger_.OpenFile(filesystem_pid, std::string(path), static_cast<int>(flags), mode);
  if (!file) return std::unexpected(file.error());
  files_[next_file_] = std::move(*file);
  return next_file_++;
}

Result<void, Errno> BoxDebuggee::Close(int handle) {
  if (files_.erase(handle) == 0) return std::unexpected(engine::kEBADF);
  return {};
}

Result<std::size_t, Errno> BoxDebuggee::Read(int handle, std::uint64_t offset,
                                             std::span<std::byte> out) {
  const auto file = files_.find(handle);
  if (file == files_.end()) return std::unexpected(engine::kEBADF);
  return file->second->Read(offset, out);
}

Result<std::size_t, Errno> BoxDebuggee::Write(int handle, std::uint64_t offset,
                                              std::span<const std::byte> in) {
  const auto file = files_.find(handle);
  if (file == files_.end()) return std::unexpected(engine::kEBADF);
  return file->second->Write(offset, in);
}

Result<gdbstub::FileStatus, Errno> BoxDebuggee::Status(int handle) {
  const auto file = files_.find(handle);
  if (file == files_.end()) return std::unexpected(engine::kEBADF);
  return StatusFrom(file->second->Status());
}

Result<gdbstub::FileStatus, Errno> BoxDebuggee::StatusOf(std::uint32_t filesystem_pid,
                                                         std::string_view path,
                                                         bool follow_last_link) {
  auto file =
      debugger_.OpenFile(filesystem_pid, std::string(path), follow_last_link ? 0 : kNoFollow, 0);
  if (!file) return std::unexpected(file.error());
  return StatusFrom((*file)->Status());
}

Result<std::string, Errno> BoxDebuggee::ReadLink(std::uint32_t filesystem_pid,
                                                 std::string_view path) {
  auto file = debugger_.OpenFile(filesystem_pid, std::string(path), kNoFollow, 0);
  if (!file) return std::unexpected(file.error());
  return (*file)->Target();
}

Result<void, Errno> BoxDebuggee::Unlink(std::uint32_t filesystem_pid, std::string_view path) {
  return debugger_.Unlink(filesystem_pid, std::string(path));
}

// --- running again ---

namespace {

std::string_view NameOf(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

// Names to be unset, and then those to be set, where they are or at the end.
void Edit(std::vector<std::string>& env, const gdbstub::LaunchRequest& request) {
  for (const std::string& name : request.environment_unset)
    std::erase_if(env, [&](const std::string& variable) { return NameOf(variable) == name; });
  for (const auto& [name, value] : request.environment_set) {
    const auto at = std::ranges::find_if(
        env, [&](const std::string& variable) { return NameOf(variable) == name; });
    const std::string variable = name + "=" + value;
    if (at == env.end()) {
      env.push_back(variable);
    } else {
      *at = variable;
    }
  }
}

}  // namespace

gdbstub::Answer<void> BoxDebuggee::Launch(const gdbstub::LaunchRequest& request) {
  engine::DebugLaunch launch = debugger_.OwnLaunch();
  if (!request.program.empty()) {
    launch.program = request.program;
    launch.argv = {request.program};
  } else if (!request.arguments.empty()) {
    launch.argv.resize(1);
  }
  launch.argv.insert(launch.argv.end(), request.arguments.begin(), request.arguments.end());
  Edit(launch.env, request);
  if (!request.working_directory.empty()) launch.working_directory = request.working_directory;
  if (!launch.working_directory.starts_with('/'))
    return Refuse(engine::kEINVAL, "the working directory is not an absolute path of the box");
  launch.randomize = request.randomize_addresses;
  const auto launched = debugger_.Launch(launch);
  if (!launched) {
    return Refuse(launched.error(),
                  "the job's limits leave nothing to run with: instructions, or tasks");
  }
  launching_ = true;
  return {};
}

gdbstub::Answer<void> BoxDebuggee::Attach(std::uint32_t pid) {
  return AnswerOf(debugger_.Attach(pid));
}

gdbstub::Answer<void> BoxDebuggee::Report(const gdbstub::EventSet& events) {
  debugger_.SetInterest(
      {.fork = events.fork, .vfork = events.vfork, .exec = events.exec, .threads = events.threads});
  return {};
}

gdbstub::Answer<void> BoxDebuggee::Catch(std::uint32_t pid,
                                         std::optional<std::vector<std::uint64_t>> numbers) {
  std::optional<std::set<std::uint64_t>> wanted;
  if (numbers) wanted.emplace(numbers->begin(), numbers->end());
  return AnswerOf(debugger_.CatchCalls(pid, std::move(wanted)));
}

// --- what else is known ---

gdbstub::Answer<std::vector<std::byte>> BoxDebuggee::Read(ThreadRef thread) {
  return AnswerOf(debugger_.ReadSiginfo(IdOf(thread)));
}

gdbstub::Answer<void> BoxDebuggee::Write(ThreadRef thread, std::size_t offset,
                                         std::span<const std::byte> bytes) {
  auto info = debugger_.ReadSiginfo(IdOf(thread));
  if (!info) return Refuse(info.error());
  if (offset > info->size() || bytes.size() > info->size() - offset) return Refuse(engine::kEINVAL);
  std::ranges::copy(bytes, info->begin() + static_cast<std::ptrdiff_t>(offset));
  NotePlace(IdOf(thread));
  return AnswerOf(debugger_.WriteSiginfo(IdOf(thread), *info));
}

gdbstub::Answer<std::vector<std::byte>> BoxDebuggee::Read(std::uint32_t pid) {
  return AnswerOf(debugger_.AuxiliaryVector(pid));
}

engine::GuestAddr BoxDebuggee::Limit(std::uint32_t pid) {
  return debugger_.AddressEnd(pid).value_or(0);
}

gdbstub::Answer<gdbstub::MemoryRegion> BoxDebuggee::Find(std::uint32_t pid, GuestAddr address) {
  const auto mappings = debugger_.Mappings(pid);
  if (!mappings) return Refuse(mappings.error());
  gdbstub::MemoryRegion region{.begin = 0, .end = Limit(pid), .name = {}};
  if (address >= region.end) return Refuse(engine::kEFAULT);
  for (const engine::Mapping& mapping : *mappings) {
    if (mapping.end <= address) {
      region.begin = std::max(region.begin, mapping.end);
    } else if (mapping.start > address) {
      region.end = std::min(region.end, mapping.start);
    } else {
      return gdbstub::MemoryRegion{.begin = mapping.start,
                                   .end = mapping.end,
                                   .mapped = true,
                                   .readable = (mapping.protection & engine::kProtRead) != 0,
                                   .writable = (mapping.protection & engine::kProtWrite) != 0,
                                   .executable = (mapping.protection & engine::kProtExec) != 0,
                                   .name = mapping.name};
    }
  }
  return region;
}

namespace {

struct Facts {
  const engine::BoxReport& report;
  const engine::LimitValues& limits;
  const std::map<engine::DebugChange::Kind, std::uint64_t>& changes;
};

std::string TellIcount(const Facts& facts) {
  return fmt::format("{} instructions have retired; virtual time {} ns; trace hash {}\n",
                     facts.report.icount, facts.report.virtual_time, facts.report.trace_hash);
}

std::string TellLimits(const Facts& facts) {
  std::string text;
  for (const engine::LimitRow& row : engine::kLimits)
    text += fmt::format("{:<14} {}\n", row.name, facts.limits[row.id]);
  return text;
}

std::string TellCalls(const Facts& facts) {
  std::string text = fmt::format("{} system calls\n", facts.report.syscall_count);
  for (const auto& [name, count] : facts.report.absent_syscalls)
    text += fmt::format("not served, ENOSYS: {} ({} times)\n", name, count);
  return text;
}

std::string TellChanges(const Facts& facts) {
  struct Row {
    engine::DebugChange::Kind kind;
    std::string_view name;
  };
  constexpr Row kRows[] = {{engine::DebugChange::Kind::kMemory, "writes to memory"},
                           {engine::DebugChange::Kind::kRegisters, "writes to registers"},
                           {engine::DebugChange::Kind::kSignal, "signals sent, changed or dropped"},
                           {engine::DebugChange::Kind::kSiginfo, "writes to a siginfo"},
                           {engine::DebugChange::Kind::kSchedule, "threads run out of turn"},
                           {engine::DebugChange::Kind::kKill, "processes killed"},
                           {engine::DebugChange::Kind::kLaunch, "programs run"},
                           {engine::DebugChange::Kind::kFileOpen, "files opened for writing"},
                           {engine::DebugChange::Kind::kFileWrite, "writes to files"},
                           {engine::DebugChange::Kind::kFileUnlink, "files removed"}};
  std::string text;
  for (const Row& row : kRows) {
    const auto count = facts.changes.find(row.kind);
    if (count != facts.changes.end()) text += fmt::format("{}: {}\n", row.name, count->second);
  }
  return text.empty() ? "not altered: the job goes on as if nobody had looked\n" : text;
}

struct CommandRow {
  std::string_view name;
  std::string_view help;
  std::string (*tell)(const Facts&);
};
constexpr CommandRow kCommands[] = {
    {"icount", "where the box stands: instructions, virtual time, trace hash", &TellIcount},
    {"limits", "the job's limits", &TellLimits},
    {"syscalls", "how many system calls were made, and which are not served", &TellCalls},
    {"altered", "what this debugger has changed", &TellChanges},
};

}  // namespace

gdbstub::Answer<std::string> BoxDebuggee::Command(std::string_view text, ThreadRef) {
  const engine::BoxReport report = box_.Report();
  const Facts facts{report, limits_, changes_};
  if (text == "help" || text.empty()) {
    std::string help;
    for (const CommandRow& row : kCommands)
      help += fmt::format("monitor {:<10} {}\n", row.name, row.help);
    return help;
  }
  for (const CommandRow& row : kCommands) {
    if (row.name == text) return row.tell(facts);
  }
  return Refuse(engine::kEINVAL, fmt::format("no such command: {}; see monitor help", text));
}

}  // namespace glovebox::worker
