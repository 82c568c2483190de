// A job that has ended runs again for a debugger: where it is to stand, and whether it is the same
// job that stands there.
//
// The box runs undebugged to a moment shortly before its end, exactly as Run(until) gets to any
// moment, and is debugged from there on: whatever goes to other moments later (checkpoints,
// backwards) starts from the same two steps.
#pragma once

#include <optional>
#include <string>

#include "engine/debug.h"
#include "engine/process.h"
#include "glovebox/worker/v1/worker.pb.h"

namespace glovebox::worker {

namespace wire = glovebox::worker::v1;

class ReplayPlan {
 public:
  explicit ReplayPlan(const wire::Replay& replay);

  // Nothing of the journal is left then.
  bool at_end() const { return at_end_; }
  // Up to here the box runs without a debugger.
  engine::Moment stand() const { return stand_; }
  // And from there with one, up to the event that ends it: a fatal signal, a deadlock.
  bool awaits_event() const { return awaits_event_; }
  bool IsAwaited(const engine::DebugEvent& event) const;

  // Of a box that stands: where, for a person, and what of it is not as on record.
  std::string Describe(const engine::BoxReport& report) const;
  // Of one that went on from there to its end: empty where nothing is known to compare with.
  std::string Compare(const engine::BoxReport& report) const;
  // Of one that ended before it stood.
  std::string DescribeEarlyEnd(const engine::BoxReport& report) const;

 private:
  bool knows_end() const { return end_.kind() != wire::Ended::KIND_UNSPECIFIED; }
  // Somebody outside ended it: the box itself was in the middle of its life.
  bool was_stopped() const;
  void PlanEnd();
  std::string WhatEndedIt() const;

  const wire::Ended end_;
  const std::optional<std::uint64_t> at_;
  bool at_end_ = true;
  bool awaits_event_ = false;
  engine::Moment stand_ = 0;
};

}  // namespace glovebox::worker
