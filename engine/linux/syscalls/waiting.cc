#include "engine/linux/syscalls/waiting.h"

#include <algorithm>

namespace glovebox::engine {

Result<std::int64_t, Errno> DurationOf(const abi::Timespec& time) {
  constexpr std::int64_t kCentury = 4'000'000'000;
  if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= kNanosecondsPerSecond)
    return std::unexpected(kEINVAL);
  return std::min(time.seconds, kCentury) * kNanosecondsPerSecond + time.nanoseconds;
}

void SetDeadline(Task& task, std::int64_t duration) {
  if (task.call->deadline) return;
  task.call->deadline =
      duration < 0 ? kNever : task.kernel.Now() + static_cast<Nanoseconds>(duration);
}

Result<void, Errno> SetDeadline(Task& task, GuestPtr<const abi::Timespec> timeout) {
  if (task.call->deadline) return {};
  std::int64_t duration = -1;
  if (timeout) {
    const auto time = task.memory().Read(timeout);
    if (!time) return std::unexpected(time.error());
    const auto ns = DurationOf(*time);
    if (!ns) return std::unexpected(ns.error());
    duration = *ns;
  }
  SetDeadline(task, duration);
  return {};
}

bool DeadlineHasPassed(const Task& task) { return task.kernel.Now() >= *task.call->deadline; }

Result<void, Errno> SetTemporaryMask(Task& task, GuestAddr mask, std::uint64_t size) {
  if (mask == 0 || task.signals.saved_mask) return {};
  if (size != sizeof(SignalSet)) return std::unexpected(kEINVAL);
  const auto value = task.memory().Read(GuestPtr<const SignalSet>{mask});
  if (!value) return std::unexpected(value.error());
  task.signals.saved_mask = task.signals.blocked();
  task.signals.SetBlocked(*value);
  return {};
}

}  // namespace glovebox::engine
