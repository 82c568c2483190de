// Who asks: credentials(7) and capabilities(7).
#pragma once

#include <cstdint>
#include <vector>

#include "engine/vfs/capabilities.h"
#include "engine/vfs/inode.h"

namespace glovebox::engine {

struct Credentials {
  std::uint32_t uid = 0, euid = 0, suid = 0, fsuid = 0;
  std::uint32_t gid = 0, egid = 0, sgid = 0, fsgid = 0;
  std::vector<std::uint32_t> groups;
  Capabilities capabilities;

  // A user as after a login: user 0 with every capability, others with none.
  static Credentials Of(std::uint32_t uid, std::uint32_t gid);

  bool Can(Capability capability) const {
    return (capabilities.effective & MaskOf(capability)) != 0;
  }
  bool InGroup(std::uint32_t group) const;

  // The effects of new user ids on capabilities: capabilities(7), "Effect of user ID changes on
  // capabilities". Call them after the change, with what was before.
  void FollowUserIds(const Credentials& before);
  void FollowFilesystemUser(const Credentials& before);
};

enum AccessBit : std::uint32_t { kMayExecute = 1, kMayWrite = 2, kMayRead = 4 };

// path_resolution(7), "Permissions". Returns whether every bit of `wanted` is granted.
bool MayAccess(const Inode& inode, const Credentials& who, std::uint32_t wanted);

// Changing mode or times: the owner, or who counts as the owner of all.
inline bool OwnsOrPrivileged(const Inode& inode, const Credentials& who) {
  return who.fsuid == inode.uid || who.Can(Capability::kFowner);
}

}  // namespace glovebox::engine
