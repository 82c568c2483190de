#include "engine/linux/tracing.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/linux/exit.h"
#include "engine/linux/task.h"

namespace glovebox::engine::ptrace {
namespace {

constexpr int kTrapSignal = kSIGTRAP;
constexpr int kSysGoodBit = 0x80;
constexpr int kStopCodeShift = 8;
// si_code of SIGCHLD: sigaction(2).
constexpr int kChildTrapped = 4, kChildStopped = 5;
// PTRACE_GETEVENTMSG at stops of system calls: uapi/linux/ptrace.h.
constexpr std::uint64_t kMessageEntry = 1, kMessageExit = 2;

constexpr int CodeOf(int signal, TraceEventId event) {
  return signal | static_cast<int>(event) << kStopCodeShift;
}

// What ptrace_notify says of a stop that no signal made.
abi::Siginfo InfoOf(const Task& task, int signal, int code) {
  return SenderInfo(signal, code, task.tid, task.credentials.uid);
}

// do_notify_parent_cldstop, for the tracer.
void TellTracer(const Task& task, int why) {
  const Tracing& tracing = *task.tracing;
  Process& process = tracing.tracer->process;
  constexpr std::int64_t kNanosecondsPerTick = 10'000'000;
  abi::Siginfo info{};
  info.signal = kSIGCHLD;
  info.code = why;
  info.child = {
      static_cast<std::int32_t>(task.tid),
      task.credentials.uid,
      why == kChildStopped ? task.process.stop_signal : tracing.stop->code & 0x7f,
      0,
      static_cast<std::int64_t>(task.process.cpu_ns - task.process.system_ns) / kNanosecondsPerTick,
      static_cast<std::int64_t>(task.process.system_ns) / kNanosecondsPerTick};
  const Sigaction& action = process.threads.front()->signals.handlers().action(kSIGCHLD);
  if (action.handler != kHandlerIgnore && (action.flags & kSaNoChildStop) == 0) process.Send(info);
  process.kernel.scheduler.WakeAll(&process.children);
}

// Any stop is enough for whoever asked for one.
void EnterStop(Task& task, TraceStop stop, int why) {
  Tracing& tracing = *task.tracing;
  tracing.trap_pending = false;
  tracing.stop = std::move(stop);
  task.kernel.scheduler.Stop(task);
  TellTracer(task, why);
}

void StopWithCode(Task& task, TraceStop::Kind kind, int code, std::uint64_t message) {
  task.tracing->message = message;
  EnterStop(task, {.kind = kind, .code = code, .info = InfoOf(task, kTrapSignal, code)},
            kChildTrapped);
}

// do_jobctl_trap: the stop of the process, or one that was asked for.
void EnterTrap(Task& task) {
  const int group_signal = task.process.stop_signal;
  if (task.tracing->seized) {
    const int signal = group_signal != 0 ? group_signal : kTrapSignal;
    const int code = CodeOf(signal, TraceEventId::kStop);
    task.tracing->message = 0;
    EnterStop(task,
              {.kind = TraceStop::Kind::kEvent, .code = code, .info = InfoOf(task, signal, code)},
              kChildStopped);
  } else if (group_signal != 0) {
    EnterStop(task, {.kind = TraceStop::Kind::kGroup, .code = group_signal, .info = std::nullopt},
              kChildStopped);
  } else {
    task.tracing->trap_pending = false;
  }
}

// It goes on, unless its process is stopped and nobody traces it.
void LeaveStop(Task& task) {
  task.tracing->stop.reset();
  Scheduler& scheduler = task.kernel.scheduler;
  if (IsTraced(task) || task.process.stop_signal == 0) scheduler.Continue(task);
  scheduler.Wake(task);
}

void TrapSoon(Task& task) {
  task.tracing->trap_pending = true;
  task.kernel.scheduler.Wake(task);
}

}  // namespace

bool IsTraced(const Task& task) { return task.tracing && task.tracing->tracer != nullptr; }
bool IsTracedBy(const Task& task, const Process& process) {
  return IsTraced(task) && &task.tracing->tracer->process == &process;
}
bool InStop(const Task& task) { return task.tracing && task.tracing->stop.has_value(); }
bool WantsEvent(const Task& task, TraceEventId event) {
  return IsTraced(task) && (task.tracing->options >> static_cast<std::uint32_t>(event) & 1) != 0;
}

// --- the relation ---

void Link(Task& task, Task& tracer, bool seized, std::uint32_t options) {
  // What the last tracer left to be done stays.
  if (!task.tracing) task.tracing = std::make_unique<Tracing>();
  Tracing& tracing = *task.tracing;
  tracing.tracer = &tracer;
  tracing.seized = seized;
  tracing.options = options;
  tracing.mode = ResumeMode::kContinue;
  tracing.message = 0;
  if (task.call) tracing.original = static_cast<std::int64_t>(task.call->number);
  task.signals.keeps_ignored = true;
  // The newest first, as wait(2) finds them: __ptrace_link.
  tracer.process.tracees.insert(tracer.process.tracees.begin(), &task);
}

void Unlink(Task& task) {
  if (!IsTraced(task)) return;
  Tracing& tracing = *task.tracing;
  std::erase(tracing.tracer->process.tracees, &task);
  tracing.tracer = nullptr;
  tracing.options = 0;
  tracing.mode = ResumeMode::kContinue;
  tracing.trap_pending = false;
  task.signals.keeps_ignored = false;
}

void Detach(Task& task, int signal) {
  Unlink(task);
  if (!InStop(task)) return;
  task.tracing->injected = signal;
  // The process is stopped, and the thread with it from now on.
  if (task.process.stop_signal != 0) task.kernel.scheduler.Stop(task);
  LeaveStop(task);
}

void EndTracer(Task& tracer) {
  for (Task* const task : std::vector(tracer.process.tracees)) {
    if (task->tracing->tracer != &tracer) continue;
    const Tracing& tracing = *task->tracing;
    if (task->scheduling.state == Scheduling::State::kEnded) {
      // A leader whose other threads live is only let go of.
      ReleaseTracee(*task);
      continue;
    }
    const bool kills = (tracing.options & kExitKill) != 0;
    // A signal that the tracer has not heard of is delivered all the same.
    const bool unheard =
        tracing.stop && tracing.stop->kind == TraceStop::Kind::kSignal && !tracing.stop->told;
    Detach(*task, unheard ? tracing.stop->code : 0);
    if (kills) task->Receive(SenderInfo(kSIGKILL, kSiKernel, 0, 0));
  }
}

void InheritTracer(const Task& parent, Task& child, bool is_event) {
  if (!is_event || !IsTraced(parent)) return;
  const Tracing& from = *parent.tracing;
  Link(child, *from.tracer, from.seized, from.options);
  child.tracing->original = from.original;
  if (from.seized) {
    child.tracing->trap_pending = true;
  } else {
    child.signals.Send(SenderInfo(kSIGSTOP, kSiUser, 0, 0));
  }
}

// --- stops ---

bool StopForEvent(Task& task, TraceEventId event, std::uint64_t message) {
  if (!WantsEvent(task, event)) return false;
  StopWithCode(task, TraceStop::Kind::kEvent, CodeOf(kTrapSignal, event), message);
  return true;
}

bool ReportEntry(Task& task, SyscallEntry entry, std::uint64_t number) {
  Tracing& tracing = *task.tracing;
  tracing.original = static_cast<std::int64_t>(number);
  tracing.interrupted = false;
  task.cpu().SetGpr(x86::kRax, static_cast<std::uint64_t>(-static_cast<std::int64_t>(kENOSYS)));
  const ResumeMode mode = tracing.mode;
  const bool emulates = mode == ResumeMode::kEmulate || mode == ResumeMode::kEmulateStep;
  if (!IsTraced(task) || (mode != ResumeMode::kSyscall && !emulates)) return false;
  tracing.entry = entry;
  tracing.emulated = emulates;
  const int good = (tracing.options & kTraceSysGood) != 0 ? kSysGoodBit : 0;
  StopWithCode(task, TraceStop::Kind::kSyscall, kTrapSignal | good, kMessageEntry);
  return true;
}

void ReportExit(Task& task) {
  if (!IsTraced(task) || task.scheduling.state == Scheduling::State::kEnded) return;
  Tracing& tracing = *task.tracing;
  if (tracing.mode == ResumeMode::kSyscall) {
    const int good = (tracing.options & kTraceSysGood) != 0 ? kSysGoodBit : 0;
    StopWithCode(task, TraceStop::Kind::kSyscall, kTrapSignal | good, kMessageExit);
  } else if (Steps(tracing.mode)) {
    // user_single_step_report: the trap of the step over the instruction that made the call.
    task.last_trap.number = 1;
    task.last_trap.error = 0;
    task.signals.Force(FaultInfo(kSIGTRAP, kTrapBrkpt, task.cpu().rip()));
  }
}

void ReportHandler(Task& task) {
  if (IsTraced(task) && Steps(task.tracing->mode))
    StopWithCode(task, TraceStop::Kind::kEvent, kTrapSignal, 0);
}

void Resume(Task& task, ResumeMode mode, int signal) {
  Tracing& tracing = *task.tracing;
  const TraceStop::Kind kind = tracing.stop->kind;
  tracing.mode = mode;
  tracing.injected = kind == TraceStop::Kind::kSignal ? signal : 0;
  LeaveStop(task);
  if (kind == TraceStop::Kind::kSyscall && signal != 0)
    task.Receive(SenderInfo(signal, kSiKernel, 0, 0));
}

void Listen(Task& task) {
  task.tracing->stop->listening = true;
  // The process was continued in the meantime.
  if (task.tracing->trap_pending) Interrupt(task);
}

void Interrupt(Task& task) {
  if (InStop(task) && task.tracing->stop->listening) {
    LeaveStop(task);
    EnterTrap(task);
  } else {
    TrapSoon(task);
  }
}

void TrapStopped(Task& task) {
  if (task.scheduling.stopped) EnterTrap(task);
}

// --- what signals do ---

std::optional<abi::Siginfo> TakeSignal(Task& task) {
  Tracing& tracing = *task.tracing;
  if (tracing.trap_pending && IsTraced(task)) {
    EnterTrap(task);
    if (InStop(task)) return std::nullopt;
  }
  if (auto info = std::exchange(tracing.delivery, std::nullopt)) {
    const int signal = std::exchange(tracing.injected, 0);
    if (signal == 0) return TakeSignal(task);
    // Another one than it stopped for: of the tracer's, as far as it knows.
    if (signal != info->signal) {
      const Task& sender = IsTraced(task) ? *tracing.tracer : *task.process.parent->threads.front();
      info = SenderInfo(signal, kSiUser, sender.tid, sender.credentials.uid);
    }
    if ((task.signals.blocked() & SetOf(signal)) == 0) return info;
    task.signals.Send(*info);
    return TakeSignal(task);
  }
  const auto info = task.TakeSignal(~task.signals.blocked());
  if (!info || info->signal == kSIGKILL || !IsTraced(task)) return info;
  tracing.delivery = info;
  tracing.message = 0;
  EnterStop(task, {.kind = TraceStop::Kind::kSignal, .code = info->signal, .info = info},
            kChildTrapped);
  return std::nullopt;
}

bool HasAttention(const Task& task) {
  return task.tracing->trap_pending || task.tracing->delivery.has_value() ||
         task.signals.HasDeliverable();
}

// arch/x86/kernel/signal.c, handle_signal and arch_do_signal_or_restart.
void SettleRestart(Task& task, std::optional<std::uint64_t> handler_flags) {
  Tracing& tracing = *task.tracing;
  if (!std::exchange(tracing.interrupted, false) || tracing.original == -1) return;
  constexpr std::uint64_t kCallInstructionBytes = 2;
  const bool i386 = task.program->abi == abi::AbiId::kI386;
  x86::Vcpu& cpu = task.cpu();
  std::int64_t code = static_cast<std::int64_t>(cpu.gpr(x86::kRax));
  if (i386) code = static_cast<std::int32_t>(code);
  const bool is_restart =
      code == kRestartIfAskedCode || code == kRestartNoHandlerCode || code == kRestartBlockCode;
  if (!is_restart) return;
  const bool again =
      !handler_flags || (code == kRestartIfAskedCode && (*handler_flags & kSaRestart) != 0);
  if (!again) {
    tracing.restart.reset();
    cpu.SetGpr(x86::kRax, static_cast<std::uint64_t>(-static_cast<std::int64_t>(kEINTR)));
    return;
  }
  constexpr std::uint64_t kRestartCall64 = 219, kRestartCall32 = 0;
  std::uint64_t number = static_cast<std::uint64_t>(tracing.original);
  if (code == kRestartBlockCode) number = i386 ? kRestartCall32 : kRestartCall64;
  cpu.SetGpr(x86::kRax, number);
  cpu.SetRip(cpu.rip() - kCallInstructionBytes);
}

void NoteGroupStop(Task& task) { TrapSoon(task); }

// Who was seized is told that its process goes on, by another stop.
void NoteContinued(Task& task) {
  if (IsTraced(task) && task.tracing->seized) Interrupt(task);
}

void NoteKilled(Task& task) {
  if (!InStop(task)) return;
  task.tracing->delivery.reset();
  task.tracing->entry.reset();
  LeaveStop(task);
}

// --- the end ---

bool StopBeforeExit(Task& task, const ExitStatus& status) {
  if (!WantsEvent(task, TraceEventId::kExit) || task.tracing->dying) return false;
  task.tracing->dying = status;
  return StopForEvent(task, TraceEventId::kExit, static_cast<std::uint64_t>(WaitStatusOf(status)));
}

void TellTracerOfEnd(Task& task, const ExitStatus& status) {
  Process& process = task.tracing->tracer->process;
  task.tracing->stop.reset();
  abi::Siginfo info{};
  info.signal = kSIGCHLD;
  constexpr int kChildExited = 1, kChildKilled = 2;
  info.code = status.signal == 0 ? kChildExited : kChildKilled;
  info.child = {static_cast<std::int32_t>(task.tid),
                task.credentials.uid,
                status.signal == 0 ? status.code : status.signal,
                0,
                0,
                0};
  process.Send(info);
  process.kernel.scheduler.WakeAll(&process.children);
}

}  // namespace glovebox::engine::ptrace
