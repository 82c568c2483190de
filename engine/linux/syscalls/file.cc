// Descriptors: open(2), close(2), dup(2), fcntl(2), pipe(2), ioctl(2).
#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "engine/linux/directory_notice.h"
#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/syscalls/locks.h"
#include "engine/linux/syscalls/sockets.h"
#include "engine/linux/tty/ioctls.h"
#include "engine/vfs/node_watch.h"
#include "engine/vfs/pipe.h"

namespace glovebox::engine {
namespace {

// What open(2) ignores and what it knows: fs/fcntl.c, VALID_OPEN_FLAGS.
constexpr int kKnownOpenFlags = 03 | kOpenCreate | kOpenExclusive | kOpenNoCtty | kOpenTruncate |
                                kOpenAppend | kOpenNonblock | kOpenSync | kOpenAsync | kOpenDirect |
                                kOpenLargeFile | kOpenDirectory | kOpenNoFollow | kOpenNoAtime |
                                kOpenCloseOnExec | kOpenPath | kOpenTmpFile;
constexpr int kTmpFileBit = kOpenTmpFile & ~kOpenDirectory;
// Those that an open description keeps: fcntl(2), F_GETFL.
constexpr int kNotKept =
    kOpenCreate | kOpenExclusive | kOpenNoCtty | kOpenTruncate | kOpenCloseOnExec;

struct OpenRequest {
  int flags;
  std::uint32_t mode;
  ResolveOptions options;
};

std::uint32_t WantedAccess(int flags) {
  switch (flags & kOpenAccessMode) {
    case kOpenReadOnly:
      return kMayRead | ((flags & kOpenTruncate) != 0 ? kMayWrite : 0u);
    case kOpenWriteOnly:
      return kMayWrite;
    default:
      return kMayRead | kMayWrite;
  }
}

// The checks of an existing node: fs/namei.c, do_open and may_open.
Result<void, Errno> CheckOpen(const Task& task, const Inode& inode, int flags) {
  if ((flags & kOpenDirectory) != 0 && !inode.is(kTypeDirectory)) return std::unexpected(kENOTDIR);
  if (inode.is(kTypeSymlink)) return std::unexpected(kELOOP);
  const std::uint32_t wanted = WantedAccess(flags);
  if (inode.is(kTypeDirectory) && ((wanted & kMayWrite) != 0 || (flags & kOpenCreate) != 0)) {
    return std::unexpected(kEISDIR);
  }
  // Devices and pipes do not lie there: fs/namei.c, sb_permission.
  if ((wanted & kMayWrite) != 0 && inode.is(kTypeRegular) && inode.LiesOn(kVolumeReadOnly))
    return std::unexpected(kEROFS);
  if ((inode.is(kTypeCharDevice) || inode.is(kTypeBlockDevice)) && inode.LiesOn(kVolumeNoDevices))
    return std::unexpected(kEACCES);
  if (!MayAccess(inode, task.credentials, wanted)) return std::unexpected(kEACCES);
  if ((flags & kOpenNoAtime) != 0 && !OwnsOrPrivileged(inode, task.credentials))
    return std::unexpected(kEPERM);
  if (inode.is(kTypeRegular) && (flags & kOpenLargeFile) == 0 &&
      inode.size_bytes() > kMaxSmallFileBytes) {
    return std::unexpected(kEOVERFLOW);
  }
  return {};
}

SyscallResult Install(Task& task, std::shared_ptr<OpenFile> file, bool close_on_exec) {
  const auto fd = task.fds().Add(std::move(file), close_on_exec, task.open_file_limit());
  return fd ? SyscallResult(*fd) : SyscallResult(fd.error());
}

// Goes on with a file that is open already, once it is connected.
SyscallResult FinishOpen(Task& task, int flags) {
  const std::shared_ptr<OpenFile> file = task.call->opening;
  if (const auto connected = file->Connected(); !connected)
    return BlockOrFail(*file, connected.error());
  tty::AdoptOnOpen(task, *file, flags);
  const SyscallResult fd = Install(task, file, (flags & kOpenCloseOnExec) != 0);
  if (fd.value() >= 0) TellFile(file->path(), kNodeOpen);
  return fd;
}

SyscallResult OpenNode(Task& task, const PathRef& ref, int flags) {
  auto file = ref.inode->Open(ref, flags & ~kNotKept);
  if (!file) return file.error().error;
  task.call->opening = std::move(*file);
  return FinishOpen(task, flags);
}

SyscallResult OpenTmpFile(Task& task, Resolved& at, int flags, std::uint32_t mode) {
  if (!at.ref.inode->is(kTypeDirectory)) return kENOTDIR;
  if ((flags & kOpenAccessMode) == kOpenReadOnly) return kEINVAL;
  auto& directory = static_cast<Directory&>(*at.ref.inode);
  const auto file = task.kernel.files().MakeNameless(directory, mode, task.credentials);
  if (!file) return file.error();
  const std::string name = "#" + std::to_string((*file)->number);
  (*file)->may_get_name = (flags & kOpenExclusive) == 0;
  return OpenNode(task, {*file, directory.SharedDirectory(), name}, flags);
}

SyscallResult Open(Task& task, int dirfd, PathPtr path, OpenRequest request) {
  int flags = request.flags & kKnownOpenFlags;
  if (task.call->opening) return FinishOpen(task, flags);
  // 64-bit programs open every file as a large one: fs/open.c, force_o_largefile.
  if (!abi::IsI386(task.call->layout)) flags |= kOpenLargeFile;
  if ((flags & kOpenPath) != 0)
    flags &= kOpenPath | kOpenDirectory | kOpenNoFollow | kOpenCloseOnExec;
  const bool tmp_file = (flags & kTmpFileBit) != 0;
  if (tmp_file && (flags & kOpenDirectory) == 0) return kEINVAL;
  const bool creates = (flags & kOpenCreate) != 0 && !tmp_file;
  if (creates && (flags & kOpenDirectory) != 0) flags &= ~kOpenDirectory;
  ResolveOptions options = request.options;
  options.follow_last = (flags & kOpenNoFollow) == 0 && !(creates && (flags & kOpenExclusive) != 0);
  options.may_be_missing = creates;
  // The descriptor is reserved before the path is looked at: EMFILE wins over ENOENT.
  if (!task.fds().HasFree(task.open_file_limit())) return kEMFILE;
  auto resolved = task.ResolveGuest(dirfd, path, options);
  if (!resolved) return resolved.error();
  const std::uint32_t mode = request.mode & 07777 & ~task.fs().umask;
  if (tmp_file) return OpenTmpFile(task, *resolved, flags, mode);
  if ((flags & kOpenPath) != 0) {
    if ((flags & kOpenDirectory) != 0 && !resolved->ref.inode->is(kTypeDirectory)) return kENOTDIR;
    return Install(task, std::make_shared<OpenPathOnly>(resolved->ref, flags & ~kOpenCloseOnExec),
                   (flags & kOpenCloseOnExec) != 0);
  }
  if (!resolved->ref.inode) {
    auto made = task.kernel.files().MakeFile(*resolved, mode, task.credentials);
    if (!made) return made.error();
    resolved->ref.inode = std::move(*made);
    return OpenNode(task, resolved->ref, flags);  // whatever its mode: open(2)
  }
  if (creates && (flags & kOpenExclusive) != 0) return kEEXIST;
  if (const auto ok = CheckOpen(task, *resolved->ref.inode, flags); !ok) return ok.error();
  if ((flags & kOpenTruncate) != 0 && resolved->ref.inode->is(kTypeRegular)) {
    // What is made up (/proc) has no length to cut.
    if (const auto cut = task.kernel.files().Truncate(*resolved->ref.inode, 0, task.credentials);
        !cut && cut.error() != kEINVAL) {
      return cut.error();
    } else if (cut) {
      TellFile(resolved->ref, kNodeModify);
    }
  }
  return OpenNode(task, resolved->ref, flags);
}

SyscallResult Duplicate(Task& task, int fd, std::uint64_t least, bool close_on_exec) {
  auto file = task.fds().Get(fd);
  if (!file) return kEBADF;
  if (least >= task.open_file_limit()) return kEINVAL;
  const auto made = task.fds().Add(std::move(file), close_on_exec, task.open_file_limit(),
                                   static_cast<int>(least));
  return made ? SyscallResult(*made) : SyscallResult(made.error());
}

SyscallResult DuplicateTo(Task& task, int from, int to, bool close_on_exec) {
  auto file = task.fds().Get(from);
  if (!file) return kEBADF;
  if (to < 0 || static_cast<std::uint64_t>(to) >= task.open_file_limit()) return kEBADF;
  task.fds().Put(to, {std::move(file), close_on_exec});
  return to;
}

SyscallResult MakePipe(Task& task, GuestPtr<std::int32_t> fds, int flags) {
  if ((flags & ~(kOpenCloseOnExec | kOpenNonblock | kOpenDirect)) != 0) return kEINVAL;
  const auto inode = std::make_shared<PipeInode>(task.kernel.services(), 0600, kPipeDevice);
  // pipe(2), ENFILE: the limit on memory for pipes. Here it is the disk limit.
  if (!inode->ChargeDisk(Pipe::kCapacityBytes)) return kENFILE;
  inode->uid = task.credentials.fsuid;
  inode->gid = task.credentials.fsgid;
  const int kept = flags & ~kOpenCloseOnExec;
  const bool close_on_exec = (flags & kOpenCloseOnExec) != 0;
  const auto read_end =
      task.fds().Add(inode->OpenEnd(kOpenReadOnly | kept), close_on_exec, task.open_file_limit());
  if (!read_end) return read_end.error();
  const auto write_end =
      task.fds().Add(inode->OpenEnd(kOpenWriteOnly | kept), close_on_exec, task.open_file_limit());
  if (!write_end) {
    task.fds().Close(*read_end);
    return write_end.error();
  }
  for (const auto& [index, fd] : {std::pair(0, *read_end), std::pair(1, *write_end)}) {
    if (const auto ok = task.memory().Write(fds + static_cast<std::uint64_t>(index), fd); !ok) {
      task.fds().Close(*read_end);
      task.fds().Close(*write_end);
      return ok.error();
    }
  }
  return 0;
}

enum FcntlNumber : int {
  kDupFd = 0,
  kGetFd,
  kSetFd,
  kGetFlags,
  kSetFlags,
  kSetOwner = 8,
  kGetOwner,
  kSetSignal,
  kGetSignal,
  kSetOwnerEx = 15,
  kGetOwnerEx,
  kSetLease = 1024,
  kGetLease,
  kNotifyDirectory,
  kDupFdCloexec = 1030,
  kSetPipeSize,
  kGetPipeSize,
  kAddSeals,
  kGetSeals,
};

// Who is told of a file's events: fcntl(2), "Managing signals".
SyscallResult OwnerCommand(Task& task, OpenFile& file, int command, std::uint64_t argument) {
  using Kind = AsyncNotice::OwnerKind;
  struct OwnerEx {
    std::int32_t type, pid;
  };
  AsyncNotice& notice = AsyncNotice::Of(task.kernel, file);
  const auto number = static_cast<std::int32_t>(argument);
  const auto exists = [&](Kind kind, int id) {
    if (kind != Kind::kGroup) return task.kernel.processes().FindTask(id) != nullptr;
    return std::ranges::any_of(task.kernel.processes().tasks(), [id](const auto& row) {
      return static_cast<int>(row.second->process.group) == id;
    });
  };
  const auto set = [&](Kind kind, int id) -> SyscallResult {
    if (id != 0 && !exists(kind, id)) return kESRCH;
    notice.kind = kind;
    notice.owner = id;
    return 0;
  };
  switch (command) {
    case kSetOwner:
      if (number == std::numeric_limits<std::int32_t>::min()) return kEINVAL;
      return number < 0 ? set(Kind::kGroup, -number) : set(Kind::kProcess, number);
    case kGetOwner:
      return notice.kind == Kind::kGroup ? -notice.owner : notice.owner;
    case kSetSignal:
      if (argument > kSignalCount) return kEINVAL;
      notice.signal = number;
      return 0;
    case kGetSignal:
      return notice.signal;
    case kSetOwnerEx: {
      const auto asked = task.memory().Read(GuestPtr<const OwnerEx>{argument});
      if (!asked) return asked.error();
      if (asked->type < 0 || asked->type > 2) return kEINVAL;
      return set(static_cast<Kind>(asked->type), asked->pid);
    }
    default:
      return FromResult(task.memory().Write(
          GuestPtr<OwnerEx>{argument}, {static_cast<std::int32_t>(notice.kind), notice.owner}));
  }
}

// fs/pipe.c, pipe_set_size: a power of two of pages.
SyscallResult ResizePipe(Task& task, PipeInode& inode, std::uint64_t wanted) {
  constexpr std::uint64_t kMostOfPrivileged = std::uint64_t{1} << 31;
  Pipe& pipe = *inode.pipe();
  wanted = static_cast<std::uint32_t>(wanted);
  if (wanted > kMostOfPrivileged) return kEINVAL;
  const std::uint64_t size = std::bit_ceil(std::max<std::uint64_t>(wanted, kPageSize));
  const std::uint64_t now = pipe.capacity();
  if (size > now && size > Pipe::kMostBytes && !task.credentials.Can(Capability::kSysResource))
    return kEPERM;
  if (size < pipe.size()) return kEBUSY;
  if (size > now && !inode.ChargeDisk(size - now)) return kENOMEM;
  if (size < now) inode.ReleaseDisk(now - size);
  pipe.SetCapacity(static_cast<std::size_t>(size));
  return static_cast<std::int64_t>(size);
}

}  // namespace

SyscallResult SysOpen(Task& task, PathPtr path, OpenFlags flags, FileMode mode) {
  return Open(task, kAtFdCwd, path, {static_cast<int>(flags.value), mode.value, {}});
}

SyscallResult SysCreat(Task& task, PathPtr path, FileMode mode) {
  return Open(task, kAtFdCwd, path, {kOpenCreate | kOpenWriteOnly | kOpenTruncate, mode.value, {}});
}

SyscallResult SysOpenat(Task& task, DirFd dirfd, PathPtr path, OpenFlags flags, FileMode mode) {
  return Open(task, dirfd.value, path, {static_cast<int>(flags.value), mode.value, {}});
}

// openat2(2): as openat, but what it does not know it refuses.
SyscallResult SysOpenat2(Task& task, DirFd dirfd, PathPtr path, GuestPtr<const abi::OpenHow> how,
                         Size size) {
  if (size.value < sizeof(abi::OpenHow)) return kEINVAL;
  if (size.value > kPageSize) return kE2BIG;
  // What a later version of the structure says must be nothing.
  std::vector<std::byte> rest(static_cast<std::size_t>(size.value) - sizeof(abi::OpenHow));
  if (const auto ok = task.memory().ReadBytes(how.address + sizeof(abi::OpenHow), rest);
      !rest.empty() && !ok) {
    return ok.error();
  }
  if (std::ranges::any_of(rest, [](std::byte byte) { return byte != std::byte{0}; })) return kE2BIG;
  const auto value = task.memory().Read(how);
  if (!value) return value.error();
  if ((value->flags & ~static_cast<std::uint64_t>(kKnownOpenFlags)) != 0 ||
      (value->mode & ~07777ull) != 0)
    return kEINVAL;
  if (value->mode != 0 &&
      (value->flags & (kOpenCreate | static_cast<std::uint64_t>(kTmpFileBit))) == 0)
    return kEINVAL;
  // RESOLVE_CACHED, 32, asks for what is in memory already: here everything is.
  constexpr std::uint64_t kNoXdev = 1, kNoMagicLinks = 2, kNoSymlinks = 4, kBeneath = 8,
                          kInRoot = 16, kCached = 32;
  const std::uint64_t how_to = value->resolve;
  if ((how_to & ~(kNoXdev | kNoMagicLinks | kNoSymlinks | kBeneath | kInRoot | kCached)) != 0)
    return kEINVAL;
  if ((how_to & (kBeneath | kInRoot)) == (kBeneath | kInRoot)) return kEINVAL;
  if ((how_to & kCached) != 0 &&
      (value->flags & (kOpenTruncate | kOpenCreate | static_cast<std::uint64_t>(kTmpFileBit))) != 0)
    return kEAGAIN;
  OpenRequest request{static_cast<int>(value->flags), static_cast<std::uint32_t>(value->mode), {}};
  request.options.no_symlinks = (how_to & kNoSymlinks) != 0;
  request.options.no_magic_links = (how_to & kNoMagicLinks) != 0;
  request.options.same_device = (how_to & kNoXdev) != 0;
  request.options.beneath = (how_to & kBeneath) != 0;
  request.options.in_root = (how_to & kInRoot) != 0;
  return Open(task, dirfd.value, path, request);
}

SyscallResult SysClose(Task& task, Fd fd) {
  return task.fds().Close(fd.value) ? SyscallResult(0) : kEBADF;
}

SyscallResult SysCloseRange(Task& task, std::uint32_t first, std::uint32_t last,
                            CloseRangeFlags flags) {
  constexpr std::uint64_t kUnshare = 2, kCloseOnExec = 4;
  if (flags.HasOther(kUnshare | kCloseOnExec) || first > last) return kEINVAL;
  const auto end = std::min<std::uint64_t>(static_cast<std::uint64_t>(last) + 1,
                                           static_cast<std::uint64_t>(task.fds().size()));
  for (std::uint64_t fd = first; fd < end; ++fd) {
    if (!flags.Has(kCloseOnExec)) {
      task.fds().Close(static_cast<int>(fd));
    } else if (auto* slot = task.fds().Find(static_cast<int>(fd))) {
      slot->close_on_exec = true;
    }
  }
  return 0;
}

SyscallResult SysDup(Task& task, Fd fd) { return Duplicate(task, fd.value, 0, false); }

SyscallResult SysDup2(Task& task, Fd from, Fd to) {
  if (from.value == to.value)
    return task.fds().IsOpen(from.value) ? SyscallResult(to.value) : kEBADF;
  return DuplicateTo(task, from.value, to.value, false);
}

SyscallResult SysDup3(Task& task, Fd from, Fd to, OpenFlags flags) {
  if ((flags.value & ~static_cast<std::uint64_t>(kOpenCloseOnExec)) != 0 || from.value == to.value)
    return kEINVAL;
  return DuplicateTo(task, from.value, to.value, flags.value != 0);
}

SyscallResult SysPipe(Task& task, GuestPtr<std::int32_t> fds) { return MakePipe(task, fds, 0); }

SyscallResult SysPipe2(Task& task, GuestPtr<std::int32_t> fds, OpenFlags flags) {
  return MakePipe(task, fds, static_cast<int>(flags.value));
}

SyscallResult SysFcntl(Task& task, Fd fd, FcntlCommand command, Hex argument) {
  const auto file = FileOrPathOf(task, fd);
  if (!file) return file.error();
  FdTable::Slot* slot = task.fds().Find(fd.value);
  switch (command.value) {
    case kDupFd:
    case kDupFdCloexec:
      if (argument.value > std::numeric_limits<std::int32_t>::max()) return kEINVAL;
      return Duplicate(task, fd.value, argument.value, command.value == kDupFdCloexec);
    case kGetFd:
      return slot->close_on_exec ? 1 : 0;
    case kSetFd:
      slot->close_on_exec = (argument.value & 1) != 0;
      return 0;
    case kGetFlags:
      return (*file)->flags();
    default:
      break;
  }
  if ((*file)->path_only()) return kEBADF;
  if (const auto done = LockCommand(task, **file, command.value, argument.value)) return *done;
  switch (command.value) {
    case kSetFlags: {
      constexpr int kSettable =
          kOpenAppend | kOpenNonblock | kOpenAsync | kOpenDirect | kOpenNoAtime;
      const int flags = static_cast<int>(argument.value) & kSettable;
      if ((((*file)->flags() ^ flags) & kOpenAsync) != 0 && (*file)->EventChannel() != nullptr)
        AsyncNotice::Of(task.kernel, **file).Listen((flags & kOpenAsync) != 0, fd.value);
      (*file)->SetFlags(((*file)->flags() & ~kSettable) | flags);
      return 0;
    }
    case kSetOwner:
    case kGetOwner:
    case kSetSignal:
    case kGetSignal:
    case kSetOwnerEx:
    case kGetOwnerEx:
      return OwnerCommand(task, **file, command.value, argument.value);
    case kGetLease: {
      constexpr std::int64_t kUnlocked = 2;
      return kUnlocked;
    }
    case kNotifyDirectory: {
      if (!(*file)->inode().is(kTypeDirectory)) return kENOTDIR;
      AsyncNotice& notice = AsyncNotice::Of(task.kernel, **file);
      const auto mask = static_cast<std::uint32_t>(argument.value);
      DirectoryNotice::Set(notice, (*file)->inode(), mask, fd.value);
      if (!notice.directory) return 0;
      notice.kind = AsyncNotice::OwnerKind::kProcess;
      notice.owner = static_cast<int>(task.process.pid);
      return 0;
    }
    case kSetLease:
      return kEINVAL;  // as on file systems without leases
    case kGetPipeSize:
    case kSetPipeSize: {
      auto* const pipe = dynamic_cast<PipeInode*>(&(*file)->inode());
      if (pipe == nullptr) return kEBADF;
      if (command.value == kSetPipeSize) return ResizePipe(task, *pipe, argument.value);
      return static_cast<std::int64_t>(pipe->pipe()->capacity());
    }
    case kAddSeals:
      return AddSeals(**file, argument.value);
    case kGetSeals:
      return GetSeals(**file);
    default:
      return kEINVAL;
  }
}

SyscallResult SysIoctl(Task& task, Fd fd, IoctlRequest request, Hex argument) {
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  constexpr int kFionread = 0x541b, kFionbio = 0x5421, kFionclex = 0x5450, kFioclex = 0x5451;
  switch (request.value) {
    case kFioclex:
      task.fds().Find(fd.value)->close_on_exec = true;
      return 0;
    case kFionclex:
      task.fds().Find(fd.value)->close_on_exec = false;
      return 0;
    case kFionbio: {
      const auto on = task.memory().Read(GuestPtr<const std::int32_t>{argument.value});
      if (!on) return on.error();
      const int flags = (*file)->flags() & ~kOpenNonblock;
      (*file)->SetFlags(*on != 0 ? flags | kOpenNonblock : flags);
      return 0;
    }
    case kFionread: {
      const auto available = (*file)->Available();
      if (!available) return BlockOrFail(**file, available.error());
      const auto count = static_cast<std::int32_t>(
          std::min<std::uint64_t>(*available, std::numeric_limits<std::int32_t>::max()));
      return FromResult(task.memory().Write(GuestPtr<std::int32_t>{argument.value}, count));
    }
    default:
      if (auto* const socket = dynamic_cast<net::Socket*>(file->get()))
        return SocketIoctl(task, *socket, static_cast<std::uint32_t>(request.value),
                           argument.value);
      return tty::Ioctl(task, *file, static_cast<std::uint32_t>(request.value), argument.value);
  }
}

SyscallResult SysFsync(Task& task, Fd fd) {
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  const bool storage = (*file)->inode().is(kTypeRegular) || (*file)->inode().is(kTypeDirectory);
  return storage ? SyscallResult(0) : kEINVAL;
}

SyscallResult SysSync(Task&) { return 0; }

SyscallResult SysSyncfs(Task& task, Fd fd) {
  const auto file = FileOf(task, fd);
  return file ? SyscallResult(0) : SyscallResult(file.error());
}

SyscallResult SysFadvise64(Task& task, Fd fd, Offset, Size, int advice) {
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  if ((*file)->inode().is(kTypeFifo)) return kESPIPE;
  return advice >= 0 && advice <= 5 ? SyscallResult(0) : kEINVAL;
}

SyscallResult SysReadahead(Task& task, Fd fd, Offset, Size) {
  const auto file = FileOf(task, fd);
  if (!file || !(*file)->readable()) return kEBADF;
  return (*file)->inode().is(kTypeRegular) ? SyscallResult(0) : kEINVAL;
}

// Nothing is ever written back: what is checked is all that happens. sync_file_range(2), "Errors".
SyscallResult SysSyncFileRange(Task& task, Fd fd, Offset offset, Offset length, Hex flags) {
  constexpr std::uint64_t kKnown = 7;
  if ((flags.value & 0xffffffff & ~kKnown) != 0 || offset.value < 0 || length.value < 0 ||
      length.value > std::numeric_limits<std::int64_t>::max() - offset.value) {
    return kEINVAL;
  }
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  const Inode& inode = (*file)->inode();
  return inode.is(kTypeRegular) || inode.is(kTypeDirectory) ? SyscallResult(0) : kESPIPE;
}

SyscallResult SysFtruncate(Task& task, Fd fd, Offset length) {
  if (length.value < 0) return kEINVAL;
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  if (!(*file)->writable() || !(*file)->inode().is(kTypeRegular)) return kEINVAL;
  if (((*file)->flags() & kOpenLargeFile) == 0 &&
      static_cast<std::uint64_t>(length.value) > kMaxSmallFileBytes) {
    return kEINVAL;
  }
  const auto cut = task.kernel.files().Truncate(
      (*file)->inode(), static_cast<std::uint64_t>(length.value), task.credentials);
  if (cut) TellFile((*file)->path(), kNodeModify);
  return FromResult(cut);
}

SyscallResult SysTruncate(Task& task, PathPtr path, Offset length) {
  if (length.value < 0) return kEINVAL;
  const auto resolved = task.ResolveGuest(kAtFdCwd, path, {});
  if (!resolved) return resolved.error();
  Inode& inode = *resolved->ref.inode;
  if (inode.is(kTypeDirectory)) return kEISDIR;
  if (!inode.is(kTypeRegular)) return kEINVAL;
  if (inode.LiesOn(kVolumeReadOnly)) return kEROFS;
  if (!MayAccess(inode, task.credentials, kMayWrite)) return kEACCES;
  const auto cut = task.kernel.files().Truncate(inode, static_cast<std::uint64_t>(length.value),
                                                task.credentials);
  if (cut) TellFile(resolved->ref, kNodeModify);
  return FromResult(cut);
}

SyscallResult SysFallocate(Task& task, Fd fd, FallocateMode mode, Offset offset, Offset length) {
  if (offset.value < 0 || length.value <= 0) return kEINVAL;
  constexpr std::uint64_t kKeepSize = 1, kPunchHole = 2, kZeroRange = 0x10;
  if (mode.HasOther(kKeepSize | kPunchHole | kZeroRange)) return kEOPNOTSUPP;
  if (mode.Has(kPunchHole) && (!mode.Has(kKeepSize) || mode.Has(kZeroRange))) return kEOPNOTSUPP;
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  if (!(*file)->writable()) return kEBADF;
  if ((*file)->inode().is(kTypeFifo)) return kESPIPE;
  if ((*file)->inode().is(kTypeDirectory)) return kEISDIR;
  auto* regular = dynamic_cast<OpenRegular*>(file->get());
  if (regular == nullptr) return kENODEV;
  FileContent& content = regular->file().content;
  const auto from = static_cast<std::uint64_t>(offset.value);
  const auto count = static_cast<std::uint64_t>(length.value);
  const auto done =
      mode.value <= kKeepSize ? content.Allocate(from, count) : content.Punch(from, count);
  if (!done) return done.error();
  if (!mode.Has(kKeepSize) && from + count > content.size_bytes()) {
    if (const auto grown = content.Resize(from + count); !grown) return grown.error();
  }
  regular->inode().TouchModified();
  TellFile(regular->path(), kNodeModify);
  return 0;
}

SyscallResult SysUmask(Task& task, FileMode mask) {
  return static_cast<std::int64_t>(std::exchange(task.fs().umask, mask.value & 0777));
}

}  // namespace glovebox::engine
