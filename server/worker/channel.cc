#include "server/worker/channel.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace glovebox::worker {
namespace {

constexpr std::size_t kFlushAtBytes = channel::kMaxOutputBytes;
constexpr std::size_t kReadBytes = std::size_t{64} << 10;

template <typename T>
std::optional<T> TakeFirst(std::deque<T>* queue) {
  if (queue->empty()) return std::nullopt;
  T first = std::move(queue->front());
  queue->pop_front();
  return first;
}

}  // namespace

void Channel::Close(const char* why) {
  if (why != nullptr) std::fprintf(stderr, "glovebox-worker: channel: %s\n", why);
  closed_ = true;
}

void Channel::Queue(const wire::FromWorker& message) {
  channel::AppendFrame(message, &outgoing_);
  if (outgoing_.size() >= kFlushAtBytes) Flush();
}

void Channel::Flush() {
  std::span<const char> rest = outgoing_;
  while (!rest.empty() && !closed_) {
    const channel::IoResult sent = channel::SendSome(fd_, rest, -1, /*block=*/true);
    if (sent.state != channel::IoState::kDone) Close(nullptr);
    rest = rest.subspan(sent.bytes);
  }
  outgoing_.clear();
}

void Channel::Receive(bool wait, int timeout_ms) {
  std::array<char, kReadBytes> bytes;
  while (!closed_) {
    const channel::IoResult got = channel::ReceiveSome(fd_, bytes, &descriptors_, /*block=*/false);
    if (got.state == channel::IoState::kClosed || got.state == channel::IoState::kFailed)
      return Close(nullptr);
    if (got.state == channel::IoState::kNotNow) {
      if (!wait) return;
      pollfd readable{fd_, POLLIN, 0};
      const int ready = ::poll(&readable, 1, timeout_ms);
      if (ready < 0 && errno != EINTR) return Close("poll");
      if (ready == 0) return;
      continue;
    }
    incoming_.Append(std::span(bytes).first(got.bytes));
    for (;;) {
      const auto frame = incoming_.Next();
      if (!frame) return Close("frame too large");
      if (!*frame) break;
      wire::ToWorker message;
      if (!message.ParseFromArray((*frame)->data(), static_cast<int>((*frame)->size())))
        return Close("not a message");
      Sort(std::move(message));
      wait = false;
    }
  }
}

void Channel::Sort(wire::ToWorker message) {
  switch (message.kind_case()) {
    case wire::ToWorker::kRun:
      run_ = std::move(message);
      return;
    case wire::ToWorker::kSignal:
    case wire::ToWorker::kCancel:
    case wire::ToWorker::kLive:
    case wire::ToWorker::kResize:
    case wire::ToWorker::kDebug:
      controls_.push_back(std::move(message));
      return;
    case wire::ToWorker::kInput:
      input_replies_.push_back(std::move(*message.mutable_input()));
      return;
    case wire::ToWorker::kBlob: {
      // Arrived with the first byte of this message or, where this process could hold no more
      // descriptors, not at all.
      HostFd descriptor;
      if (message.blob().found() && !descriptors_.empty()) {
        descriptor = std::move(descriptors_.front());
        descriptors_.erase(descriptors_.begin());
      }
      blob_replies_.push_back({std::move(*message.mutable_blob()), std::move(descriptor)});
      return;
    }
    case wire::ToWorker::KIND_NOT_SET:
      return Close("empty message");
  }
}

std::optional<wire::ToWorker> Channel::TakeRun() { return std::exchange(run_, std::nullopt); }

std::optional<wire::ToWorker> Channel::TakeControl() { return TakeFirst(&controls_); }

std::optional<wire::InputReply> Channel::TakeInputReply() { return TakeFirst(&input_replies_); }

std::optional<Channel::BlobReply> Channel::TakeBlobReply() { return TakeFirst(&blob_replies_); }

}  // namespace glovebox::worker
