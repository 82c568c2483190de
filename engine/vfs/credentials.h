// Who asks: the part of credentials(7) that the file system looks at.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/vfs/inode.h"

namespace glovebox::engine {

struct Credentials {
  std::uint32_t uid = 0, euid = 0, suid = 0, fsuid = 0;
  std::uint32_t gid = 0, egid = 0, sgid = 0, fsgid = 0;
  std::vector<std::uint32_t> groups;

  // uid 0 has every capability of the box, others none.
  bool privileged() const { return fsuid == 0; }
  bool InGroup(std::uint32_t group) const;
};

enum AccessBit : std::uint32_t { kMayExecute = 1, kMayWrite = 2, kMayRead = 4 };

// path_resolution(7), "Permissions". Returns whether every bit of `wanted` is granted.
bool MayAccess(const Inode& inode, const Credentials& who, std::uint32_t wanted);

// Changing mode, owner or times: the owner or root.
inline bool OwnsOrPrivileged(const Inode& inode, const Credentials& who) {
  return who.privileged() || who.fsuid == inode.uid;
}

}  // namespace glovebox::engine
