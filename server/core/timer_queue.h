// Deadlines: one thread that calls functions when their time has come.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include <absl/synchronization/mutex.h>

namespace glovebox::server {

class TimerQueue {
 public:
  using TimerId = std::uint64_t;  // 0: none

  TimerQueue();
  ~TimerQueue() { Stop(); }

  // Returns when nothing is called any more; later timers are not taken. Not from a timer's
  // function.
  void Stop();

  // Calls `function` once, on the queue's thread, which it should not keep for long. Threads: any.
  TimerId After(std::chrono::milliseconds delay, std::function<void()> function);
  // The function is not called any more, unless its call has begun. Unknown ids and 0 are fine.
  void Cancel(TimerId id);

 private:
  using Clock = std::chrono::steady_clock;
  void Loop();

  absl::Mutex mu_;
  std::map<std::pair<Clock::time_point, TimerId>, std::function<void()>> timers_
      ABSL_GUARDED_BY(mu_);
  std::map<TimerId, Clock::time_point> deadlines_ ABSL_GUARDED_BY(mu_);
  TimerId last_id_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  absl::CondVar changed_;
  std::thread thread_;
};

}  // namespace glovebox::server
