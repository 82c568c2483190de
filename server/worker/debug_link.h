// A debugger over the channel: its bytes, and what the daemon has to know of it. A core that is
// wanted stands in a debugger's place.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/limits/limit_table.h"
#include "engine/process.h"
#include "gdbstub/session.h"
#include "server/worker/change_records.h"
#include "server/worker/channel.h"
#include "server/worker/core_dump.h"
#include "server/worker/debuggee.h"
#include "server/worker/replay_plan.h"

namespace glovebox::worker {

// Nothing of a debugger exists before one is wanted.
class DebugLink final : private gdbstub::Sink {
 public:
  struct Options {
    engine::LimitValues limits;
    // The box is to stand at its first instruction until a debugger has come.
    bool waits = false;
    // Outlives the link; null: what a debugger changes is nobody's business.
    ChangeJournal* changes = nullptr;
    // Of a replay. Its debugger is there from the start, and joins where StandFor says.
    const wire::Replay* replay = nullptr;
  };
  DebugLink(Channel& channel, engine::Box& box, const Options& options);
  ~DebugLink() override;

  // Between two runs of the box.
  void Take(const wire::DebugInput& message);
  void AfterRun(engine::RunState state);

  // The box of a replay is where its debugger is to be: as soon as it stands for what the plan
  // says, the daemon is told.
  void StandFor(const ReplayPlan& plan);
  // For the person at the debugger.
  void Notice(const std::string& text);
  // While changes of an earlier attempt are made again, no debugger may come.
  void Defer(bool deferred);
  // Of a replay: has its debugger changed something?
  bool is_altered_replay() const { return debuggee_->changes() != changes_before_; }
  bool has_session() const { return session_.has_value(); }
  // Of a replay: for what the plan says.
  bool stands() const { return stands_for_plan_; }
  BoxDebuggee& debuggee();

 private:
  void Send(std::span<const std::byte> bytes) override;
  void Open();
  void OpenCore(const wire::CoreWanted& wanted);
  void StandForCore();
  void MoreCore();
  void GiveUpCore();
  void Hear(const std::string& bytes);
  void Close();
  void TellClosed();
  // The stub has taken its leave, where it has.
  void CloseIfDone();
  bool Joins(engine::RunState state);

  Channel& channel_;
  engine::Box& box_;
  const engine::LimitValues limits_;
  ChangeJournal* const changes_;
  const bool is_replay_;
  const ReplayPlan* plan_ = nullptr;
  bool stands_for_plan_ = false;
  std::uint64_t changes_before_ = 0;  // made again on the way there
  std::unique_ptr<BoxDebuggee> debuggee_;
  std::optional<gdbstub::Session> session_;
  bool opens_ = false;  // as soon as the box stands still
  bool deferred_ = false;
  std::string early_;  // what the debugger has said before that
  // Of a core.
  std::optional<wire::CoreWanted> core_;
  std::optional<CoreDump> dump_;
  bool attached_for_core_ = false;
  unsigned pieces_owed_ = 0;
  bool told_stopped_ = false;
  bool told_altered_ = false;
};

}  // namespace glovebox::worker
