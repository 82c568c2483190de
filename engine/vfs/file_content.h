// The bytes of one regular file: a blob of the root below, the guest's own blocks above.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "engine/base/digest.h"
#include "engine/base/errno.h"
#include "engine/base/result.h"
#include "engine/vfs/services.h"

namespace glovebox::engine {

class SharedFile;

// Copy-up happens block by block: a block that was never written shows the blob, or zeros beyond
// it. So appending a line to a large log of the root costs one block, and nothing is read that the
// guest does not read. Rejected: copying the whole file at the first write, as overlayfs does.
class FileContent {
 public:
  static constexpr std::uint64_t kBlockBytes = 4096;
  // What ext4 with 4 KiB blocks allows; beyond it EFBIG.
  static constexpr std::uint64_t kMaxBytes = std::uint64_t{16} << 40;

  explicit FileContent(std::shared_ptr<VfsServices> services) : services_(std::move(services)) {}
  FileContent(std::shared_ptr<VfsServices> services, const Digest& blob)
      : services_(std::move(services)),
        blob_(blob),
        blob_end_(blob.size_bytes),
        size_(blob.size_bytes) {}

  // Before anything is written: whose space the blocks take.
  void JoinVolume(std::shared_ptr<Volume> volume) { charge_.Join(std::move(volume)); }

  std::uint64_t size_bytes() const { return size_; }
  // Bytes that the file occupies, in whole blocks.
  std::uint64_t allocated_bytes() const;

  // Returns the count, short only at the end of the file.
  Result<std::size_t, Errno> Read(std::uint64_t offset, std::span<std::byte> out) const;
  // Returns the count, short (but not 0) where the disk limit or kMaxBytes cuts it.
  // Errors: ENOSPC, EFBIG.
  Result<std::size_t, Errno> Write(std::uint64_t offset, std::span<const std::byte> bytes);
  Result<void, Errno> Resize(std::uint64_t size);
  // Makes [offset, offset + length) read as zeros; the size stays.
  Result<void, Errno> Punch(std::uint64_t offset, std::uint64_t length);
  // fallocate(2): charges the blocks now.
  Result<void, Errno> Allocate(std::uint64_t offset, std::uint64_t length);

  // lseek(2) SEEK_DATA and SEEK_HOLE: the next offset at or after `offset`; empty beyond the last
  // one.
  std::optional<std::uint64_t> NextData(std::uint64_t offset) const;
  std::uint64_t NextHole(std::uint64_t offset) const;

  // The memory that mappings show; set once, when the file is mapped shared for the first time. It
  // outlives the content.
  void SetShared(SharedFile* shared) { shared_ = shared; }
  // Makes a block of what shows there. False: no space.
  bool ProvideBlock(std::uint64_t index) { return BlockForWrite(index).has_value(); }
  // Moves the blocks below `bytes` into memory that takes the place of the shared one.
  void MoveBlocks(std::byte* to, std::uint64_t bytes);

  // The blob that is still exactly the content, or null.
  const Digest* untouched_blob() const { return blob_ && !changed_ ? &*blob_ : nullptr; }

 private:
  using Block = std::array<std::byte, kBlockBytes>;
  // A block's bytes: of its own, or (null) in the shared memory.
  using BlockPtr = std::unique_ptr<Block>;
  std::byte* BytesOf(std::uint64_t index, const BlockPtr& block) const;
  bool IsShared(std::uint64_t index) const;
  // The block for writing, made from what shows there now. ENOSPC where the disk limit is reached.
  Result<std::byte*, Errno> BlockForWrite(std::uint64_t index);
  // The bytes behind the end in its block become zeros: mappings may have left something there.
  void ClearTail();
  Result<void, Errno> ReadBelow(std::uint64_t offset, std::span<std::byte> out) const;
  void DropBlocks(std::uint64_t first, std::uint64_t end);

  std::shared_ptr<VfsServices> services_;
  std::optional<Digest> blob_;
  std::uint64_t blob_end_ = 0;  // the blob shows below this offset
  std::uint64_t size_ = 0;
  bool changed_ = false;
  std::map<std::uint64_t, BlockPtr> blocks_;  // ordered: truncation and holes walk ranges
  SharedFile* shared_ = nullptr;
  DiskCharge charge_;
};

}  // namespace glovebox::engine
