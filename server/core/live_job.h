// What the manager knows of a job that has not ended. Private to server/core; guarded by
// JobManager::mu_.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/host_fd.h"
#include "server/core/debugger.h"
#include "server/core/input_source.h"
#include "server/core/job_manager.h"

namespace glovebox::server {

// Calls that wait until the lock is let go. Declared before the MutexLock, so it is destroyed after
// it.
class JobManager::AfterUnlock {
 public:
  AfterUnlock() = default;
  AfterUnlock(const AfterUnlock&) = delete;
  AfterUnlock& operator=(const AfterUnlock&) = delete;
  ~AfterUnlock() {
    for (const auto& call : calls_) call();
  }
  void operator+=(std::function<void()> call) { calls_.push_back(std::move(call)); }

 private:
  std::vector<std::function<void()>> calls_;
};

// Create calls that wait for the same request id.
struct JobManager::Pending {
  std::string body;
  std::vector<JobDone> waiting;
};

struct JobManager::LiveJob {
  JobView next;                  // as of the last move
  JobOutcome outcome;            // goes into `next` with each Persist
  std::optional<JobView> shown;  // as of the last commit; none before the first
  bool finalizing = false;       // counted in finalizing_
  std::vector<JobEvent> events;
  std::uint64_t committed_events = 0;
  bool cancel_asked = false;
  std::string cancel_reason;

  std::shared_ptr<JobFeed> feed;
  InputSource input;                                   // its blob is there once it runs
  std::shared_ptr<const std::vector<Digest>> closure;  // sorted
  std::vector<JournalRecord> journal;

  // The box.
  std::shared_ptr<BoxHandle> handle;  // null before Launch has returned
  bool box_gone = false;
  bool wall_limit_hit = false;
  std::optional<Error> store_error;  // what it needs could not be read or stored
  std::vector<int> early_signals;    // for a box that is not ready yet
  std::optional<TerminalSize> early_size;
  struct InputWanted {
    std::uint64_t offset = 0;
    std::uint32_t size = 0;
  };
  std::optional<InputWanted> input_wanted;
  std::uint64_t input_position = 0;  // of the guest; of a live stdin: what the journal has
  // A live stdin: up to where it is on its way to the box.
  std::uint64_t typed = 0;
  bool typed_end = false;
  bool typing = false;                     // a thread sends some of it
  bool typing_missed = false;              // another one wanted to meanwhile
  JobMove verdict = JobMove::kDurableEnd;  // decided when the box is gone
  std::string verdict_message;

  std::size_t watchers = 0;
  TimerQueue::TimerId unwatched_timer = 0;
  // The wall limit runs while the box does.
  TimerQueue::TimerId wall_timer = 0;  // 0: it does not run
  std::chrono::milliseconds wall_left{0};
  std::chrono::steady_clock::time_point wall_since;

  // The debugger.
  std::shared_ptr<DebuggerEvents> debugger;
  bool debugger_joined = false;             // the box knows of it
  std::optional<std::uint32_t> wants_core;  // in a debugger's place, of that process
  bool stands = false;                      // the box stands still for it
  TimerQueue::TimerId goes_on_timer = 0;
};

}  // namespace glovebox::server
