#include "engine/linux/call.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/linux/syscalls/table.h"

namespace glovebox::engine {
namespace {

// What the trace and the hash hold for a call that starts again after a handler: ERESTARTSYS,
// include/linux/errno.h.
constexpr std::int64_t kRestarts = -512;
constexpr std::uint64_t kSyscallInstructionBytes = 2;  // both of `syscall` and `int 0x80`

std::string ResultText(const SyscallRow* row, const SyscallResult& result) {
  if (result.kind() == SyscallResult::Kind::kNoReturn) return "?";
  if (result.value() == kRestarts) return "? ERESTARTSYS (To be restarted if SA_RESTART is set)";
  if (result.value() < 0) {
    const ErrnoRow* error = FindErrno(static_cast<int>(-result.value()));
    if (error != nullptr) return fmt::format("-1 {} ({})", error->name, error->message);
  }
  if (row != nullptr && row->entry.returns_address) return fmt::format("{:#x}", result.value());
  return std::to_string(result.value());
}

void Print(Task& task, CallInFlight& call, bool finished, std::int64_t result) {
  if (call.row == nullptr || call.row->entry.print == nullptr) return;
  call.row->entry.print({task.space(), call.arguments, finished, result}, call.printed);
}

void Record(Task& task, CallInFlight& call, const SyscallResult& result) {
  Kernel& kernel = task.kernel;
  const std::size_t count = call.row != nullptr ? call.row->entry.argument_count : 0;
  RawArguments shown{};
  std::copy_n(call.arguments.begin(), count, shown.begin());
  kernel.trace.AddSyscall(kernel.icount(), task.tid, call.number, shown, result.value());
  if (!kernel.spec.trace_syscalls) return;
  Print(task, call, true, result.value());
  TraceEvent event;
  event.icount = kernel.icount();
  event.virtual_time = call.began;
  event.pid = task.process.pid;
  event.tid = task.tid;
  event.name = call.row != nullptr ? call.row->name : kernel.NameUnknown(call.number);
  event.arguments = std::move(call.printed);
  event.result = ResultText(call.row, result);
  kernel.host().OnTrace(event);
}

void Finish(Task& task, const SyscallResult& result) {
  Record(task, *task.call, result);
  if (result.kind() == SyscallResult::Kind::kValue) {
    task.cpu().SetGpr(x86::kRax, static_cast<std::uint64_t>(result.value()));
  }
  task.call.reset();
}

// A signal has come while the call waited.
void Interrupt(Task& task, const BlockOn& block) {
  if (block.partial != 0) return Finish(task, block.partial);
  const Sigaction& action = task.signals.action(task.signals.NextDeliverable());
  const bool handled = action.handler > kHandlerIgnore;
  if (block.on_signal == OnSignal::kRestartIfAsked && handled && (action.flags & kSaRestart) != 0) {
    const std::uint64_t number = task.call->number;
    Record(task, *task.call, kRestarts);
    task.call.reset();
    task.cpu().SetGpr(x86::kRax, number);
    task.cpu().SetRip(task.cpu().rip() - kSyscallInstructionBytes);
    return;
  }
  Finish(task, kEINTR);
}

void EndAsDeadlock(Task& task) {
  Termination termination;
  termination.kind = Termination::Kind::kDeadlock;
  termination.detail =
      fmt::format("task {} waits in {}, and no timer, signal or other task can end that", task.tid,
                  task.call->row->name);
  Record(task, *task.call, SyscallResult::NoReturn());
  task.call.reset();
  task.kernel.End(std::move(termination));
}

SyscallResult Serve(Task& task) {
  const CallInFlight& call = *task.call;
  if (call.row != nullptr && call.row->entry.call != nullptr)
    return call.row->entry.call(task, call.arguments);
  task.kernel.CountAbsent(call.row != nullptr ? call.row->name
                                              : task.kernel.NameUnknown(call.number));
  return kENOSYS;
}

}  // namespace

void BeginCall(Task& task) {
  // System V ABI x86-64, A.2.1.
  constexpr x86::Gpr kArguments[] = {x86::kRdi, x86::kRsi, x86::kRdx,
                                     x86::kR10, x86::kR8,  x86::kR9};
  CallInFlight call;
  call.number = task.cpu().gpr(x86::kRax);
  call.row = FindSyscallX86_64(call.number);
  for (std::size_t i = 0; i < call.arguments.size(); ++i)
    call.arguments[i] = task.cpu().gpr(kArguments[i]);
  call.began = task.kernel.Now();
  task.kernel.CountSyscall();
  task.kernel.Spend(task.kernel.world.Number(WorldId::kSyscallTime));
  if (task.kernel.spec.trace_syscalls) Print(task, call, false, 0);
  task.call = std::move(call);
}

CallProgress AdvanceCall(Task& task) {
  Kernel& kernel = task.kernel;
  while (true) {
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
    if (kernel.ended() || kernel.failure()) return CallProgress::kDone;
    task.signals.DiscardIgnored();
    if (task.signals.HasDeliverable()) {
      Interrupt(task, result.block());
      return CallProgress::kDone;
    }
    if (result.block().wait == Wait::kInput) return CallProgress::kWaitsForInput;
    const Nanoseconds wake = std::min(result.block().deadline, task.process.NextTimer(true));
    if (wake == kNever) {
      EndAsDeadlock(task);
      return CallProgress::kDone;
    }
    kernel.JumpTo(wake);
    task.process.FireTimers();
    // A guest whose handlers re-arm timers for ever must not keep the host here.
    if (kernel.SliceIsOver()) return CallProgress::kMoreToDo;
  }
}

}  // namespace glovebox::engine
