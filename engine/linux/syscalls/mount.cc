// mount(2), umount2(2): file systems in memory, further views of /proc and /sys, nodes at another
// place, and options. The checks are in the order of fs/namespace.c of Linux 6.1.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>

#include "engine/linux/proc.h"
#include "engine/linux/proc_sys.h"
#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"

namespace glovebox::engine {
namespace {

enum MountFlag : std::uint64_t {
  kRemount = 32,
  kBind = 1 << 12,
  kMove = 1 << 13,
  kRecursive = 1 << 14,
  kSilent = 1 << 15,
  kUnbindable = 1 << 17,
  kPrivate = 1 << 18,
  kSlave = 1 << 19,
  kShared = 1 << 20,
  kMagic = 0xc0ed0000,
  kMagicMask = 0xffff0000,
};
constexpr std::uint64_t kPropagation = kUnbindable | kPrivate | kSlave | kShared;
constexpr std::uint64_t kOptions = kVolumeReadOnly | kVolumeNoSetId | kVolumeNoDevices |
                                   kVolumeNoExecution | kVolumeNoAccessTimes |
                                   kVolumeStrictAccessTimes;
// MS_SYNCHRONOUS, MS_MANDLOCK, MS_DIRSYNC, MS_NODIRATIME, MS_SILENT, MS_RELATIME, MS_I_VERSION,
// MS_LAZYTIME: nothing is ever written behind anybody's back, and relative times are the default.
constexpr std::uint64_t kWithoutEffect =
    0x10 | 0x40 | 0x80 | 0x800 | kSilent | 1 << 21 | 1 << 23 | 1 << 25;
constexpr std::size_t kMostMounts = 1000;

// What "size=64m,mode=700" asks of a tmpfs: tmpfs(5).
struct TmpfsOptions {
  std::uint64_t size_bytes = 0;
  std::uint32_t mode = 01777;
  std::uint32_t uid = 0, gid = 0;
};

// `whole`: what a number with a percent sign is a part of; 0: none may have one.
std::optional<std::uint64_t> ParseNumber(std::string_view text, int base, bool has_unit,
                                         std::uint64_t whole) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (rest.empty()) return value;
  constexpr std::uint64_t kHundred = 100;
  if (rest == "%" && whole != 0 && value <= kHundred) return whole / kHundred * value;
  constexpr std::string_view kUnits = "kmg";
  const std::size_t unit =
      has_unit && rest.size() == 1 ? kUnits.find(rest[0] | 0x20) : std::string_view::npos;
  if (unit == std::string_view::npos) return std::nullopt;
  return value << (10 * (unit + 1));
}

// Empty: EINVAL.
std::optional<TmpfsOptions> ParseTmpfs(std::string_view text, std::uint64_t memory_bytes) {
  TmpfsOptions options;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    if (item.empty()) continue;
    const std::size_t equals = std::min(item.find('='), item.size());
    const std::string_view name = item.substr(0, equals);
    const std::string_view value = item.substr(std::min(equals + 1, item.size()));
    const bool is_amount = name == "size" || name == "nr_inodes" || name == "nr_blocks";
    if (!is_amount && name != "mode" && name != "uid" && name != "gid") return std::nullopt;
    const auto number =
        ParseNumber(value, name == "mode" ? 8 : 10, is_amount, name == "size" ? memory_bytes : 0);
    if (!number) return std::nullopt;
    if (name == "size") options.size_bytes = PageCeil(*number);
    if (name == "nr_blocks") options.size_bytes = *number * kPageSize;
    if (name == "mode") options.mode = static_cast<std::uint32_t>(*number & 07777);
    if (name == "uid") options.uid = static_cast<std::uint32_t>(*number);
    if (name == "gid") options.gid = static_cast<std::uint32_t>(*number);
  }
  return options;
}

std::string DataText(const TmpfsOptions& options) {
  std::string text;
  if (options.size_bytes != 0) text += fmt::format(",size={}k", options.size_bytes / 1024);
  if (options.mode != 01777) text += fmt::format(",mode={:o}", options.mode);
  if (options.uid != 0) text += fmt::format(",uid={}", options.uid);
  if (options.gid != 0) text += fmt::format(",gid={}", options.gid);
  return text;
}

// A size of none is without a limit: tmpfs(5).
constexpr std::uint64_t LimitOf(std::uint64_t size_bytes) {
  return size_bytes == 0 ? ~std::uint64_t{0} : size_bytes;
}

Result<std::shared_ptr<Directory>, Errno> MakeTmpfs(Task& task, const TmpfsOptions& options) {
  Filesystem& files = task.kernel.files();
  auto root =
      std::make_shared<TreeDirectory>(files.services(), options.mode, files.mounts.NextDevice());
  if (!root->ChargeDisk(VfsServices::kInodeBytes)) return std::unexpected(kENOMEM);
  root->uid = options.uid;
  root->gid = options.gid;
  return root;
}

// As with fs.mount-max of Linux, which has 100,000: rows and what they cover come apart one within
// the other.
bool HasRoom(Task& task) { return task.kernel.files().mounts.rows().size() < kMostMounts; }

// do_new_mount
SyscallResult MountNew(Task& task, const PathRef& on, const std::string& source,
                       const std::string& type, std::uint64_t flags, const std::string& data) {
  if (!on.inode->is(kTypeDirectory)) return kENOTDIR;
  TmpfsOptions options;
  std::shared_ptr<Directory> root;
  const bool is_tmpfs = type == "tmpfs" || type == "ramfs";
  if (is_tmpfs) {
    const auto parsed = ParseTmpfs(data, task.kernel.memory_meter.limit_bytes());
    if (!parsed) return kEINVAL;
    options = *parsed;
    auto made = MakeTmpfs(task, options);
    if (!made) return made.error();
    root = std::move(*made);
  } else if (type == "proc" || type == "sysfs") {
    root = type == "proc" ? MakeProc(task.kernel) : MakeSys(task.kernel);
  } else {
    // Of disks there are none: whatever such a file system would be on is no block device.
    return type == "ext4" ? kENOTBLK : kENODEV;
  }
  if (!HasRoom(task)) return kENOSPC;
  Filesystem& files = task.kernel.files();
  // The root of all is where everybody starts: nothing can cover it for them.
  if (on.inode == files.root()) return kEBUSY;
  if (is_tmpfs) {
    const auto volume = files.services()->MakeVolume(root->device);
    volume->options = static_cast<std::uint32_t>(flags & kOptions);
    volume->size_bytes = LimitOf(options.size_bytes);
  }
  return FromResult(files.mounts.Add({0, on, root, false, source, type, DataText(options)}));
}

// do_loopback: `source` is there too. What is mounted within it is there with it, as with MS_REC.
SyscallResult Bind(Task& task, const PathRef& on, const std::string& source) {
  if (source.empty()) return kEINVAL;
  const auto from = task.Resolve(kAtFdCwd, source, {});
  if (!from) return from.error();
  const std::shared_ptr<Inode>& root = from->ref.inode;
  if (root->is(kTypeDirectory) != on.inode->is(kTypeDirectory)) return kENOTDIR;
  // Pipes and sockets without a name, and what has lost it.
  if (!from->ref.parent || root->link_count == 0) return kEINVAL;
  if (!HasRoom(task)) return kENOSPC;
  Filesystem& files = task.kernel.files();
  if (on.inode == files.root() && root != on.inode) return kEBUSY;
  const MountRow* const origin = files.mounts.FindDevice(root->device);
  return FromResult(
      files.mounts.Add({0, on, root, true, origin != nullptr ? origin->source : "/dev/root",
                        origin != nullptr ? origin->type : "ext4", ""}));
}

// do_move_mount_old
SyscallResult MoveMount(Task& task, const PathRef& on, const std::string& source) {
  if (source.empty()) return kEINVAL;
  const auto from = task.Resolve(kAtFdCwd, source, {});
  if (!from) return from.error();
  MountTable& mounts = task.kernel.files().mounts;
  const MountRow* const row = mounts.FindAt(from->ref);
  if (row == nullptr) return kEINVAL;
  if (row->root->is(kTypeDirectory) != on.inode->is(kTypeDirectory)) return kEINVAL;
  if (on.inode == task.kernel.files().root()) return kEBUSY;
  if (on.inode->is(kTypeDirectory) &&
      MountTable::IsWithin(*row, std::static_pointer_cast<Directory>(on.inode))) {
    return kELOOP;
  }
  return FromResult(mounts.Move(row->id, on));
}

// Has anybody a file of this file system open for writing?
bool HasWriters(Task& task, std::uint64_t device) {
  return std::ranges::any_of(task.kernel.processes().tasks(), [&](const auto& entry) {
    const Task& other = *entry.second;
    for (int fd = 0; other.fd_table && fd < other.fds().size(); ++fd) {
      const auto file = other.fds().Get(fd);
      if (file && file->writable() && file->inode().is(kTypeRegular) &&
          file->inode().device == device) {
        return true;
      }
    }
    return false;
  });
}

// do_remount, do_reconfigure_mnt
SyscallResult Remount(Task& task, const PathRef& on, std::uint64_t flags, const std::string& data) {
  Filesystem& files = task.kernel.files();
  const MountRow* const row = files.mounts.FindAt(on);
  const std::uint64_t device = on.inode->device;
  const auto wanted = static_cast<std::uint32_t>(flags & kOptions);
  const auto found = files.services()->FindVolume(device);
  const std::uint32_t before = found ? found->options : 0;
  if (row != nullptr && row->is_bind && wanted != before) {
    // Options belong to a file system, which has this place and another.
    task.kernel.CountAbsent("mount (options of a bind mount)");
    return kEPERM;
  }
  std::uint64_t size = found ? found->size_bytes : LimitOf(0);
  if (row != nullptr && row->type == "tmpfs" && (flags & kBind) == 0) {
    const auto options = ParseTmpfs(data, task.kernel.memory_meter.limit_bytes());
    if (!options) return kEINVAL;
    if (options->size_bytes != 0) size = options->size_bytes;
    if (found && size < found->used_bytes) return kEINVAL;
  }
  const bool becomes_read_only = (wanted & ~before & kVolumeReadOnly) != 0;
  if (becomes_read_only && HasWriters(task, device)) return kEBUSY;
  const auto volume = files.services()->MakeVolume(device);
  volume->options = wanted;
  volume->size_bytes = size;
  return 0;
}

bool UsesMount(const Task& task, const MountRow& row) {
  if (task.fs_context && (MountTable::IsWithin(row, task.fs().working_directory) ||
                          MountTable::IsWithin(row, task.fs().root))) {
    return true;
  }
  if (!task.fd_table) return false;
  for (int fd = 0; fd < task.fds().size(); ++fd) {
    const auto file = task.fds().Get(fd);
    if (!file) continue;
    const PathRef& path = file->path();
    const bool is_directory = path.inode->is(kTypeDirectory);
    if (MountTable::IsWithin(
            row, is_directory ? std::static_pointer_cast<Directory>(path.inode) : path.parent)) {
      return true;
    }
  }
  return false;
}

bool IsBusy(Task& task, const MountRow& row) {
  if (task.kernel.files().mounts.HasMountsWithin(row)) return true;
  return std::ranges::any_of(task.kernel.processes().tasks(),
                             [&](const auto& entry) { return UsesMount(*entry.second, row); });
}

}  // namespace

SyscallResult SysMount(Task& task, PathPtr source, PathPtr target, PathPtr type, Hex flags,
                       PathPtr data) {
  const auto read = [&](PathPtr from) -> Result<std::string, Errno> {
    if (!from) return std::string();
    return task.memory().ReadString(from.address, kPathMaxBytes, kEINVAL);
  };
  const auto type_name = read(type);
  if (!type_name) return type_name.error();
  const auto source_name = read(source);
  if (!source_name) return source_name.error();
  // At most a page of it counts.
  const auto options = read(data);
  if (!options) return options.error();
  const auto on = task.ResolveGuest(kAtFdCwd, target, {});
  if (!on) return on.error();
  std::uint64_t wanted = flags.value;
  if ((wanted & kMagicMask) == kMagic) wanted &= ~std::uint64_t{kMagicMask};
  if (!task.credentials.Can(Capability::kSysAdmin)) return kEPERM;
  const MountTable& mounts = task.kernel.files().mounts;
  const bool is_root = mounts.FindAt(on->ref) != nullptr ||
                       (on->ref.inode->is(kTypeDirectory) &&
                        (static_cast<Directory&>(*on->ref.inode).is_mount_point ||
                         on->ref.inode == task.kernel.files().root()));
  constexpr std::uint64_t kKnown =
      kOptions | kWithoutEffect | kRemount | kBind | kMove | kRecursive | kPropagation;
  if ((wanted & ~kKnown) != 0) {
    task.kernel.CountAbsent("mount (a flag)");
    return kEPERM;
  }
  if ((wanted & kRemount) != 0)
    return is_root ? Remount(task, on->ref, wanted, *options) : SyscallResult(kEINVAL);
  if ((wanted & kBind) != 0) return Bind(task, on->ref, *source_name);
  if ((wanted & kPropagation) != 0) {
    // There is nobody to share with: one name space is all there is.
    const std::uint64_t rest = wanted & ~(kRecursive | kSilent);
    return std::has_single_bit(rest) && is_root ? SyscallResult(0) : kEINVAL;
  }
  if ((wanted & kMove) != 0) return MoveMount(task, on->ref, *source_name);
  if (!type) return kEINVAL;
  return MountNew(task, on->ref, source ? *source_name : "none", *type_name, wanted, *options);
}

SyscallResult SysUmount2(Task& task, PathPtr target, Hex flags) {
  enum Flag : std::uint64_t { kForce = 1, kDetach = 2, kExpire = 4, kNoFollow = 8 };
  if ((flags.value & ~(kForce | kDetach | kExpire | kNoFollow)) != 0) return kEINVAL;
  const auto on =
      task.ResolveGuest(kAtFdCwd, target, {.follow_last = (flags.value & kNoFollow) == 0});
  if (!on) return on.error();
  if (!task.credentials.Can(Capability::kSysAdmin)) return kEPERM;
  MountTable& mounts = task.kernel.files().mounts;
  const MountRow* const row = mounts.FindAt(on->ref);
  // What the box began with stays.
  if (row == nullptr) {
    const bool is_ours = on->ref.inode->is(kTypeDirectory) &&
                         (static_cast<const Directory&>(*on->ref.inode).is_mount_point ||
                          on->ref.inode == task.kernel.files().root());
    return is_ours ? kEBUSY : kEINVAL;
  }
  if ((flags.value & kExpire) != 0) {
    task.kernel.CountAbsent("umount2 (MNT_EXPIRE)");
    return kEINVAL;
  }
  if (IsBusy(task, *row)) {
    if ((flags.value & kDetach) == 0) return kEBUSY;
    // Lazily: what is mounted within goes with it.
    std::vector<std::uint32_t> inner;
    for (const MountRow& other : mounts.rows()) {
      if (MountTable::IsWithin(*row, MountTable::DirectoryOf(other))) inner.push_back(other.id);
    }
    const std::uint32_t outer = row->id;
    for (const std::uint32_t id : std::views::reverse(inner)) mounts.Remove(id);
    mounts.Remove(outer);
    return 0;
  }
  mounts.Remove(row->id);
  return 0;
}

SyscallResult SysOldUmount(Task& task, PathPtr target) { return SysUmount2(task, target, {0}); }

}  // namespace glovebox::engine
