// The timers of a process: setitimer(2), timer_create(2), and sleeps on clocks of CPU time.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/types.h"
#include "engine/linux/abi/common.h"
#include "engine/linux/alarms.h"

namespace glovebox::engine {

class Kernel;
class Process;
class Task;

// A clock that goes on while somebody runs: of a process, or of one of its threads.
struct CpuClock {
  std::shared_ptr<Process> process;
  std::uint32_t thread = 0;  // its number; 0: of the process
  bool user_only = false;    // of the process: without the time of its calls

  std::int64_t Now() const;
};

// The clock of an alarm: Kernel::Now() with an offset, or CPU time.
struct AlarmClock {
  std::int64_t offset = 0;  // that clock minus Kernel::Now()
  std::optional<CpuClock> cpu = std::nullopt;

  std::int64_t Now(const Kernel& kernel) const;
};

// An alarm in the time of any clock.
class ClockAlarm : public Alarm {
 public:
  ClockAlarm(Kernel& kernel, AlarmClock clock) : kernel_(kernel), clock_(std::move(clock)) {}
  ~ClockAlarm() override { Cancel(); }
  ClockAlarm(const ClockAlarm&) = delete;
  ClockAlarm& operator=(const ClockAlarm&) = delete;

  // `moment` of the clock, which may have passed.
  void Set(std::int64_t moment);
  void Cancel();
  std::int64_t moment() const { return moment_; }
  const AlarmClock& clock() const { return clock_; }
  std::int64_t ClockNow() const { return clock_.Now(kernel_); }

 protected:
  Kernel& kernel() const { return kernel_; }

 private:
  Kernel& kernel_;
  const AlarmClock clock_;
  std::int64_t moment_ = 0;
};

enum TimerId : std::uint8_t { kTimerReal, kTimerVirtual, kTimerProfile, kTimerCount };

struct TimerSetting {
  std::int64_t left = 0;  // until the next expiration; 0: it is not set
  std::int64_t interval = 0;
};

// One of setitimer(2).
class IntervalTimer final : public ClockAlarm {
 public:
  IntervalTimer(Process& process, TimerId which);
  TimerSetting Get() const;
  void Set(std::int64_t first, std::int64_t interval);  // `first` 0 takes it back
  void OnAlarm() override;
  // SIGALRM was taken: only then the next one is set, so that who does not take it is not woken for
  // nothing (kernel/signal.c, dequeue_signal).
  void OnSignalTaken();

 private:
  void Forward();

  Process& process_;
  const TimerId which_;
  bool is_set_ = false;
  bool goes_on_when_taken_ = false;
  std::int64_t interval_ = 0;
};

// RLIMIT_CPU: SIGXCPU at the soft limit, which then is a second later, and SIGKILL at the hard one.
class CpuLimit final : public ClockAlarm {
 public:
  explicit CpuLimit(Process& process);
  // Where the limit has changed, or is new.
  void Arm();
  void OnAlarm() override;

 private:
  Process& process_;
};

// One of timer_create(2).
class PosixTimer final : public ClockAlarm {
 public:
  struct Notice {
    enum class Kind : std::uint8_t { kSignal, kNone, kThreadSignal } kind = Kind::kSignal;
    int signal = 0;
    std::uint64_t value = 0;
    std::uint32_t thread = 0;
  };
  PosixTimer(Process& process, int id, AlarmClock clock, const Notice& notice);

  TimerSetting Get() const;
  // `first` 0 takes it back; a moment of its clock where `absolute`.
  void Set(std::int64_t first, std::int64_t interval, bool absolute);
  int overrun() const { return last_overrun_; }
  const Notice& notice() const { return notice_; }

  void OnAlarm() override;
  // Its signal was taken: says how often it went off meanwhile, and goes on.
  void OnSignalTaken(abi::Siginfo& info);
  // Its signal is not ignored any more.
  void OnNoticed();

 private:
  bool Send();
  std::int64_t Forward();

  Process& process_;
  const int id_;
  const Notice notice_;
  bool is_set_ = false;
  bool is_queued_ = false;  // its signal waits to be taken
  bool goes_on_when_taken_ = false;
  bool is_parked_ = false;  // went off while its signal was ignored
  std::int64_t next_ = 0;   // moment of its clock
  std::int64_t interval_ = 0;
  std::int64_t overrun_ = 0;  // since the signal was queued
  int last_overrun_ = 0;
};

class ProcessTimers {
 public:
  explicit ProcessTimers(Process& process);

  IntervalTimer& interval(TimerId which) { return *intervals_[which]; }

  CpuLimit& cpu_limit() { return cpu_limit_; }

  // Null: there is none of that number.
  PosixTimer* Find(int id);
  // The number of a new one.
  int Add(AlarmClock clock, PosixTimer::Notice notice, bool value_is_number);
  bool Remove(int id) { return posix_.erase(id) != 0; }
  std::size_t count() const { return posix_.size(); }
  // execve(2); the end.
  void RemoveAll() { posix_.clear(); }

  void OnSignalTaken(abi::Siginfo& info);
  void OnHandlerSet(int signal);

 private:
  Process& process_;
  std::array<std::unique_ptr<IntervalTimer>, kTimerCount> intervals_;
  CpuLimit cpu_limit_;
  std::map<int, std::unique_ptr<PosixTimer>> posix_;
  int next_id_ = 0;
};

// Alarms on clocks of one process' CPU time, in the order in which they were set.
class CpuAlarms {
 public:
  void Add(ClockAlarm& alarm) { alarms_.push_back(&alarm); }
  void Remove(const ClockAlarm& alarm) { std::erase(alarms_, &alarm); }
  bool empty() const { return alarms_.empty(); }
  // CPU time of `running`, which is of the process, until the next one; kNever where there is none.
  Nanoseconds Left(const Task& running) const;
  void Fire();

 private:
  std::vector<ClockAlarm*> alarms_;
};

}  // namespace glovebox::engine
