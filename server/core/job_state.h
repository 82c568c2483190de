// The life of a job: every legal move, once. Code asks Next(); tests and the CLI's diagram walk the
// table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace glovebox::server {

// The numbers are stored in the database and are those of glovebox.v1.JobState.
enum class JobState : std::uint8_t {
  kQueued = 1,
  kPreparing = 2,
  kRunning = 3,
  kStopped = 4,
  kFinalizing = 5,
  kSucceeded = 6,
  kFailed = 7,
  kCancelled = 8,
};

enum class JobMove : std::uint8_t {
  kStart,          // a box is free: the job is handed to a worker
  kReady,          // the worker has locked itself up and runs the guest
  kStop,           // a debugger holds the box
  kContinue,       // and lets it go
  kBoxEnd,         // the box ended, or its worker died
  kDurableEnd,     // output and result are on disk: the guest's own end
  kDurableFail,    // the same, where the end is ours
  kDurableCancel,  // the same, where somebody asked for the end
  kCancel,         // asked for before a box was there
  kInterrupt,      // the daemon ended or died under the job: it runs again
  kGiveUp,         // it was interrupted too often
};

struct Transition {
  JobState from;
  JobMove move;
  JobState to;
};

inline constexpr std::array kTransitions{
    Transition{JobState::kQueued, JobMove::kStart, JobState::kPreparing},
    Transition{JobState::kQueued, JobMove::kCancel, JobState::kCancelled},
    Transition{JobState::kQueued, JobMove::kGiveUp, JobState::kFailed},
    Transition{JobState::kPreparing, JobMove::kReady, JobState::kRunning},
    Transition{JobState::kPreparing, JobMove::kBoxEnd, JobState::kFinalizing},
    Transition{JobState::kPreparing, JobMove::kInterrupt, JobState::kQueued},
    Transition{JobState::kRunning, JobMove::kStop, JobState::kStopped},
    Transition{JobState::kRunning, JobMove::kBoxEnd, JobState::kFinalizing},
    Transition{JobState::kRunning, JobMove::kInterrupt, JobState::kQueued},
    Transition{JobState::kStopped, JobMove::kContinue, JobState::kRunning},
    Transition{JobState::kStopped, JobMove::kBoxEnd, JobState::kFinalizing},
    Transition{JobState::kStopped, JobMove::kInterrupt, JobState::kQueued},
    Transition{JobState::kFinalizing, JobMove::kDurableEnd, JobState::kSucceeded},
    Transition{JobState::kFinalizing, JobMove::kDurableFail, JobState::kFailed},
    Transition{JobState::kFinalizing, JobMove::kDurableCancel, JobState::kCancelled},
    Transition{JobState::kFinalizing, JobMove::kInterrupt, JobState::kQueued},
};

struct JobStateName {
  JobState state;
  std::string_view name;
};

inline constexpr std::array kJobStateNames{
    JobStateName{JobState::kQueued, "QUEUED"},
    JobStateName{JobState::kPreparing, "PREPARING"},
    JobStateName{JobState::kRunning, "RUNNING"},
    JobStateName{JobState::kStopped, "STOPPED"},
    JobStateName{JobState::kFinalizing, "FINALIZING"},
    JobStateName{JobState::kSucceeded, "SUCCEEDED"},
    JobStateName{JobState::kFailed, "FAILED"},
    JobStateName{JobState::kCancelled, "CANCELLED"},
};

constexpr std::string_view NameOf(JobState state) {
  for (const JobStateName& row : kJobStateNames) {
    if (row.state == state) return row.name;
  }
  return "UNKNOWN";
}

// Empty when the move is not in the table; the RPC answers FAILED_PRECONDITION and names both.
constexpr std::optional<JobState> Next(JobState state, JobMove move) {
  for (const Transition& row : kTransitions) {
    if (row.from == state && row.move == move) return row.to;
  }
  return std::nullopt;
}

// No way leads out of an ended job.
constexpr bool IsTerminal(JobState state) {
  for (const Transition& row : kTransitions) {
    if (row.from == state) return false;
  }
  return true;
}

// Handed to a worker and not ended: an interruption of the daemon sends it back to the queue.
constexpr bool IsInterruptible(JobState state) {
  return Next(state, JobMove::kInterrupt).has_value();
}

constexpr bool EachMoveOnce() {
  for (std::size_t i = 0; i < kTransitions.size(); ++i) {
    for (std::size_t j = i + 1; j < kTransitions.size(); ++j) {
      if (kTransitions[i].from == kTransitions[j].from &&
          kTransitions[i].move == kTransitions[j].move) {
        return false;
      }
    }
  }
  return true;
}

constexpr bool EachStateNamedInOrder() {
  for (std::size_t i = 0; i < kJobStateNames.size(); ++i) {
    if (static_cast<std::size_t>(kJobStateNames[i].state) != i + 1) return false;
  }
  return true;
}

// From each state there is a way to an end, in at most as many moves as there are states.
constexpr bool EachStateCanEnd() {
  for (const JobStateName& start : kJobStateNames) {
    std::array<bool, kJobStateNames.size() + 1> reached{};
    reached[static_cast<std::size_t>(start.state)] = true;
    bool ends = false;
    for (std::size_t round = 0; round < kJobStateNames.size(); ++round) {
      for (const Transition& row : kTransitions) {
        if (reached[static_cast<std::size_t>(row.from)])
          reached[static_cast<std::size_t>(row.to)] = true;
      }
    }
    for (const JobStateName& row : kJobStateNames) {
      ends |= reached[static_cast<std::size_t>(row.state)] && IsTerminal(row.state);
    }
    if (!ends) return false;
  }
  return true;
}

static_assert(EachMoveOnce() && EachStateNamedInOrder() && EachStateCanEnd());
static_assert(IsTerminal(JobState::kSucceeded) && IsTerminal(JobState::kFailed) &&
              IsTerminal(JobState::kCancelled) && !IsTerminal(JobState::kStopped));

}  // namespace glovebox::server
