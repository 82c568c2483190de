// A debugger over the channel: its bytes, and what the daemon has to know of it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/limits/limit_table.h"
#include "engine/process.h"
#include "gdbstub/session.h"
#include "server/worker/channel.h"
#include "server/worker/debuggee.h"

namespace glovebox::worker {

// Nothing of a debugger exists before one is wanted.
class DebugLink final : private gdbstub::Sink {
 public:
  // `waits`: the box is to stand at its first instruction until a debugger has come.
  DebugLink(Channel& channel, engine::Box& box, const engine::LimitValues& limits, bool waits);
  ~DebugLink() override;

  // Between two runs of the box.
  void Take(const wire::DebugInput& message);
  void AfterRun(engine::RunState state);

 private:
  void Send(std::span<const std::byte> bytes) override;
  void Open();
  void Hear(const std::string& bytes);
  void Close();
  // The stub has taken its leave, where it has.
  void CloseIfDone();
  BoxDebuggee& debuggee();

  Channel& channel_;
  engine::Box& box_;
  const engine::LimitValues limits_;
  std::unique_ptr<BoxDebuggee> debuggee_;
  std::optional<gdbstub::Session> session_;
  bool opens_ = false;  // as soon as the box stands still
  std::string early_;   // what the debugger has said before that
  bool told_stopped_ = false;
  bool told_altered_ = false;
};

}  // namespace glovebox::worker
