// What mount(2) has put over nodes of the tree. Paths lead into what covers a node (resolve.cc).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/vfs/inode.h"

namespace glovebox::engine {

struct MountRow {
  std::uint32_t id;
  PathRef covered;
  std::shared_ptr<Inode> root;  // of what is mounted
  // A bind mount: `root` has another place too, where its ".." leads and of which its options are.
  bool is_bind;
  std::string source;  // as /proc/self/mounts has them
  std::string type;
  std::string data;  // options of the type: ",size=64k"
};

// Threads: the box's.
class MountTable {
 public:
  MountTable() = default;
  MountTable(const MountTable&) = delete;
  MountTable& operator=(const MountTable&) = delete;
  // What covers a node may hold that node: a directory over one that lies in it.
  ~MountTable();

  // The number of a new mount's device.
  std::uint64_t NextDevice() { return next_device_++; }
  // `row.covered` is what a path leads to, so nothing covers it yet. Its id is given here. ELOOP:
  // it would cover itself by way of another mount.
  Result<void, Errno> Add(MountRow row);
  // What was mounted last where `place` leads, or has nodes of this device; null: nothing.
  const MountRow* FindAt(const PathRef& place) const;
  const MountRow* FindDevice(std::uint64_t device) const;
  // Is the directory one of the mount's? Those of a bind mount lie where they came from.
  static bool IsWithin(const MountRow& row, std::shared_ptr<Directory> directory);
  // Is something mounted on a node of its?
  bool HasMountsWithin(const MountRow& row) const;
  // The directory in which the mount can be found.
  static std::shared_ptr<Directory> DirectoryOf(const MountRow& row);
  // Takes it away: what it covered is there again.
  void Remove(std::uint32_t id);
  // Another place for it; as Add.
  Result<void, Errno> Move(std::uint32_t id, const PathRef& to);
  // In the order of their making.
  const std::vector<MountRow>& rows() const { return rows_; }

 private:
  static constexpr std::uint64_t kFirstDevice = 0x30;
  static constexpr std::uint32_t kFirstId = 20;
  std::vector<MountRow>::iterator Find(std::uint32_t id);
  static void Cover(MountRow& row);
  static void Uncover(MountRow& row);

  std::vector<MountRow> rows_;
  std::uint64_t next_device_ = kFirstDevice;
  std::uint32_t next_id_ = kFirstId;
};

}  // namespace glovebox::engine
