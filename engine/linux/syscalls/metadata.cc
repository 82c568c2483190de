// What is known about files, and changing it: stat(2), access(2), chmod(2), chown(2), utimensat(2),
// statfs(2).
#include <algorithm>
#include <limits>
#include <utility>

#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/vfs/node_watch.h"

namespace glovebox::engine {
namespace {

using abi::x86_64::Stat;

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr DirFd kCwd{kAtFdCwd};

// Floor division: times before 1970 have a positive fraction too.
abi::Timespec ToTimespec(std::int64_t ns) {
  std::int64_t seconds = ns / kNanosecondsPerSecond;
  std::int64_t rest = ns % kNanosecondsPerSecond;
  if (rest < 0) {
    --seconds;
    rest += kNanosecondsPerSecond;
  }
  return {seconds, rest};
}

SyscallResult WriteStat(Task& task, Inode& inode, GuestPtr<Stat> out) {
  const auto stat = StatOf(inode);
  if (!stat) return stat.error();
  return FromResult(task.memory().Write(out, *stat));
}

SyscallResult StatAt(Task& task, DirFd dirfd, PathPtr path, GuestPtr<Stat> out, AtFlags flags) {
  if (flags.HasOther(kAtNoFollow | kAtNoAutomount | kAtEmptyPath | kAtStatxSync)) return kEINVAL;
  const auto ref = Locate(task, dirfd, path, !flags.Has(kAtNoFollow), flags.Has(kAtEmptyPath));
  if (!ref) return ref.error();
  return WriteStat(task, *ref->inode, out);
}

abi::StatxTimestamp ToStatx(const abi::Timespec& time) {
  return {time.seconds, static_cast<std::uint32_t>(time.nanoseconds), 0};
}

constexpr std::uint32_t MajorOf(std::uint64_t device) {
  return static_cast<std::uint32_t>((device >> 8) & 0xfff);
}
constexpr std::uint32_t MinorOf(std::uint64_t device) {
  return static_cast<std::uint32_t>((device & 0xff) | ((device >> 12) & 0xffffff00));
}

SyscallResult CheckAccess(Task& task, DirFd dirfd, PathPtr path, AccessMode mode, AtFlags flags) {
  if (mode.HasOther(7) || flags.HasOther(kAtEffectiveIds | kAtNoFollow | kAtEmptyPath))
    return kEINVAL;
  // access(2) asks for the real ids, not for the effective ones.
  Credentials who = task.credentials;
  if (!flags.Has(kAtEffectiveIds)) {
    who.fsuid = who.uid;
    who.fsgid = who.gid;
    Capabilities& has = who.capabilities;
    if ((has.secure_bits & kSecureNoSetuidFixup) == 0)
      has.effective = who.uid == 0 ? has.permitted : 0;
  }
  const auto ref = Locate(task, dirfd, path, !flags.Has(kAtNoFollow), flags.Has(kAtEmptyPath));
  if (!ref) return ref.error();
  const auto wanted = static_cast<std::uint32_t>(mode.value);
  if ((wanted & kMayExecute) != 0 && ref->inode->is(kTypeRegular) &&
      ref->inode->LiesOn(kVolumeNoExecution)) {
    return kEACCES;
  }
  if (!MayAccess(*ref->inode, who, wanted)) return kEACCES;
  const bool is_device = ref->inode->is(kTypeCharDevice) || ref->inode->is(kTypeBlockDevice) ||
                         ref->inode->is(kTypeFifo) || ref->inode->is(kTypeSocket);
  const bool cannot_change = !is_device && ref->inode->LiesOn(kVolumeReadOnly);
  return (wanted & kMayWrite) != 0 && cannot_change ? kEROFS : SyscallResult(0);
}

SyscallResult ChangeMode(Task& task, const PathRef& ref, std::uint32_t mode) {
  Inode& inode = *ref.inode;
  if (inode.LiesOn(kVolumeReadOnly)) return kEROFS;
  if (inode.is(kTypeSymlink)) return kEOPNOTSUPP;
  if (!OwnsOrPrivileged(inode, task.credentials)) return kEPERM;
  inode.permissions = mode & 07777;
  if (!task.credentials.Can(Capability::kFsetid) && !task.credentials.InGroup(inode.gid)) {
    inode.permissions &= ~static_cast<std::uint32_t>(kSetGid);
  }
  inode.TouchChanged();
  TellFile(ref, kNodeAttributes);
  return 0;
}

SyscallResult ChangeOwner(Task& task, const PathRef& ref, std::uint32_t uid, std::uint32_t gid) {
  Inode& inode = *ref.inode;
  constexpr std::uint32_t kLeave = ~0u;
  if (inode.LiesOn(kVolumeReadOnly)) return kEROFS;
  const Credentials& who = task.credentials;
  if (!who.Can(Capability::kChown)) {
    const bool owns = who.fsuid == inode.uid;
    if (uid != kLeave && (!owns || uid != inode.uid)) return kEPERM;
    if (gid != kLeave && (!owns || !who.InGroup(gid))) return kEPERM;
  }
  if (uid != kLeave) inode.uid = uid;
  if (gid != kLeave) inode.gid = gid;
  if ((uid != kLeave || gid != kLeave) && !inode.is(kTypeDirectory)) DropPrivileges(inode);
  inode.TouchChanged();
  TellFile(ref, kNodeAttributes);
  return 0;
}

SyscallResult ChangeOwnerAt(Task& task, DirFd dirfd, PathPtr path, std::uint32_t uid,
                            std::uint32_t gid, bool follow, bool empty_path) {
  const auto ref = Locate(task, dirfd, path, follow, empty_path);
  if (!ref) return ref.error();
  return ChangeOwner(task, *ref, uid, gid);
}

// One of the two times of utimensat(2): nothing means UTIME_OMIT.
struct NewTimes {
  bool both_now = false;
  std::optional<std::int64_t> accessed, modified;
};

Result<std::optional<std::int64_t>, Errno> ToNanoseconds(const abi::Timespec& time,
                                                         std::int64_t now) {
  constexpr std::int64_t kUtimeNow = 0x3fffffff, kUtimeOmit = 0x3ffffffe;
  if (time.nanoseconds == kUtimeOmit) return std::nullopt;
  if (time.nanoseconds == kUtimeNow) return now;
  if (time.nanoseconds < 0 || time.nanoseconds >= kNanosecondsPerSecond)
    return std::unexpected(kEINVAL);
  // Beyond what 64 bits of nanoseconds hold, the file system's ends, as Linux clamps to those of
  // its own.
  constexpr std::int64_t kMaxSeconds =
      std::numeric_limits<std::int64_t>::max() / kNanosecondsPerSecond - 1;
  return std::clamp(time.seconds, -kMaxSeconds, kMaxSeconds) * kNanosecondsPerSecond +
         time.nanoseconds;
}

SyscallResult ChangeTimes(Task& task, const PathRef& ref, const NewTimes& times) {
  Inode& inode = *ref.inode;
  if (inode.LiesOn(kVolumeReadOnly)) return kEROFS;
  if (!OwnsOrPrivileged(inode, task.credentials) &&
      !(times.both_now && MayAccess(inode, task.credentials, kMayWrite))) {
    return times.both_now ? kEACCES : kEPERM;
  }
  if (times.accessed) inode.atime_ns = *times.accessed;
  if (times.modified) inode.mtime_ns = *times.modified;
  inode.TouchChanged();
  // include/linux/fsnotify.h, fsnotify_change: one time alone is what an access or a write changes.
  if (times.accessed && times.modified) {
    TellFile(ref, kNodeAttributes);
  } else if (times.accessed || times.modified) {
    TellFile(ref, times.accessed ? kNodeAccess : kNodeModify);
  }
  return 0;
}

SyscallResult ChangeTimesAt(Task& task, DirFd dirfd, PathPtr path, const NewTimes& times,
                            bool follow, bool empty_path) {
  const auto ref = Locate(task, dirfd, path, follow, empty_path);
  if (!ref) return ref.error();
  return ChangeTimes(task, *ref, times);
}

NewTimes Now(const Task& task) {
  const std::int64_t now = task.kernel.WallNanoseconds();
  return {true, now, now};
}

Result<NewTimes, Errno> FromTimevals(Task& task, GuestPtr<const abi::Timeval> pointer) {
  if (!pointer) return Now(task);
  NewTimes times;
  for (std::uint64_t i = 0; i < 2; ++i) {
    const auto value = task.memory().Read(pointer + i);
    if (!value) return std::unexpected(value.error());
    if (value->microseconds < 0 || value->microseconds >= 1'000'000)
      return std::unexpected(kEINVAL);
    const auto ns = ToNanoseconds({value->seconds, value->microseconds * 1000}, 0);
    (i == 0 ? times.accessed : times.modified) = *ns;
  }
  return times;
}

// f_flags of statfs(2): ST_VALID and its kin, linux/statfs.h.
std::int64_t FlagsOfVolume(const Volume& volume) {
  constexpr std::uint32_t kSame = kVolumeReadOnly | kVolumeNoSetId | kVolumeNoDevices |
                                  kVolumeNoExecution | kVolumeNoAccessTimes;
  constexpr std::int64_t kValid = 0x20, kRelatime = 0x1000;
  const bool relative = (volume.options & (kVolumeNoAccessTimes | kVolumeStrictAccessTimes)) == 0;
  return kValid | (volume.options & kSame) | (relative ? kRelatime : 0);
}

SyscallResult FillStatfs(Task& task, const Inode& inode, GuestPtr<abi::Statfs> out) {
  constexpr std::int64_t kTmpfsMagic = 0x01021994, kProcMagic = 0x9fa0, kExt4Magic = 0xef53,
                         kPipeMagic = 0x50495045;
  const DiskMeter& disk = task.kernel.services()->disk;
  abi::Statfs info{};
  constexpr std::pair<std::uint64_t, std::int64_t> kMagics[] = {
      {kProcDevice, kProcMagic}, {kSysDevice, 0x62656572},     {kDevDevice, kTmpfsMagic},
      {kShmDevice, kTmpfsMagic}, {kMemoryDevice, kTmpfsMagic}, {kPipeDevice, kPipeMagic}};
  const auto* const magic =
      std::ranges::find(kMagics, inode.device, &std::pair<std::uint64_t, std::int64_t>::first);
  const bool is_mounted =
      magic == std::end(kMagics) && task.kernel.files().mounts.FindDevice(inode.device) != nullptr;
  info.type = magic != std::end(kMagics) ? magic->second : is_mounted ? kTmpfsMagic : kExt4Magic;
  info.block_size = info.fragment_size = static_cast<std::int64_t>(kPageSize);
  info.name_length = static_cast<std::int64_t>(kNameMaxBytes);
  const auto volume = inode.services()->FindVolume(inode.device);
  if (volume) info.flags = FlagsOfVolume(*volume);
  if (inode.device == kRootDevice || inode.device == kShmDevice || is_mounted) {
    std::uint64_t limit = disk.limit_bytes();
    std::uint64_t free = limit - disk.used_bytes();
    if (volume && volume->size_bytes < limit) {
      limit = volume->size_bytes;
      free = std::min(free, limit - std::min(limit, volume->used_bytes));
    }
    info.blocks = limit / kPageSize;
    info.free_blocks = info.available_blocks = free / kPageSize;
    info.files = disk.limit_bytes() / VfsServices::kInodeBytes;
    info.free_files = (disk.limit_bytes() - disk.used_bytes()) / VfsServices::kInodeBytes;
  }
  return FromResult(task.memory().Write(out, info));
}

}  // namespace

Result<Stat, Errno> StatOf(Inode& inode) {
  if (const auto ready = inode.Refresh(); !ready) return std::unexpected(ready.error());
  Stat stat{};
  stat.device = inode.device;
  stat.inode = inode.number;
  stat.links = inode.link_count;
  stat.mode = static_cast<std::uint32_t>(inode.type()) | inode.permissions;
  stat.uid = inode.uid;
  stat.gid = inode.gid;
  stat.special_device = inode.special_device;
  stat.size = static_cast<std::int64_t>(inode.size_bytes());
  stat.block_size = static_cast<std::int64_t>(kPageSize);
  stat.blocks = static_cast<std::int64_t>(inode.allocated_bytes() / 512);
  stat.accessed = ToTimespec(inode.atime_ns);
  stat.modified = ToTimespec(inode.mtime_ns);
  stat.changed = ToTimespec(inode.ctime_ns);
  return stat;
}

SyscallResult SysStat(Task& task, PathPtr path, GuestPtr<Stat> out) {
  return StatAt(task, kCwd, path, out, {0});
}
SyscallResult SysLstat(Task& task, PathPtr path, GuestPtr<Stat> out) {
  return StatAt(task, kCwd, path, out, {kAtNoFollow});
}
SyscallResult SysNewfstatat(Task& task, DirFd dirfd, PathPtr path, GuestPtr<Stat> out,
                            AtFlags flags) {
  return StatAt(task, dirfd, path, out, flags);
}
SyscallResult SysFstat(Task& task, Fd fd, GuestPtr<Stat> out) {
  const auto file = FileOrPathOf(task, fd);
  if (!file) return file.error();
  return WriteStat(task, (*file)->inode(), out);
}

SyscallResult SysStatx(Task& task, DirFd dirfd, PathPtr path, AtFlags flags, Hex mask,
                       GuestPtr<abi::Statx> out) {
  constexpr std::uint64_t kReserved = 0x80000000;
  if ((mask.value & kReserved) != 0 || flags.Has(kAtStatxSync)) return kEINVAL;
  if (flags.HasOther(kAtNoFollow | kAtNoAutomount | kAtEmptyPath | kAtStatxSync)) return kEINVAL;
  const auto ref = Locate(task, dirfd, path, !flags.Has(kAtNoFollow), flags.Has(kAtEmptyPath));
  if (!ref) return ref.error();
  const auto stat = StatOf(*ref->inode);
  if (!stat) return stat.error();
  constexpr std::uint32_t kBasicStats = 0x7ff, kMountIdBit = 0x1000;
  abi::Statx x{};
  x.mask = kBasicStats | (static_cast<std::uint32_t>(mask.value) & kMountIdBit);
  x.block_size = static_cast<std::uint32_t>(stat->block_size);
  x.links = static_cast<std::uint32_t>(stat->links);
  x.uid = stat->uid;
  x.gid = stat->gid;
  x.mode = static_cast<std::uint16_t>(stat->mode);
  x.inode = stat->inode;
  x.size = static_cast<std::uint64_t>(stat->size);
  x.blocks = static_cast<std::uint64_t>(stat->blocks);
  x.accessed = ToStatx(stat->accessed);
  x.modified = ToStatx(stat->modified);
  x.changed = ToStatx(stat->changed);
  x.special_major = MajorOf(stat->special_device);
  x.special_minor = MinorOf(stat->special_device);
  x.device_major = MajorOf(stat->device);
  x.device_minor = MinorOf(stat->device);
  x.mount_id = stat->device;
  return FromResult(task.memory().Write(out, x));
}

SyscallResult SysAccess(Task& task, PathPtr path, AccessMode mode) {
  return CheckAccess(task, kCwd, path, mode, {0});
}
SyscallResult SysFaccessat(Task& task, DirFd dirfd, PathPtr path, AccessMode mode) {
  return CheckAccess(task, dirfd, path, mode, {0});
}
SyscallResult SysFaccessat2(Task& task, DirFd dirfd, PathPtr path, AccessMode mode, AtFlags flags) {
  return CheckAccess(task, dirfd, path, mode, flags);
}

SyscallResult SysChmod(Task& task, PathPtr path, FileMode mode) {
  return SysFchmodat(task, kCwd, path, mode);
}
SyscallResult SysFchmodat(Task& task, DirFd dirfd, PathPtr path, FileMode mode) {
  const auto ref = Locate(task, dirfd, path, true, false);
  if (!ref) return ref.error();
  return ChangeMode(task, *ref, mode.value);
}
SyscallResult SysFchmod(Task& task, Fd fd, FileMode mode) {
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  return ChangeMode(task, (*file)->path(), mode.value);
}

SyscallResult SysChown(Task& task, PathPtr path, Id uid, Id gid) {
  return ChangeOwnerAt(task, kCwd, path, uid.value, gid.value, true, false);
}
SyscallResult SysLchown(Task& task, PathPtr path, Id uid, Id gid) {
  return ChangeOwnerAt(task, kCwd, path, uid.value, gid.value, false, false);
}
SyscallResult SysFchownat(Task& task, DirFd dirfd, PathPtr path, Id uid, Id gid, AtFlags flags) {
  if (flags.HasOther(kAtNoFollow | kAtEmptyPath)) return kEINVAL;
  return ChangeOwnerAt(task, dirfd, path, uid.value, gid.value, !flags.Has(kAtNoFollow),
                       flags.Has(kAtEmptyPath));
}
SyscallResult SysFchown(Task& task, Fd fd, Id uid, Id gid) {
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  return ChangeOwner(task, (*file)->path(), uid.value, gid.value);
}

SyscallResult SysUtimensat(Task& task, DirFd dirfd, PathPtr path,
                           GuestPtr<const abi::Timespec> times, AtFlags flags) {
  NewTimes to = Now(task);
  if (times) {
    const std::int64_t now = *to.accessed;
    std::array<std::optional<std::int64_t>, 2> values;
    bool both_now = true;
    for (std::uint64_t i = 0; i < 2; ++i) {
      const auto time = task.memory().Read(times + i);
      if (!time) return time.error();
      const auto ns = ToNanoseconds(*time, now);
      if (!ns) return ns.error();
      values[static_cast<std::size_t>(i)] = *ns;
      both_now &= time->nanoseconds == 0x3fffffff;
    }
    // Nothing to do, so nothing is looked at, the path included.
    if (!values[0] && !values[1]) return 0;
    to = {both_now, values[0], values[1]};
  }
  if (flags.HasOther(kAtNoFollow | kAtEmptyPath)) return kEINVAL;
  if (path.address == 0) {  // futimens(3)
    if (dirfd.value == kAtFdCwd) return kEFAULT;
    const auto file = FileOf(task, Fd{dirfd.value});
    if (!file) return file.error();
    return ChangeTimes(task, (*file)->path(), to);
  }
  return ChangeTimesAt(task, dirfd, path, to, !flags.Has(kAtNoFollow), flags.Has(kAtEmptyPath));
}

SyscallResult SysUtimes(Task& task, PathPtr path, GuestPtr<const abi::Timeval> times) {
  const auto to = FromTimevals(task, times);
  return to ? ChangeTimesAt(task, kCwd, path, *to, true, false) : SyscallResult(to.error());
}
SyscallResult SysFutimesat(Task& task, DirFd dirfd, PathPtr path,
                           GuestPtr<const abi::Timeval> times) {
  const auto to = FromTimevals(task, times);
  return to ? ChangeTimesAt(task, dirfd, path, *to, true, false) : SyscallResult(to.error());
}
SyscallResult SysUtime(Task& task, PathPtr path, GuestPtr<const abi::Utimbuf> times) {
  NewTimes to = Now(task);
  if (times) {
    const auto value = task.memory().Read(times);
    if (!value) return value.error();
    to = {false, *ToNanoseconds({value->accessed, 0}, 0), *ToNanoseconds({value->modified, 0}, 0)};
  }
  return ChangeTimesAt(task, kCwd, path, to, true, false);
}

SyscallResult SysStatfs(Task& task, PathPtr path, GuestPtr<abi::Statfs> out) {
  const auto ref = Locate(task, kCwd, path, true, false);
  return ref ? FillStatfs(task, *ref->inode, out) : SyscallResult(ref.error());
}
SyscallResult SysFstatfs(Task& task, Fd fd, GuestPtr<abi::Statfs> out) {
  const auto file = FileOrPathOf(task, fd);
  return file ? FillStatfs(task, (*file)->inode(), out) : SyscallResult(file.error());
}

}  // namespace glovebox::engine
