#include "server/rpc/job_sources.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "server/core/codec.h"
#include "server/rpc/convert.h"

namespace glovebox::server {
namespace {

constexpr std::size_t kReadAhead = 64 << 10;  // frames read from a log at a time, bytes
constexpr std::size_t kMaxChunk = 64 << 10;

class Events : public Source<v1::JobEvent> {
 public:
  Events(JobManager& manager, std::string id, std::uint64_t after)
      : manager_(manager), id_(std::move(id)), last_(after) {}

  Step Next(const JobFeed& feed, v1::JobEvent& response, grpc::Status& status) override {
    const bool ended = feed.ended;
    if (ready_.empty()) {
      auto events = manager_.Events(id_, last_);
      if (!events) {
        status = StatusOf(events.error());
        return Step::kDone;
      }
      ready_.assign(events->begin(), events->end());
    }
    if (ready_.empty()) return ended ? Step::kDone : Step::kWait;
    response = MessageOf(ready_.front());
    last_ = ready_.front().sequence;
    ready_.pop_front();
    return Step::kWrite;
  }

 private:
  JobManager& manager_;
  const std::string id_;
  std::uint64_t last_;
  std::deque<JobEvent> ready_;
};

// Frames of a log from a position on; at most kReadAhead of them wait here for their turn.
class Frames {
 public:
  // `field`: of the request that names the position.
  Frames(std::uint64_t position, const char* field) : position_(position), field_(field) {}

  // The step to take where there is no frame now, or kWrite with the frame.
  Step Next(const FrameLog& log, bool ended, bool follow, Frame& frame, grpc::Status& status) {
    if (ready_.empty()) {
      auto frames = log.Read(position_, kReadAhead);
      if (!frames) {
        status = StatusOf(frames.error());
        return Step::kDone;
      }
      ready_.assign(std::make_move_iterator(frames->begin()),
                    std::make_move_iterator(frames->end()));
    }
    if (ready_.empty()) {
      // Beyond the end of a job that runs (again, perhaps) is nothing yet; beyond that of one that
      // ended is nothing ever.
      if (ended && position_ > log.visible_end()) {
        status = StatusOf(Error{
            ErrorCode::kOutOfRange, "BEYOND_END",
            fmt::format("position {} is beyond the end {}", position_, log.visible_end()), field_});
        return Step::kDone;
      }
      return ended || !follow ? Step::kDone : Step::kWait;
    }
    frame = std::move(ready_.front());
    ready_.pop_front();
    return Step::kWrite;
  }
  void Advance(std::uint64_t units) { position_ += units; }
  void PutBack(Frame frame) { ready_.push_front(std::move(frame)); }

 private:
  std::uint64_t position_;
  const char* const field_;
  std::deque<Frame> ready_;
};

class Output : public Source<v1::OutputChunk> {
 public:
  Output(std::uint64_t offset, bool follow) : frames_(offset, "offset_bytes"), follow_(follow) {}

  Step Next(const JobFeed& feed, v1::OutputChunk& response, grpc::Status& status) override {
    const bool ended = feed.ended;
    Frame frame;
    const Step step = frames_.Next(*feed.output, ended, follow_, frame, status);
    if (step != Step::kWrite) return step;
    response.set_stream(static_cast<v1::OutputChunk::Stream>(frame.kind));
    response.set_offset_bytes(frame.position);
    response.set_icount(frame.icount);
    const std::size_t size = std::min(frame.payload.size(), kMaxChunk);
    response.set_data(frame.payload.substr(0, size));
    frames_.Advance(size);
    if (size < frame.payload.size()) {
      frame.payload.erase(0, size);
      frame.position += size;
      frames_.PutBack(std::move(frame));
    }
    return Step::kWrite;
  }

 private:
  Frames frames_;
  const bool follow_;
};

class Trace : public Source<v1::TraceEvent> {
 public:
  Trace(std::uint64_t after, bool follow) : frames_(after, "after_sequence"), follow_(follow) {}

  Step Next(const JobFeed& feed, v1::TraceEvent& response, grpc::Status& status) override {
    if (!feed.trace) {
      status = StatusOf(Error{
          ErrorCode::kFailedPrecondition, "NO_TRACE", "the job's spec asked for no trace", {}});
      return Step::kDone;
    }
    const bool ended = feed.ended;
    Frame frame;
    const Step step = frames_.Next(*feed.trace, ended, follow_, frame, status);
    if (step != Step::kWrite) return step;
    const auto record = DecodeTrace(frame.payload);
    if (!record) {
      status = StatusOf(record.error());
      return Step::kDone;
    }
    response = MessageOf(*record, frame.position + 1);
    frames_.Advance(1);
    return Step::kWrite;
  }

 private:
  Frames frames_;
  const bool follow_;
};

}  // namespace

std::unique_ptr<Source<v1::JobEvent>> EventSource(JobManager& manager,
                                                  const v1::WatchJobRequest& request) {
  return std::make_unique<Events>(manager, JobIdOf(request.name()).value_or(""),
                                  request.after_sequence());
}

std::unique_ptr<Source<v1::OutputChunk>> OutputSource(const v1::ReadOutputRequest& request) {
  return std::make_unique<Output>(request.offset_bytes(), request.follow());
}

std::unique_ptr<Source<v1::TraceEvent>> TraceSource(const v1::StreamTraceRequest& request) {
  return std::make_unique<Trace>(request.after_sequence(), request.follow());
}

}  // namespace glovebox::server
