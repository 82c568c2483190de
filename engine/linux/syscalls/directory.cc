// Names: mkdir(2), link(2), unlink(2), rename(2), getdents64(2), chdir(2) and their kin.
#include <algorithm>
#include <cstring>

#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/net/socket_inode.h"
#include "engine/vfs/device.h"
#include "engine/vfs/node_watch.h"

namespace glovebox::engine {
namespace {

Result<Resolved, Errno> ResolveNew(Task& task, DirFd dirfd, PathPtr path) {
  ResolveOptions options;
  options.follow_last = false;
  options.may_be_missing = true;
  return task.ResolveGuest(dirfd.value, path, options);
}

Result<Resolved, Errno> ResolveExisting(Task& task, DirFd dirfd, PathPtr path) {
  ResolveOptions options;
  options.follow_last = false;
  return task.ResolveGuest(dirfd.value, path, options);
}

SyscallResult MakeNode(Task& task, DirFd dirfd, PathPtr path, std::uint32_t mode,
                       std::uint64_t device) {
  const std::uint32_t type = mode & kTypeMask;
  const bool fifo = type == kTypeFifo;
  const bool regular = type == kTypeRegular || type == 0;
  const bool special = type == kTypeCharDevice || type == kTypeBlockDevice;
  if (type == kTypeDirectory) return kEPERM;
  if (!fifo && !regular && !special && type != kTypeSocket) return kEINVAL;
  const auto at = ResolveNew(task, dirfd, path);
  if (!at) return at.error();
  const std::uint32_t permissions = mode & 07777 & ~task.fs().umask;
  if (fifo) return FromResult(task.kernel.files().MakeFifo(*at, permissions, task.credentials));
  if (type == kTypeSocket) {
    const auto node =
        std::make_shared<net::SocketInode>(task.kernel.services(), permissions, kRootDevice);
    return FromResult(task.kernel.files().MakeNode(*at, node, task.credentials));
  }
  if (special) {
    // An overlay's whiteout, 0:0, is for everybody: mknod(2).
    const bool whiteout = type == kTypeCharDevice && device == 0;
    if (!at->ref.inode && !whiteout && !task.credentials.Can(Capability::kMknod)) return kEPERM;
    const auto node = MakeSpecialInode(task.kernel.services(), static_cast<FileType>(type),
                                       permissions, static_cast<std::uint32_t>(device));
    return FromResult(task.kernel.files().MakeNode(*at, node, task.credentials));
  }
  const auto made = task.kernel.files().MakeFile(*at, permissions, task.credentials);
  return made ? SyscallResult(0) : SyscallResult(made.error() == kEISDIR ? kENOENT : made.error());
}

SyscallResult MakeLink(Task& task, DirFd from_dir, PathPtr from, DirFd to_dir, PathPtr to,
                       AtFlags flags) {
  if (flags.HasOther(kAtFollow | kAtEmptyPath)) return kEINVAL;
  // AT_EMPTY_PATH is for those with CAP_DAC_READ_SEARCH.
  if (flags.Has(kAtEmptyPath) && !task.credentials.Can(Capability::kDacReadSearch)) return kENOENT;
  const auto source = Locate(task, from_dir, from, flags.Has(kAtFollow), flags.Has(kAtEmptyPath));
  if (!source) return source.error();
  const auto target = ResolveNew(task, to_dir, to);
  if (!target) return target.error();
  return FromResult(task.kernel.files().Link(source->inode, *target, task.credentials));
}

SyscallResult Rename(Task& task, DirFd from_dir, PathPtr from, DirFd to_dir, PathPtr to,
                     std::uint64_t flags) {
  constexpr std::uint64_t kWhiteout = 4;
  if ((flags & ~std::uint64_t{kRenameNoReplace | kRenameExchange}) != 0) return kEINVAL;
  if ((flags & kRenameExchange) != 0 && (flags & (kRenameNoReplace | kWhiteout)) != 0)
    return kEINVAL;
  const auto source = ResolveExisting(task, from_dir, from);
  if (!source) return source.error();
  const auto target = ResolveNew(task, to_dir, to);
  if (!target) return target.error();
  return FromResult(task.kernel.files().Rename(*source, *target, static_cast<std::uint32_t>(flags),
                                               task.credentials));
}

SyscallResult ReadLink(Task& task, DirFd dirfd, PathPtr path, GuestAddr buffer, std::int32_t size) {
  if (size <= 0) return kEINVAL;
  const auto ref = Locate(task, dirfd, path, false, dirfd.value != kAtFdCwd);
  if (!ref) return ref.error();
  auto* link = dynamic_cast<Symlink*>(ref->inode.get());
  if (link == nullptr) return kEINVAL;
  const auto target = link->Target();
  if (!target) return target.error();
  link->TouchAccessed();
  const auto bytes = std::as_bytes(std::span(*target))
                         .first(std::min(target->size(), static_cast<std::size_t>(size)));
  if (const auto ok = task.memory().WriteBytes(buffer, bytes); !ok) return ok.error();
  return static_cast<std::int64_t>(bytes.size());
}

constexpr std::uint8_t DirentType(FileType type) { return static_cast<std::uint8_t>(type >> 12); }

// A record is inode, offset, its size, and the name with its NUL: in getdents64 with the type
// before the name, in the old getdents, whose numbers are as wide as the ABI's words, in its last
// byte.
struct DirentForm {
  std::size_t word_bytes;
  bool type_last;
};
constexpr DirentForm kDirent64{8, false};

std::vector<std::byte> EncodeEntry(const DirectoryEntry& entry, DirentForm form) {
  const std::size_t name_at = 2 * form.word_bytes + 2 + (form.type_last ? 0 : 1);
  const std::size_t tail = form.type_last ? 2 : 1;
  const std::size_t size = (name_at + entry.name.size() + tail + form.word_bytes - 1) /
                           form.word_bytes * form.word_bytes;
  std::vector<std::byte> record(size);
  const auto record_bytes = static_cast<std::uint16_t>(size);
  std::memcpy(record.data(), &entry.inode_number, form.word_bytes);
  std::memcpy(record.data() + form.word_bytes, &entry.next_cookie, form.word_bytes);
  std::memcpy(record.data() + 2 * form.word_bytes, &record_bytes, 2);
  std::memcpy(record.data() + name_at, entry.name.data(), entry.name.size());
  record[form.type_last ? size - 1 : name_at - 1] = std::byte{DirentType(entry.type)};
  return record;
}

SyscallResult ListDirectory(Task& task, Fd fd, GuestAddr buffer, std::uint32_t size,
                            DirentForm form) {
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  auto* directory = dynamic_cast<OpenDirectory*>(file->get());
  if (directory == nullptr) return kENOTDIR;
  constexpr std::size_t kBatch = 256;
  std::uint64_t done = 0;
  while (true) {
    const auto entries = directory->Entries(kBatch);
    if (!entries) return entries.error();
    for (const DirectoryEntry& entry : *entries) {
      const auto record = EncodeEntry(entry, form);
      if (record.size() > size - done) {
        if (done == 0) return kEINVAL;
        task.kernel.SpendOnBytes(done);
        return static_cast<std::int64_t>(done);
      }
      if (const auto ok = task.memory().WriteBytes(buffer + done, record); !ok) {
        if (done == 0) return ok.error();
        return static_cast<std::int64_t>(done);
      }
      done += record.size();
      directory->offset = entry.next_cookie;
    }
    if (entries->size() < kBatch) break;
  }
  directory->inode().TouchAccessed();
  TellFile(directory->path(), kNodeAccess);
  task.kernel.SpendOnBytes(done);
  return static_cast<std::int64_t>(done);
}

SyscallResult ChangeDirectory(Task& task, const std::shared_ptr<Inode>& inode,
                              std::shared_ptr<Directory>& which) {
  if (!inode->is(kTypeDirectory)) return kENOTDIR;
  if (!MayAccess(*inode, task.credentials, kMayExecute)) return kEACCES;
  which = std::static_pointer_cast<Directory>(inode);
  return 0;
}

constexpr DirFd kCwd{kAtFdCwd};

}  // namespace

SyscallResult SysMkdirat(Task& task, DirFd dirfd, PathPtr path, FileMode mode) {
  const auto at = ResolveNew(task, dirfd, path);
  if (!at) return at.error();
  return FromResult(
      task.kernel.files().MakeDirectory(*at, mode.value & ~task.fs().umask, task.credentials));
}
SyscallResult SysMkdir(Task& task, PathPtr path, FileMode mode) {
  return SysMkdirat(task, kCwd, path, mode);
}

SyscallResult SysMknodat(Task& task, DirFd dirfd, PathPtr path, FileMode mode, Hex device) {
  return MakeNode(task, dirfd, path, mode.value, device.value);
}
SyscallResult SysMknod(Task& task, PathPtr path, FileMode mode, Hex device) {
  return MakeNode(task, kCwd, path, mode.value, device.value);
}

SyscallResult SysUnlinkat(Task& task, DirFd dirfd, PathPtr path, AtFlags flags) {
  if (flags.HasOther(kAtRemoveDirectory)) return kEINVAL;
  const auto at = ResolveExisting(task, dirfd, path);
  if (!at) return at.error();
  Filesystem& files = task.kernel.files();
  return FromResult(flags.Has(kAtRemoveDirectory) ? files.RemoveDirectory(*at, task.credentials)
                                                  : files.Unlink(*at, task.credentials));
}
SyscallResult SysUnlink(Task& task, PathPtr path) { return SysUnlinkat(task, kCwd, path, {0}); }
SyscallResult SysRmdir(Task& task, PathPtr path) {
  return SysUnlinkat(task, kCwd, path, {kAtRemoveDirectory});
}

SyscallResult SysLinkat(Task& task, DirFd from_dir, PathPtr from, DirFd to_dir, PathPtr to,
                        AtFlags flags) {
  return MakeLink(task, from_dir, from, to_dir, to, flags);
}
SyscallResult SysLink(Task& task, PathPtr from, PathPtr to) {
  return MakeLink(task, kCwd, from, kCwd, to, {0});
}

SyscallResult SysSymlinkat(Task& task, PathPtr target, DirFd dirfd, PathPtr path) {
  const auto text = task.memory().ReadString(target.address, kPathMaxBytes, kENAMETOOLONG);
  if (!text) return text.error();
  if (text->empty()) return kENOENT;
  const auto at = ResolveNew(task, dirfd, path);
  if (!at) return at.error();
  return FromResult(task.kernel.files().MakeSymlink(*at, *text, task.credentials));
}
SyscallResult SysSymlink(Task& task, PathPtr target, PathPtr path) {
  return SysSymlinkat(task, target, kCwd, path);
}

SyscallResult SysReadlinkat(Task& task, DirFd dirfd, PathPtr path, OutBuffer buffer, int size) {
  return ReadLink(task, dirfd, path, buffer.address, size);
}
SyscallResult SysReadlink(Task& task, PathPtr path, OutBuffer buffer, int size) {
  return ReadLink(task, kCwd, path, buffer.address, size);
}

SyscallResult SysRenameat2(Task& task, DirFd from_dir, PathPtr from, DirFd to_dir, PathPtr to,
                           RenameFlags flags) {
  return Rename(task, from_dir, from, to_dir, to, flags.value);
}
SyscallResult SysRenameat(Task& task, DirFd from_dir, PathPtr from, DirFd to_dir, PathPtr to) {
  return Rename(task, from_dir, from, to_dir, to, 0);
}
SyscallResult SysRename(Task& task, PathPtr from, PathPtr to) {
  return Rename(task, kCwd, from, kCwd, to, 0);
}

SyscallResult SysGetdents64(Task& task, Fd fd, Address buffer, std::uint32_t size) {
  return ListDirectory(task, fd, buffer.value, size, kDirent64);
}
SyscallResult SysGetdents(Task& task, Fd fd, Address buffer, std::uint32_t size) {
  return ListDirectory(task, fd, buffer.value, size, {abi::WordBytes(task.call->layout), true});
}

SyscallResult SysChdir(Task& task, PathPtr path) {
  const auto at = task.ResolveGuest(kAtFdCwd, path, {});
  if (!at) return at.error();
  return ChangeDirectory(task, at->ref.inode, task.fs().working_directory);
}

SyscallResult SysFchdir(Task& task, Fd fd) {
  const auto file = FileOrPathOf(task, fd);
  if (!file) return file.error();
  return ChangeDirectory(task, (*file)->path().inode, task.fs().working_directory);
}

SyscallResult SysChroot(Task& task, PathPtr path) {
  const auto at = task.ResolveGuest(kAtFdCwd, path, {});
  if (!at) return at.error();
  if (!at->ref.inode->is(kTypeDirectory)) return kENOTDIR;
  if (!task.credentials.Can(Capability::kSysChroot)) return kEPERM;
  return ChangeDirectory(task, at->ref.inode, task.fs().root);
}

SyscallResult SysGetcwd(Task& task, OutText buffer, Size size) {
  const auto path = PathOf(task.fs().root, task.fs().working_directory);
  if (!path) return path.error();
  if (path->size() + 1 > size.value) return kERANGE;
  const auto bytes = std::as_bytes(std::span(path->c_str(), path->size() + 1));
  if (const auto ok = task.memory().WriteBytes(buffer.address, bytes); !ok) return ok.error();
  return static_cast<std::int64_t>(bytes.size());
}

}  // namespace glovebox::engine
