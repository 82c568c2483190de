#include "server/core/timer_queue.h"

#include <absl/time/time.h>

namespace glovebox::server {

TimerQueue::TimerQueue() : thread_([this] { Loop(); }) {}

void TimerQueue::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    changed_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

TimerQueue::TimerId TimerQueue::After(std::chrono::milliseconds delay,
                                      std::function<void()> function) {
  const Clock::time_point deadline = Clock::now() + delay;
  absl::MutexLock lock(&mu_);
  if (stopping_) return 0;
  const TimerId id = ++last_id_;
  timers_.emplace(std::pair(deadline, id), std::move(function));
  deadlines_.emplace(id, deadline);
  changed_.Signal();
  return id;
}

void TimerQueue::Cancel(TimerId id) {
  std::function<void()> dropped;  // what it holds is destroyed after the lock is let go
  absl::MutexLock lock(&mu_);
  const auto deadline = deadlines_.find(id);
  if (deadline == deadlines_.end()) return;
  const auto timer = timers_.find({deadline->second, id});
  dropped = std::move(timer->second);
  timers_.erase(timer);
  deadlines_.erase(deadline);
}

void TimerQueue::Loop() {
  while (true) {
    std::function<void()> due;
    {
      absl::MutexLock lock(&mu_);
      while (!stopping_ && (timers_.empty() || timers_.begin()->first.first > Clock::now())) {
        if (timers_.empty()) {
          changed_.Wait(&mu_);
        } else {
          changed_.WaitWithTimeout(&mu_,
                                   absl::FromChrono(timers_.begin()->first.first - Clock::now()));
        }
      }
      if (stopping_) return;
      due = std::move(timers_.begin()->second);
      deadlines_.erase(timers_.begin()->first.second);
      timers_.erase(timers_.begin());
    }
    due();
  }
}

}  // namespace glovebox::server
