// How many calls are open, and since when none is: an embedded daemon ends when nobody needs it.
#pragma once

#include <chrono>
#include <cstddef>

#include <absl/synchronization/mutex.h>

namespace glovebox::server {

// Threads: any.
class Activity {
 public:
  // A call that is open. Must not outlive the Activity.
  class Call {
   public:
    explicit Call(Activity& activity) : activity_(activity) { activity_.Change(+1); }
    ~Call() { activity_.Change(-1); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Activity& activity_;
  };

  // How long no call has been open; zero while one is.
  std::chrono::nanoseconds QuietFor() const {
    absl::MutexLock lock(&mu_);
    return open_ > 0 ? std::chrono::nanoseconds(0) : Clock::now() - last_change_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void Change(int by) {
    absl::MutexLock lock(&mu_);
    open_ += by;
    last_change_ = Clock::now();
  }

  mutable absl::Mutex mu_;
  int open_ ABSL_GUARDED_BY(mu_) = 0;
  Clock::time_point last_change_ ABSL_GUARDED_BY(mu_) = Clock::now();
};

}  // namespace glovebox::server
