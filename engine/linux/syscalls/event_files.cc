// Events as files: eventfd(2), timerfd_create(2), signalfd(2).
#include "engine/linux/events/event_counter.h"
#include "engine/linux/events/signal_file.h"
#include "engine/linux/events/timer_file.h"
#include "engine/linux/syscalls/clocks.h"
#include "engine/linux/syscalls/event_handlers.h"
#include "engine/linux/syscalls/files.h"

namespace glovebox::engine {
namespace {

constexpr std::uint64_t kCloexec = kOpenCloseOnExec;
constexpr std::uint64_t kNonblock = kOpenNonblock;

// The flags that an open description keeps of those of a call.
int KeptFlags(std::uint64_t flags) { return kOpenReadWrite | static_cast<int>(flags & kNonblock); }

template <typename File>
SyscallResult Install(Task& task, Result<std::shared_ptr<File>, Errno> file, std::uint64_t flags) {
  if (!file) return file.error();
  const auto fd = task.fds().Add(std::move(*file), (flags & kCloexec) != 0, task.open_file_limit());
  return fd ? SyscallResult(*fd) : SyscallResult(fd.error());
}

// EBADF; EINVAL where the descriptor is something else.
template <typename File>
Result<std::shared_ptr<File>, Errno> FileAs(Task& task, Fd fd) {
  const auto file = FileOf(task, fd);
  if (!file) return std::unexpected(file.error());
  auto as = std::dynamic_pointer_cast<File>(*file);
  if (!as) return std::unexpected(kEINVAL);
  return as;
}

abi::Itimerspec Describe(const TimerFile::Setting& setting) {
  return {ToTimespec(setting.interval), ToTimespec(setting.left)};
}

}  // namespace

SyscallResult SysEventfd(Task& task, std::uint32_t initial) {
  return SysEventfd2(task, initial, {0});
}

SyscallResult SysEventfd2(Task& task, std::uint32_t initial, EventfdFlags flags) {
  constexpr std::uint64_t kSemaphore = 1;
  const std::uint64_t asked = flags.value & 0xffffffff;
  if ((asked & ~(kSemaphore | kNonblock | kCloexec)) != 0) return kEINVAL;
  return Install(
      task, EventCounter::Make(task.kernel, initial, KeptFlags(asked), (asked & kSemaphore) != 0),
      asked);
}

SyscallResult SysTimerfdCreate(Task& task, ClockId clock, TimerfdFlags flags) {
  const std::uint64_t asked = flags.value & 0xffffffff;
  if ((asked & ~(kNonblock | kCloexec)) != 0) return kEINVAL;
  switch (clock.value) {
    case kRealtime:
    case kMonotonic:
    case kBoottime:
      break;
    case kRealtimeAlarm:
    case kBoottimeAlarm:
      if (!task.credentials.Can(Capability::kWakeAlarm)) return kEPERM;
      break;
    default:
      return kEINVAL;
  }
  const std::int64_t offset = OffsetOfClock(task.kernel, clock.value);
  return Install(task, TimerFile::Make(task.kernel, clock.value, offset, KeptFlags(asked)), asked);
}

SyscallResult SysTimerfdSettime(Task& task, Fd fd, TimerfdSetFlags flags,
                                GuestPtr<const abi::Itimerspec> value,
                                GuestPtr<abi::Itimerspec> old) {
  // Nobody sets the clock: TFD_TIMER_CANCEL_ON_SET never comes to pass.
  constexpr std::uint64_t kAbsolute = 1, kCancelOnSet = 2;
  const auto to = task.memory().Read(value);
  if (!to) return to.error();
  const auto first = ToNanoseconds(to->value);
  const auto interval = ToNanoseconds(to->interval);
  if (flags.HasOther(kAbsolute | kCancelOnSet) || !first || !interval) return kEINVAL;
  const auto timer = FileAs<TimerFile>(task, fd);
  if (!timer) return timer.error();
  const TimerFile::Setting before = (*timer)->Get();
  (*timer)->Set(*first, *interval, flags.Has(kAbsolute), static_cast<int>(flags.value));
  return old ? FromResult(task.memory().Write(old, Describe(before))) : SyscallResult(0);
}

SyscallResult SysTimerfdGettime(Task& task, Fd fd, GuestPtr<abi::Itimerspec> out) {
  const auto timer = FileAs<TimerFile>(task, fd);
  if (!timer) return timer.error();
  return FromResult(task.memory().Write(out, Describe((*timer)->Get())));
}

SyscallResult SysSignalfd(Task& task, Fd fd, GuestPtr<const SignalSet> mask, Size size) {
  return SysSignalfd4(task, fd, mask, size, {0});
}

SyscallResult SysSignalfd4(Task& task, Fd fd, GuestPtr<const SignalSet> mask, Size size,
                           SignalfdFlags flags) {
  if (size.value != sizeof(SignalSet)) return kEINVAL;
  const auto set = task.memory().Read(mask);
  if (!set) return set.error();
  const std::uint64_t asked = flags.value & 0xffffffff;
  if ((asked & ~(kNonblock | kCloexec)) != 0) return kEINVAL;
  if (fd.value == -1)
    return Install(task, SignalFile::Make(task.kernel, *set, KeptFlags(asked)), asked);
  const auto file = FileAs<SignalFile>(task, fd);
  if (!file) return file.error();
  (*file)->SetMask(*set);
  return fd.value;
}

}  // namespace glovebox::engine
