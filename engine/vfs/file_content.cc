#include "engine/vfs/file_content.h"

#include <algorithm>
#include <cstring>

#include "engine/vfs/shared_file.h"

namespace glovebox::engine {

std::uint64_t FileContent::allocated_bytes() const {
  // Blocks of the blob that are covered by a block of ours count once.
  const std::uint64_t below = (blob_end_ + kBlockBytes - 1) / kBlockBytes;
  std::uint64_t count = below;
  for (auto it = blocks_.lower_bound(below); it != blocks_.end(); ++it) ++count;
  return count * kBlockBytes;
}

Result<void, Errno> FileContent::ReadBelow(std::uint64_t offset, std::span<std::byte> out) const {
  std::size_t from_blob = 0;
  if (blob_ && offset < blob_end_) {
    from_blob = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), blob_end_ - offset));
    const auto read = services_->blobs.Read(*blob_, offset, out.first(from_blob));
    if (!read) return std::unexpected(read.error());
  }
  std::ranges::fill(out.subspan(from_blob), std::byte{0});
  return {};
}

Result<std::size_t, Errno> FileContent::Read(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset >= size_) return 0;
  const std::size_t total =
      static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size_ - offset));
  std::size_t done = 0;
  auto next = blocks_.lower_bound(offset / kBlockBytes);
  while (done < total) {
    const std::uint64_t at = offset + done;
    const std::uint64_t index = at / kBlockBytes;
    while (next != blocks_.end() && next->first < index) ++next;
    if (next != blocks_.end() && next->first == index) {
      const std::size_t skip = static_cast<std::size_t>(at % kBlockBytes);
      const std::size_t count =
          std::min(total - done, static_cast<std::size_t>(kBlockBytes) - skip);
      std::memcpy(out.data() + done, BytesOf(index, next->second) + skip, count);
      done += count;
      continue;
    }
    // One read for the whole stretch up to the next block of ours.
    std::size_t count = total - done;
    if (next != blocks_.end()) {
      count =
          static_cast<std::size_t>(std::min<std::uint64_t>(count, next->first * kBlockBytes - at));
    }
    if (const auto read = ReadBelow(at, out.subspan(done, count)); !read) {
      return std::unexpected(read.error());
    }
    done += count;
  }
  return total;
}

bool FileContent::IsShared(std::uint64_t index) const {
  return shared_ != nullptr && index < shared_->reserved_bytes() / kBlockBytes;
}

std::byte* FileContent::BytesOf(std::uint64_t index, const BlockPtr& block) const {
  return block ? block->data() : shared_->bytes() + index * kBlockBytes;
}

Result<std::byte*, Errno> FileContent::BlockForWrite(std::uint64_t index) {
  if (const auto found = blocks_.find(index); found != blocks_.end())
    return BytesOf(index, found->second);
  if (!charge_.Add(services_, kBlockBytes)) return std::unexpected(kENOSPC);
  BlockPtr block = IsShared(index) ? nullptr : std::make_unique<Block>();
  std::byte* const bytes = BytesOf(index, block);
  if (const auto read = ReadBelow(index * kBlockBytes, {bytes, kBlockBytes}); !read) {
    charge_.Release(kBlockBytes);
    return std::unexpected(read.error());
  }
  changed_ = true;
  blocks_[index] = std::move(block);
  return bytes;
}

void FileContent::MoveBlocks(std::byte* to, std::uint64_t bytes) {
  for (auto it = blocks_.begin(); it != blocks_.end() && it->first < bytes / kBlockBytes; ++it) {
    std::memcpy(to + it->first * kBlockBytes, BytesOf(it->first, it->second), kBlockBytes);
    it->second.reset();
  }
  // From now on stores may come that nobody tells of.
  changed_ = true;
}

void FileContent::ClearTail() {
  const std::uint64_t index = size_ / kBlockBytes;
  const auto skip = static_cast<std::size_t>(size_ % kBlockBytes);
  const auto found = blocks_.find(index);
  if (skip == 0 || found == blocks_.end()) return;
  std::memset(BytesOf(index, found->second) + skip, 0, kBlockBytes - skip);
}

Result<std::size_t, Errno> FileContent::Write(std::uint64_t offset,
                                              std::span<const std::byte> bytes) {
  if (bytes.empty()) return 0;
  if (offset >= kMaxBytes) return std::unexpected(kEFBIG);
  const std::size_t total =
      static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), kMaxBytes - offset));
  if (shared_ != nullptr) {
    if (offset + total > size_) ClearTail();
    shared_->Changed(offset, total);
  }
  std::size_t done = 0;
  while (done < total) {
    const std::uint64_t at = offset + done;
    const auto block = BlockForWrite(at / kBlockBytes);
    if (!block) {
      if (done == 0) return std::unexpected(block.error());
      break;
    }
    const std::size_t skip = static_cast<std::size_t>(at % kBlockBytes);
    const std::size_t count = std::min(total - done, static_cast<std::size_t>(kBlockBytes) - skip);
    std::memcpy(*block + skip, bytes.data() + done, count);
    done += count;
    size_ = std::max(size_, at + count);
  }
  return done;
}

void FileContent::DropBlocks(std::uint64_t first, std::uint64_t end) {
  auto it = blocks_.lower_bound(first);
  const bool was_shared = it != blocks_.end() && it->first < end && IsShared(it->first);
  while (it != blocks_.end() && it->first < end) {
    it = blocks_.erase(it);
    charge_.Release(kBlockBytes);
  }
  if (!was_shared) return;
  const std::uint64_t shared_end = std::min(end, shared_->reserved_bytes() / kBlockBytes);
  shared_->Drop(first * kBlockBytes, (shared_end - first) * kBlockBytes);
}

Result<void, Errno> FileContent::Resize(std::uint64_t size) {
  if (size > kMaxBytes) return std::unexpected(kEFBIG);
  if (size == size_) return {};
  if (size > size_ && shared_ != nullptr) ClearTail();
  if (size < size_) {
    if (shared_ != nullptr) shared_->Changed(size, size_ - size);
    DropBlocks((size + kBlockBytes - 1) / kBlockBytes, ~std::uint64_t{0});
    blob_end_ = std::min(blob_end_, size);
  }
  changed_ = true;
  const bool shrinks = size < size_;
  size_ = size;
  // The tail of the last block must read as zeros should the file grow again.
  if (shrinks) ClearTail();
  return {};
}

Result<void, Errno> FileContent::Punch(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end =
      std::min(size_, length > size_ - std::min(offset, size_) ? size_ : offset + length);
  if (offset >= end) return {};
  if (shared_ != nullptr) shared_->Changed(offset, end - offset);
  // Where the blob shows, zeros have to be written over it; elsewhere a whole block is just given
  // back.
  for (std::uint64_t at = offset; at < end;) {
    const std::uint64_t index = at / kBlockBytes;
    const std::uint64_t next = std::min(end, (index + 1) * kBlockBytes);
    const bool whole = at % kBlockBytes == 0 && (next % kBlockBytes == 0 || next == size_);
    if (whole && index * kBlockBytes >= blob_end_) {
      DropBlocks(index, index + 1);
    } else {
      const auto block = BlockForWrite(index);
      if (!block) return std::unexpected(block.error());
      std::memset(*block + at % kBlockBytes, 0, static_cast<std::size_t>(next - at));
    }
    at = next;
  }
  changed_ = true;
  return {};
}

Result<void, Errno> FileContent::Allocate(std::uint64_t offset, std::uint64_t length) {
  if (offset > kMaxBytes || length > kMaxBytes - offset) return std::unexpected(kEFBIG);
  const std::uint64_t first = offset / kBlockBytes;
  const std::uint64_t end = (offset + length + kBlockBytes - 1) / kBlockBytes;
  // All or nothing, found before the first block is made.
  if ((end - first) * kBlockBytes > services_->disk.limit_bytes()) return std::unexpected(kENOSPC);
  for (std::uint64_t index = first; index < end; ++index) {
    if ((index + 1) * kBlockBytes <= blob_end_) continue;
    if (const auto block = BlockForWrite(index); !block) return std::unexpected(block.error());
  }
  return {};
}

std::optional<std::uint64_t> FileContent::NextData(std::uint64_t offset) const {
  if (offset >= size_) return std::nullopt;
  if (offset < blob_end_) return offset;
  const auto block = blocks_.lower_bound(offset / kBlockBytes);
  if (block == blocks_.end()) return std::nullopt;
  return std::max(offset, block->first * kBlockBytes);
}

std::uint64_t FileContent::NextHole(std::uint64_t offset) const {
  if (offset < blob_end_) offset = blob_end_;
  auto block = blocks_.find(offset / kBlockBytes);
  // A blob that ends within a block leaves the rest of that block as data.
  while (block != blocks_.end() && block->first == offset / kBlockBytes) {
    offset = (block->first + 1) * kBlockBytes;
    ++block;
  }
  return std::min(offset, size_);
}

}  // namespace glovebox::engine
