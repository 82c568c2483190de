#include "client/stream/output_merger.h"

#include <algorithm>

namespace glovebox::client {
namespace {

constexpr std::uint64_t kMaxQueued = 4
                                     << 20;  // bytes of output that wait for the trace to catch up

}  // namespace

bool OutputMerger::AddOutput(const v1::OutputChunk& chunk) {
  std::unique_lock lock(mu_);
  // The queue drains as the trace goes on or ends: whoever reads it does one or the other.
  drained_.wait(lock, [&] { return queued_bytes_ < kMaxQueued || !wanted_; });
  output_.push_back({chunk.stream(), chunk.offset_bytes(), chunk.icount(), chunk.data()});
  queued_bytes_ += chunk.data().size();
  return Emit();
}

bool OutputMerger::AddEvent(const v1::TraceEvent& event) {
  const std::lock_guard lock(mu_);
  events_.push_back(event);
  any_event_ = true;
  newest_event_icount_ = std::max(newest_event_icount_, event.icount());
  return Emit();
}

void OutputMerger::EndOutput() {
  const std::lock_guard lock(mu_);
  output_ended_ = true;
  Emit();
}

void OutputMerger::EndTrace() {
  const std::lock_guard lock(mu_);
  trace_ended_ = true;
  Emit();
}

bool OutputMerger::Emit() {
  while (wanted_) {
    if (!events_.empty()) {
      const std::uint64_t before = events_.front().output_offset_bytes();
      wanted_ = EmitOutputUpTo(before);
      if (!wanted_ || (before > emitted_bytes_ && !output_ended_)) break;
      wanted_ = sinks_.trace(events_.front());
      events_.pop_front();
    } else if (!output_.empty() &&
               (trace_ended_ || (any_event_ && output_.front().icount <= newest_event_icount_))) {
      wanted_ = EmitOutputUpTo(output_.front().offset_bytes + output_.front().data.size());
    } else {
      break;
    }
  }
  drained_.notify_all();
  return wanted_;
}

bool OutputMerger::EmitOutputUpTo(std::uint64_t offset_bytes) {
  while (!output_.empty() && output_.front().offset_bytes < offset_bytes) {
    Chunk& chunk = output_.front();
    const std::size_t part = static_cast<std::size_t>(
        std::min<std::uint64_t>(chunk.data.size(), offset_bytes - chunk.offset_bytes));
    if (!sinks_.output(chunk.stream, std::string_view(chunk.data).substr(0, part))) return false;
    emitted_bytes_ = chunk.offset_bytes + part;
    queued_bytes_ -= part;
    if (part == chunk.data.size()) {
      output_.pop_front();
    } else {
      chunk.data.erase(0, part);
      chunk.offset_bytes += part;
    }
  }
  return true;
}

}  // namespace glovebox::client
