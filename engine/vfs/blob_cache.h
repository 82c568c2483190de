// The bytes of the root's files, through a bounded number of host descriptors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <span>

#include "engine/base/digest.h"
#include "engine/base/errno.h"
#include "engine/base/host_fd.h"
#include "engine/base/result.h"
#include "engine/vfs/tree_source.h"

namespace glovebox::engine {

// Reads blobs by pread(2) into buffers of ours; never into a guest's window. Least recently used
// descriptors are closed, so a guest may open any number of files (its own limit aside) under a
// small RLIMIT_NOFILE of the worker's.
//
// What goes wrong here is the host's, never a guest's errno: the first Error is kept in failure(),
// the guest's call gets EIO, and whoever runs the box looks at failure() before the guest goes on.
// Threads: one at a time.
class BlobCache {
 public:
  static constexpr std::size_t kMaxOpen = 64;

  explicit BlobCache(TreeSource& source) : source_(source) {}

  // Bytes [offset, offset + out.size()) of the blob. Returns the count, short only at its end.
  Result<std::size_t, Errno> Read(const Digest& digest, std::uint64_t offset_bytes,
                                  std::span<std::byte> out);
  // A descriptor that stays valid until the next call of anything here.
  Result<int, Errno> Descriptor(const Digest& digest);
  Result<std::vector<TreeEntry>, Errno> ReadDirectory(const Digest& digest);

  // Something else of the host's failed: kept as failure(). Returns EIO.
  Errno ReportFailure(Error error) { return Fail(std::move(error)); }
  const std::optional<Error>& failure() const { return failure_; }
  std::size_t open_count() const { return recent_.size(); }

 private:
  struct Open {
    Digest digest;
    HostFd fd;
  };
  Errno Fail(Error error);

  TreeSource& source_;
  std::list<Open> recent_;  // most recently used first
  std::map<Digest, std::list<Open>::iterator> by_digest_;
  std::optional<Error> failure_;
};

}  // namespace glovebox::engine
