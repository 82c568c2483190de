// POSIX message queues: mq_overview(7).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/vfs/open_file.h"

namespace glovebox::engine {

inline constexpr std::uint64_t kMqueueDevice = 0x14;  // st_dev of the mqueue file system

class MqueueInode : public Inode {
 public:
  struct Message {
    std::uint32_t priority = 0;
    std::vector<std::byte> bytes;
  };
  // Whom to tell that a message has come to an empty queue: mq_notify(3). Once.
  struct Notice {
    std::uint32_t pid = 0;
    int notify = 0;  // SIGEV_SIGNAL, SIGEV_NONE
    int signal = 0;
    std::uint64_t value = 0;
    const OpenFile* by = nullptr;  // the description that it was asked for through
  };

  MqueueInode(std::shared_ptr<VfsServices> services, std::uint32_t mode,
              std::uint64_t most_messages, std::uint64_t message_bytes)
      : Inode(std::move(services), kTypeRegular, mode, kMqueueDevice),
        most_messages_(most_messages),
        message_bytes_(message_bytes) {}
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override;
  std::uint64_t size_bytes() const override { return 80; }  // FILENT_SIZE of Linux

  // What the queue takes of the disk limit when it is full.
  static std::uint64_t CostOf(std::uint64_t most_messages, std::uint64_t message_bytes) {
    return most_messages * (message_bytes + 64);
  }

  std::uint64_t most_messages() const { return most_messages_; }
  std::uint64_t message_bytes() const { return message_bytes_; }
  std::size_t count() const { return count_; }
  bool IsFull() const { return count_ >= most_messages_; }
  bool IsEmpty() const { return count_ == 0; }
  void Push(Message message);
  // The oldest of the highest priority; the queue is not empty.
  const Message& Front() const { return messages_.rbegin()->second.front(); }
  void Pop();
  std::uint64_t total_bytes() const { return bytes_; }

  // Whom receivers and senders wait on; pollers wait on the queue itself.
  const void* receivers() const { return &count_; }
  const void* senders() const { return &bytes_; }

  std::optional<Notice> notice;

 private:
  void Tell(const void* channel, std::uint16_t events);

  const std::uint64_t most_messages_;
  const std::uint64_t message_bytes_;
  std::map<std::uint32_t, std::deque<Message>> messages_;  // by priority
  std::size_t count_ = 0;
  std::uint64_t bytes_ = 0;
};

class OpenMqueue : public OpenFile {
 public:
  OpenMqueue(PathRef path, int flags) : OpenFile(std::move(path), flags) {}
  ~OpenMqueue() override;
  MqueueInode& queue() const { return static_cast<MqueueInode&>(inode()); }
  // The status that mq_overview(7) tells of, as text.
  IoResult Read(std::uint64_t offset, std::span<std::byte> out) override;
  bool seekable() const override { return true; }
  Result<std::uint16_t, IoFailure> Poll() override;
  const void* EventChannel() const override { return &queue(); }
};

}  // namespace glovebox::engine
