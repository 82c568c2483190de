#include "engine/vfs/pipe.h"

#include <algorithm>
#include <utility>

namespace glovebox::engine {

std::size_t Pipe::Peek(std::span<std::byte> out) const {
  const std::size_t count = std::min(out.size(), bytes_.size());
  std::copy_n(bytes_.begin(), count, out.begin());
  return count;
}

void Pipe::Drop(std::size_t count) {
  if (count == 0) return;
  bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(count));
  Tell(kPollOut);
}

void Pipe::Push(std::span<const std::byte> bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  Tell(kPollIn);
}

void Pipe::AddEnd(bool reads, bool writes) {
  if (reads) {
    ++readers_;
    ++reader_opens_;
  }
  if (writes) {
    ++writers_;
    ++writer_opens_;
    was_written_to_ = true;
  }
  Tell(FileEvents::kAnyEvent);
}

void Pipe::RemoveEnd(bool reads, bool writes) {
  if (reads) --readers_;
  if (writes) --writers_;
  Tell(FileEvents::kAnyEvent);
}

PipeInode::PipeInode(std::shared_ptr<VfsServices> services, std::uint32_t mode,
                     std::uint64_t device_number)
    : Inode(services, kTypeFifo, mode, device_number), pipe_(std::make_shared<Pipe>(services)) {}

std::shared_ptr<OpenFile> PipeInode::OpenEnd(int flags) {
  return std::make_shared<OpenPipe>(PathRef{shared_from_this(), nullptr, {}}, flags, pipe_);
}

std::string PipeInode::NamelessText() const {
  return device == kPipeDevice ? "pipe:[" + std::to_string(number) + "]" : std::string();
}

Result<std::shared_ptr<OpenFile>, IoFailure> PipeInode::Open(const PathRef& path, int flags) {
  const bool writes_only = (flags & kOpenAccessMode) == kOpenWriteOnly;
  // The nameless one of pipe(2), opened by way of /proc, waits for nobody: fs/pipe.c, fifo_open.
  if (device != kPipeDevice && writes_only && (flags & kOpenNonblock) != 0 && pipe_->readers() == 0)
    return std::unexpected(kENXIO);
  return std::make_shared<OpenPipe>(path, flags, pipe_);
}

OpenPipe::OpenPipe(PathRef path, int flags, std::shared_ptr<Pipe> pipe)
    : OpenFile(std::move(path), flags),
      pipe_(std::move(pipe)),
      other_opens_(writable() ? pipe_->reader_opens() : pipe_->writer_opens()) {
  pipe_->AddEnd(readable(), writable());
}

OpenPipe::~OpenPipe() { pipe_->RemoveEnd(readable(), writable()); }

Result<void, IoFailure> OpenPipe::Connected() const {
  if (nonblocking() || (readable() && writable()) || inode().device == kPipeDevice) return {};
  const int there = writable() ? pipe_->readers() : pipe_->writers();
  const std::uint64_t opens = writable() ? pipe_->reader_opens() : pipe_->writer_opens();
  if (there > 0 || opens != other_opens_) return {};
  return std::unexpected(IoFailure(Wait::kEvent, pipe_.get()));
}

IoResult OpenPipe::Await(std::size_t wanted) {
  if (pipe_->size() > 0) return std::min(wanted, pipe_->size());
  if (pipe_->writers() == 0 || wanted == 0) return 0;
  return std::unexpected(IoFailure(Wait::kEvent, pipe_.get()));
}

IoResult OpenPipe::Read(std::uint64_t, std::span<std::byte> out) { return pipe_->Peek(out); }

IoResult OpenPipe::Write(std::uint64_t, std::span<const std::byte> bytes) {
  if (pipe_->readers() == 0) return std::unexpected(kEPIPE);
  const bool fits = bytes.size() <= pipe_->room();
  // Up to PIPE_BUF bytes go in together or not at all.
  if ((!fits && bytes.size() <= Pipe::kAtomicBytes) || pipe_->room() == 0) {
    return std::unexpected(IoFailure(Wait::kEvent, pipe_.get()));
  }
  const auto part = bytes.first(std::min(bytes.size(), pipe_->room()));
  pipe_->Push(part);
  return part.size();
}

Result<std::uint16_t, IoFailure> OpenPipe::Poll() {
  std::uint16_t events = 0;
  if (readable()) {
    if (pipe_->size() > 0) events |= kPollIn;
    if (pipe_->writers() == 0 && pipe_->was_written_to()) events |= kPollHup;
  }
  if (writable()) {
    if (pipe_->room() >= Pipe::kAtomicBytes) events |= kPollOut;
    if (pipe_->readers() == 0) events |= kPollErr;
  }
  return events;
}

}  // namespace glovebox::engine
