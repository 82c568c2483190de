#include "server/worker/lockdown/landlock.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "engine/base/host_fd.h"

namespace glovebox::worker {
namespace {

// landlock(7), landlock_create_ruleset(2). Ours, because the headers of Debian 12 end at ABI 2
// while the kernel may know more.
struct RulesetAttributes {
  std::uint64_t handled_access_fs;
  std::uint64_t handled_access_net;
  std::uint64_t scoped;
};
constexpr std::uint32_t kAskVersion = 1;  // LANDLOCK_CREATE_RULESET_VERSION

// What each ABI added, and the size of the attributes that it takes. kernel.org, "Landlock:
// unprivileged access control".
struct AbiRow {
  long abi;
  RulesetAttributes adds;
  std::size_t size_bytes;
};
constexpr AbiRow kAbis[] = {
    {1, {0x1fff, 0, 0}, 8},   // execute to make_sym
    {2, {0x2000, 0, 0}, 8},   // refer
    {3, {0x4000, 0, 0}, 8},   // truncate
    {4, {0, 0x3, 0}, 16},     // bind and connect of TCP
    {5, {0x8000, 0, 0}, 16},  // ioctl on devices
    {6, {0, 0, 0x3}, 24},     // abstract unix sockets and signals outside
};

}  // namespace

Layer ForbidByLandlock() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, std::size_t{0}, kAskVersion);
  if (abi < 1) return NotInForce("landlock", "the kernel has none", errno);
  RulesetAttributes wanted{};
  std::size_t size_bytes = 0;
  for (const AbiRow& row : kAbis) {
    if (row.abi > abi) break;
    wanted.handled_access_fs |= row.adds.handled_access_fs;
    wanted.handled_access_net |= row.adds.handled_access_net;
    wanted.scoped |= row.adds.scoped;
    size_bytes = row.size_bytes;
  }
  const HostFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &wanted, size_bytes, 0u)));
  if (!ruleset) return NotInForce("landlock", "landlock_create_ruleset", errno);
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0u) != 0) {
    return NotInForce("landlock", "landlock_restrict_self", errno);
  }
  return {"landlock", true, "ABI " + std::to_string(abi)};
}

}  // namespace glovebox::worker
