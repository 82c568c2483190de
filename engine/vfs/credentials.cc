#include "engine/vfs/credentials.h"

#include <algorithm>

namespace glovebox::engine {

bool Credentials::InGroup(std::uint32_t group) const {
  return group == fsgid || std::ranges::find(groups, group) != groups.end();
}

bool MayAccess(const Inode& inode, const Credentials& who, std::uint32_t wanted) {
  if (who.privileged()) {
    // CAP_DAC_OVERRIDE does not make a file executable that nobody may execute.
    return (wanted & kMayExecute) == 0 || inode.is(kTypeDirectory) ||
           (inode.permissions & 0111) != 0;
  }
  std::uint32_t granted = inode.permissions;
  if (who.fsuid == inode.uid) {
    granted >>= 6;
  } else if (who.InGroup(inode.gid)) {
    granted >>= 3;
  }
  return (granted & wanted) == wanted;
}

}  // namespace glovebox::engine
