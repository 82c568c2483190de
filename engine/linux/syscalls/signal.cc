// Signals: rt_sigaction(2), kill(2), sigaltstack(2), pause(2) and their kin.
#include <algorithm>

#include "engine/linux/process_table.h"
#include "engine/linux/signal_frame.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/syscalls/sending.h"
#include "engine/linux/syscalls/waiting.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

constexpr std::uint64_t kSigsetBytes = 8;

bool IsSignal(int number) { return number >= 1 && number <= kSignalCount; }

// Every process that `chosen` takes; of several refusals the first counts, where none succeeds.
template <typename Chosen>
SyscallResult SendToAll(Task& task, const abi::Siginfo& info, Chosen chosen) {
  std::vector<Process*> processes;
  for (const auto& [id, other] : task.kernel.processes().tasks()) {
    if (other->process.pid == id && chosen(other->process)) processes.push_back(&other->process);
  }
  SyscallResult result = kESRCH;
  bool sent = false;
  for (Process* const process : processes) {
    const SyscallResult one = SendTo(task, *process, info);
    if (one.value() == 0) sent = true;
    if (result.value() == -static_cast<std::int64_t>(kESRCH)) result = one;
  }
  return sent ? SyscallResult(0) : result;
}

// To one thread. `group` 0: of any process.
SyscallResult SendToThread(Task& task, int group, int tid, const abi::Siginfo& info) {
  Task* const to = task.kernel.processes().FindTask(tid);
  if (to == nullptr || (group != 0 && group != static_cast<int>(to->process.pid))) return kESRCH;
  if (!MaySignal(task, to->process, info.signal)) return kEPERM;
  if (info.signal == 0) return 0;
  return to->Receive(info) ? SyscallResult(0) : kEAGAIN;
}

abi::Siginfo From(const Task& task, int signal, int code) {
  return SenderInfo(signal, code, task.process.pid, task.credentials.uid);
}

// What rt_sigqueueinfo and its kin may claim: nothing that only the kernel or kill(2) says, but to
// oneself.
Result<abi::Siginfo, Errno> ReadInfo(Task& task, int signal, GuestPtr<const abi::Siginfo> info,
                                     bool to_self) {
  auto value = task.memory().Read(info);
  if (!value) return std::unexpected(value.error());
  value->signal = signal;
  if ((value->code >= 0 || value->code == kSiTkill) && !to_self) return std::unexpected(kEPERM);
  if (signal < 0 || signal > kSignalCount) return std::unexpected(kEINVAL);
  return *value;
}

SyscallResult ReturnFrom(Task& task, FrameKind kind) {
  if (!PopSignalFrame(task, kind)) task.signals.Force(SenderInfo(kSIGSEGV, kSiKernel, 0, 0));
  return SyscallResult::NoReturn();
}

}  // namespace

bool MaySignal(const Task& task, const Process& to, int signal) {
  const Credentials& from = task.credentials;
  if (from.Can(Capability::kKill) || &to == &task.process) return true;
  if (signal == kSIGCONT && to.session == task.process.session) return true;
  const Credentials& target = to.threads.front()->credentials;
  return from.euid == target.uid || from.euid == target.suid || from.uid == target.uid ||
         from.uid == target.suid;
}

SyscallResult SendTo(Task& task, Process& to, const abi::Siginfo& info) {
  if (!MaySignal(task, to, info.signal)) return kEPERM;
  if (info.signal == 0) return 0;
  return to.Send(info) ? SyscallResult(0) : kEAGAIN;
}

bool MayTrace(const Task& task, const Task& other) {
  const Credentials& to = other.credentials;
  const Credentials& who = task.credentials;
  if (&task.process == &other.process || who.Can(Capability::kSysPtrace)) return true;
  return other.dumpable && IsSubset(to.capabilities.permitted, who.capabilities.effective) &&
         who.fsuid == to.uid && who.fsuid == to.euid && who.fsuid == to.suid &&
         who.fsgid == to.gid && who.fsgid == to.egid && who.fsgid == to.sgid;
}

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
    if (task.signals.IsIgnored(signal.value)) {
      task.process.Drop(signal.value);
    } else {
      task.process.timers.OnHandlerSet(signal.value);
    }
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
  if (const auto ok = SetDeadline(task, timeout); !ok) return ok.error();
  if (const auto taken = task.TakeSignal(*wanted & ~kUnblockable)) {
    if (info) {
      if (const auto ok = task.memory().Write(info, *taken); !ok) return ok.error();
    }
    return taken->signal;
  }
  if (DeadlineHasPassed(task)) return kEAGAIN;
  task.signals.awaited = *wanted & ~kUnblockable;
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
  const abi::Siginfo info = From(task, signal.value, kSiUser);
  if (pid.value > 0) {
    Process* const to = task.kernel.processes().FindProcess(pid.value);
    return to == nullptr ? kESRCH : SendTo(task, *to, info);
  }
  // Everybody but the sender and process 1: kill(2), "Notes".
  if (pid.value == -1) {
    return SendToAll(task, info,
                     [&](const Process& to) { return &to != &task.process && to.pid != kInitPid; });
  }
  const std::uint32_t group =
      pid.value == 0 ? task.process.group : 0u - static_cast<std::uint32_t>(pid.value);
  return SendToAll(task, info, [&](const Process& to) { return to.group == group; });
}

SyscallResult SysTkill(Task& task, Pid tid, Signal signal) {
  if (tid.value <= 0 || signal.value < 0 || signal.value > kSignalCount) return kEINVAL;
  return SendToThread(task, 0, tid.value, From(task, signal.value, kSiTkill));
}

SyscallResult SysTgkill(Task& task, Pid group, Pid tid, Signal signal) {
  if (tid.value <= 0 || group.value <= 0) return kEINVAL;
  if (signal.value < 0 || signal.value > kSignalCount) return kEINVAL;
  return SendToThread(task, group.value, tid.value, From(task, signal.value, kSiTkill));
}

SyscallResult SysRtSigqueueinfo(Task& task, Pid pid, Signal signal,
                                GuestPtr<const abi::Siginfo> info) {
  const auto value =
      ReadInfo(task, signal.value, info, pid.value == static_cast<int>(task.process.pid));
  if (!value) return value.error();
  Process* const to = task.kernel.processes().FindProcess(pid.value);
  return to == nullptr ? kESRCH : SendTo(task, *to, *value);
}

SyscallResult SysRtTgsigqueueinfo(Task& task, Pid group, Pid tid, Signal signal,
                                  GuestPtr<const abi::Siginfo> info) {
  if (tid.value <= 0 || group.value <= 0) return kEINVAL;
  const auto value =
      ReadInfo(task, signal.value, info, group.value == static_cast<int>(task.process.pid));
  if (!value) return value.error();
  return SendToThread(task, group.value, tid.value, *value);
}

}  // namespace glovebox::engine
