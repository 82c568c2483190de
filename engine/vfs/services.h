// What every inode of one box' file system shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>

#include "engine/base/types.h"
#include "engine/memory/meter.h"
#include "engine/vfs/blob_cache.h"
#include "engine/vfs/file_events.h"
#include "engine/vfs/file_locks.h"

namespace glovebox::engine {

class Inode;

// The disk limit counts by the same rules as the memory limit.
using DiskMeter = MemoryMeter;

struct VfsServices {
  BlobCache blobs;
  // Counts the overlay: 4 KiB blocks of files that the guest wrote, and kInodeBytes for each node
  // that it made, so that no number of empty files fills the host's memory.
  DiskMeter disk;
  std::function<std::int64_t()> now_ns;                   // wall clock of the guest, since 1970
  std::function<void(std::span<std::byte>)> fill_random;  // what /dev/urandom reads
  // Something about the file of this channel has changed that somebody may wait for.
  FileEvents file_event;
  LockTable locks = {};
  int node_watchers = 0;         // of all nodes
  std::uint32_t last_move = 0;   // cookie of the last rename that watchers were told of
  std::uint64_t next_inode = 2;  // 1 is never used, 2 is the root, as on ext4
  // Files of the root with several names (TreeEntry::hard_link) of which one was seen. They are
  // held here, because a change made by one name has to be found by another that nobody looked at
  // yet; Filesystem's end lets them go.
  std::map<std::uint64_t, std::shared_ptr<Inode>> hard_links{};

  static constexpr std::uint64_t kInodeBytes = 1_KiB;
};

}  // namespace glovebox::engine
