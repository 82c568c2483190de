// A job that has ended and runs again for a debugger, or for its core. It is no job: nothing of it
// is stored, and nobody but its debugger sees it. Private to server/core; guarded by
// JobManager::mu_.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/core/input_source.h"
#include "server/core/live_job.h"

namespace glovebox::server {

struct JobManager::Replay {
  JobView view;  // of the job
  DebugOptions options;
  std::shared_ptr<DebuggerEvents> debugger;
  std::shared_ptr<BoxHandle> handle;  // null before Launch has returned
  bool stands = false;                // where it is to
  bool joined = false;                // the debugger knows
  InputSource input;
  std::optional<LiveJob::InputWanted> input_wanted;
};

// What the box of a replay says. Its output, trace and journal are on record: it sends none.
class JobManager::ReplaySession : public BoxEvents {
 public:
  ReplaySession(JobManager& manager, std::uint64_t number) : manager_(manager), number_(number) {}

  void OnLocked(std::vector<SandboxLayer> layers, std::uint32_t epoch) override;
  void OnOutput(int, std::span<const std::byte>, std::uint64_t) override {}
  void OnTrace(std::vector<TraceRecord>) override {}
  void OnJournal(const JournalRecord&) override {}
  void OnInputWanted(std::uint64_t offset_bytes, std::uint32_t size_bytes) override;
  void OnDebug(const DebugNews& news) override;
  void OnEnded(const BoxEnd& end) override;
  void OnLost(const std::string& what) override;

 private:
  JobManager& manager_;
  const std::uint64_t number_;
};

}  // namespace glovebox::server
