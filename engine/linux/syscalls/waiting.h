// What calls share that wait for a time, for events, under another mask of signals.
#pragma once

#include "engine/linux/syscalls/arguments.h"
#include "engine/linux/task.h"

namespace glovebox::engine {

inline constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

// In nanoseconds; what is longer than a century counts as that. EINVAL where a field is out of
// range.
Result<std::int64_t, Errno> DurationOf(const abi::Timespec& time);

// Sets the call's deadline at its first try, to `duration` from now; negative: for ever.
void SetDeadline(Task& task, std::int64_t duration);
// As SetDeadline, from a structure that may be null (for ever). EFAULT, EINVAL.
Result<void, Errno> SetDeadline(Task& task, GuestPtr<const abi::Timespec> timeout);
bool DeadlineHasPassed(const Task& task);

// Puts a mask of signals into force for the length of the call; a null one changes nothing. EINVAL,
// EFAULT.
Result<void, Errno> SetTemporaryMask(Task& task, GuestAddr mask, std::uint64_t size);

}  // namespace glovebox::engine
