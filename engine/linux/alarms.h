// What happens at a moment of virtual time without a task that waits for it: timers of timerfd(2)
// and of timer_create(2).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "engine/base/types.h"
#include "engine/linux/syscall_result.h"

namespace glovebox::engine {

class Alarm {
 public:
  virtual ~Alarm() = default;
  // The moment has come; the alarm is not set any more.
  virtual void OnAlarm() = 0;

  // Kept by AlarmQueue: when it goes off. Who destroys a set alarm cancels it before.
  std::optional<std::pair<Nanoseconds, std::uint64_t>> due;
};

// Threads: the box's. Alarms of one moment go off in the order in which they were set.
class AlarmQueue {
 public:
  // At `when`, in the time of Kernel::Now(), or at once where that has passed; instead of what was
  // set before.
  void Set(Alarm& alarm, Nanoseconds when) {
    Cancel(alarm);
    alarm.due = {when, ++count_};
    alarms_.emplace(*alarm.due, &alarm);
  }
  void Cancel(Alarm& alarm) {
    if (alarm.due) alarms_.erase(*alarm.due);
    alarm.due.reset();
  }
  Nanoseconds Next() const { return alarms_.empty() ? kNever : alarms_.begin()->first.first; }
  void Fire(Nanoseconds now) {
    // Those that are set for now by those that go off now wait for the next time.
    const std::uint64_t last = count_;
    while (Next() <= now && alarms_.begin()->first.second <= last) {
      Alarm& alarm = *alarms_.begin()->second;
      Cancel(alarm);
      alarm.OnAlarm();
    }
  }

 private:
  std::map<std::pair<Nanoseconds, std::uint64_t>, Alarm*> alarms_;
  std::uint64_t count_ = 0;
};

}  // namespace glovebox::engine
