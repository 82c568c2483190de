#include "engine/vfs/shared_file.h"

#include <algorithm>

#include "engine/vfs/inode.h"

namespace glovebox::engine {

std::uint64_t SharedFile::size_bytes() const { return file_.content.size_bytes(); }

SharedObject::Provided SharedFile::Provide(std::uint64_t offset, Access access) {
  if (offset >= PageCeil(size_bytes())) return Provided::kBeyondEnd;
  if (!file_.content.ProvideBlock(offset / FileContent::kBlockBytes)) return Provided::kNoSpace;
  // The first store by way of a page is when the file counts as modified: mmap(2), "Timestamps".
  if (access == Access::kWrite) file_.TouchModified();
  return Provided::kReady;
}

bool SharedFile::ShowsElse(std::uint64_t offset, std::span<std::byte> page) {
  const auto got = file_.content.Read(offset, page);
  if (!got) return false;
  std::ranges::fill(page.subspan(*got), std::byte{0});
  return true;
}

bool SharedFile::Punch(std::uint64_t offset, std::uint64_t size_bytes) {
  file_.TouchModified();
  return file_.content.Punch(offset, size_bytes).has_value();
}

void SharedFile::CopyTo(std::byte* to, std::uint64_t bytes) { file_.content.MoveBlocks(to, bytes); }

}  // namespace glovebox::engine
