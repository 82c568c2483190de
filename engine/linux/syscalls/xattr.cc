// Extended attributes, xattr(7): setxattr(2), getxattr(2), listxattr(2), removexattr(2) and their
// kin. Source of the checks: fs/xattr.c, xattr_permission and path_setxattr of Linux 6.1.
#include <algorithm>

#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/vfs/file_capabilities.h"

namespace glovebox::engine {
namespace {

constexpr std::size_t kMostNameBytes = 255;       // XATTR_NAME_MAX
constexpr std::uint64_t kMostValueBytes = 65536;  // XATTR_SIZE_MAX
constexpr std::size_t kMostOfInodeBytes = 65536;  // names and values together
enum XattrFlag : std::uint64_t { kXattrCreate = 1, kXattrReplace = 2 };

enum class Space : std::uint8_t { kUser, kTrusted, kSecurity, kNone };
struct SpaceRow {
  std::string_view prefix;
  Space space;
};
constexpr SpaceRow kSpaces[] = {
    {"user.", Space::kUser}, {"trusted.", Space::kTrusted}, {"security.", Space::kSecurity}};

Space SpaceOf(std::string_view name) {
  const auto* const row = std::ranges::find_if(
      kSpaces, [name](const SpaceRow& r) { return name.starts_with(r.prefix); });
  return row == std::end(kSpaces) ? Space::kNone : row->space;
}

// Files of the overlay have them; what is made up (/proc, /dev, pipes) has not.
bool HasAttributes(const Inode& inode) {
  return inode.device == kRootDevice || inode.device == kShmDevice || inode.device == kMemoryDevice;
}

Errno MayUse(const Task& task, const Inode& inode, std::string_view name, bool writes) {
  const Credentials& who = task.credentials;
  const Space space = SpaceOf(name);
  switch (space) {
    case Space::kTrusted:
      if (who.Can(Capability::kSysAdmin)) return Errno{};
      return writes ? kEPERM : kENODATA;
    case Space::kSecurity:
      return writes && !who.Can(name == kFileCapabilitiesName ? Capability::kSetfcap
                                                              : Capability::kSysAdmin)
                 ? kEPERM
                 : Errno{};
    case Space::kUser:
      if (!inode.is(kTypeRegular) && !inode.is(kTypeDirectory)) return writes ? kEPERM : kENODATA;
      if (writes && inode.is(kTypeDirectory) && (inode.permissions & kSticky) != 0 &&
          !OwnsOrPrivileged(inode, who)) {
        return kEPERM;
      }
      return MayAccess(inode, who, writes ? kMayWrite : kMayRead) ? Errno{} : kEACCES;
    case Space::kNone:
      break;
  }
  return kEOPNOTSUPP;
}

Errno CheckName(const Inode& inode, std::string_view name) {
  if (!HasAttributes(inode)) return kEOPNOTSUPP;
  const auto* const row = std::ranges::find_if(
      kSpaces, [name](const SpaceRow& r) { return name.starts_with(r.prefix); });
  if (row == std::end(kSpaces)) return kEOPNOTSUPP;
  return name.size() == row->prefix.size() ? kEINVAL : Errno{};
}

Result<std::string, Errno> ReadName(Task& task, PathPtr name) {
  auto text = task.memory().ReadString(name.address, kMostNameBytes + 1, kERANGE);
  if (text && text->empty()) return std::unexpected(kERANGE);
  return text;
}

std::size_t SizeOf(const Inode& inode) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : inode.attributes) bytes += name.size() + value.size();
  return bytes;
}

SyscallResult Set(Task& task, Inode& inode, PathPtr name, Address value, std::uint64_t size,
                  std::uint64_t flags) {
  if ((flags & ~std::uint64_t{kXattrCreate | kXattrReplace}) != 0) return kEINVAL;
  const auto text = ReadName(task, name);
  if (!text) return text.error();
  if (size > kMostValueBytes) return kE2BIG;
  std::string bytes(static_cast<std::size_t>(size), '\0');
  const auto read = task.memory().ReadBytes(value.value, std::as_writable_bytes(std::span(bytes)));
  if (!read) return read.error();
  if (*text == kFileCapabilitiesName && !bytes.empty()) {
    auto kept = KeptFileCapabilities(std::move(bytes));
    if (!kept) return kEINVAL;
    bytes = std::move(*kept);
  }
  if (inode.LiesOn(kVolumeReadOnly)) return kEROFS;
  if (const Errno error = MayUse(task, inode, *text, true); error != Errno{}) return error;
  if (const Errno error = CheckName(inode, *text); error != Errno{}) return error;
  const auto found = inode.attributes.find(*text);
  const bool there = found != inode.attributes.end();
  if (there && (flags & kXattrCreate) != 0) return kEEXIST;
  if (!there && (flags & kXattrReplace) != 0) return kENODATA;
  const std::size_t before = there ? text->size() + found->second.size() : 0;
  const std::size_t after = text->size() + bytes.size();
  if (SizeOf(inode) - before + after > kMostOfInodeBytes) return kENOSPC;
  if (after > before && !inode.ChargeDisk(after - before)) return kENOSPC;
  if (after < before) inode.ReleaseDisk(before - after);
  inode.attributes[*text] = std::move(bytes);
  inode.TouchChanged();
  return 0;
}

SyscallResult Get(Task& task, Inode& inode, PathPtr name, Address value, std::uint64_t size) {
  const auto text = ReadName(task, name);
  if (!text) return text.error();
  if (const Errno error = MayUse(task, inode, *text, false); error != Errno{}) return error;
  if (const Errno error = CheckName(inode, *text); error != Errno{}) return error;
  const auto found = inode.attributes.find(*text);
  if (found == inode.attributes.end()) return kENODATA;
  const std::string& bytes = found->second;
  if (size != 0) {
    if (size < bytes.size()) return kERANGE;
    const auto written = task.memory().WriteBytes(value.value, std::as_bytes(std::span(bytes)));
    if (!written) return written.error();
  }
  return static_cast<std::int64_t>(bytes.size());
}

SyscallResult List(Task& task, Inode& inode, Address list, std::uint64_t size) {
  if (!HasAttributes(inode)) return kEOPNOTSUPP;
  std::string names;
  for (const auto& [name, value] : inode.attributes) {
    if (SpaceOf(name) == Space::kTrusted && !task.credentials.Can(Capability::kSysAdmin)) continue;
    names += name;
    names += '\0';
  }
  if (size != 0) {
    if (size < names.size()) return kERANGE;
    const auto written = task.memory().WriteBytes(list.value, std::as_bytes(std::span(names)));
    if (!written) return written.error();
  }
  return static_cast<std::int64_t>(names.size());
}

SyscallResult Remove(Task& task, Inode& inode, PathPtr name) {
  const auto text = ReadName(task, name);
  if (!text) return text.error();
  if (inode.LiesOn(kVolumeReadOnly)) return kEROFS;
  if (const Errno error = MayUse(task, inode, *text, true); error != Errno{}) return error;
  if (const Errno error = CheckName(inode, *text); error != Errno{}) return error;
  const auto found = inode.attributes.find(*text);
  if (found == inode.attributes.end()) return kENODATA;
  inode.ReleaseDisk(found->first.size() + found->second.size());
  inode.attributes.erase(found);
  inode.TouchChanged();
  return 0;
}

// Does `use(inode)` with what a path or a descriptor names.
template <typename Use>
SyscallResult WithPath(Task& task, PathPtr path, bool follow, Use use) {
  const auto ref = Locate(task, {kAtFdCwd}, path, follow, false);
  return ref ? use(*ref->inode) : SyscallResult(ref.error());
}
template <typename Use>
SyscallResult WithFile(Task& task, Fd fd, Use use) {
  const auto file = FileOf(task, fd);
  return file ? use((*file)->inode()) : SyscallResult(file.error());
}

}  // namespace

SyscallResult SysSetxattr(Task& task, PathPtr path, PathPtr name, Address value, Size size,
                          XattrFlags flags) {
  return WithPath(task, path, true, [&](Inode& inode) {
    return Set(task, inode, name, value, size.value, flags.value);
  });
}
SyscallResult SysLsetxattr(Task& task, PathPtr path, PathPtr name, Address value, Size size,
                           XattrFlags flags) {
  return WithPath(task, path, false, [&](Inode& inode) {
    return Set(task, inode, name, value, size.value, flags.value);
  });
}
SyscallResult SysFsetxattr(Task& task, Fd fd, PathPtr name, Address value, Size size,
                           XattrFlags flags) {
  return WithFile(task, fd, [&](Inode& inode) {
    return Set(task, inode, name, value, size.value, flags.value);
  });
}
SyscallResult SysGetxattr(Task& task, PathPtr path, PathPtr name, Address value, Size size) {
  return WithPath(task, path, true,
                  [&](Inode& inode) { return Get(task, inode, name, value, size.value); });
}
SyscallResult SysLgetxattr(Task& task, PathPtr path, PathPtr name, Address value, Size size) {
  return WithPath(task, path, false,
                  [&](Inode& inode) { return Get(task, inode, name, value, size.value); });
}
SyscallResult SysFgetxattr(Task& task, Fd fd, PathPtr name, Address value, Size size) {
  return WithFile(task, fd,
                  [&](Inode& inode) { return Get(task, inode, name, value, size.value); });
}
SyscallResult SysListxattr(Task& task, PathPtr path, Address list, Size size) {
  return WithPath(task, path, true,
                  [&](Inode& inode) { return List(task, inode, list, size.value); });
}
SyscallResult SysLlistxattr(Task& task, PathPtr path, Address list, Size size) {
  return WithPath(task, path, false,
                  [&](Inode& inode) { return List(task, inode, list, size.value); });
}
SyscallResult SysFlistxattr(Task& task, Fd fd, Address list, Size size) {
  return WithFile(task, fd, [&](Inode& inode) { return List(task, inode, list, size.value); });
}
SyscallResult SysRemovexattr(Task& task, PathPtr path, PathPtr name) {
  return WithPath(task, path, true, [&](Inode& inode) { return Remove(task, inode, name); });
}
SyscallResult SysLremovexattr(Task& task, PathPtr path, PathPtr name) {
  return WithPath(task, path, false, [&](Inode& inode) { return Remove(task, inode, name); });
}
SyscallResult SysFremovexattr(Task& task, Fd fd, PathPtr name) {
  return WithFile(task, fd, [&](Inode& inode) { return Remove(task, inode, name); });
}

}  // namespace glovebox::engine
