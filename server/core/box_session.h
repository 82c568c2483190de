// What a box says, on its way to the manager. Private to server/core.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/core/live_job.h"

namespace glovebox::server {

// Output and trace go straight into the job's logs; everything else is a move of the job, and the
// manager's.
class JobManager::BoxSession : public BoxEvents {
 public:
  BoxSession(JobManager& manager, std::string id, std::shared_ptr<JobFeed> feed)
      : manager_(manager), id_(std::move(id)), feed_(std::move(feed)) {}

  void OnLocked(std::vector<SandboxLayer> layers, std::uint32_t epoch) override;
  void OnOutput(int stream, std::span<const std::byte> bytes, std::uint64_t icount) override;
  void OnTrace(std::vector<TraceRecord> events) override;
  void OnJournal(const JournalRecord& record) override;
  void OnInputWanted(std::uint64_t offset_bytes, std::uint32_t size_bytes) override;
  void OnDebug(const DebugNews& news) override;
  void OnEnded(const BoxEnd& end) override;
  void OnLost(const std::string& what) override;

 private:
  void Append(FrameLog& log, std::span<const FrameLog::NewFrame> frames);

  JobManager& manager_;
  const std::string id_;
  const std::shared_ptr<JobFeed> feed_;
  bool failed_ = false;  // told the manager; the launcher's thread only
};

}  // namespace glovebox::server
