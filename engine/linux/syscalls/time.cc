// Clocks, sleeping, interval timers: clock_gettime(2), nanosleep(2), setitimer(2) and their kin.
#include <algorithm>
#include <limits>

#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

constexpr std::int64_t kBillion = 1'000'000'000;
constexpr std::int64_t kMillion = 1'000'000;

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

abi::Timespec ToTimespec(std::int64_t ns) { return {ns / kBillion, ns % kBillion}; }
abi::Timeval ToTimeval(std::int64_t ns) { return {ns / kBillion, ns % kBillion / 1000}; }

Result<std::int64_t, Errno> ReadClock(const Task& task, int clock) {
  const Kernel& kernel = task.kernel;
  switch (clock) {
    case kRealtime:
    case kRealtimeCoarse:
    case kRealtimeAlarm:
    case kTai:
      return kernel.WallNanoseconds();
    case kMonotonic:
    case kMonotonicRaw:
    case kMonotonicCoarse:
    case kBoottime:
    case kBoottimeAlarm:
      return static_cast<std::int64_t>(kernel.Now());
    case kProcessCpu:
      return static_cast<std::int64_t>(task.process.cpu_ns);
    case kThreadCpu:
      return static_cast<std::int64_t>(task.cpu_ns);
    default:
      break;
  }
  // clock_getcpuclockid(3): ~pid shifted by three, and what kind of CPU time. Of this process only.
  const int pid = ~(clock >> 3);
  if (clock < 0 && (clock & 3) <= 2 && (pid == 0 || pid == static_cast<int>(task.process.pid))) {
    return static_cast<std::int64_t>(task.process.cpu_ns);
  }
  return std::unexpected(kEINVAL);
}

Result<std::int64_t, Errno> ToNanoseconds(const abi::Timespec& time) {
  if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= kBillion)
    return std::unexpected(kEINVAL);
  constexpr std::int64_t kMaxSeconds = std::numeric_limits<std::int64_t>::max() / kBillion - 1;
  if (time.seconds > kMaxSeconds) return std::numeric_limits<std::int64_t>::max();
  return time.seconds * kBillion + time.nanoseconds;
}

Nanoseconds After(Nanoseconds now, std::int64_t duration) {
  const auto length = static_cast<Nanoseconds>(duration);
  return length > kNever - 1 - now ? kNever - 1 : now + length;
}

// Sleeps until the call's deadline. `remaining` gets what was left when a signal interrupts; the
// wait itself is the run loop's, so the rest is written beforehand at each try and only seen after
// EINTR.
SyscallResult SleepUntilDeadline(Task& task, GuestPtr<abi::Timespec> remaining) {
  const Nanoseconds deadline = *task.call->deadline;
  const Nanoseconds now = task.kernel.Now();
  if (now >= deadline) return 0;
  if (remaining && task.signals.HasDeliverable()) {
    const auto left = static_cast<std::int64_t>(deadline - now);
    if (const auto ok = task.memory().Write(remaining, ToTimespec(left)); !ok) return ok.error();
    return kEINTR;
  }
  return SyscallResult::Block({deadline, Wait::kEvent, OnSignal::kInterrupt, 0});
}

SyscallResult SleepFor(Task& task, GuestPtr<const abi::Timespec> duration,
                       GuestPtr<abi::Timespec> remaining) {
  if (!task.call->deadline) {
    const auto time = task.memory().Read(duration);
    if (!time) return time.error();
    const auto ns = ToNanoseconds(*time);
    if (!ns) return ns.error();
    task.call->deadline = After(task.kernel.Now(), *ns);
  }
  return SleepUntilDeadline(task, remaining);
}

// Microseconds of a timeval, EINVAL where they are out of range.
Result<Nanoseconds, Errno> ToNanoseconds(const abi::Timeval& time) {
  if (time.microseconds < 0 || time.microseconds >= kMillion || time.seconds < 0)
    return std::unexpected(kEINVAL);
  const auto ns = ToNanoseconds(abi::Timespec{time.seconds, time.microseconds * 1000});
  return static_cast<Nanoseconds>(*ns);
}

Nanoseconds TimerClock(const Task& task, int which) {
  return which == kTimerReal ? task.kernel.Now() : task.process.cpu_ns;
}

abi::Itimerval Describe(const Task& task, int which) {
  const IntervalTimer& timer = task.process.timers[static_cast<std::size_t>(which)];
  const Nanoseconds now = TimerClock(task, which);
  // A timer that is armed never reads as zero.
  const Nanoseconds left = timer.expires == kNever ? 0
                           : timer.expires > now   ? timer.expires - now
                                                   : 1000;
  return {ToTimeval(static_cast<std::int64_t>(timer.interval)),
          ToTimeval(static_cast<std::int64_t>((left + 999) / 1000 * 1000))};
}

}  // namespace

SyscallResult SysClockGettime(Task& task, ClockId clock, GuestPtr<abi::Timespec> out) {
  const auto ns = ReadClock(task, clock.value);
  if (!ns) return ns.error();
  return FromResult(task.memory().Write(out, ToTimespec(*ns)));
}

SyscallResult SysClockGetres(Task& task, ClockId clock, GuestPtr<abi::Timespec> out) {
  if (const auto ns = ReadClock(task, clock.value); !ns) return ns.error();
  return out ? FromResult(task.memory().Write(out, abi::Timespec{0, 1})) : SyscallResult(0);
}

SyscallResult SysGettimeofday(Task& task, GuestPtr<abi::Timeval> time,
                              GuestPtr<abi::Timezone> zone) {
  if (time) {
    if (const auto ok = task.memory().Write(time, ToTimeval(task.kernel.WallNanoseconds())); !ok)
      return ok.error();
  }
  return zone ? FromResult(task.memory().Write(zone, abi::Timezone{0, 0})) : SyscallResult(0);
}

SyscallResult SysTime(Task& task, GuestPtr<std::int64_t> out) {
  const std::int64_t seconds = task.kernel.WallNanoseconds() / kBillion;
  if (out) {
    if (const auto ok = task.memory().Write(out, seconds); !ok) return ok.error();
  }
  return seconds;
}

SyscallResult SysNanosleep(Task& task, GuestPtr<const abi::Timespec> duration,
                           GuestPtr<abi::Timespec> remaining) {
  return SleepFor(task, duration, remaining);
}

SyscallResult SysClockNanosleep(Task& task, ClockId clock, SleepFlags flags,
                                GuestPtr<const abi::Timespec> time,
                                GuestPtr<abi::Timespec> remaining) {
  if (clock.value == kThreadCpu) return kEINVAL;
  const auto now = ReadClock(task, clock.value);
  if (!now) return kEINVAL;
  // A clock that stands still while its only task sleeps never gets there.
  if (clock.value == kProcessCpu || clock.value < 0) return kEOPNOTSUPP;
  constexpr std::uint64_t kAbsolute = 1;
  if (!flags.Has(kAbsolute)) return SleepFor(task, time, remaining);
  if (!task.call->deadline) {
    const auto until = task.memory().Read(time);
    if (!until) return until.error();
    const auto ns = ToNanoseconds(*until);
    if (!ns) return ns.error();
    task.call->deadline = After(task.kernel.Now(), *ns > *now ? *ns - *now : 0);
  }
  return SleepUntilDeadline(task, {});
}

SyscallResult SysAlarm(Task& task, std::uint32_t seconds) {
  IntervalTimer& timer = task.process.timers[kTimerReal];
  task.kernel.timed_processes.try_emplace(task.process.pid, &task.process);
  const Nanoseconds now = task.kernel.Now();
  const Nanoseconds left =
      timer.expires == kNever ? 0 : timer.expires - std::min(timer.expires, now);
  timer = {};
  if (seconds != 0) timer.expires = now + seconds * static_cast<Nanoseconds>(kBillion);
  // Rounded to seconds, but never to 0 while something was armed: kernel/time/itimer.c,
  // alarm_setitimer.
  auto whole = static_cast<std::int64_t>(left) / kBillion;
  const std::int64_t rest = static_cast<std::int64_t>(left) % kBillion;
  if ((whole == 0 && rest > 0) || rest >= kBillion / 2) ++whole;
  return whole;
}

SyscallResult SysGetitimer(Task& task, ItimerId which, GuestPtr<abi::Itimerval> out) {
  if (which.value < 0 || which.value >= kTimerCount) return kEINVAL;
  return FromResult(task.memory().Write(out, Describe(task, which.value)));
}

SyscallResult SysSetitimer(Task& task, ItimerId which, GuestPtr<const abi::Itimerval> value,
                           GuestPtr<abi::Itimerval> old) {
  if (which.value < 0 || which.value >= kTimerCount) return kEINVAL;
  abi::Itimerval to{};
  if (value) {
    const auto read = task.memory().Read(value);
    if (!read) return read.error();
    to = *read;
  }
  const auto first = ToNanoseconds(to.value);
  const auto interval = ToNanoseconds(to.interval);
  if (!first || !interval) return kEINVAL;
  const abi::Itimerval before = Describe(task, which.value);
  IntervalTimer& timer = task.process.timers[static_cast<std::size_t>(which.value)];
  timer = {};
  task.kernel.timed_processes.try_emplace(task.process.pid, &task.process);
  if (*first != 0)
    timer = {After(TimerClock(task, which.value), static_cast<std::int64_t>(*first)), *interval};
  return old ? FromResult(task.memory().Write(old, before)) : SyscallResult(0);
}

SyscallResult SysTimes(Task& task, GuestPtr<abi::Tms> out) {
  constexpr std::int64_t kNanosecondsPerTick = 10'000'000;
  if (out) {
    const abi::Tms times{
        static_cast<std::int64_t>(task.process.cpu_ns) / kNanosecondsPerTick, 0,
        static_cast<std::int64_t>(task.process.children_cpu_ns) / kNanosecondsPerTick, 0};
    if (const auto ok = task.memory().Write(out, times); !ok) return ok.error();
  }
  return static_cast<std::int64_t>(task.kernel.Now()) / kNanosecondsPerTick;
}

}  // namespace glovebox::engine
