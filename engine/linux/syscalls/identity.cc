// Who a task is: user and group ids, supplementary groups (credentials(7)) and capabilities
// (capabilities(7)).
#include <array>
#include <utility>

#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/capabilities.h"
#include "engine/linux/syscalls/handlers.h"

namespace glovebox::engine {
namespace {

constexpr std::uint32_t kLeaveId = ~0u;

// A group's or a user's ids as one, so that the calls for both are written once.
struct IdSet {
  std::uint32_t Credentials::* real;
  std::uint32_t Credentials::* effective;
  std::uint32_t Credentials::* saved;
  std::uint32_t Credentials::* filesystem;
  Capability any;  // with it any id may be taken
};
constexpr IdSet kUserIds{&Credentials::uid, &Credentials::euid, &Credentials::suid,
                         &Credentials::fsuid, Capability::kSetuid};
constexpr IdSet kGroupIds{&Credentials::gid, &Credentials::egid, &Credentials::sgid,
                          &Credentials::fsgid, Capability::kSetgid};

bool MayTake(const Credentials& who, const IdSet& ids, std::uint32_t id) {
  return id == kLeaveId || who.Can(ids.any) || id == who.*ids.real || id == who.*ids.effective ||
         id == who.*ids.saved;
}

// kernel/cred.c, commit_creds: whoever changed what it may do is looked into by nobody whom it has
// not asked, and forgets the signal for its parent's death.
void Become(Task& task, Credentials who) {
  const Credentials& before = task.credentials;
  if (before.euid != who.euid || before.egid != who.egid || before.fsuid != who.fsuid ||
      before.fsgid != who.fsgid ||
      !IsSubset(who.capabilities.permitted, before.capabilities.permitted)) {
    task.dumpable = false;
    task.parent_death_signal = 0;
  }
  task.credentials = std::move(who);
}

SyscallResult BecomeWithIds(Task& task, Credentials who) {
  who.FollowUserIds(task.credentials);
  Become(task, std::move(who));
  return 0;
}

SyscallResult SetOne(Task& task, const IdSet& ids, std::uint32_t id) {
  Credentials who = task.credentials;
  if (id == kLeaveId) return kEINVAL;
  if (who.Can(ids.any)) {
    who.*ids.real = who.*ids.saved = id;
  } else if (id != who.*ids.real && id != who.*ids.saved) {
    return kEPERM;
  }
  who.*ids.effective = who.*ids.filesystem = id;
  return BecomeWithIds(task, std::move(who));
}

SyscallResult SetThree(Task& task, const IdSet& ids, std::uint32_t real, std::uint32_t effective,
                       std::uint32_t saved) {
  Credentials who = task.credentials;
  for (const std::uint32_t id : {real, effective, saved}) {
    if (!MayTake(who, ids, id)) return kEPERM;
  }
  if (real != kLeaveId) who.*ids.real = real;
  if (effective != kLeaveId) who.*ids.effective = effective;
  if (saved != kLeaveId) who.*ids.saved = saved;
  who.*ids.filesystem = who.*ids.effective;
  return BecomeWithIds(task, std::move(who));
}

SyscallResult SetTwo(Task& task, const IdSet& ids, std::uint32_t real, std::uint32_t effective) {
  const Credentials& who = task.credentials;
  // The saved id may not become the real one.
  if (real != kLeaveId && real != who.*ids.real && real != who.*ids.effective && !who.Can(ids.any))
    return kEPERM;
  // The saved id follows the effective one where the real id is set or another effective id is
  // taken.
  const bool saves = real != kLeaveId || (effective != kLeaveId && effective != who.*ids.real);
  const std::uint32_t saved = !saves                  ? kLeaveId
                              : effective != kLeaveId ? effective
                                                      : who.*ids.effective;
  return SetThree(task, ids, real, effective, saved);
}

SyscallResult GetThree(Task& task, const IdSet& ids, GuestPtr<abi::UserId> real,
                       GuestPtr<abi::UserId> effective, GuestPtr<abi::UserId> saved) {
  const Credentials& who = task.credentials;
  if (const auto ok = task.memory().Write(real, {who.*ids.real}); !ok) return ok.error();
  if (const auto ok = task.memory().Write(effective, {who.*ids.effective}); !ok) return ok.error();
  return FromResult(task.memory().Write(saved, {who.*ids.saved}));
}

SyscallResult SetFilesystemId(Task& task, const IdSet& ids, std::uint32_t id) {
  Credentials who = task.credentials;
  const auto old = static_cast<std::int64_t>(who.*ids.filesystem);
  if (id == kLeaveId || (!MayTake(who, ids, id) && id != who.*ids.filesystem)) return old;
  who.*ids.filesystem = id;
  who.FollowFilesystemUser(task.credentials);
  Become(task, std::move(who));
  return old;
}

// --- capabilities ---

constexpr std::size_t kMostWords = 2;  // of 32 bits, in each set

// capget(2), capset(2): how many words the version has that the header names. Any other version is
// answered with the one to use; null: the call is over with `*error`.
std::size_t WordsOf(Task& task, GuestPtr<abi::CapabilityHeader> header,
                    const abi::CapabilityHeader& asked, Errno* error) {
  constexpr std::uint32_t kVersion1 = 0x19980330, kVersion2 = 0x20071026, kVersion3 = 0x20080522;
  if (asked.version == kVersion1) return 1;
  if (asked.version == kVersion2 || asked.version == kVersion3) return kMostWords;
  const auto told = task.memory().Write(header, abi::CapabilityHeader{kVersion3, asked.pid});
  *error = told ? kEINVAL : told.error();
  return 0;
}

constexpr std::uint32_t WordOf(CapabilitySet set, std::size_t index) {
  return static_cast<std::uint32_t>(set >> (32 * index));
}

bool IsSecureBitsChange(std::uint32_t now, std::uint64_t to) {
  const std::uint64_t locked = (now & kSecureLocks) >> 1;
  return (to & ~std::uint64_t{kSecureBits | kSecureLocks}) == 0 && (locked & (now ^ to)) == 0 &&
         (now & kSecureLocks & ~to) == 0;
}

}  // namespace

IdResult SysGetuid(Task& task) { return {task.credentials.uid}; }
IdResult SysGeteuid(Task& task) { return {task.credentials.euid}; }
IdResult SysGetgid(Task& task) { return {task.credentials.gid}; }
IdResult SysGetegid(Task& task) { return {task.credentials.egid}; }
SyscallResult SysSetuid(Task& task, Id id) { return SetOne(task, kUserIds, id.value); }
SyscallResult SysSetgid(Task& task, Id id) { return SetOne(task, kGroupIds, id.value); }
SyscallResult SysSetreuid(Task& task, Id real, Id effective) {
  return SetTwo(task, kUserIds, real.value, effective.value);
}
SyscallResult SysSetregid(Task& task, Id real, Id effective) {
  return SetTwo(task, kGroupIds, real.value, effective.value);
}
SyscallResult SysSetresuid(Task& task, Id real, Id effective, Id saved) {
  return SetThree(task, kUserIds, real.value, effective.value, saved.value);
}
SyscallResult SysSetresgid(Task& task, Id real, Id effective, Id saved) {
  return SetThree(task, kGroupIds, real.value, effective.value, saved.value);
}
SyscallResult SysGetresuid(Task& task, GuestPtr<abi::UserId> real, GuestPtr<abi::UserId> effective,
                           GuestPtr<abi::UserId> saved) {
  return GetThree(task, kUserIds, real, effective, saved);
}
SyscallResult SysGetresgid(Task& task, GuestPtr<abi::UserId> real, GuestPtr<abi::UserId> effective,
                           GuestPtr<abi::UserId> saved) {
  return GetThree(task, kGroupIds, real, effective, saved);
}
SyscallResult SysSetfsuid(Task& task, Id id) { return SetFilesystemId(task, kUserIds, id.value); }
SyscallResult SysSetfsgid(Task& task, Id id) { return SetFilesystemId(task, kGroupIds, id.value); }

SyscallResult SysGetgroups(Task& task, int size, GuestPtr<abi::UserId> out) {
  const auto& groups = task.credentials.groups;
  if (size < 0 || (size != 0 && static_cast<std::size_t>(size) < groups.size())) return kEINVAL;
  for (std::size_t i = 0; size != 0 && i < groups.size(); ++i) {
    if (const auto ok = task.memory().Write(out + i, {groups[i]}); !ok) return ok.error();
  }
  return static_cast<std::int64_t>(groups.size());
}
SyscallResult SysSetgroups(Task& task, Size size, GuestPtr<const abi::UserId> groups) {
  constexpr std::uint64_t kMaxGroups = 65536;
  if (!task.credentials.Can(Capability::kSetgid)) return kEPERM;
  if (size.value > kMaxGroups) return kEINVAL;
  std::vector<std::uint32_t> to(static_cast<std::size_t>(size.value));
  for (std::size_t i = 0; i < to.size(); ++i) {
    const auto group = task.memory().Read(groups + i);
    if (!group) return group.error();
    to[i] = group->value;
  }
  task.credentials.groups = std::move(to);
  return 0;
}

SyscallResult SysCapget(Task& task, GuestPtr<abi::CapabilityHeader> header,
                        GuestPtr<abi::CapabilityData> data) {
  const auto asked = task.memory().Read(header);
  if (!asked) return asked.error();
  Errno error{};
  const std::size_t words = WordsOf(task, header, *asked, &error);
  if (words == 0) return error == kEINVAL && !data ? SyscallResult(0) : error;
  if (asked->pid < 0) return kEINVAL;
  const Task* const other = asked->pid == 0 ? &task : task.kernel.processes().FindTask(asked->pid);
  if (other == nullptr) return kESRCH;
  const Capabilities& has = other->credentials.capabilities;
  for (std::size_t i = 0; data && i < words; ++i) {
    const abi::CapabilityData out{WordOf(has.effective, i), WordOf(has.permitted, i),
                                  WordOf(has.inheritable, i)};
    if (const auto ok = task.memory().Write(data + i, out); !ok) return ok.error();
  }
  return 0;
}

SyscallResult SysCapset(Task& task, GuestPtr<abi::CapabilityHeader> header,
                        GuestPtr<const abi::CapabilityData> data) {
  const auto asked = task.memory().Read(header);
  if (!asked) return asked.error();
  Errno error{};
  const std::size_t words = WordsOf(task, header, *asked, &error);
  if (words == 0) return error;
  if (asked->pid != 0 && static_cast<std::uint32_t>(asked->pid) != task.tid) return kEPERM;
  CapabilitySet effective = 0, permitted = 0, inheritable = 0;
  for (std::size_t i = 0; i < words; ++i) {
    const auto in = task.memory().Read(data + i);
    if (!in) return in.error();
    effective |= CapabilitySet{in->effective} << (32 * i);
    permitted |= CapabilitySet{in->permitted} << (32 * i);
    inheritable |= CapabilitySet{in->inheritable} << (32 * i);
  }
  Credentials who = task.credentials;
  Capabilities& has = who.capabilities;
  effective &= kAllCapabilities;
  permitted &= kAllCapabilities;
  inheritable &= kAllCapabilities;
  if (!IsSubset(inheritable, has.inheritable | has.permitted) && !who.Can(Capability::kSetpcap))
    return kEPERM;
  if (!IsSubset(inheritable, has.inheritable | has.bounding) ||
      !IsSubset(permitted, has.permitted) || !IsSubset(effective, permitted)) {
    return kEPERM;
  }
  has.effective = effective;
  has.permitted = permitted;
  has.inheritable = inheritable;
  has.ambient &= permitted & inheritable;
  Become(task, std::move(who));
  return 0;
}

SyscallResult ControlCapabilities(Task& task, int option, std::uint64_t argument) {
  enum Option : int {
    kGetKeep = 7,
    kSetKeep = 8,
    kReadBounding = 23,
    kDropBounding = 24,
    kGetSecureBits = 27,
    kSetSecureBits = 28,
  };
  Capabilities& has = task.credentials.capabilities;
  const bool may = task.credentials.Can(Capability::kSetpcap);
  switch (option) {
    case kGetKeep:
      return (has.secure_bits & kSecureKeepCapabilities) != 0 ? 1 : 0;
    case kSetKeep:
      if (argument > 1) return kEINVAL;
      if ((has.secure_bits & (kSecureKeepCapabilities << 1)) != 0) return kEPERM;
      has.secure_bits &= ~std::uint32_t{kSecureKeepCapabilities};
      if (argument == 1) has.secure_bits |= kSecureKeepCapabilities;
      return 0;
    case kReadBounding:
      if (argument >= kCapabilityCount) return kEINVAL;
      return static_cast<std::int64_t>(has.bounding >> argument & 1);
    case kDropBounding:
      if (!may) return kEPERM;
      if (argument >= kCapabilityCount) return kEINVAL;
      has.bounding &= ~(CapabilitySet{1} << argument);
      return 0;
    case kGetSecureBits:
      return static_cast<std::int64_t>(has.secure_bits);
    case kSetSecureBits:
      if (!IsSecureBitsChange(has.secure_bits, argument) || !may) return kEPERM;
      has.secure_bits = static_cast<std::uint32_t>(argument);
      return 0;
    default:
      return kEINVAL;
  }
}

SyscallResult ControlAmbient(Task& task, std::uint64_t operation, std::uint64_t number,
                             std::uint64_t fourth, std::uint64_t fifth) {
  enum Operation : std::uint64_t { kIsSet = 1, kRaise, kLower, kClearAll };
  Capabilities& has = task.credentials.capabilities;
  if (operation == kClearAll) {
    if ((number | fourth | fifth) != 0) return kEINVAL;
    has.ambient = 0;
    return 0;
  }
  if (number >= kCapabilityCount || (fourth | fifth) != 0) return kEINVAL;
  const CapabilitySet one = CapabilitySet{1} << number;
  switch (operation) {
    case kIsSet:
      return (has.ambient & one) != 0 ? 1 : 0;
    case kRaise:
      if ((has.permitted & has.inheritable & one) == 0 ||
          (has.secure_bits & kSecureNoAmbientRaise) != 0) {
        return kEPERM;
      }
      has.ambient |= one;
      return 0;
    case kLower:
      has.ambient &= ~one;
      return 0;
    default:
      return kEINVAL;
  }
}

}  // namespace glovebox::engine
