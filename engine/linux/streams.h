// The box' standard streams as the guest sees them: pipes whose other ends are outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/linux/kernel.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine {

// Bytes of stdin that came and were not read yet, and the position behind them. One per box,
// however often the guest opens /dev/stdin.
class InputStream {
 public:
  // What one read returns at most; larger reads come back short, as from any pipe.
  static constexpr std::size_t kMaxReadBytes = 1_MiB;

  explicit InputStream(Kernel& kernel) : kernel_(kernel) {}

  // Makes min(wanted, kMaxReadBytes) bytes available, or all up to the end; else Wait::kInput,
  // nothing consumed.
  Result<void, IoFailure> Fill(std::size_t wanted);
  std::span<const std::byte> available() const { return std::span(bytes_).subspan(start_); }
  bool at_end() const { return ended_ && available().empty(); }
  void Consume(std::size_t count);

 private:
  Kernel& kernel_;
  std::vector<std::byte> bytes_;
  std::size_t start_ = 0;             // bytes_ before it were consumed
  std::uint64_t received_bytes_ = 0;  // offset of the next byte to ask for
  bool ended_ = false;
};

class InputInode : public Inode {
 public:
  InputInode(std::shared_ptr<VfsServices> services, Kernel& kernel);
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override;
  std::string NamelessText() const override { return "pipe:[" + std::to_string(number) + "]"; }

 private:
  std::shared_ptr<InputStream> stream_;
};

class OutputInode : public Inode {
 public:
  OutputInode(std::shared_ptr<VfsServices> services, Kernel& kernel, OutputStream stream);
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override;
  std::string NamelessText() const override { return "pipe:[" + std::to_string(number) + "]"; }

 private:
  Kernel& kernel_;
  OutputStream stream_;
};

}  // namespace glovebox::engine
