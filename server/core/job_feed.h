// What followers of one job look at: its logs, and a bell that rings when there is more to see.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include <absl/synchronization/mutex.h>

#include "server/store/frame_log.h"

namespace glovebox::server {

// Rings for all who listen. It carries nothing: a listener looks for itself what is new, so it does
// not matter in which order rings arrive, nor whether some coincide. Threads: any.
class Bell {
 public:
  using ListenerId = std::uint64_t;

  ListenerId Listen(std::function<void()> listener) {
    absl::MutexLock lock(&mu_);
    listeners_.emplace(++last_id_, std::make_shared<std::function<void()>>(std::move(listener)));
    return last_id_;
  }
  // A call that has begun may still be under way.
  void Leave(ListenerId id) {
    std::shared_ptr<std::function<void()>> dropped;  // destroyed after the lock is let go
    absl::MutexLock lock(&mu_);
    const auto found = listeners_.find(id);
    if (found == listeners_.end()) return;
    dropped = std::move(found->second);
    listeners_.erase(found);
  }
  void Ring() {
    std::map<ListenerId, std::shared_ptr<std::function<void()>>> listeners;
    {
      absl::MutexLock lock(&mu_);
      listeners = listeners_;
    }
    for (const auto& [id, listener] : listeners) (*listener)();
  }

 private:
  absl::Mutex mu_;
  ListenerId last_id_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<ListenerId, std::shared_ptr<std::function<void()>>> listeners_ ABSL_GUARDED_BY(mu_);
};

// Threads: any.
struct JobFeed {
  std::shared_ptr<FrameLog> output;
  std::shared_ptr<FrameLog> trace;  // null where the spec asked for none
  // Everything is there. Read this before the logs: what is found then is all there will ever be.
  std::atomic<bool> ended = false;
  Bell bell;
};

}  // namespace glovebox::server
