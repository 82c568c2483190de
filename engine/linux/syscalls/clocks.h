// The clocks of a box: clock_gettime(2).
#pragma once

#include <cstdint>

#include "engine/linux/process_timers.h"
#include "engine/linux/task.h"

namespace glovebox::engine {

enum ClockNumber : int {
  kRealtime = 0,
  kMonotonic,
  kProcessCpu,
  kThreadCpu,
  kMonotonicRaw,
  kRealtimeCoarse,
  kMonotonicCoarse,
  kBoottime,
  kRealtimeAlarm,
  kBoottimeAlarm,
  kTai = 11
};

abi::Timespec ToTimespec(std::int64_t ns);
// EINVAL where a field is out of range; what is too long for the type is its largest value.
Result<std::int64_t, Errno> ToNanoseconds(const abi::Timespec& time);

// A clock that goes on whoever runs: its time minus Kernel::Now().
std::int64_t OffsetOfClock(const Kernel& kernel, int clock);

// A clock of CPU time; nothing: the number is of another kind. EINVAL: there is no such clock, or
// no such process any more.
Result<std::optional<CpuClock>, Errno> FindCpuClock(Task& task, int clock);

// The time that a clock shows. EINVAL.
Result<std::int64_t, Errno> ReadClock(Task& task, int clock);

}  // namespace glovebox::engine
