// Clocks, sleeping, interval timers: clock_gettime(2), nanosleep(2), setitimer(2) and their kin.
#include <algorithm>
#include <limits>

#include "engine/linux/process_timers.h"
#include "engine/linux/syscalls/clocks.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

constexpr std::int64_t kBillion = 1'000'000'000;
constexpr std::int64_t kMillion = 1'000'000;

abi::Timeval ToTimeval(std::int64_t ns) { return {ns / kBillion, ns % kBillion / 1000}; }

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
Result<std::int64_t, Errno> FromTimeval(const abi::Timeval& time) {
  if (time.microseconds < 0 || time.microseconds >= kMillion || time.seconds < 0)
    return std::unexpected(kEINVAL);
  return ToNanoseconds(abi::Timespec{time.seconds, time.microseconds * 1000});
}

abi::Itimerval Describe(const TimerSetting& setting) {
  return {ToTimeval(setting.interval), ToTimeval((setting.left + 999) / 1000 * 1000)};
}

// Ends a sleep on a clock that moves while somebody runs.
class CpuSleep final : public ClockAlarm {
 public:
  CpuSleep(Task& task, CpuClock clock)
      : ClockAlarm(task.kernel, {0, std::move(clock)}), task_(task) {}
  void OnAlarm() override { kernel().scheduler.Wake(task_); }

 private:
  Task& task_;
};

SyscallResult SleepOnCpuClock(Task& task, CpuClock clock, bool absolute,
                              GuestPtr<const abi::Timespec> time,
                              GuestPtr<abi::Timespec> remaining) {
  if (clock.thread == task.tid) return kEINVAL;
  if (!task.call->state) {
    const auto until = task.memory().Read(time);
    if (!until) return until.error();
    const auto ns = ToNanoseconds(*until);
    if (!ns) return ns.error();
    const std::int64_t now = clock.Now();
    auto sleep = std::make_shared<CpuSleep>(task, std::move(clock));
    sleep->Set(absolute ? *ns : now + std::min(*ns, std::numeric_limits<std::int64_t>::max() / 4));
    task.call->state = std::move(sleep);
  }
  const auto& sleep = *static_cast<const CpuSleep*>(task.call->state.get());
  const std::int64_t left = sleep.moment() - sleep.ClockNow();
  if (left <= 0) return 0;
  if (remaining && !absolute && task.signals.HasDeliverable()) {
    if (const auto ok = task.memory().Write(remaining, ToTimespec(left)); !ok) return ok.error();
  }
  return SyscallResult::Block({kNever, Wait::kEvent, OnSignal::kInterrupt, 0});
}

}  // namespace

SyscallResult SysClockGettime(Task& task, ClockId clock, GuestPtr<abi::Timespec> out) {
  const auto ns = ReadClock(task, clock.value);
  if (!ns) return ns.error();
  return FromResult(task.memory().Write(out, ToTimespec(*ns)));
}

SyscallResult SysClockGetres(Task& task, ClockId clock, GuestPtr<abi::Timespec> out) {
  if (const auto ns = ReadClock(task, clock.value); !ns) return ns.error();
  // That of a kernel with CONFIG_HZ 250; the others have hrtimers.
  constexpr std::int64_t kTick = 4'000'000;
  const bool coarse = clock.value == kRealtimeCoarse || clock.value == kMonotonicCoarse;
  return out ? FromResult(task.memory().Write(out, abi::Timespec{0, coarse ? kTick : 1}))
             : SyscallResult(0);
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
  const auto now = ReadClock(task, clock.value);
  if (!now) return kEINVAL;
  const auto cpu = FindCpuClock(task, clock.value);
  if (!cpu) return cpu.error();
  constexpr std::uint64_t kAbsolute = 1;
  if (*cpu) return SleepOnCpuClock(task, std::move(**cpu), flags.Has(kAbsolute), time, remaining);
  if (clock.value >= kMonotonicRaw && clock.value <= kMonotonicCoarse) return kEOPNOTSUPP;
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
  IntervalTimer& timer = task.process.timers.interval(kTimerReal);
  const std::int64_t left = timer.Get().left;
  timer.Set(seconds * kBillion, 0);
  // Rounded to seconds, but never to 0 while something was armed: kernel/time/itimer.c,
  // alarm_setitimer.
  std::int64_t whole = left / kBillion;
  const std::int64_t rest = left % kBillion;
  if ((whole == 0 && rest > 0) || rest >= kBillion / 2) ++whole;
  return whole;
}

SyscallResult SysGetitimer(Task& task, ItimerId which, GuestPtr<abi::Itimerval> out) {
  if (which.value < 0 || which.value >= kTimerCount) return kEINVAL;
  const auto id = static_cast<TimerId>(which.value);
  return FromResult(task.memory().Write(out, Describe(task.process.timers.interval(id).Get())));
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
  const auto first = FromTimeval(to.value);
  const auto interval = FromTimeval(to.interval);
  if (!first || !interval) return kEINVAL;
  IntervalTimer& timer = task.process.timers.interval(static_cast<TimerId>(which.value));
  const abi::Itimerval before = Describe(timer.Get());
  timer.Set(*first, *interval);
  return old ? FromResult(task.memory().Write(old, before)) : SyscallResult(0);
}

SyscallResult SysTimes(Task& task, GuestPtr<abi::Tms> out) {
  constexpr std::int64_t kNanosecondsPerTick = 10'000'000;
  if (out) {
    const Process& process = task.process;
    const auto ticks = [](Nanoseconds ns) {
      return static_cast<std::int64_t>(ns) / kNanosecondsPerTick;
    };
    const abi::Tms times{ticks(process.cpu_ns - process.system_ns), ticks(process.system_ns),
                         ticks(process.children_cpu_ns - process.children_system_ns),
                         ticks(process.children_system_ns)};
    if (const auto ok = task.memory().Write(out, times); !ok) return ok.error();
  }
  return static_cast<std::int64_t>(task.kernel.Now()) / kNanosecondsPerTick;
}

// The clock as of a machine whose time nobody keeps right: it can be read, not set.
SyscallResult SysAdjtimex(Task& task, GuestPtr<abi::Timex> pointer) {
  constexpr std::uint32_t kOffsetReadOnly = 0xa001;  // ADJ_OFFSET_SS_READ
  constexpr std::int32_t kUnsynchronised = 0x40;
  constexpr std::int64_t kNotSynchronised = 5;  // TIME_ERROR
  constexpr std::int64_t kWorstError = 16'000'000;
  const auto asked = task.memory().Read(pointer);
  if (!asked) return asked.error();
  if (asked->modes != 0 && asked->modes != kOffsetReadOnly) return kEPERM;
  abi::Timex now{};
  now.modes = asked->modes;
  now.max_error = now.estimated_error = kWorstError;
  now.status = kUnsynchronised;
  now.constant = 2;
  now.precision = 1;
  now.tolerance = 32'768'000;
  now.time = ToTimeval(task.kernel.WallNanoseconds());
  now.tick = 10'000;
  if (const auto ok = task.memory().Write(pointer, now); !ok) return ok.error();
  return kNotSynchronised;
}

SyscallResult SysClockAdjtime(Task& task, ClockId clock, GuestPtr<abi::Timex> pointer) {
  if (const auto ns = ReadClock(task, clock.value); !ns) return ns.error();
  return clock.value == kRealtime ? SysAdjtimex(task, pointer) : kEOPNOTSUPP;
}

}  // namespace glovebox::engine
