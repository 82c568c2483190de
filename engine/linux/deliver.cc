#include "engine/linux/deliver.h"

#include "engine/linux/signal_frame.h"
#include "engine/linux/syscalls/describe.h"

namespace glovebox::engine {
namespace {

void Record(Task& task, const abi::Siginfo& info) {
  Kernel& kernel = task.kernel;
  kernel.trace.AddSignal(kernel.icount(), task.tid, info.signal, info.code, info.fault.address);
  if (!kernel.spec.trace_syscalls) return;
  TraceEvent event;
  event.icount = kernel.icount();
  event.virtual_time = kernel.Now();
  event.pid = task.process.pid;
  event.tid = task.tid;
  event.name = SignalName(info.signal);
  event.is_signal = true;
  event.arguments = {abi::Describe(info)};
  kernel.host().OnTrace(event);
}

void EndBySignal(Task& task, int signal, bool core) {
  Termination termination;
  termination.kind = Termination::Kind::kSignaled;
  termination.code = signal;
  termination.core_dumped = core;
  task.kernel.End(std::move(termination));
}

void ActByDefault(Task& task, int signal) {
  switch (DefaultActionOf(signal)) {
    case DefaultAction::kIgnore:
    case DefaultAction::kContinue:
      return;
    case DefaultAction::kTerminate:
    case DefaultAction::kCore:
      EndBySignal(task, signal, DefaultActionOf(signal) == DefaultAction::kCore);
      return;
    case DefaultAction::kStop: {
      Termination termination;
      termination.kind = Termination::Kind::kDeadlock;
      termination.detail = "task " + std::to_string(task.tid) + " was stopped by " +
                           SignalName(signal) + ", and nobody is there to continue it";
      task.kernel.End(std::move(termination));
      return;
    }
  }
}

// The si_code of a floating point exception: the first row that the raised ones (IE DE ZE OE UE PE)
// meet. A denormal operand counts as underflow, as on Linux.
int FloatCode(std::uint32_t raised) {
  struct Row {
    std::uint32_t exceptions;
    int code;
  };
  constexpr Row kRows[] = {{0x01, kFpeFloatInvalid},
                           {0x04, kFpeFloatDivide},
                           {0x08, kFpeFloatOverflow},
                           {0x12, kFpeFloatUnderflow},
                           {0x20, kFpeFloatInexact}};
  for (const Row& row : kRows) {
    if ((raised & row.exceptions) != 0) return row.code;
  }
  return kFpeFloatInvalid;
}

}  // namespace

void DeliverSignals(Task& task) {
  while (!task.kernel.ended()) {
    const auto info = task.signals.Take(~task.signals.blocked());
    if (!info) break;
    const Sigaction action = task.signals.action(info->signal);
    if (action.handler == kHandlerIgnore) continue;
    Record(task, *info);
    if (action.handler == kHandlerDefault) {
      ActByDefault(task, info->signal);
      continue;
    }
    if ((action.flags & kSaResetHand) != 0) {
      task.signals.handlers().Set(
          info->signal, Sigaction{kHandlerDefault, action.flags, action.restorer, action.mask});
    }
    if (!PushSignalFrame(task, action, *info)) {
      // The default action where it is SIGSEGV's own frame that does not fit: kernel/signal.c,
      // force_sigsegv.
      if (info->signal == kSIGSEGV) task.signals.handlers().Set(kSIGSEGV, Sigaction{});
      task.signals.Force(SenderInfo(kSIGSEGV, kSiKernel, 0, 0));
    }
  }
  if (task.signals.saved_mask) {
    task.signals.SetBlocked(*task.signals.saved_mask);
    task.signals.saved_mask.reset();
  }
}

void RaiseFault(Task& task, const Stop& stop) {
  const GuestAddr rip = task.cpu().rip();
  if (stop.kind == StopKind::kMemoryFault) {
    switch (stop.memory.kind) {
      case MemoryFaultKind::kBeyondFile:
        task.signals.Force(FaultInfo(kSIGBUS, kBusAdrErr, stop.memory.address));
        return;
      case MemoryFaultKind::kProtection:
        task.signals.Force(FaultInfo(kSIGSEGV, kSegvAccErr, stop.memory.address));
        return;
      default:
        task.signals.Force(FaultInfo(kSIGSEGV, kSegvMapErr, stop.memory.address));
        return;
    }
  }
  switch (stop.exception) {
    case ExceptionKind::kDivideError:
      task.signals.Force(FaultInfo(kSIGFPE, kFpeIntDiv, rip));
      return;
    case ExceptionKind::kFloatingPoint:
      task.signals.Force(FaultInfo(kSIGFPE, FloatCode(task.cpu().UnmaskedFloatExceptions()), rip));
      return;
    case ExceptionKind::kBreakpoint:
      task.signals.Force(SenderInfo(kSIGTRAP, kSiKernel, 0, 0));
      return;
    case ExceptionKind::kSingleStep:
      task.signals.Force(FaultInfo(kSIGTRAP, kTrapTrace, rip));
      return;
    case ExceptionKind::kDebugTrap:
      task.signals.Force(FaultInfo(kSIGTRAP, kTrapBrkpt, rip));
      return;
    case ExceptionKind::kAlignmentCheck:
      task.signals.Force(FaultInfo(kSIGBUS, kBusAdrAln, 0));
      return;
    case ExceptionKind::kStackFault:
    case ExceptionKind::kSegmentNotPresent:
      task.signals.Force(SenderInfo(kSIGBUS, kSiKernel, 0, 0));
      return;
    case ExceptionKind::kOverflow:
    case ExceptionKind::kBoundRange:
    case ExceptionKind::kGeneralProtection:
      task.signals.Force(SenderInfo(kSIGSEGV, kSiKernel, 0, 0));
      return;
    case ExceptionKind::kInvalidOpcode:
    case ExceptionKind::kNotImplemented:
      task.signals.Force(FaultInfo(kSIGILL, kIllOpn, rip));
      return;
  }
}

}  // namespace glovebox::engine
