// What lies between a sender and a receiver: bytes, and what travels with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/net/address.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine::net {

// What an open file costs that only a message holds.
inline constexpr std::size_t kFileInFlightBytes = 512;

// Who a process is to its peers: struct ucred.
struct PeerIds {
  std::uint32_t pid = 0;
  std::uint32_t uid = 65534;  // nobody's: what is told where nobody was noted
  std::uint32_t gid = 65534;
  bool operator==(const PeerIds&) const = default;
};

// What goes along with bytes: sendmsg(2), ancillary data.
struct Ancillary {
  std::vector<std::shared_ptr<OpenFile>> files;  // SCM_RIGHTS
  PeerIds sender;                                // SCM_CREDENTIALS
};

// What a datagram's IP header says of it, ip(7), ipv6(7).
struct HeaderFields {
  int hops = 64;  // time to live
  int traffic_class = 0;
};

struct Message {
  std::vector<std::byte> bytes;
  Ancillary ancillary;
  RawAddress source;      // empty: nameless
  Endpoint to;            // of UDP: IP_PKTINFO
  HeaderFields header;    // of UDP
  std::size_t start = 0;  // bytes before it are taken already
  std::size_t cost = 0;   // while it lies in a queue

  std::span<const std::byte> rest() const { return std::span(bytes).subspan(start); }
  // What the message occupies while it waits, as sk_buff's truesize (linux/skbuff.h): so senders
  // meet their limits after about as many messages as on Linux.
  static std::size_t Cost(std::size_t bytes);
};

// Messages in order. Each occupies its cost of the box' disk limit, as what lies in pipes does.
class MessageQueue {
 public:
  explicit MessageQueue(std::shared_ptr<VfsServices> services) : services_(std::move(services)) {}
  MessageQueue(const MessageQueue&) = delete;
  MessageQueue& operator=(const MessageQueue&) = delete;
  ~MessageQueue();

  bool empty() const { return messages_.empty(); }
  std::size_t count() const { return messages_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::size_t cost() const { return cost_; }
  const std::deque<Message>& messages() const { return messages_; }
  std::deque<Message>& messages() { return messages_; }

  // False, with `message` as it was, where the box' limit does not allow it.
  bool Push(Message&& message);
  // As Push, in as few messages as possible: for streams, in which nothing marks where one ends.
  bool Append(std::span<const std::byte> bytes);

  // Copies what lies from `offset` bytes on, across messages.
  std::size_t Copy(std::size_t offset, std::span<std::byte> out) const;
  // Takes bytes away, and messages whose last byte that was.
  void Drop(std::size_t count);
  // The first message as a whole.
  Message Pop();
  // Files that lie in it: handed over, so that the caller decides when they go.
  void Clear(std::vector<std::shared_ptr<OpenFile>>& files);
  Message& front() { return messages_.front(); }
  const Message& front() const { return messages_.front(); }

 private:
  void Release(std::size_t cost);

  std::shared_ptr<VfsServices> services_;
  std::deque<Message> messages_;
  std::size_t bytes_ = 0;
  std::size_t cost_ = 0;
};

}  // namespace glovebox::engine::net
