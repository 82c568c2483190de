// mount(2), umount2(2): file systems in memory, and further views of /proc and /sys. The checks are
// in the order of fs/namespace.c of Linux 6.1.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
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
  kNoSetId = 2,
  kNoDevices = 4,
  kRemount = 32,
  kBind = 1 << 12,
  kMove = 1 << 13,
  kRecursive = 1 << 14,
  kSilent = 1 << 15,
  kUnbindable = 1 << 17,
  kPrivate = 1 << 18,
  kSlave = 1 << 19,
  kShared = 1 << 20,
  kRelatime = 1 << 21,
  kMagic = 0xc0ed0000,
  kMagicMask = 0xffff0000,
};
constexpr std::uint64_t kChangesType = kUnbindable | kPrivate | kSlave | kShared;
constexpr std::size_t kMostMounts = 1000;
constexpr std::uint64_t kServed = kNoSetId | kNoDevices | kSilent | kRelatime;

// What "size=64m,mode=700" asks of a tmpfs: tmpfs(5).
struct TmpfsOptions {
  std::uint64_t size_bytes = 0;
  std::uint32_t mode = 01777;
  std::uint32_t uid = 0, gid = 0;
};

std::optional<std::uint64_t> ParseNumber(std::string_view text, int base, bool has_unit) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (rest.empty()) return value;
  constexpr std::string_view kUnits = "kmg";
  const std::size_t unit =
      has_unit && rest.size() == 1 ? kUnits.find(rest[0] | 0x20) : std::string_view::npos;
  if (unit == std::string_view::npos) return std::nullopt;
  return value << (10 * (unit + 1));
}

// Empty: EINVAL.
std::optional<TmpfsOptions> ParseTmpfs(std::string_view text) {
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
    const auto number = ParseNumber(value, name == "mode" ? 8 : 10, is_amount);
    if (!number) return std::nullopt;
    if (name == "size") options.size_bytes = *number;
    if (name == "mode") options.mode = static_cast<std::uint32_t>(*number & 07777);
    if (name == "uid") options.uid = static_cast<std::uint32_t>(*number);
    if (name == "gid") options.gid = static_cast<std::uint32_t>(*number);
  }
  return options;
}

std::string OptionsText(std::uint64_t flags, const TmpfsOptions& options) {
  std::string text = "rw";
  if ((flags & kNoSetId) != 0) text += ",nosuid";
  if ((flags & kNoDevices) != 0) text += ",nodev";
  text += ",relatime";
  if (options.size_bytes != 0) text += fmt::format(",size={}k", options.size_bytes / 1024);
  if (options.mode != 01777) text += fmt::format(",mode={:o}", options.mode);
  if (options.uid != 0) text += fmt::format(",uid={}", options.uid);
  if (options.gid != 0) text += fmt::format(",gid={}", options.gid);
  return text;
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

// do_new_mount
SyscallResult MountNew(Task& task, const PathRef& on, const std::string& source,
                       const std::string& type, std::uint64_t flags, const std::string& data) {
  if (!on.inode->is(kTypeDirectory)) return kENOTDIR;
  const auto covered = std::static_pointer_cast<Directory>(on.inode);
  TmpfsOptions options;
  std::shared_ptr<Directory> root;
  if (type == "tmpfs" || type == "ramfs") {
    const auto parsed = ParseTmpfs(data);
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
  // As with fs.mount-max of Linux, which has 100,000: rows and what they cover come apart one
  // within the other.
  if (task.kernel.files().mounts.rows().size() >= kMostMounts) return kENOSPC;
  // The root of all is where everybody starts: nothing can cover it for them.
  if (covered == task.kernel.files().root()) return kEBUSY;
  task.kernel.files().mounts.Add({0, covered, root, source, type, OptionsText(flags, options)});
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
  const bool is_root = on->ref.inode->is(kTypeDirectory) &&
                       (static_cast<Directory&>(*on->ref.inode).is_mount_point || !on->ref.parent ||
                        on->ref.inode == task.kernel.files().root());
  if ((wanted & (kRemount | kBind | kMove)) != 0) {
    task.kernel.CountAbsent("mount (bind, move, remount)");
    return kEPERM;
  }
  if ((wanted & kChangesType) != 0) {
    // Everything is private already: there are no name spaces to share it with.
    if ((wanted & ~(kPrivate | kRecursive | kSilent)) != 0 || !is_root) return kEINVAL;
    return 0;
  }
  if (!type) return kEINVAL;
  if ((wanted & ~kServed) != 0) {
    task.kernel.CountAbsent("mount (a flag)");
    return kEPERM;
  }
  return MountNew(task, on->ref, source ? *source_name : "none", *type_name, wanted, *options);
}

SyscallResult SysUmount2(Task& task, PathPtr target, Hex flags) {
  enum Flag : std::uint64_t { kForce = 1, kDetach = 2, kExpire = 4, kNoFollow = 8 };
  if ((flags.value & ~(kForce | kDetach | kExpire | kNoFollow)) != 0) return kEINVAL;
  const auto on =
      task.ResolveGuest(kAtFdCwd, target, {.follow_last = (flags.value & kNoFollow) == 0});
  if (!on) return on.error();
  if (!task.credentials.Can(Capability::kSysAdmin)) return kEPERM;
  if (!on->ref.inode->is(kTypeDirectory)) return kEINVAL;
  const auto& root = static_cast<const Directory&>(*on->ref.inode);
  MountTable& mounts = task.kernel.files().mounts;
  const MountRow* const row = mounts.FindRoot(root);
  // What the box began with stays.
  if (row == nullptr)
    return root.is_mount_point || on->ref.inode == task.kernel.files().root() ? kEBUSY : kEINVAL;
  if ((flags.value & kExpire) != 0) {
    task.kernel.CountAbsent("umount2 (MNT_EXPIRE)");
    return kEINVAL;
  }
  if (IsBusy(task, *row)) {
    if ((flags.value & kDetach) == 0) return kEBUSY;
    // Lazily: what is mounted within goes with it.
    std::vector<std::shared_ptr<Directory>> inner;
    for (const MountRow& other : mounts.rows()) {
      if (MountTable::IsWithin(*row, other.covered)) inner.push_back(other.root);
    }
    for (auto it = inner.rbegin(); it != inner.rend(); ++it) mounts.Remove(**it);
  }
  mounts.Remove(root);
  return 0;
}

SyscallResult SysOldUmount(Task& task, PathPtr target) { return SysUmount2(task, target, {0}); }

}  // namespace glovebox::engine
