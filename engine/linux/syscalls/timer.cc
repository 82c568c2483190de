// Timers that send signals: timer_create(2) and its kin.
#include "engine/linux/process_table.h"
#include "engine/linux/process_timers.h"
#include "engine/linux/syscalls/clocks.h"
#include "engine/linux/syscalls/event_handlers.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

// sigevent(7). SIGEV_THREAD is a matter of the C library.
enum Notify : int { kNotifySignal, kNotifyNone, kNotifyThread, kNotifyThreadId = 4 };

Result<PosixTimer::Notice, Errno> ReadNotice(Task& task, GuestPtr<const abi::Sigevent> pointer) {
  using Kind = PosixTimer::Notice::Kind;
  if (!pointer) return PosixTimer::Notice{Kind::kSignal, kSIGALRM, 0, 0};
  const auto event = task.memory().Read(pointer);
  if (!event) return std::unexpected(event.error());
  PosixTimer::Notice notice{Kind::kSignal, event->signal, event->value, 0};
  switch (event->notify) {
    case kNotifyNone:
      notice.kind = Kind::kNone;
      return notice;
    case kNotifyThreadId: {
      const Task* const thread = task.kernel.processes().FindTask(event->thread_id);
      if (thread == nullptr || &thread->process != &task.process) return std::unexpected(kEINVAL);
      notice.kind = Kind::kThreadSignal;
      notice.thread = thread->tid;
      break;
    }
    case kNotifySignal:
    case kNotifyThread:
      break;
    default:
      return std::unexpected(kEINVAL);
  }
  if (notice.signal < 1 || notice.signal > kSignalCount) return std::unexpected(kEINVAL);
  return notice;
}

Result<AlarmClock, Errno> ClockFor(Task& task, int clock) {
  switch (clock) {
    case kRealtime:
    case kMonotonic:
    case kBoottime:
    case kTai:
      return AlarmClock{OffsetOfClock(task.kernel, clock)};
    case kMonotonicRaw:
    case kRealtimeCoarse:
    case kMonotonicCoarse:
    case kRealtimeAlarm:  // no clock that could wake a machine
    case kBoottimeAlarm:
      return std::unexpected(kEOPNOTSUPP);
    default:
      break;
  }
  auto cpu = FindCpuClock(task, clock);
  if (!cpu || !*cpu) return std::unexpected(kEINVAL);
  return AlarmClock{0, std::move(*cpu)};
}

abi::Itimerspec Describe(const TimerSetting& setting) {
  return {ToTimespec(setting.interval), ToTimespec(setting.left)};
}

}  // namespace

SyscallResult SysTimerCreate(Task& task, ClockId clock, GuestPtr<const abi::Sigevent> event,
                             GuestPtr<std::int32_t> out) {
  auto of_clock = ClockFor(task, clock.value);
  if (!of_clock) return of_clock.error();
  ProcessTimers& timers = task.process.timers;
  // Each keeps room for one signal.
  if (timers.count() >= task.process.limits[kLimitSigPending].soft) return kEAGAIN;
  const auto notice = ReadNotice(task, event);
  if (!notice) return notice.error();
  const int id = timers.Add(std::move(*of_clock), *notice, !event);
  const auto written = task.memory().Write(out, id);
  if (!written) timers.Remove(id);
  return FromResult(written);
}

SyscallResult SysTimerSettime(Task& task, int id, SleepFlags flags,
                              GuestPtr<const abi::Itimerspec> value,
                              GuestPtr<abi::Itimerspec> old) {
  constexpr std::uint64_t kAbsolute = 1;
  if (!value) return kEINVAL;
  const auto to = task.memory().Read(value);
  if (!to) return to.error();
  const auto first = ToNanoseconds(to->value);
  const auto interval = ToNanoseconds(to->interval);
  PosixTimer* const timer = task.process.timers.Find(id);
  if (!first || !interval || timer == nullptr) return kEINVAL;
  const TimerSetting before = timer->Get();
  timer->Set(*first, *interval, flags.Has(kAbsolute));
  return old ? FromResult(task.memory().Write(old, Describe(before))) : SyscallResult(0);
}

SyscallResult SysTimerGettime(Task& task, int id, GuestPtr<abi::Itimerspec> out) {
  const PosixTimer* const timer = task.process.timers.Find(id);
  if (timer == nullptr) return kEINVAL;
  return FromResult(task.memory().Write(out, Describe(timer->Get())));
}

SyscallResult SysTimerGetoverrun(Task& task, int id) {
  const PosixTimer* const timer = task.process.timers.Find(id);
  return timer == nullptr ? kEINVAL : SyscallResult(timer->overrun());
}

SyscallResult SysTimerDelete(Task& task, int id) {
  return task.process.timers.Remove(id) ? SyscallResult(0) : kEINVAL;
}

}  // namespace glovebox::engine
