#include "engine/linux/debugger.h"

#include <algorithm>
#include <utility>

#include "engine/linux/call.h"
#include "engine/linux/exit.h"
#include "engine/linux/process_table.h"
#include "engine/vfs/resolve.h"

namespace glovebox::engine {
namespace {

using Kind = DebugEvent::Kind;
using How = DebugResume::How;

// Of an action at a breakpoint that lets the guest go on: how often, before the caller may look at
// its clock.
constexpr int kHitsPerRun = 256;

constexpr ExitStatus kKilled{.code = 0, .signal = kSIGKILL};

bool HasEnded(const Task& task) { return task.scheduling.state == Scheduling::State::kEnded; }

// What NUL-separated bytes hold.
std::vector<std::string> ArgumentsOf(const Program& program) {
  std::vector<std::string> arguments;
  const BuiltStack& stack = program.stack;
  constexpr std::uint64_t kMostBytes = 64 << 10;
  std::string text(static_cast<std::size_t>(
                       std::min<std::uint64_t>(stack.argv_end - stack.argv_start, kMostBytes)),
                   '\0');
  text.resize(program.space->Inspect(std::as_writable_bytes(std::span(text)), stack.argv_start));
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    arguments.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return arguments;
}

}  // namespace

Debugger::Debugger(Kernel& kernel, TreeSource& tree, DebugHost& host, Launcher& launcher)
    : kernel_(kernel),
      host_(host),
      launcher_(launcher),
      files_(kernel, tree),
      first_pid_(kFirstPid) {}

// --- who is debugged ---

Task* Debugger::Find(ThreadId id) const {
  Task* const task = kernel_.processes().FindTask(static_cast<int>(id.tid));
  return task != nullptr && task->debug && task->process.pid == id.pid && !HasEnded(*task)
             ? task
             : nullptr;
}

Task* Debugger::AnyOf(std::uint32_t pid) const {
  Process* const process = kernel_.processes().FindProcess(static_cast<int>(pid));
  if (process == nullptr) return nullptr;
  const auto found = std::ranges::find_if(process->threads, [](const Task* thread) {
    return thread->debug && !thread->debug->released && thread->program;
  });
  return found != process->threads.end() ? *found : nullptr;
}

Result<Task*, Errno> Debugger::Stopped(ThreadId id) {
  Task* const task = Find(id);
  if (task == nullptr || !task->program) return std::unexpected(kESRCH);
  if (!task->debug->stopped && task != hit_) return std::unexpected(kEBUSY);
  return task;
}

std::vector<BoxDebugger::ProcessRow> Debugger::Processes() const {
  std::vector<ProcessRow> rows;
  if (kernel_.ended() || held_) return rows;
  for (const auto& [id, task] : kernel_.processes().tasks()) {
    const Process& process = task->process;
    if (process.pid != id || process.ended) continue;
    ProcessRow row;
    row.pid = id;
    row.parent = process.parent != nullptr ? process.parent->pid : 0;
    row.group = process.group;
    row.session = process.session;
    row.uid = task->credentials.uid;
    row.gid = task->credentials.gid;
    row.debugged = processes_.contains(id);
    for (const Task* const thread : process.threads) {
      if (HasEnded(*thread) || !thread->program) continue;
      if (row.threads.empty()) {
        const Program& program = *thread->program;
        row.is_i386 = program.abi == abi::AbiId::kI386;
        row.executable = DisplayPath(kernel_.files().root(), program.executable);
        row.arguments = ArgumentsOf(program);
      }
      row.threads.push_back(thread->tid);
    }
    if (!row.threads.empty()) rows.push_back(std::move(row));
  }
  return rows;
}

Result<bool, Errno> Debugger::IsI386(std::uint32_t pid) const {
  const Task* const task = AnyOf(pid);
  if (task == nullptr) return std::unexpected(kESRCH);
  return task->program->abi == abi::AbiId::kI386;
}

std::vector<BoxDebugger::ThreadRow> Debugger::Threads() const {
  std::vector<ThreadRow> rows;
  if (kernel_.ended() || held_) return rows;
  for (const auto& [pid, marks] : processes_) {
    const Process* const process = kernel_.processes().FindProcess(static_cast<int>(pid));
    if (process == nullptr || process->ended) continue;
    for (const Task* const thread : process->threads) {
      if (!thread->debug || HasEnded(*thread)) continue;
      rows.push_back({IdOf(*thread), thread->command, thread->debug->stopped});
    }
  }
  return rows;
}

void Debugger::Debug(Task& task, bool stopped) {
  task.debug = std::make_shared<Debugged>();
  task.debug->stopped = stopped;
  // Where the number of its call is kept, and what becomes of one that is interrupted.
  if (!task.tracing) task.tracing = std::make_unique<Tracing>();
  if (task.call) task.tracing->original = static_cast<std::int64_t>(task.call->number);
}

Result<void, Errno> Debugger::Attach(std::uint32_t pid) {
  if (pid == 0) pid = first_pid_;
  Process* const process = kernel_.processes().FindProcess(static_cast<int>(pid));
  if (process == nullptr || process->ended || kernel_.ended() || held_ || pid == kInitPid)
    return std::unexpected(kESRCH);
  if (processes_.contains(pid)) return std::unexpected(kEBUSY);
  processes_[pid];
  told_ = false;
  bool first = true;
  for (Task* const thread : process->threads) {
    if (HasEnded(*thread)) continue;
    Debug(*thread, true);
    resumed_.insert(IdOf(*thread));
    if (first || non_stop_) Tell(*thread, {.kind = Kind::kInterrupted});
    first = false;
  }
  return {};
}

// Done with: but a call that it was stopped before has to begin.
void Debugger::Release(Task& task) {
  if (!task.debug) return;
  if (!task.debug->entry) {
    task.debug.reset();
    return;
  }
  task.debug->released = true;
  task.debug->stopped = false;
}

Result<void, Errno> Debugger::Detach(std::uint32_t pid, int signal) {
  if (!processes_.contains(pid)) return std::unexpected(kESRCH);
  if (Task* const task = AnyOf(pid)) ForgetMarks(pid, *task->program);
  Process* const process = kernel_.processes().FindProcess(static_cast<int>(pid));
  if (process != nullptr) {
    for (Task* const thread : process->threads) {
      if (!thread->debug) continue;
      // What it was stopped for is delivered as if nobody had asked, or what is wanted instead; not
      // the fault of an instruction that it is no longer at.
      const int asked = thread->debug->asked;
      if (asked != 0) {
        const bool is_over = (thread->debug->moved && (SetOf(asked) & kSynchronous) != 0) ||
                             (delivered_ && !delivered_->contains(asked));
        Decide(*thread, signal != 0 ? std::exchange(signal, 0) : (is_over ? 0 : asked));
      }
      Release(*thread);
    }
    if (signal != 0) Decide(*process->threads.front(), signal);
  }
  processes_.erase(pid);
  std::erase_if(events_, [pid](const DebugEvent& event) { return event.thread.pid == pid; });
  if (processes_.empty() ||
      std::ranges::all_of(Threads(), [](const ThreadRow& row) { return !row.stopped; })) {
    halted_ = false;
  }
  return {};
}

Result<void, Errno> Debugger::Kill(std::uint32_t pid) {
  Process* const process = kernel_.processes().FindProcess(static_cast<int>(pid));
  if (process == nullptr || !processes_.contains(pid)) return std::unexpected(kESRCH);
  Changed({.kind = DebugChange::Kind::kKill, .thread = {pid, pid}});
  killed_.insert(pid);
  if (const auto ok = Detach(pid, 0); !ok) return ok;
  process->Send(SenderInfo(kSIGKILL, kSiKernel, 0, 0));
  for (Task* const thread : process->threads) kernel_.scheduler.Continue(*thread);
  return {};
}

// --- marks ---

void Debugger::Sync(Program& program, GuestAddr address) {
  const bool wanted = std::ranges::any_of(processes_, [&](const auto& row) {
    const Task* const task = AnyOf(row.first);
    return task != nullptr && task->program.get() == &program &&
           row.second.breakpoints.contains(address);
  });
  if (wanted) {
    program.cpu->SetBreakpoint(address);
  } else {
    program.cpu->ClearBreakpoint(address);
  }
}

void Debugger::ForgetMarks(std::uint32_t pid, Program& program) {
  Marks& marks = processes_[pid];
  const auto breakpoints = std::exchange(marks.breakpoints, {});
  marks.watches.clear();
  for (const GuestAddr address : breakpoints) Sync(program, address);
  SyncWatches();
}

Result<void, Errno> Debugger::SetBreakpoint(std::uint32_t pid, GuestAddr address) {
  Task* const task = AnyOf(pid);
  if (task == nullptr) return std::unexpected(kESRCH);
  processes_[pid].breakpoints.insert(address);
  Sync(*task->program, address);
  return {};
}

Result<void, Errno> Debugger::ClearBreakpoint(std::uint32_t pid, GuestAddr address) {
  Task* const task = AnyOf(pid);
  if (task == nullptr) return std::unexpected(kESRCH);
  if (processes_[pid].breakpoints.erase(address) == 0) return std::unexpected(kENOENT);
  Sync(*task->program, address);
  return {};
}

Result<void, Errno> Debugger::CatchCalls(std::uint32_t pid,
                                         std::optional<std::set<std::uint64_t>> numbers) {
  if (!processes_.contains(pid)) return std::unexpected(kESRCH);
  processes_[pid].calls = std::move(numbers);
  return {};
}

// --- files ---

Result<std::shared_ptr<DebugFile>, Errno> Debugger::OpenFile(std::uint32_t pid,
                                                             const std::string& path, int flags,
                                                             std::uint32_t mode) {
  const bool changes = (flags & (kOpenAccessMode | kOpenCreate | kOpenTruncate)) != kOpenReadOnly;
  if (!changes) return files_.Open(pid, path, (flags & kOpenNoFollow) == 0);
  Changed({.kind = DebugChange::Kind::kFileOpen,
           .thread = {pid, pid},
           .address = static_cast<GuestAddr>(flags),
           .number = mode,
           .path = path});
  const auto tell = [this, pid, path](std::uint64_t offset, std::span<const std::byte> bytes) {
    Changed({.kind = DebugChange::Kind::kFileWrite,
             .thread = {pid, pid},
             .address = offset,
             .bytes = {bytes.begin(), bytes.end()},
             .path = path});
  };
  return files_.OpenToWrite(pid, path, flags, mode, tell);
}

Result<void, Errno> Debugger::Unlink(std::uint32_t pid, const std::string& path) {
  Changed({.kind = DebugChange::Kind::kFileUnlink, .thread = {pid, pid}, .path = path});
  return files_.Unlink(pid, path);
}

// --- standing still and going on ---

void Debugger::StopAll() {
  halted_ = true;
  for (const auto& [id, task] : kernel_.processes().tasks()) {
    if (task->debug && !task->debug->released) task->debug->stopped = true;
  }
}

void Debugger::Tell(Task& task, DebugEvent event) {
  event.thread = IdOf(task);
  if (task.debug) task.debug->stopped = true;
  events_.push_back(std::move(event));
  if (!non_stop_) StopAll();
}

void Debugger::TellEnd(DebugEvent event) {
  events_.push_back(std::move(event));
  // Where nobody is left who is debugged, nobody could let the others go.
  if (!non_stop_ && !processes_.empty()) StopAll();
}

std::optional<DebugEvent> Debugger::TakeEvent() {
  if (events_.empty() || (!non_stop_ && told_)) return std::nullopt;
  const auto is_end = [](const DebugEvent& event) { return event.kind >= Kind::kThreadExited; };
  // All-stop: first of those that were let go.
  const auto found = std::ranges::find_if(events_, [&](const DebugEvent& event) {
    return non_stop_ || is_end(event) || resumed_.contains(event.thread);
  });
  if (found == events_.end()) return std::nullopt;
  DebugEvent event = std::move(*found);
  events_.erase(found);
  told_ = true;
  return event;
}

bool Debugger::Runs() const {
  if (kernel_.ended() || halted()) return false;
  return std::ranges::any_of(Threads(), [](const ThreadRow& row) { return !row.stopped; });
}

void Debugger::LookForPlace(const Moment& now) {
  if (place_->thread && now == place_->moment) {
    Task* const task = kernel_.processes().FindTask(static_cast<int>(place_->thread->tid));
    if (task == nullptr || !task->program || HasEnded(*task)) return;
    task->TakeCpu();
    if (task->cpu().rip() != place_->rip) return;
  }
  place_.reset();
  halted_ = true;
}

bool Debugger::Interrupt() {
  if (!Runs()) return false;
  Task* task = kernel_.scheduler.current();
  if (task == nullptr || !task->debug || task->debug->stopped || HasEnded(*task)) {
    for (const ThreadRow& row : Threads()) {
      if (row.stopped) continue;
      task = Find(row.thread);
      break;
    }
  }
  Tell(*task, {.kind = Kind::kInterrupted});
  return true;
}

Result<void, Errno> Debugger::Halt(ThreadId thread) {
  Task* const task = Find(thread);
  if (task == nullptr) return std::unexpected(kESRCH);
  if (!task->debug->stopped) Tell(*task, {.kind = Kind::kInterrupted});
  return {};
}

// What becomes of the signal that the thread stopped for, or of none.
void Debugger::Decide(Task& task, int signal) {
  const int asked = task.debug ? std::exchange(task.debug->asked, 0) : 0;
  const bool was_shown = task.debug && std::exchange(task.debug->shown, std::nullopt);
  if (was_shown && (signal == asked || signal == 0)) return;  // it is lost either way
  if (signal == asked) {
    if (task.debug) task.debug->decided = signal;
    return;
  }
  DebugChange change{.kind = DebugChange::Kind::kSignal, .thread = IdOf(task)};
  change.number = static_cast<std::uint64_t>(signal);
  Changed(std::move(change));
  if (asked != 0 && !was_shown) task.TakeSignal(SetOf(asked));
  if (signal == 0) return;
  if (task.debug) task.debug->decided = signal;
  task.Receive(SenderInfo(signal, kSiUser, 0, 0));
}

Result<void, Errno> Debugger::Resume(std::span<const DebugResume> actions) {
  for (const DebugResume& action : actions) {
    Task* const task = Find(action.thread);
    if (task == nullptr) return std::unexpected(kESRCH);
    if (!task->debug->stopped) return std::unexpected(kEBUSY);
    if (action.signal < 0 || action.signal > kSignalCount) return std::unexpected(kEINVAL);
  }
  resumed_.clear();
  for (const DebugResume& action : actions) {
    Task& task = *Find(action.thread);
    resumed_.insert(action.thread);
    Debugged& debug = *task.debug;
    debug.stopped = false;
    debug.how = action.how;
    // A step from before a call ends behind it.
    debug.stepped = debug.entry && action.how != How::kContinue;
    debug.range_begin = action.range_begin;
    debug.range_end = action.range_end;
    Decide(task, action.signal);
  }
  told_ = false;
  halted_ = !non_stop_ && std::ranges::any_of(events_, [this](const DebugEvent& event) {
    return event.kind >= Kind::kThreadExited || resumed_.contains(event.thread);
  });
  if (halted_) StopAll();
  return {};
}

void Debugger::Changed(DebugChange change) {
  altered_ = true;
  host_.OnChange(change);
}

// --- the run loop ---

Task* Debugger::Pick() {
  bool deviates = false;
  Task* const task = kernel_.scheduler.PickAllowed(
      [](const Task& each) { return !each.debug || !each.debug->stopped; }, &deviates);
  if (deviates) Changed({.kind = DebugChange::Kind::kSchedule, .thread = IdOf(*task)});
  return task;
}

bool Debugger::HoldsBack() const {
  return std::ranges::any_of(kernel_.processes().tasks(), [](const auto& row) {
    const Task& task = *row.second;
    return task.debug && task.debug->stopped && !HasEnded(task);
  });
}

Nanoseconds Debugger::NextWake() const {
  Nanoseconds next = kNever;
  for (const auto& [id, task] : kernel_.processes().tasks()) {
    const Scheduling& scheduling = task->scheduling;
    const bool may_run = !task->debug || !task->debug->stopped;
    if (may_run && scheduling.state == Scheduling::State::kWaiting && scheduling.has_deadline)
      next = std::min(next, scheduling.by_deadline->first.first);
  }
  return next;
}

bool Debugger::GoesOn(Task& task) {
  if (task.debug->entry) {
    const SyscallEntry entry = *std::exchange(task.debug->entry, std::nullopt);
    if (task.debug->released) task.debug.reset();
    GoOnWithCall(task, entry);
    return false;
  }
  return true;
}

Stop Debugger::RunCpu(Task& task, std::uint64_t budget) {
  if (watching_ && !WatchOn(task)) return Stop{.kind = StopKind::kYield};
  x86::Vcpu& cpu = task.cpu();
  Debugged* const debug = task.debug.get();
  if (debug != nullptr && debug->traced_step_over) TellStep(task);
  const bool traces = debug != nullptr && debug->traced_steps > 0;
  const bool steps = debug != nullptr && (traces || debug->how != How::kContinue);
  if (steps) budget = 1;
  std::optional<GuestAddr> passes = debug != nullptr ? debug->passes : std::nullopt;
  Stop stop;
  const Icount begun = cpu.icount();
  for (int hits = 0; hits < kHitsPerRun; ++hits) {
    if (passes == cpu.rip()) cpu.PassBreakpoint();
    const Icount before = cpu.icount();
    stop = cpu.Run(budget);
    const Icount retired = cpu.icount() - before;
    budget -= retired;
    // Between two repetitions of a string instruction it is still the same one.
    if (retired != 0 && !(passes == cpu.rip() && cpu.IsRepeating())) passes.reset();
    if (steps && retired != 0) {
      debug->stepped = debug->how != How::kContinue;
      debug->traced_step_over = debug->traced_steps > 0;
    }
    const auto met = cpu.TakeDebugStop();
    if (!met) break;
    if (met->kind == DebugStop::Kind::kWatchpoint) {
      if (TellHit(task, met->hit)) break;
      continue;
    }
    const GuestAddr at = cpu.rip();
    DebugVerdict verdict;
    if (debug != nullptr && processes_[task.process.pid].breakpoints.contains(at)) {
      hit_ = &task;
      const Nanoseconds now = kernel_.Now() + (cpu.icount() - begun);
      verdict = host_.OnBreakpoint({IdOf(task), at, cpu, task.space(), now});
      hit_ = nullptr;
      debug->traced_steps = std::max(debug->traced_steps, verdict.steps);
    }
    if (verdict.stops) {
      Tell(task, {.kind = Kind::kBreakpoint, .address = at});
      break;
    }
    passes = at;
    stop = Stop{.kind = StopKind::kYield};
    if (budget == 0 || (verdict.steps != 0 && !steps)) break;
  }
  if (debug != nullptr) debug->passes = passes;
  return stop;
}

void Debugger::TellStep(Task& task) {
  Debugged& debug = *task.debug;
  debug.traced_step_over = false;
  if (debug.traced_steps == 0) return;
  hit_ = &task;
  const bool more =
      host_.OnStep({IdOf(task), task.cpu().rip(), task.cpu(), task.space(), kernel_.Now()});
  hit_ = nullptr;
  debug.traced_steps = more ? debug.traced_steps - 1 : 0;
}

// The end of a step, unless something else stopped the task or the call that it made goes on.
void Debugger::AfterRun(Task& task) {
  if (!task.debug || !task.debug->stepped || task.call || task.debug->entry) return;
  task.debug->stepped = false;
  if (task.debug->stopped || HasEnded(task) || !task.program) return;
  const GuestAddr rip = task.cpu().rip();
  const Debugged& debug = *task.debug;
  if (debug.how == How::kStepRange && rip >= debug.range_begin && rip < debug.range_end) return;
  Tell(task, {.kind = Kind::kStepped});
}

bool Debugger::TellDeadlock() {
  if (std::exchange(deadlock_told_, true)) return false;
  for (const ThreadRow& row : Threads()) {
    if (row.stopped) continue;
    Tell(*Find(row.thread), {.kind = Kind::kDeadlock});
    return true;
  }
  return false;
}

// --- hooks ---

bool Debugger::StopsForSignal(Task& task) {
  Debugged& debug = *task.debug;
  if (debug.released) return false;
  const int signal = task.signals.NextDeliverable();
  if (signal == 0 || signal == kSIGKILL || passed_.contains(signal)) return false;
  if (debug.decided == signal) return false;
  debug.asked = signal;
  debug.moved = false;
  debug.stepped = false;
  const DefaultAction action = DefaultActionOf(signal);
  const bool fatal = task.signals.action(signal).handler == kHandlerDefault &&
                     (action == DefaultAction::kTerminate || action == DefaultAction::kCore);
  Tell(task, {.kind = Kind::kSignal, .signal = signal, .fatal = fatal});
  return true;
}

void Debugger::NoteIgnored(Task& task, const abi::Siginfo& info) {
  Debugged& debug = *task.debug;
  if (debug.released || debug.stopped || HasEnded(task) || passed_.contains(info.signal)) return;
  debug.asked = info.signal;
  debug.shown = info;
  debug.moved = debug.stepped = false;
  Tell(task, {.kind = Kind::kSignal, .signal = info.signal});
}

void Debugger::NoteTaken(Task& task, int signal) {
  if (task.debug->decided == signal) task.debug->decided = 0;
}

// user_single_step_report of Linux: who steps stops at the handler's first instruction.
void Debugger::NoteHandler(Task& task) {
  static_cast<void>(task.space().TakeCopyHit());
  if (task.debug->how == How::kContinue || task.debug->released) return;
  task.debug->stepped = true;
  AfterRun(task);
}

bool Debugger::StopsAtEntry(Task& task, SyscallEntry entry, std::uint64_t number) {
  if (task.debug->released) return false;
  const auto& calls = processes_[task.process.pid].calls;
  if (!calls || (!calls->empty() && !calls->contains(number))) return false;
  task.tracing->original = static_cast<std::int64_t>(number);
  task.cpu().SetGpr(x86::kRax, static_cast<std::uint64_t>(-static_cast<std::int64_t>(kENOSYS)));
  task.debug->entry = entry;
  task.debug->catches = number;
  Tell(task, {.kind = Kind::kSyscallEntry, .syscall = number});
  return true;
}

void Debugger::NoteReturn(Task& task) {
  if (kernel_.ended() || HasEnded(task) || !task.program || task.debug->released) return;
  const auto caught = std::exchange(task.debug->catches, std::nullopt);
  auto hit = task.space().TakeCopyHit();
  if (hit && hit->home_pid != 0 && hit->home_pid != task.process.pid) {
    TellHit(task, *hit);
    hit.reset();
  }
  if (caught && processes_[task.process.pid].calls) {
    task.debug->stepped = false;
    Tell(task, {.kind = Kind::kSyscallReturn, .syscall = *caught});
  } else if (hit) {
    task.debug->stepped = false;
    Tell(task, {.kind = Kind::kWatchpoint, .address = hit->address, .watch = hit->kind});
  } else {
    AfterRun(task);
  }
}

void Debugger::NoteClone(Task& task, Task& child, DebugEvent::Kind kind) {
  if (task.debug->released) return;
  if (&task.process == &child.process) {
    Debug(child, interest_.threads);
    resumed_.insert(IdOf(child));
    if (interest_.threads) Tell(child, {.kind = Kind::kThreadCreated});
    return;
  }
  if (kind == Kind::kVfork ? !interest_.vfork : !interest_.fork) return;
  Debug(child, true);
  const Marks& parents = processes_[task.process.pid];
  Marks& marks = processes_[child.process.pid];
  marks.breakpoints = parents.breakpoints;
  marks.watches = parents.watches;
  for (const GuestAddr address : marks.breakpoints) Sync(*child.program, address);
  SyncWatches();
  resumed_.insert(IdOf(child));
  Tell(task, {.kind = kind, .other = IdOf(child)});
}

void Debugger::NoteVforkDone(Task& task) {
  if (interest_.vfork && !task.debug->released) Tell(task, {.kind = Kind::kVforkDone});
}

void Debugger::NoteExec(Task& task, const Program& next) {
  if (task.debug->released) return;
  // Other threads have ended, and this one has the number of the process now.
  ForgetMarks(task.process.pid, *task.program);
  resumed_.insert(IdOf(task));
  if (!interest_.exec) return;
  task.debug->stepped = false;
  Tell(task, {.kind = Kind::kExec, .path = DisplayPath(kernel_.files().root(), next.executable)});
}

void Debugger::NoteThreadEnd(Task& task, const ExitStatus& status) {
  if (!interest_.threads || task.debug->released) return;
  TellEnd({.kind = Kind::kThreadExited, .thread = IdOf(task), .code = status.code});
}

void Debugger::NoteProcessEnd(Process& process, const ExitStatus& status) {
  killed_.erase(process.pid);
  if (processes_.erase(process.pid) == 0) return;
  std::erase_if(events_, [&](const DebugEvent& event) { return event.thread.pid == process.pid; });
  DebugEvent event{.kind = status.signal != 0 ? Kind::kProcessSignaled : Kind::kProcessExited,
                   .thread = {process.pid, process.pid},
                   .signal = status.signal,
                   .code = status.code};
  TellEnd(std::move(event));
}

// Everything goes with the first process.
void Debugger::NoteBoxEnd(const ExitStatus& status) {
  for (const auto& [id, task] : kernel_.processes().tasks()) {
    Process& process = task->process;
    if (process.pid != id || process.ended) continue;
    NoteProcessEnd(process, process.pid == first_pid_ ? status : kKilled);
  }
}

}  // namespace glovebox::engine
