#include "server/worker/box_doors.h"

#include <algorithm>
#include <utility>

#include "server/channel/clean_text.h"

namespace glovebox::worker {
namespace {

// A trace message stays well below the bound of a frame: it is closed once it is this long.
constexpr std::size_t kTraceMessageBytes = channel::kMaxFromWorkerBytes / 4;
static_assert(channel::kMaxTraceStringBytes * (channel::kMaxTraceArguments + 2) <
              channel::kMaxFromWorkerBytes / 2);

}  // namespace

void BoxDoors::OnOutput(engine::OutputStream stream, std::span<const std::byte> bytes,
                        engine::Icount icount) {
  if (!tells_) return;
  CloseTrace();
  output_bytes_ += bytes.size();
  const auto number = static_cast<std::uint32_t>(stream);
  while (!bytes.empty()) {
    if (chunk_.has_output() && (chunk_.output().stream() != number ||
                                chunk_.output().data().size() == channel::kMaxOutputBytes ||
                                icount - chunk_start_ >= kChunkInstructions)) {
      CloseChunk();
    }
    if (!chunk_.has_output()) {
      chunk_.mutable_output()->set_stream(number);
      chunk_.mutable_output()->set_icount(icount);
      chunk_start_ = icount;
    }
    std::string& data = *chunk_.mutable_output()->mutable_data();
    const std::size_t n = std::min(bytes.size(), channel::kMaxOutputBytes - data.size());
    data.append(reinterpret_cast<const char*>(bytes.data()), n);
    bytes = bytes.subspan(n);
  }
}

void BoxDoors::OnTrace(const engine::TraceEvent& event) {
  if (!tells_) return;
  CloseChunk();
  const auto clean = [](std::string_view text) {
    return channel::CleanText(text, channel::kMaxTraceStringBytes);
  };
  wire::Trace::Event& out = *trace_.mutable_trace()->add_events();
  out.set_icount(event.icount);
  out.set_virtual_time_ns(event.virtual_time);
  out.set_pid(event.pid);
  out.set_tid(event.tid);
  out.set_name(channel::CleanText(event.name, channel::kMaxNameBytes));
  out.set_signal(event.is_signal);
  for (std::size_t i = 0; i < std::min(event.arguments.size(), channel::kMaxTraceArguments); ++i) {
    out.add_arguments(clean(event.arguments[i]));
  }
  out.set_result(clean(event.result));
  out.set_output_offset_bytes(output_bytes_);
  trace_bytes_ += out.ByteSizeLong();
  if (trace_bytes_ >= kTraceMessageBytes ||
      static_cast<std::size_t>(trace_.trace().events_size()) == channel::kMaxTraceEvents) {
    CloseTrace();
  }
}

void BoxDoors::CloseChunk() {
  if (!chunk_.has_output()) return;
  channel_.Queue(chunk_);
  chunk_.Clear();
}

void BoxDoors::CloseTrace() {
  if (!trace_.has_trace()) return;
  channel_.Queue(trace_);
  trace_.Clear();
  trace_bytes_ = 0;
}

void BoxDoors::Drain() {
  CloseChunk();
  CloseTrace();
}

void BoxDoors::EndSlice(const engine::Box& box) {
  if (chunk_.has_output() && box.Report().icount - chunk_start_ >= kChunkInstructions) CloseChunk();
  CloseTrace();
  channel_.Flush();
}

bool BoxDoors::HasWanted() const {
  if (wanted_offset_ < input_offset_) return false;
  const std::uint64_t skip = wanted_offset_ - input_offset_;
  return input_end_ || (skip <= input_.size() && input_.size() - skip >= wanted_bytes_);
}

// Only as much as the box waits for, from the first byte that is not here.
void BoxDoors::AskForInput() {
  if (wanted_offset_ < input_offset_ || wanted_offset_ > input_offset_ + input_.size()) {
    input_.clear();
    input_offset_ = wanted_offset_;
    input_end_ = false;
  }
  asked_ = true;
  asked_offset_ = input_offset_ + input_.size();
  wire::FromWorker message;
  message.mutable_input()->set_offset_bytes(asked_offset_);
  message.mutable_input()->set_size_bytes(channel::kMaxInputBytes);
  Drain();
  channel_.Queue(message);
  channel_.Flush();
}

bool BoxDoors::InputIsReady() {
  while (auto reply = channel_.TakeInputReply()) {
    asked_ = false;
    // The answer to a wish that a signal made the box forget: stdin is a file, so it may still
    // serve, or be asked anew.
    if (asked_offset_ != input_offset_ + input_.size()) continue;
    input_.append(reply->data());
    input_end_ = reply->end();
  }
  if (HasWanted()) return true;
  if (!asked_) AskForInput();
  return false;
}

Result<engine::BoxHost::Input, Error> BoxDoors::ReadStdin(std::uint64_t offset_bytes,
                                                          std::size_t size_bytes) {
  if (!has_stdin_) return Input{.bytes = {}, .end = true, .not_yet = false};
  wanted_offset_ = offset_bytes;
  wanted_bytes_ = std::min(size_bytes, kMaxReadBytes);
  if (hold_reads_ && !let_through_) return Input{.bytes = {}, .end = false, .not_yet = true};
  if (!InputIsReady()) return Input{.bytes = {}, .end = false, .not_yet = true};
  let_through_ = false;
  const auto skip = static_cast<std::size_t>(
      std::min<std::uint64_t>(offset_bytes - input_offset_, input_.size()));
  // What was read is let go, so that a long stdin does not gather here.
  input_.erase(0, skip);
  input_offset_ += skip;
  const std::size_t n = std::min(wanted_bytes_, input_.size());
  Input input;
  const auto* const data = reinterpret_cast<const std::byte*>(input_.data());
  input.bytes.assign(data, data + n);
  input.end = input_end_ && n == input_.size();
  return input;
}

}  // namespace glovebox::worker
