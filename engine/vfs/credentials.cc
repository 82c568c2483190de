#include "engine/vfs/credentials.h"

#include <algorithm>

namespace glovebox::engine {

Credentials Credentials::Of(std::uint32_t uid, std::uint32_t gid) {
  Credentials who{uid, uid, uid, uid, gid, gid, gid, gid, {}, {}};
  if (uid == 0) who.capabilities.effective = who.capabilities.permitted = kAllCapabilities;
  return who;
}

bool Credentials::InGroup(std::uint32_t group) const {
  return group == fsgid || std::ranges::find(groups, group) != groups.end();
}

void Credentials::FollowUserIds(const Credentials& before) {
  if ((capabilities.secure_bits & kSecureNoSetuidFixup) != 0) return;
  const bool was_root = before.uid == 0 || before.euid == 0 || before.suid == 0;
  if (was_root && uid != 0 && euid != 0 && suid != 0) {
    if ((capabilities.secure_bits & kSecureKeepCapabilities) == 0)
      capabilities.effective = capabilities.permitted = 0;
    capabilities.ambient = 0;
  }
  if (before.euid == 0 && euid != 0) capabilities.effective = 0;
  if (before.euid != 0 && euid == 0) capabilities.effective = capabilities.permitted;
}

void Credentials::FollowFilesystemUser(const Credentials& before) {
  if ((capabilities.secure_bits & kSecureNoSetuidFixup) != 0) return;
  if (before.fsuid == 0 && fsuid != 0) capabilities.effective &= ~kFileSystemCapabilities;
  if (before.fsuid != 0 && fsuid == 0)
    capabilities.effective |= capabilities.permitted & kFileSystemCapabilities;
}

bool MayAccess(const Inode& inode, const Credentials& who, std::uint32_t wanted) {
  std::uint32_t granted = inode.permissions;
  if (who.fsuid == inode.uid) {
    granted >>= 6;
  } else if (who.InGroup(inode.gid)) {
    granted >>= 3;
  }
  if ((granted & wanted) == wanted) return true;
  const bool directory = inode.is(kTypeDirectory);
  if (who.Can(Capability::kDacReadSearch) &&
      (directory ? (wanted & kMayWrite) == 0 : wanted == kMayRead)) {
    return true;
  }
  // CAP_DAC_OVERRIDE does not make a file executable that nobody may execute.
  return who.Can(Capability::kDacOverride) &&
         ((wanted & kMayExecute) == 0 || directory || (inode.permissions & 0111) != 0);
}

}  // namespace glovebox::engine
