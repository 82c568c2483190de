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

// Options of a file system, as mount(2) numbers them.
enum VolumeOption : std::uint32_t {
  kVolumeReadOnly = 1,
  kVolumeNoSetId = 2,
  kVolumeNoDevices = 4,
  kVolumeNoExecution = 8,
  kVolumeNoAccessTimes = 1024,
  kVolumeStrictAccessTimes = 1 << 24,
};

// What mount(2) has said of a file system.
struct Volume {
  std::uint32_t options = 0;
  std::uint64_t size_bytes = ~std::uint64_t{0};  // that the blocks of its files may take
  std::uint64_t used_bytes = 0;
};

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

  // By device. A file system that is not among them has no options, and all of the disk limit.
  std::map<std::uint64_t, std::shared_ptr<Volume>> volumes{};
  std::shared_ptr<Volume> FindVolume(std::uint64_t device) const {
    const auto found = volumes.find(device);
    return found == volumes.end() ? nullptr : found->second;
  }
  std::shared_ptr<Volume> MakeVolume(std::uint64_t device) {
    auto& volume = volumes[device];
    if (!volume) volume = std::make_shared<Volume>();
    return volume;
  }

  static constexpr std::uint64_t kInodeBytes = 1_KiB;
};

}  // namespace glovebox::engine
