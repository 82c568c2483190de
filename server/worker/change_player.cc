#include "server/worker/change_player.h"

#include <algorithm>
#include <utility>

namespace glovebox::worker {

using engine::DebugChange;
using engine::DebugEvent;
using engine::Moment;

namespace {
constexpr std::uint64_t kAnyStep = ~std::uint64_t{0};
}  // namespace

// Where a signal is delivered, or a call begins, is between two looks of the run loop: the box is
// debugged from the last look before it on.
void ChangePlayer::Plan(Moment moment, const ChangePlace& where) {
  moment_ = moment;
  place_ = where;
  state_ = State::kApproaches;
  engine::DebugPlace place;
  switch (place_.kind) {
    case ChangePlace::Kind::kInstruction:
      place.moment = moment;
      if (place_.thread.tid != 0) place.thread = place_.thread;
      place.rip = place_.rip;
      break;
    case ChangePlace::Kind::kDelivery:
      place.moment = {moment.icount, moment.step - std::min<std::uint64_t>(moment.step, 1)};
      break;
    case ChangePlace::Kind::kCallEntry:
      place.moment = moment.icount - std::min<std::uint64_t>(moment.icount, 1);
      break;
  }
  until_ = {place.moment.icount, kAnyStep};
  debuggee_.debugger().StandAt(place);
}

bool ChangePlayer::Attach(std::uint32_t pid) {
  if (attached_.contains(pid)) return true;
  if (!debuggee_.debugger().Attach(pid)) return false;
  attached_.insert(pid);
  while (debuggee_.debugger().TakeEvent()) {
  }
  return true;
}

bool ChangePlayer::IsPlace(const DebugEvent& event) const {
  if (event.thread != place_.thread || box_.At() != moment_) return false;
  if (place_.kind == ChangePlace::Kind::kCallEntry)
    return event.kind == DebugEvent::Kind::kSyscallEntry && event.syscall == place_.number;
  return event.kind == DebugEvent::Kind::kSignal &&
         static_cast<std::uint64_t>(event.signal) == place_.number;
}

ChangePlayer::Found ChangePlayer::AfterRun(engine::RunState state) {
  if (state == engine::RunState::kEnded) return Found::kMissed;
  if (state != engine::RunState::kStopped)
    return box_.At() > Moment{moment_.icount, kAnyStep - 1} ? Found::kMissed : Found::kNotYet;
  if (state_ == State::kApproaches) {
    if (place_.kind == ChangePlace::Kind::kInstruction) {
      state_ = State::kHere;
      return box_.At() == moment_ ? Found::kHere : Found::kMissed;
    }
    if (!Attach(place_.thread.pid)) return Found::kMissed;
    if (place_.kind == ChangePlace::Kind::kCallEntry)
      static_cast<void>(
          debuggee_.debugger().CatchCalls(place_.thread.pid, std::set<std::uint64_t>{}));
    state_ = State::kAwaits;
    until_ = {moment_.icount, kAnyStep};
    debuggee_.GoOn();
    return Found::kNotYet;
  }
  if (box_.At() > moment_) return Found::kMissed;
  if (!debuggee_.Await([this](const DebugEvent& event) { return IsPlace(event); }))
    return Found::kNotYet;
  if (place_.kind == ChangePlace::Kind::kDelivery) {
    delivers_to_ = place_.thread;
    delivers_ = static_cast<int>(place_.number);
  }
  state_ = State::kHere;
  return Found::kHere;
}

bool ChangePlayer::IsHere(Moment moment, const ChangePlace& place) const {
  return state_ == State::kHere && moment == moment_ && place == place_;
}

bool ChangePlayer::Make(const RecordedChange& recorded) {
  const DebugChange& change = recorded.change;
  engine::BoxDebugger& debugger = debuggee_.debugger();
  if (change.kind == DebugChange::Kind::kSchedule) return true;
  if (!Attach(change.thread.pid)) return false;
  switch (change.kind) {
    case DebugChange::Kind::kMemory:
      return debugger.WriteMemory(change.thread.pid, change.address, change.bytes).has_value();
    case DebugChange::Kind::kRegisters: {
      const auto set = static_cast<engine::DebugRegisterSet>(change.number);
      if (set > engine::DebugRegisterSet::kXstate) return false;
      return debugger.WriteRegisters(change.thread, set, change.bytes).has_value();
    }
    case DebugChange::Kind::kSiginfo:
      return debugger.WriteSiginfo(change.thread, change.bytes).has_value();
    case DebugChange::Kind::kSignal:
      delivers_to_ = change.thread;
      delivers_ = static_cast<int>(std::min<std::uint64_t>(change.number, 64));
      return true;
    case DebugChange::Kind::kKill:
      attached_.erase(change.thread.pid);
      return debugger.Kill(change.thread.pid).has_value();
    case DebugChange::Kind::kSchedule:
      return true;
    case DebugChange::Kind::kLaunch:
    case DebugChange::Kind::kFileOpen:
    case DebugChange::Kind::kFileWrite:
    case DebugChange::Kind::kFileUnlink:
      break;
  }
  return false;
}

void ChangePlayer::Leave() {
  for (const std::uint32_t pid : attached_)
    static_cast<void>(debuggee_.debugger().CatchCalls(pid, std::nullopt));
  debuggee_.GoOn(std::exchange(delivers_to_, {}), std::exchange(delivers_, 0));
  for (const std::uint32_t pid : std::exchange(attached_, {}))
    static_cast<void>(debuggee_.debugger().Detach(pid, 0));
  state_ = State::kIdle;
}

}  // namespace glovebox::worker
