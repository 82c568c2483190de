// Pipes and FIFOs, pipe(7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "engine/vfs/open_file.h"

namespace glovebox::engine {

// Both ends within the box.
class Pipe {
 public:
  static constexpr std::size_t kCapacityBytes = 65536;  // of a new one
  static constexpr std::size_t kMostBytes = 1 << 20;    // /proc/sys/fs/pipe-max-size
  static constexpr std::size_t kAtomicBytes = 4096;     // PIPE_BUF

  explicit Pipe(std::shared_ptr<VfsServices> services) : services_(std::move(services)) {}

  std::size_t size() const { return bytes_.size(); }
  std::size_t room() const { return capacity_ - bytes_.size(); }
  std::size_t capacity() const { return capacity_; }
  // F_SETPIPE_SZ; not below what is in it.
  void SetCapacity(std::size_t bytes) {
    capacity_ = bytes;
    Tell(kPollOut);
  }
  std::size_t Peek(std::span<std::byte> out) const;
  void Drop(std::size_t count);
  void Push(std::span<const std::byte> bytes);

  int readers() const { return readers_; }
  int writers() const { return writers_; }
  // A writer was there once: an empty pipe without writers is at its end.
  bool was_written_to() const { return was_written_to_; }
  void AddEnd(bool reads, bool writes);
  void RemoveEnd(bool reads, bool writes);
  // Opens so far: who waits in open(2) for the other end goes on when one came, even if it has gone
  // again.
  std::uint64_t reader_opens() const { return reader_opens_; }
  std::uint64_t writer_opens() const { return writer_opens_; }

 private:
  void Tell(std::uint16_t events) const { services_->file_event(this, events); }

  std::shared_ptr<VfsServices> services_;
  int readers_ = 0;
  int writers_ = 0;
  bool was_written_to_ = false;
  std::uint64_t reader_opens_ = 0;
  std::uint64_t writer_opens_ = 0;
  std::size_t capacity_ = kCapacityBytes;
  std::deque<std::byte> bytes_;
};

// A node that leads to a pipe: a FIFO of a directory, or the nameless one of pipe(2).
class PipeInode : public Inode {
 public:
  PipeInode(std::shared_ptr<VfsServices> services, std::uint32_t permissions, std::uint64_t device);
  // As fifo(7); the wait for the other end is Connected's.
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override;
  std::string NamelessText() const override;
  const std::shared_ptr<Pipe>& pipe() const { return pipe_; }
  // One end, without the wait; for pipe(2).
  std::shared_ptr<OpenFile> OpenEnd(int flags);

 private:
  std::shared_ptr<Pipe> pipe_;
};

class OpenPipe : public OpenFile {
 public:
  OpenPipe(PathRef path, int flags, std::shared_ptr<Pipe> pipe);
  ~OpenPipe() override;
  Result<void, IoFailure> Connected() const override;
  IoResult Await(std::size_t wanted) override;
  IoResult Read(std::uint64_t offset, std::span<std::byte> out) override;
  void Consume(std::size_t bytes) override { pipe_->Drop(bytes); }
  // EPIPE without readers: the caller raises SIGPIPE.
  IoResult Write(std::uint64_t offset, std::span<const std::byte> bytes) override;
  Result<std::uint16_t, IoFailure> Poll() override;
  const void* EventChannel() const override { return pipe_.get(); }
  Result<std::uint64_t, IoFailure> Available() override { return pipe_->size(); }
  bool IsSamePipe(const OpenPipe& other) const { return pipe_ == other.pipe_; }
  std::size_t room() const { return pipe_->room(); }
  bool has_readers() const { return pipe_->readers() > 0; }
  const void* channel() const { return pipe_.get(); }

 private:
  std::shared_ptr<Pipe> pipe_;
  const std::uint64_t other_opens_;  // of the other end, when this one was made
};

}  // namespace glovebox::engine
