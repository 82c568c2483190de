// A few threads for what may wait for a disk: reading trees, hashing blobs, syncing logs.
#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include <absl/synchronization/mutex.h>

namespace glovebox::server {

class TaskPool {
 public:
  explicit TaskPool(unsigned threads);
  // Runs what was posted, then ends.
  ~TaskPool();
  // Threads: any, also those of the pool.
  void Post(std::function<void()> task);

 private:
  void Loop();

  absl::Mutex mu_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace glovebox::server
