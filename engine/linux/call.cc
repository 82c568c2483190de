#include "engine/linux/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "engine/linux/debugger.h"
#include "engine/linux/deliver.h"
#include "engine/linux/exit.h"
#include "engine/linux/return_page.h"
#include "engine/linux/seccomp.h"
#include "engine/linux/syscalls/table.h"

namespace glovebox::engine {
namespace {

constexpr std::uint64_t kSyscallInstructionBytes = 2;  // of each of them

// Where a call's number and arguments are. Sources: System V ABI x86-64, A.2.1; syscall(2),
// "Architecture calling conventions".
struct Convention {
  std::array<x86::Gpr, 6> arguments;
  std::uint64_t mask;
};
constexpr Convention kConventions[] = {
    {{x86::kRdi, x86::kRsi, x86::kRdx, x86::kR10, x86::kR8, x86::kR9}, ~std::uint64_t{0}},
    {{x86::kRbx, x86::kRcx, x86::kRdx, x86::kRsi, x86::kRdi, x86::kRbp}, 0xffffffff},
};

std::string ResultText(const SyscallRow* row, const SyscallResult& result) {
  if (result.kind() == SyscallResult::Kind::kNoReturn) return "?";
  if (result.value() == kRestartIfAskedCode)
    return "? ERESTARTSYS (To be restarted if SA_RESTART is set)";
  if (result.value() == kRestartNoHandlerCode)
    return "? ERESTARTNOHAND (To be restarted if no handler)";
  if (result.value() == kRestartBlockCode) return "? ERESTART_RESTARTBLOCK (Interrupted by signal)";
  if (result.value() < 0) {
    const ErrnoRow* error = FindErrno(static_cast<int>(-result.value()));
    if (error != nullptr) return fmt::format("-1 {} ({})", error->name, error->message);
  }
  if (row != nullptr && row->entry.returns_address) return fmt::format("{:#x}", result.value());
  return std::to_string(result.value());
}

void Print(Task& task, CallInFlight& call, bool finished, std::int64_t result) {
  if (call.row == nullptr || call.row->entry.print == nullptr) return;
  if (!task.program) return;  // it has ended in the call
  call.row->entry.print({task.space(), call.arguments, call.layout, finished, result},
                        call.printed);
}

void Record(Task& task, CallInFlight& call, const SyscallResult& result) {
  Kernel& kernel = task.kernel;
  kernel.trace.AddSyscall(kernel.icount(), task.tid, call.abi, call.number, call.arguments,
                          result.value());
  if (!kernel.spec.trace_syscalls) return;
  Print(task, call, true, result.value());
  TraceEvent event;
  event.icount = kernel.icount();
  event.virtual_time = call.began;
  event.pid = task.process.pid;
  event.tid = task.tid;
  event.name = call.row != nullptr ? call.row->name : kernel.NameUnknown(call.abi, call.number);
  event.arguments = std::move(call.printed);
  event.result = ResultText(call.row, result);
  kernel.host().OnTrace(event);
}

// Did a signal end the call?
bool IsInterrupted(std::int64_t value) {
  return value == -static_cast<std::int64_t>(kEINTR) || value == kRestartIfAskedCode ||
         value == kRestartNoHandlerCode || value == kRestartBlockCode;
}

void Finish(Task& task, const SyscallResult& result) {
  if (!task.futex.keys.empty()) task.kernel.futexes.Forget(task);
  task.signals.awaited = 0;
  // A mask for the length of the call holds for the handler that ends it, and for nothing later:
  // kernel/signal.c, restore_saved_sigmask_unless.
  if (task.signals.saved_mask && !IsInterrupted(result.value())) {
    task.signals.SetBlocked(*task.signals.saved_mask);
    task.signals.saved_mask.reset();
  }
  Record(task, *task.call, result);
  if (result.kind() == SyscallResult::Kind::kValue) {
    const std::uint64_t mask = kConventions[static_cast<std::size_t>(task.program->abi)].mask;
    task.cpu().SetGpr(x86::kRax, static_cast<std::uint64_t>(result.value()) & mask);
  }
  task.call.reset();
  if (task.tracing) ptrace::ReportExit(task);
  if (task.debug) task.kernel.debugger->NoteReturn(task);
}

// As Interrupt, for who is traced: what becomes of the call is settled once its tracer has seen
// that it was interrupted, and by what.
void InterruptTraced(Task& task, const BlockOn& block) {
  if (block.partial != 0) return Finish(task, block.partial);
  std::int64_t code = kRestartIfAskedCode;
  if (block.on_signal != OnSignal::kRestartIfAsked) {
    const bool has_deadline = task.call->deadline && *task.call->deadline != kNever;
    code = has_deadline ? kRestartBlockCode : kRestartNoHandlerCode;
  }
  if (code == kRestartBlockCode) task.tracing->restart = std::make_shared<CallInFlight>(*task.call);
  task.tracing->interrupted = true;
  Finish(task, code);
}

// A signal has come while the call waited.
void Interrupt(Task& task, const BlockOn& block) {
  if (block.partial != 0) return Finish(task, block.partial);
  const Sigaction& action = task.signals.action(task.signals.NextDeliverable());
  const bool handled = action.handler > kHandlerIgnore;
  if (block.on_signal == OnSignal::kRestartIfAsked && handled && (action.flags & kSaRestart) != 0) {
    const std::uint64_t number = task.call->number;
    Record(task, *task.call, kRestartIfAskedCode);
    task.call.reset();
    task.cpu().SetGpr(x86::kRax, number);
    task.cpu().SetRip(task.cpu().rip() - kSyscallInstructionBytes);
    return;
  }
  Finish(task, kEINTR);
}

// Is there a signal whose default is to end the process, without a core? Every wait ends with it:
// kernel/signal.c, complete_signal; fatal_signal_pending.
bool IsToDie(const Task& task) {
  SignalSet left = task.signals.pending() & ~task.signals.blocked();
  // Who watches it is asked about all others.
  if (ptrace::IsTraced(task) || task.debug) left &= SetOf(kSIGKILL);
  for (; left != 0; left &= left - 1) {
    const int signal = std::countr_zero(left) + 1;
    if (task.signals.action(signal).handler == kHandlerDefault &&
        DefaultActionOf(signal) == DefaultAction::kTerminate) {
      return true;
    }
  }
  return false;
}

SyscallResult Serve(Task& task) {
  const CallInFlight& call = *task.call;
  if (call.row != nullptr && call.row->entry.call != nullptr) {
    const SyscallRow& row = *call.row;
    const SyscallResult result = row.entry.call(task, call.arguments, call.layout);
    if (row.support == Support::kRefused && result.value() < 0) task.kernel.CountAbsent(row.name);
    return result;
  }
  task.kernel.CountAbsent(call.row != nullptr ? call.row->name
                                              : task.kernel.NameUnknown(call.abi, call.number));
  return kENOSYS;
}

// Whose conventions the instruction's registers follow.
abi::AbiId AbiOf(SyscallEntry entry) {
  return entry == SyscallEntry::kSyscall64 ? abi::AbiId::kX86_64 : abi::AbiId::kI386;
}

// Of tasks that programs of seccomp(2) watch: lets the call go on, ends it before it has begun, or
// stops the task, whose tracer is asked once. kernel/seccomp.c, __seccomp_filter and
// __secure_computing_strict.
void Judge(Task& task, SyscallEntry entry, bool was_asked) {
  constexpr std::uint32_t kArchitectures[] = {0xc000003e, 0x40000003};
  constexpr std::uint32_t kMostErrno = 4095;
  const CallInFlight& call = *task.call;
  const auto abi = static_cast<std::size_t>(call.abi);
  const ExitStatus bad_call{.code = 0, .signal = kSIGSYS, .core = true};
  if (task.seccomp->strict) {
    // read, write, exit, sigreturn.
    constexpr std::uint64_t kAllowed[2][4] = {{0, 1, 60, 15}, {3, 4, 1, 119}};
    if (std::ranges::find(kAllowed[abi], call.number) == std::end(kAllowed[abi])) {
      EndThread(task, {.code = 0, .signal = kSIGKILL});
      Finish(task, SyscallResult::NoReturn());
    }
    return;
  }
  SeccompData data{
      static_cast<std::int32_t>(call.number), kArchitectures[abi], task.cpu().rip(), {}};
  const Convention& convention = kConventions[abi];
  std::ranges::transform(convention.arguments, data.arguments,
                         [&](x86::Gpr gpr) { return task.cpu().gpr(gpr) & convention.mask; });
  const std::uint32_t answer = RunSeccomp(*task.seccomp, data);
  const std::uint32_t detail = answer & ~kSeccompActionMask;
  switch (answer & kSeccompActionMask) {
    case kSeccompAllow:
    case kSeccompLog:
      return;
    case kSeccompErrno:
      return Finish(task, -static_cast<std::int64_t>(std::min(detail, kMostErrno)));
    case kSeccompTrace:
      if (was_asked) return;
      if (!ptrace::WantsEvent(task, TraceEventId::kSeccomp)) return Finish(task, kENOSYS);
      task.call.reset();
      task.tracing->entry = entry;
      task.tracing->emulated = false;
      task.tracing->judged = true;
      ptrace::StopForEvent(task, TraceEventId::kSeccomp, detail);
      return;
    case kSeccompNotify:
      return Finish(task, kENOSYS);
    case kSeccompTrap: {
      constexpr int kCodeSeccomp = 1;
      abi::Siginfo info{};
      info.signal = kSIGSYS;
      info.error = static_cast<std::int32_t>(detail);
      info.code = kCodeSeccomp;
      info.system = {data.instruction_pointer, data.number, data.architecture};
      task.cpu().SetGpr(x86::kRax, call.number);
      task.signals.Force(info);
      return Finish(task, SyscallResult::NoReturn());
    }
    case kSeccompKillThread:
      EndThread(task, bad_call);
      return Finish(task, SyscallResult::NoReturn());
    default:
      EndProcess(task.process, bad_call);
      return Finish(task, SyscallResult::NoReturn());
  }
}

// What do_fast_syscall_32 does (arch/x86/entry/common.c): ebp holds the stack pointer, which
// `sysenter` loses, or the second argument, in whose place `syscall` puts its return address; the
// sixth argument is on the stack, and the way back leads into the return page. False: that word
// cannot be read, and the call is over.
bool EnterFast(Task& task, SyscallEntry entry) {
  x86::Vcpu& cpu = task.cpu();
  cpu.SetGpr(entry == SyscallEntry::kSysenter ? x86::kRsp : x86::kRcx, cpu.gpr(x86::kRbp));
  const GuestAddr stack = cpu.gpr(x86::kRsp);
  cpu.SetRip(task.program->return_page + OffsetOf(ReturnCode::kFastCall));
  const auto argument = task.memory().Read(GuestPtr<const std::uint32_t>{stack});
  if (argument) {
    cpu.SetGpr(x86::kRbp, *argument);
  } else {
    cpu.SetGpr(x86::kRax, static_cast<std::uint32_t>(-static_cast<std::int32_t>(kEFAULT)));
  }
  return argument.has_value();
}

// `was_asked`: the tracer has already been, by a program of seccomp(2).
void StartCall(Task& task, SyscallEntry entry, std::uint64_t number, bool was_asked) {
  // In its place: a copy, right behind these small stores, would wait for all of them.
  CallInFlight& call = task.call.emplace();
  call.abi = AbiOf(entry);
  const Convention& convention = kConventions[static_cast<std::size_t>(call.abi)];
  call.number = number;
  call.row = FindSyscall(call.abi, call.number);
  const bool restarts = task.tracing && task.tracing->restart && call.row != nullptr &&
                        call.row->name == "restart_syscall";
  if (restarts) {
    task.kernel.CountSyscall();
    task.kernel.Spend(task.kernel.world.Number(WorldId::kSyscallTime));
    task.call = std::move(*std::exchange(task.tracing->restart, nullptr));
    return;
  }
  if (call.row != nullptr && call.row->entry.call != nullptr) {
    RawArguments registers;
    std::ranges::transform(
        convention.arguments, registers.begin(),
        [&, gprs = task.cpu().gprs()](x86::Gpr gpr) { return gprs[gpr] & convention.mask; });
    call.layout = call.row->entry.LayoutOf(call.abi);
    call.row->entry.take(registers, call.layout, call.arguments);
  }
  call.began = task.kernel.Now();
  if (!was_asked) {
    task.kernel.CountSyscall();
    task.kernel.Spend(task.kernel.world.Number(WorldId::kSyscallTime));
  }
  if (task.kernel.spec.trace_syscalls) Print(task, call, false, 0);
  if (task.seccomp) Judge(task, entry, was_asked);
}

}  // namespace

void BeginCall(Task& task, SyscallEntry entry) {
  const bool is_fast = entry == SyscallEntry::kSysenter || entry == SyscallEntry::kSyscall32;
  if (is_fast && !EnterFast(task, entry)) return;
  const Convention& convention = kConventions[static_cast<std::size_t>(AbiOf(entry))];
  const std::uint64_t number = task.cpu().gpr(x86::kRax) & convention.mask;
  if (task.debug && task.kernel.debugger->StopsAtEntry(task, entry, number)) return;
  if (task.tracing && ptrace::ReportEntry(task, entry, number)) return;
  StartCall(task, entry, number, false);
}

void GoOnWithCall(Task& task, SyscallEntry entry) {
  const Convention& convention = kConventions[static_cast<std::size_t>(AbiOf(entry))];
  // The debugger may have chosen another call, or none.
  const auto number = static_cast<std::uint64_t>(task.tracing->original) & convention.mask;
  if (number == convention.mask) {
    if (task.debug) task.kernel.debugger->NoteReturn(task);
    return;
  }
  if (ptrace::ReportEntry(task, entry, number)) return;
  StartCall(task, entry, number, false);
}

// Once more, to see what it waits for: a handler that still blocks has done nothing.
void AbandonCall(Task& task) {
  const SyscallResult result = Serve(task);
  if (result.kind() == SyscallResult::Kind::kBlocked) {
    task.kernel.scheduler.Wake(task);
    InterruptTraced(task, result.block());
  } else if (result.kind() != SyscallResult::Kind::kAgain) {
    Finish(task, result);
  } else {
    Finish(task, static_cast<std::int64_t>(task.call->progress));
  }
}

void ResumeEntry(Task& task) {
  const SyscallEntry entry = *task.tracing->entry;
  task.tracing->entry.reset();
  const Convention& convention = kConventions[static_cast<std::size_t>(AbiOf(entry))];
  // The tracer may have chosen another call, or none.
  const auto number = static_cast<std::uint64_t>(task.tracing->original) & convention.mask;
  const bool was_asked = std::exchange(task.tracing->judged, false);
  if (number == convention.mask || std::exchange(task.tracing->emulated, false))
    return ptrace::ReportExit(task);
  StartCall(task, entry, number, was_asked);
}

CallProgress AdvanceCall(Task& task) {
  const SyscallResult result = Serve(task);
  switch (result.kind()) {
    case SyscallResult::Kind::kValue:
    case SyscallResult::Kind::kNoReturn:
      Finish(task, result);
      return CallProgress::kDone;
    case SyscallResult::Kind::kAgain:
      return CallProgress::kMoreToDo;
    case SyscallResult::Kind::kBlocked:
      break;
  }
  if (task.kernel.ended() || task.kernel.failure()) return CallProgress::kDone;
  if (result.block().on_signal == OnSignal::kNothing) {
    if (IsToDie(task)) {
      Finish(task, kEINTR);
      return CallProgress::kDone;
    }
  } else if (task.debug) {
    task.signals.DiscardIgnored();
    if (task.kernel.debugger->StopsForSignal(task)) return CallProgress::kHalted;
  }
  if (result.block().on_signal != OnSignal::kNothing && ptrace::IsTraced(task)) {
    if (ptrace::HasAttention(task)) {
      InterruptTraced(task, result.block());
      return CallProgress::kDone;
    }
  } else if (result.block().on_signal != OnSignal::kNothing) {
    task.signals.DiscardIgnored();
    // Stops in mid-call: who is continued waits on, and has not noticed.
    StopByDefault(task);
    if (task.signals.HasDeliverable()) {
      Interrupt(task, result.block());
      return CallProgress::kDone;
    }
  }
  if (result.block().wait == Wait::kInput) return CallProgress::kWaitsForInput;
  task.kernel.scheduler.Block(task, result.block());
  return CallProgress::kBlocked;
}

}  // namespace glovebox::engine
