#include "engine/linux/deliver.h"

#include <algorithm>
#include <cstring>

#include "engine/linux/debugger.h"
#include "engine/linux/exit.h"
#include "engine/linux/signal_frame.h"
#include "engine/linux/syscalls/describe.h"
#include "engine/linux/tty/job_control.h"

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

// Who is in an orphaned process group is not stopped by a terminal: nobody could continue it.
bool Stops(const Task& task, int signal) {
  return signal == kSIGSTOP || !tty::IsOrphaned(task.process);
}

void ActByDefault(Task& task, int signal) {
  switch (DefaultActionOf(signal)) {
    case DefaultAction::kIgnore:
    case DefaultAction::kContinue:
      return;
    case DefaultAction::kTerminate:
    case DefaultAction::kCore: {
      const ExitStatus status{
          .code = 0, .signal = signal, .core = DefaultActionOf(signal) == DefaultAction::kCore};
      if (!ptrace::StopBeforeExit(task, status)) EndProcess(task.process, status);
      return;
    }
    case DefaultAction::kStop:
      if (!Stops(task, signal)) return;
      StopProcess(task.process, signal);
      // One whose process is stopped already, and which its tracer let run.
      if (ptrace::IsTraced(task)) ptrace::NoteGroupStop(task);
      return;
  }
}

bool HasEnded(const Task& task) {
  return task.kernel.ended() || task.scheduling.state == Scheduling::State::kEnded;
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

// What each exception becomes: arch/x86/kernel/traps.c. Those of kSiKernel tell no address.
struct ExceptionRow {
  ExceptionKind kind;
  std::uint8_t trap;
  int signal;
  int code;
  bool tells_rip;
};
constexpr ExceptionRow kExceptions[] = {
    {ExceptionKind::kDivideError, 0, kSIGFPE, kFpeIntDiv, true},
    {ExceptionKind::kSingleStep, 1, kSIGTRAP, kTrapTrace, true},
    {ExceptionKind::kDebugTrap, 1, kSIGTRAP, kTrapBrkpt, true},
    {ExceptionKind::kBreakpoint, 3, kSIGTRAP, kSiKernel, false},
    {ExceptionKind::kOverflow, 4, kSIGSEGV, kSiKernel, false},
    {ExceptionKind::kBoundRange, 5, kSIGSEGV, kSiKernel, false},
    {ExceptionKind::kInvalidOpcode, 6, kSIGILL, kIllOpn, true},
    {ExceptionKind::kNotImplemented, 6, kSIGILL, kIllOpn, true},
    {ExceptionKind::kSegmentNotPresent, 11, kSIGBUS, kSiKernel, false},
    {ExceptionKind::kStackFault, 12, kSIGBUS, kSiKernel, false},
    {ExceptionKind::kGeneralProtection, 13, kSIGSEGV, kSiKernel, false},
    {ExceptionKind::kFloatingPoint, 16, kSIGFPE, kFpeFloatInvalid, true},
    {ExceptionKind::kAlignmentCheck, 17, kSIGBUS, kBusAdrAln, false},
};

const ExceptionRow& RowOf(ExceptionKind kind) {
  return *std::ranges::find(kExceptions, kind, &ExceptionRow::kind);
}

// #XM rather than #MF: an exception of SSE is of this instruction, so it goes first.
bool IsSimdException(const x86::Vcpu& cpu) {
  constexpr std::size_t kMxcsrOffset = 24;
  x86::FxsaveArea fx;
  cpu.SaveFx(fx);
  std::uint32_t mxcsr = 0;
  std::memcpy(&mxcsr, fx.data() + kMxcsrOffset, sizeof mxcsr);
  return (mxcsr & ~(mxcsr >> 7) & 0x3f) != 0;
}

// The error code of a page fault: Intel SDM vol. 3A, 4.7. The kernel's half always looks as if it
// were there: arch/x86/mm/fault.c, sanitize_error_code.
std::uint64_t PageFaultError(const MemoryFault& fault) {
  enum ErrorBit : std::uint64_t { kPresent = 1, kWrite = 2, kUser = 4, kFetch = 16 };
  constexpr GuestAddr kTaskSizeMax = 0x7fff'ffff'f000;
  std::uint64_t error = kUser;
  if (fault.kind == MemoryFaultKind::kProtection || fault.address >= kTaskSizeMax) {
    error |= kPresent;
  }
  if (fault.access == Access::kWrite) error |= kWrite;
  if (fault.access == Access::kExecute) error |= kFetch;
  return error;
}

void RaisePageFault(Task& task, const MemoryFault& fault) {
  constexpr std::uint64_t kPageFault = 14;
  task.last_trap = {kPageFault, PageFaultError(fault), fault.address};
  const bool beyond_file = fault.kind == MemoryFaultKind::kBeyondFile;
  const int code = beyond_file                                  ? kBusAdrErr
                   : fault.kind == MemoryFaultKind::kProtection ? kSegvAccErr
                                                                : kSegvMapErr;
  task.signals.Force(FaultInfo(beyond_file ? kSIGBUS : kSIGSEGV, code, fault.address));
}

}  // namespace

void StopByDefault(Task& task) {
  while (task.signals.HasDeliverable()) {
    const int signal = task.signals.NextDeliverable();
    const bool stops = task.signals.action(signal).handler == kHandlerDefault &&
                       DefaultActionOf(signal) == DefaultAction::kStop;
    if (!stops) return;
    Record(task, *task.TakeSignal(~task.signals.blocked()));
    if (task.debug) task.kernel.debugger->NoteTaken(task, signal);
    if (Stops(task, signal)) StopProcess(task.process, signal);
  }
}

void DeliverSignals(Task& task) {
  while (!HasEnded(task) && !task.scheduling.stopped) {
    if (task.debug && task.kernel.debugger->StopsForSignal(task)) return;
    const auto info =
        task.tracing ? ptrace::TakeSignal(task) : task.TakeSignal(~task.signals.blocked());
    if (!info) break;
    if (task.debug) task.kernel.debugger->NoteTaken(task, info->signal);
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
    if (task.tracing) ptrace::SettleRestart(task, action.flags);
    if (!PushSignalFrame(task, action, *info)) {
      // The default action where it is SIGSEGV's own frame that does not fit: kernel/signal.c,
      // force_sigsegv.
      if (info->signal == kSIGSEGV) task.signals.handlers().Set(kSIGSEGV, Sigaction{});
      task.signals.Force(SenderInfo(kSIGSEGV, kSiKernel, 0, 0));
    } else {
      if (task.tracing) ptrace::ReportHandler(task);
      if (task.debug) task.kernel.debugger->NoteHandler(task);
    }
  }
  if (HasEnded(task) || ptrace::InStop(task)) return;
  if (task.tracing) ptrace::SettleRestart(task, std::nullopt);
  if (task.signals.saved_mask) {
    task.signals.SetBlocked(*task.signals.saved_mask);
    task.signals.saved_mask.reset();
  }
}

void RaiseFault(Task& task, const Stop& stop) {
  if (stop.kind == StopKind::kMemoryFault) return RaisePageFault(task, stop.memory);
  const ExceptionRow& row = RowOf(stop.exception);
  task.last_trap.number = row.trap;
  task.last_trap.error = stop.error_code;
  if (stop.exception == ExceptionKind::kFloatingPoint) {
    constexpr std::uint64_t kSimdTrap = 19;
    if (IsSimdException(task.cpu())) task.last_trap.number = kSimdTrap;
    const int code = FloatCode(task.cpu().UnmaskedFloatExceptions());
    task.signals.Force(FaultInfo(row.signal, code, task.cpu().rip()));
  } else if (row.code == kSiKernel) {
    task.signals.Force(SenderInfo(row.signal, kSiKernel, 0, 0));
  } else {
    task.signals.Force(FaultInfo(row.signal, row.code, row.tells_rip ? task.cpu().rip() : 0));
  }
}

}  // namespace glovebox::engine
