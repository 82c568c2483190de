// Makes again what a debugger changed in an earlier attempt of a job: at the same place in the
// box' life, found again by the moment and by what the box stood for then.
#pragma once

#include <set>
#include <string>

#include "engine/process.h"
#include "server/worker/change_records.h"
#include "server/worker/debuggee.h"

namespace glovebox::worker {

class ChangePlayer {
 public:
  // They outlive it.
  ChangePlayer(engine::Box& box, BoxDebuggee& debuggee) : box_(box), debuggee_(debuggee) {}

  // The next change is one at `moment`: the box is to run, at most to until(), until Made.
  void Plan(engine::Moment moment, const ChangePlace& where);
  bool busy() const { return state_ != State::kIdle; }
  engine::Moment until() const { return until_; }

  enum class Found { kNotYet, kHere, kMissed };
  // Behind each Run while busy. kHere: the box stands where it stood then.
  Found AfterRun(engine::RunState state);
  // Once it stands there: makes a change, also a further one of the same place. False: it cannot be
  // made.
  bool Make(const RecordedChange& recorded);
  bool IsHere(engine::Moment moment, const ChangePlace& place) const;
  // The box goes on, without a debugger.
  void Leave();

 private:
  enum class State { kIdle, kApproaches, kAwaits, kHere };

  bool Attach(std::uint32_t pid);
  bool IsPlace(const engine::DebugEvent& event) const;

  engine::Box& box_;
  BoxDebuggee& debuggee_;
  State state_ = State::kIdle;
  engine::Moment moment_ = 0;
  engine::Moment until_ = 0;
  ChangePlace place_;
  std::set<std::uint32_t> attached_;
  engine::ThreadId delivers_to_{};
  int delivers_ = 0;
};

}  // namespace glovebox::worker
