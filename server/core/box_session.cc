#include "server/core/box_session.h"

#include <fmt/format.h>

#include "server/core/codec.h"

namespace glovebox::server {

void JobManager::BoxSession::OnLocked(std::vector<SandboxLayer> layers, std::uint32_t epoch) {
  manager_.OnLocked(id_, std::move(layers), epoch);
}

void JobManager::BoxSession::Append(FrameLog& log, std::span<const FrameLog::NewFrame> frames) {
  if (failed_) return;
  const auto appended = log.Append(frames);
  if (!appended) {
    failed_ = true;
    manager_.OnStoreFailed(id_, appended.error());
    return;
  }
  feed_->bell.Ring();
}

void JobManager::BoxSession::OnOutput(int stream, std::span<const std::byte> bytes,
                                      std::uint64_t icount) {
  const FrameLog::NewFrame frame{
      static_cast<std::uint32_t>(stream), icount,
      std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())};
  if (!bytes.empty()) Append(*feed_->output, std::span(&frame, 1));
}

void JobManager::BoxSession::OnTrace(std::vector<TraceRecord> events) {
  if (!feed_->trace) return;
  std::vector<std::string> records;
  std::vector<FrameLog::NewFrame> frames;
  records.reserve(events.size());
  for (const TraceRecord& event : events) {
    records.push_back(Encode(event));
    frames.push_back({0, event.icount, records.back()});
  }
  Append(*feed_->trace, frames);
  const std::uint64_t ceiling = manager_.options_.max_trace_bytes;
  if (!failed_ && feed_->trace->stored_bytes() > ceiling) {
    failed_ = true;
    manager_.OnStoreFailed(id_, {ErrorCode::kResourceExhausted,
                                 "TRACE_TOO_LARGE",
                                 fmt::format("the trace exceeds {} bytes", ceiling),
                                 {}});
  }
}

void JobManager::BoxSession::OnJournal(const JournalRecord& record) {
  manager_.OnJournal(id_, record);
}

void JobManager::BoxSession::OnInputWanted(std::uint64_t offset_bytes, std::uint32_t size_bytes) {
  manager_.OnInputWanted(id_, offset_bytes, size_bytes);
}

void JobManager::BoxSession::OnDebug(const DebugNews& news) { manager_.OnDebug(id_, news); }

void JobManager::BoxSession::OnEnded(const BoxEnd& end) { manager_.OnBoxGone(id_, end, {}); }

void JobManager::BoxSession::OnLost(const std::string& what) {
  manager_.OnBoxGone(id_, std::nullopt, what);
}

}  // namespace glovebox::server
