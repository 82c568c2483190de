#include "engine/vfs/blob_cache.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace glovebox::engine {

Errno BlobCache::Fail(Error error) {
  if (!failure_) failure_ = std::move(error);
  return kEIO;
}

Result<int, Errno> BlobCache::Descriptor(const Digest& digest) {
  if (const auto found = by_digest_.find(digest); found != by_digest_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return recent_.front().fd.get();
  }
  auto opened = source_.OpenFile(digest);
  if (!opened) return std::unexpected(Fail(std::move(opened.error())));
  if (recent_.size() >= kMaxOpen) {
    by_digest_.erase(recent_.back().digest);
    recent_.pop_back();
  }
  recent_.push_front(Open{digest, std::move(*opened)});
  by_digest_[digest] = recent_.begin();
  return recent_.front().fd.get();
}

Result<std::size_t, Errno> BlobCache::Read(const Digest& digest, std::uint64_t offset_bytes,
                                           std::span<std::byte> out) {
  if (offset_bytes >= digest.size_bytes) return 0;
  const std::size_t wanted = static_cast<std::size_t>(
      std::min<std::uint64_t>(out.size(), digest.size_bytes - offset_bytes));
  const auto fd = Descriptor(digest);
  if (!fd) return std::unexpected(fd.error());
  std::size_t done = 0;
  while (done < wanted) {
    const ssize_t n =
        ::pread(*fd, out.data() + done, wanted - done, static_cast<off_t>(offset_bytes + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return std::unexpected(Fail(Error{
          ErrorCode::kDataLoss,
          "BLOB_DAMAGED",
          "blob " + HexOf(digest) + ": " + (n < 0 ? std::strerror(errno) : "shorter than its size"),
          {}}));
    }
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Result<std::vector<TreeEntry>, Errno> BlobCache::ReadDirectory(const Digest& digest) {
  auto entries = source_.ReadDirectory(digest);
  if (!entries) return std::unexpected(Fail(std::move(entries.error())));
  return std::move(*entries);
}

}  // namespace glovebox::engine
