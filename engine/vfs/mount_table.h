// What mount(2) has put over directories of the tree. Paths lead into what covers a directory
// (resolve.cc).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/vfs/inode.h"

namespace glovebox::engine {

struct MountRow {
  std::uint32_t id;
  std::shared_ptr<Directory> covered;
  std::shared_ptr<Directory> root;  // of what is mounted
  std::string source;               // as /proc/self/mounts has them
  std::string type;
  std::string options;
};

// Threads: the box's.
class MountTable {
 public:
  // The number of a new mount's device.
  std::uint64_t NextDevice() { return next_device_++; }
  // `row.covered` is no directory that is covered already. Its id is given here.
  void Add(MountRow row);
  // Null: nothing that is mounted has this root, or nodes of this device.
  const MountRow* FindRoot(const Directory& root) const;
  const MountRow* FindDevice(std::uint64_t device) const;
  // Is the directory one of the mount's?
  static bool IsWithin(const MountRow& row, std::shared_ptr<Directory> directory);
  // Is something mounted on a directory of its?
  bool HasMountsWithin(const MountRow& row) const;
  // Takes it away: what it covered is there again.
  void Remove(const Directory& root);
  // In the order of their making.
  const std::vector<MountRow>& rows() const { return rows_; }

 private:
  static constexpr std::uint64_t kFirstDevice = 0x30;
  static constexpr std::uint32_t kFirstId = 20;
  std::vector<MountRow> rows_;
  std::uint64_t next_device_ = kFirstDevice;
  std::uint32_t next_id_ = kFirstId;
};

}  // namespace glovebox::engine
