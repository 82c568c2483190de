#include "engine/linux/streams.h"

#include <algorithm>
#include <utility>

#include "engine/vfs/pipe.h"

namespace glovebox::engine {
namespace {

class OpenInput : public OpenFile {
 public:
  OpenInput(PathRef path, int flags, std::shared_ptr<InputStream> stream)
      : OpenFile(std::move(path), flags), stream_(std::move(stream)) {}

  IoResult Await(std::size_t wanted) override {
    if (const auto filled = stream_->Fill(wanted); !filled) return std::unexpected(filled.error());
    return std::min({wanted, stream_->available().size(), InputStream::kMaxReadBytes});
  }
  IoResult Read(std::uint64_t, std::span<std::byte> out) override {
    const std::size_t count = std::min(out.size(), stream_->available().size());
    std::ranges::copy(stream_->available().first(count), out.begin());
    return count;
  }
  void Consume(std::size_t bytes) override { stream_->Consume(bytes); }
  // Ready means: a byte or the end is there, waited for with time frozen.
  Result<std::uint16_t, IoFailure> Poll() override {
    if (const auto filled = stream_->Fill(1); !filled) return std::unexpected(filled.error());
    return static_cast<std::uint16_t>(stream_->at_end() ? kPollHup : kPollIn);
  }
  const void* EventChannel() const override { return stream_.get(); }
  // As much as a pipe would hold.
  Result<std::uint64_t, IoFailure> Available() override {
    if (const auto filled = stream_->Fill(Pipe::kCapacityBytes); !filled)
      return std::unexpected(filled.error());
    return std::min(stream_->available().size(), Pipe::kCapacityBytes);
  }

 private:
  std::shared_ptr<InputStream> stream_;
};

class OpenOutput : public OpenFile {
 public:
  OpenOutput(PathRef path, int flags, Kernel& kernel, OutputStream stream)
      : OpenFile(std::move(path), flags), kernel_(kernel), stream_(stream) {}

  IoResult Write(std::uint64_t, std::span<const std::byte> bytes) override {
    return kernel_.Output(stream_, bytes);
  }
  Result<std::uint16_t, IoFailure> Poll() override { return static_cast<std::uint16_t>(kPollOut); }
  // There is room for ever; but as a pipe it may be watched.
  const void* EventChannel() const override { return this; }
  Result<std::uint64_t, IoFailure> Available() override { return 0; }

 private:
  Kernel& kernel_;
  OutputStream stream_;
};

}  // namespace

Result<void, IoFailure> InputStream::Fill(std::size_t wanted) {
  wanted = std::min(wanted, kMaxReadBytes);
  while (available().size() < wanted && !ended_) {
    auto input = kernel_.ReadStdin(received_bytes_, wanted - available().size());
    if (!input) return std::unexpected(kEIO);
    bytes_.insert(bytes_.end(), input->bytes.begin(), input->bytes.end());
    received_bytes_ += input->bytes.size();
    ended_ = input->end;
    if (!ended_ && (input->not_yet || input->bytes.empty())) {
      return std::unexpected(IoFailure(Wait::kInput));
    }
  }
  return {};
}

void InputStream::Consume(std::size_t count) {
  start_ += count;
  if (start_ == bytes_.size()) {
    bytes_.clear();
    start_ = 0;
  }
}

InputInode::InputInode(std::shared_ptr<VfsServices> services, Kernel& kernel)
    : Inode(std::move(services), kTypeFifo, 0600, kPipeDevice),
      stream_(std::make_shared<InputStream>(kernel)) {}

Result<std::shared_ptr<OpenFile>, IoFailure> InputInode::Open(const PathRef& path, int flags) {
  return std::make_shared<OpenInput>(path, flags, stream_);
}

OutputInode::OutputInode(std::shared_ptr<VfsServices> services, Kernel& kernel, OutputStream stream)
    : Inode(std::move(services), kTypeFifo, 0600, kPipeDevice), kernel_(kernel), stream_(stream) {}

Result<std::shared_ptr<OpenFile>, IoFailure> OutputInode::Open(const PathRef& path, int flags) {
  return std::make_shared<OpenOutput>(path, flags, kernel_, stream_);
}

}  // namespace glovebox::engine
