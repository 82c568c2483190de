// The powers of the superuser, apart: capabilities(7).
#pragma once

#include <cstdint>

namespace glovebox::engine {

// Numbers of Linux 6.1, include/uapi/linux/capability.h.
enum class Capability : std::uint8_t {
  kChown,
  kDacOverride,
  kDacReadSearch,
  kFowner,
  kFsetid,
  kKill,
  kSetgid,
  kSetuid,
  kSetpcap,
  kLinuxImmutable,
  kNetBindService,
  kNetBroadcast,
  kNetAdmin,
  kNetRaw,
  kIpcLock,
  kIpcOwner,
  kSysModule,
  kSysRawio,
  kSysChroot,
  kSysPtrace,
  kSysPacct,
  kSysAdmin,
  kSysBoot,
  kSysNice,
  kSysResource,
  kSysTime,
  kSysTtyConfig,
  kMknod,
  kLease,
  kAuditWrite,
  kAuditControl,
  kSetfcap,
  kMacOverride,
  kMacAdmin,
  kSyslog,
  kWakeAlarm,
  kBlockSuspend,
  kAuditRead,
  kPerfmon,
  kBpf,
  kCheckpointRestore,
};

using CapabilitySet = std::uint64_t;
constexpr unsigned kCapabilityCount = 41;
constexpr CapabilitySet kAllCapabilities = (CapabilitySet{1} << kCapabilityCount) - 1;

constexpr CapabilitySet MaskOf(Capability capability) {
  return CapabilitySet{1} << static_cast<unsigned>(capability);
}

constexpr bool IsSubset(CapabilitySet some, CapabilitySet of) { return (some & ~of) == 0; }

// What setfsuid(2) takes and gives, next to user id 0.
constexpr CapabilitySet kFileSystemCapabilities =
    MaskOf(Capability::kChown) | MaskOf(Capability::kDacOverride) |
    MaskOf(Capability::kDacReadSearch) | MaskOf(Capability::kFowner) | MaskOf(Capability::kFsetid) |
    MaskOf(Capability::kLinuxImmutable) | MaskOf(Capability::kMknod) |
    MaskOf(Capability::kMacOverride);

// PR_SET_SECUREBITS; the lock of each lies in the bit above it.
enum SecureBit : std::uint32_t {
  kSecureNoRoot = 1 << 0,
  kSecureNoSetuidFixup = 1 << 2,
  kSecureKeepCapabilities = 1 << 4,
  kSecureNoAmbientRaise = 1 << 6,
};
constexpr std::uint32_t kSecureBits =
    kSecureNoRoot | kSecureNoSetuidFixup | kSecureKeepCapabilities | kSecureNoAmbientRaise;
constexpr std::uint32_t kSecureLocks = kSecureBits << 1;

// Those of a thread.
struct Capabilities {
  CapabilitySet effective = 0;
  CapabilitySet permitted = 0;
  CapabilitySet inheritable = 0;
  CapabilitySet ambient = 0;
  CapabilitySet bounding = kAllCapabilities;
  std::uint32_t secure_bits = 0;
};

}  // namespace glovebox::engine
