// Signals to oneself: rt_sigaction(2), kill(2), sigaltstack(2), pause(2) and their kin.
#include <algorithm>

#include "engine/linux/signal_frame.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

constexpr std::uint64_t kSigsetBytes = 8;

bool IsSignal(int number) { return number >= 1 && number <= kSignalCount; }

// kill and its kin to the only process that there is. Signal 0 asks whether it exists.
SyscallResult SendSelf(Task& task, int signal, int code) {
  if (signal < 0 || signal > kSignalCount) return kEINVAL;
  if (signal == 0) return 0;
  return task.signals.Send(SenderInfo(signal, code, task.process.pid, task.credentials.uid))
             ? SyscallResult(0)
             : kEAGAIN;
}

bool IsThread(const Task& task, int tid) { return tid == static_cast<int>(task.tid); }

SyscallResult QueueInfo(Task& task, int signal, GuestPtr<const abi::Siginfo> info) {
  auto value = task.memory().Read(info);
  if (!value) return value.error();
  if (!IsSignal(signal)) return signal == 0 ? SyscallResult(0) : kEINVAL;
  value->signal = signal;
  return task.signals.Send(*value) ? SyscallResult(0) : kEAGAIN;
}

SyscallResult ReturnFrom(Task& task, FrameKind kind) {
  if (!PopSignalFrame(task, kind)) task.signals.Force(SenderInfo(kSIGSEGV, kSiKernel, 0, 0));
  return SyscallResult::NoReturn();
}

}  // namespace

SyscallResult SysRtSigaction(Task& task, Signal signal, GuestPtr<const Sigaction> action,
                             GuestPtr<Sigaction> old, Size size) {
  if (size.value != kSigsetBytes) return kEINVAL;
  if (!IsSignal(signal.value)) return kEINVAL;
  Sigaction to{};
  if (action) {
    const auto value = task.memory().Read(action);
    if (!value) return value.error();
    if ((SetOf(signal.value) & kUnblockable) != 0) return kEINVAL;
    to = *value;
    to.flags &= ~std::uint64_t{kSaUnsupported};
  }
  const Sigaction before = task.signals.action(signal.value);
  if (action) {
    task.signals.handlers().Set(signal.value, to);
    if (task.signals.IsIgnored(signal.value)) task.process.Drop(signal.value);
  }
  return old ? FromResult(task.memory().Write(old, before)) : SyscallResult(0);
}

Result<SignalSet, Errno> MaskAfter(SignalSet before, MaskHow how, SignalSet set, SignalSet kept) {
  switch (how.value) {
    case 0:
      return before | set;
    case 1:
      return before & ~set;
    case 2:
      return set | kept;
    default:
      return std::unexpected(kEINVAL);
  }
}

SyscallResult SysRtSigprocmask(Task& task, MaskHow how, GuestPtr<const SignalSet> set,
                               GuestPtr<SignalSet> old, Size size) {
  if (size.value != kSigsetBytes) return kEINVAL;
  const SignalSet before = task.signals.blocked();
  if (set) {
    const auto value = task.memory().Read(set);
    if (!value) return value.error();
    const auto blocked = MaskAfter(before, how, *value, 0);
    if (!blocked) return blocked.error();
    task.signals.SetBlocked(*blocked);
  }
  return old ? FromResult(task.memory().Write(old, before)) : SyscallResult(0);
}

SyscallResult SysRtSigpending(Task& task, GuestPtr<SignalSet> out, Size size) {
  if (size.value > kSigsetBytes) return kEINVAL;
  return FromResult(task.memory().Write(out, task.signals.pending() & task.signals.blocked()));
}

SyscallResult SysRtSigsuspend(Task& task, GuestPtr<const SignalSet> mask, Size size) {
  if (size.value != kSigsetBytes) return kEINVAL;
  const auto value = task.memory().Read(mask);
  return value ? SuspendWith(task, *value) : SyscallResult(value.error());
}

SyscallResult SuspendWith(Task& task, SignalSet mask) {
  if (!task.signals.saved_mask) {
    task.signals.saved_mask = task.signals.blocked();
    task.signals.SetBlocked(mask);
  }
  return SyscallResult::Block({});
}

SyscallResult SysPause(Task&) { return SyscallResult::Block({}); }

SyscallResult SysRtSigtimedwait(Task& task, GuestPtr<const SignalSet> set,
                                GuestPtr<abi::Siginfo> info, GuestPtr<const abi::Timespec> timeout,
                                Size size) {
  if (size.value != kSigsetBytes) return kEINVAL;
  const auto wanted = task.memory().Read(set);
  if (!wanted) return wanted.error();
  if (!task.call->deadline) {
    task.call->deadline = kNever;
    if (timeout) {
      constexpr std::int64_t kBillion = 1'000'000'000;
      const auto time = task.memory().Read(timeout);
      if (!time) return time.error();
      if (time->seconds < 0 || time->nanoseconds < 0 || time->nanoseconds >= kBillion)
        return kEINVAL;
      const auto ns =
          std::min<std::int64_t>(time->seconds, 4'000'000'000) * kBillion + time->nanoseconds;
      task.call->deadline = task.kernel.Now() + static_cast<Nanoseconds>(ns);
    }
  }
  if (const auto taken = task.signals.Take(*wanted & ~kUnblockable)) {
    if (info) {
      if (const auto ok = task.memory().Write(info, *taken); !ok) return ok.error();
    }
    return taken->signal;
  }
  if (task.kernel.Now() >= *task.call->deadline) return kEAGAIN;
  return SyscallResult::Block({*task.call->deadline, Wait::kEvent, OnSignal::kInterrupt, 0});
}

SyscallResult SysRtSigreturn(Task& task) { return ReturnFrom(task, FrameKind::kInfo); }
SyscallResult SysSigreturn(Task& task) { return ReturnFrom(task, FrameKind::kPlain); }

SyscallResult SysSigaltstack(Task& task, GuestPtr<const abi::SignalStack> stack,
                             GuestPtr<abi::SignalStack> old) {
  const GuestAddr stack_pointer = task.cpu().gpr(x86::kRsp);
  const abi::SignalStack before = AlternateStack(task, stack_pointer);
  if (stack) {
    const auto to = task.memory().Read(stack);
    if (!to) return to.error();
    if (const auto set = SetAlternateStack(task, *to, stack_pointer); !set) return set.error();
  }
  return old ? FromResult(task.memory().Write(old, before)) : SyscallResult(0);
}

SyscallResult SysKill(Task& task, Pid pid, Signal signal) {
  if (signal.value < 0 || signal.value > kSignalCount) return kEINVAL;
  const int self = static_cast<int>(task.process.pid);
  const int group = static_cast<int>(task.process.group);
  if (pid.value == self || pid.value == 0 || pid.value == -group)
    return SendSelf(task, signal.value, kSiUser);
  return kESRCH;  // -1 too: everybody else is nobody
}

SyscallResult SysTkill(Task& task, Pid tid, Signal signal) {
  if (tid.value <= 0) return kEINVAL;
  return IsThread(task, tid.value) ? SendSelf(task, signal.value, kSiTkill) : kESRCH;
}

SyscallResult SysTgkill(Task& task, Pid group, Pid tid, Signal signal) {
  if (tid.value <= 0 || group.value <= 0) return kEINVAL;
  if (!IsThread(task, tid.value) || group.value != static_cast<int>(task.process.pid))
    return kESRCH;
  return SendSelf(task, signal.value, kSiTkill);
}

SyscallResult SysRtSigqueueinfo(Task& task, Pid pid, Signal signal,
                                GuestPtr<const abi::Siginfo> info) {
  return pid.value == static_cast<int>(task.process.pid) ? QueueInfo(task, signal.value, info)
                                                         : kESRCH;
}

SyscallResult SysRtTgsigqueueinfo(Task& task, Pid group, Pid tid, Signal signal,
                                  GuestPtr<const abi::Siginfo> info) {
  if (tid.value <= 0 || group.value <= 0) return kEINVAL;
  return IsThread(task, tid.value) && group.value == static_cast<int>(task.process.pid)
             ? QueueInfo(task, signal.value, info)
             : kESRCH;
}

}  // namespace glovebox::engine
