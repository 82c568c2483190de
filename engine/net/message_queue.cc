#include "engine/net/message_queue.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace glovebox::engine::net {
namespace {

constexpr std::size_t kLine = 64;              // SMP_CACHE_BYTES
constexpr std::size_t kSharedInfoBytes = 320;  // struct skb_shared_info, in whole lines
constexpr std::size_t kHeadBytes = 256;        // struct sk_buff, in whole lines
constexpr std::size_t kLinearBytes = 3776;     // what fits one page beside the shared info
constexpr std::size_t kSegmentBytes = 65536;   // of a stream

constexpr std::size_t RoundUp(std::size_t size, std::size_t unit) {
  return (size + unit - 1) / unit * unit;
}

}  // namespace

std::size_t Message::Cost(std::size_t bytes) {
  const std::size_t linear = std::min(bytes, kLinearBytes);
  return std::bit_ceil(RoundUp(linear, kLine) + kSharedInfoBytes) + kHeadBytes +
         RoundUp(bytes - linear, kPageSize);
}

MessageQueue::~MessageQueue() { Release(cost_); }

void MessageQueue::Release(std::size_t cost) {
  services_->disk.Release(cost);
  cost_ -= cost;
}

bool MessageQueue::Push(Message&& message) {
  message.cost =
      Message::Cost(message.bytes.size()) + message.ancillary.files.size() * kFileInFlightBytes;
  if (!services_->disk.Charge(message.cost)) return false;
  cost_ += message.cost;
  bytes_ += message.bytes.size();
  messages_.push_back(std::move(message));
  return true;
}

bool MessageQueue::Append(std::span<const std::byte> bytes) {
  if (!messages_.empty() && messages_.back().bytes.size() + bytes.size() <= kSegmentBytes) {
    std::vector<std::byte>& last = messages_.back().bytes;
    const std::size_t more = Message::Cost(last.size() + bytes.size()) - Message::Cost(last.size());
    if (!services_->disk.Charge(more)) return false;
    cost_ += more;
    messages_.back().cost += more;
    bytes_ += bytes.size();
    last.insert(last.end(), bytes.begin(), bytes.end());
    return true;
  }
  Message message;
  message.bytes.assign(bytes.begin(), bytes.end());
  return Push(std::move(message));
}

std::size_t MessageQueue::Copy(std::size_t offset, std::span<std::byte> out) const {
  std::size_t done = 0;
  for (const Message& message : messages_) {
    if (done == out.size()) break;
    const auto rest = message.rest();
    if (offset >= rest.size()) {
      offset -= rest.size();
      continue;
    }
    const auto part = rest.subspan(offset, std::min(rest.size() - offset, out.size() - done));
    std::ranges::copy(part, out.begin() + static_cast<std::ptrdiff_t>(done));
    done += part.size();
    offset = 0;
  }
  return done;
}

void MessageQueue::Drop(std::size_t count) {
  while (count > 0 && !messages_.empty()) {
    Message& first = messages_.front();
    const std::size_t part = std::min(count, first.rest().size());
    first.start += part;
    bytes_ -= part;
    count -= part;
    if (first.rest().empty()) Pop();
  }
}

Message MessageQueue::Pop() {
  Message first = std::move(messages_.front());
  messages_.pop_front();
  bytes_ -= first.rest().size();
  Release(first.cost);
  return first;
}

void MessageQueue::Clear(std::vector<std::shared_ptr<OpenFile>>& files) {
  while (!messages_.empty()) {
    Message message = Pop();
    std::ranges::move(message.ancillary.files, std::back_inserter(files));
  }
}

}  // namespace glovebox::engine::net
