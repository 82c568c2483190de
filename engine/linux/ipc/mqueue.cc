#include "engine/linux/ipc/mqueue.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace glovebox::engine {

Result<std::shared_ptr<OpenFile>, IoFailure> MqueueInode::Open(const PathRef& path, int flags) {
  return std::make_shared<OpenMqueue>(path, flags);
}

void MqueueInode::Push(Message message) {
  ++count_;
  bytes_ += message.bytes.size();
  messages_[message.priority].push_back(std::move(message));
  Tell(receivers(), kPollIn);
}

void MqueueInode::Pop() {
  const auto highest = std::prev(messages_.end());
  --count_;
  bytes_ -= highest->second.front().bytes.size();
  highest->second.pop_front();
  if (highest->second.empty()) messages_.erase(highest);
  Tell(senders(), kPollOut);
}

void MqueueInode::Tell(const void* channel, std::uint16_t events) {
  TouchModified();
  services()->file_event(channel, events);
  services()->file_event(this, events);
}

// mq_notify(3): the registration goes with the description that it was made through.
OpenMqueue::~OpenMqueue() {
  if (queue().notice && queue().notice->by == this) queue().notice.reset();
}

IoResult OpenMqueue::Read(std::uint64_t from, std::span<std::byte> out) {
  const auto& registered = queue().notice;
  const std::string text =
      fmt::format("QSIZE:{:<10} NOTIFY:{:<5} SIGNO:{:<5} NOTIFY_PID:{:<6}\n", queue().total_bytes(),
                  registered ? registered->notify : 0,
                  registered && registered->notify == 0 ? registered->signal : 0,
                  registered ? registered->pid : 0);
  if (from >= text.size()) return 0;
  const std::size_t count = std::min(out.size(), text.size() - static_cast<std::size_t>(from));
  std::ranges::copy(std::as_bytes(std::span(text)).subspan(static_cast<std::size_t>(from), count),
                    out.begin());
  return count;
}

Result<std::uint16_t, IoFailure> OpenMqueue::Poll() {
  std::uint16_t events = 0;
  if (!queue().IsEmpty()) events |= kPollIn;
  if (!queue().IsFull()) events |= kPollOut;
  return events;
}

}  // namespace glovebox::engine
