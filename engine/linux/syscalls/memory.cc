// The address space: mmap(2), mprotect(2), brk(2), mremap(2) and their kin.
#include <algorithm>
#include <vector>

#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/syscalls/memory_ranges.h"
#include "engine/vfs/device.h"

namespace glovebox::engine {
namespace {

enum MapFlag : std::uint64_t {
  kMapTypeMask = 0xf,
  kMapShared = 1,
  kMapPrivate = 2,
  kMapSharedValidate = 3,
  kMapFixed = 0x10,
  kMapAnonymous = 0x20,
  kMap32Bit = 0x40,
  kMapGrowsDown = 0x100,
  kMapLocked = 0x2000,
  kMapHugeTlb = 0x40000,
  kMapSync = 0x80000,
  kMapFixedNoReplace = 0x100000,
};
// LEGACY_MAP_MASK of linux/mman.h, and MAP_SYNC.
constexpr std::uint64_t kMapKnown = 0x1ffdff | kMapSync;
constexpr GuestAddr kLowestAddress = 65536;  // vm.mmap_min_addr
constexpr std::uint64_t kMaxFileOffset = ~std::uint64_t{0} >> 1;
// mprotect(2): the rest of a mapping that grows.
enum ProtectionGrowth : std::uint64_t { kProtGrowsDown = 0x01000000, kProtGrowsUp = 0x02000000 };

AddressResult FromMap(Task& task, const Result<GuestAddr, MapError>& mapped) {
  if (mapped) return static_cast<std::int64_t>(*mapped);
  return FromMapError(task, mapped.error());
}

SyscallResult MapFd(Task& task, MapRequest request, Fd fd, std::uint64_t offset) {
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  Inode& inode = (*file)->inode();
  if (!(*file)->readable()) return kEACCES;
  if (request.shared && !(*file)->writable()) {
    if ((request.protection & kProtWrite) != 0) return kEACCES;
    request.allowed_protection = kProtRead | kProtExec;
  }
  if (inode.LiesOn(kVolumeNoExecution)) {
    if ((request.protection & kProtExec) != 0) return kEPERM;
    request.allowed_protection &= static_cast<std::uint8_t>(~kProtExec);
  }
  if (auto* device = dynamic_cast<DeviceInode*>(&inode)) {
    if (device->kind() != DeviceKind::kZero) return kENODEV;
    request.name = DisplayPath(task.fs().root, (*file)->path());
    return FromMap(task, task.space().Map(request));
  }
  auto* regular = dynamic_cast<RegularFile*>(&inode);
  if (regular == nullptr || (request.traits & kGrowsDown) != 0)
    return regular == nullptr ? kENODEV : kEINVAL;
  if (request.size_bytes > kMaxFileOffset || offset > kMaxFileOffset - request.size_bytes)
    return kEOVERFLOW;
  if (regular->seals && request.shared) {
    // mm/shmem.c, seal_check_write.
    if ((*regular->seals & (kSealWrite | kSealFutureWrite)) != 0) {
      if ((request.protection & kProtWrite) != 0) return kEPERM;
      request.allowed_protection &= static_cast<std::uint8_t>(~kProtWrite);
    }
  }
  inode.TouchAccessed();
  request.name = DisplayPath(task.fs().root, (*file)->path());
  // The description is closed when its last mapping is gone: its locks, and what inotify(7) tells.
  return FromMap(task, MapFile(task.space(), *regular, offset, request, *file));
}

// MAP_32BIT: the lowest free range of the second GiB. arch/x86/kernel/sys_x86_64.c, find_start_end.
std::optional<GuestAddr> FreeIn32Bits(Task& task, std::uint64_t size) {
  constexpr GuestAddr kStart = 1_GiB, kEnd = 2_GiB;
  GuestAddr at = kStart;
  for (const Mapping& row : task.space().Mappings()) {
    if (row.end <= at) continue;
    if (row.start >= at && row.start - at >= size) break;
    at = row.end;
  }
  return size <= kEnd - std::min(at, kEnd) ? std::optional(at) : std::nullopt;
}

}  // namespace

AddressResult SysMmap(Task& task, Address address, Size length, ProtectionFlags protection,
                      MapFlags flags, Fd fd, Hex offset) {
  if (offset.value % kPageSize != 0 || length.value == 0) return kEINVAL;
  const std::uint64_t type = flags.value & kMapTypeMask;
  if (type < kMapShared || type > kMapSharedValidate) return kEINVAL;
  if (type == kMapSharedValidate && (flags.HasOther(kMapKnown) || flags.Has(kMapSync)))
    return kEOPNOTSUPP;
  // No huge pages are set aside; files have none at all.
  if (flags.Has(kMapHugeTlb)) return flags.Has(kMapAnonymous) ? kENOMEM : kEINVAL;
  if (flags.Has(kMapGrowsDown) && type != kMapPrivate) return kEINVAL;
  const std::uint64_t size = PageCeil(length.value);
  if (size == 0 || size > task.program->address_end) return kENOMEM;
  const bool fixed = flags.Has(kMapFixed) || flags.Has(kMapFixedNoReplace);
  MapRequest request;
  request.address = fixed ? address.value : PageFloor(address.value);
  request.size_bytes = size;
  request.protection = static_cast<std::uint8_t>(protection.value & 7);
  request.fixed = fixed;
  request.no_replace = flags.Has(kMapFixedNoReplace);
  request.shared = type != kMapPrivate;
  const bool locked = flags.Has(kMapLocked) || task.program->locks_future;
  if (locked && !MayLock(task, size))
    return flags.Has(kMapLocked) && !CanLock(task) ? kEPERM : kEAGAIN;
  if (!MayGrow(task, size)) return kENOMEM;
  request.traits = static_cast<std::uint8_t>((flags.Has(kMapGrowsDown) ? kGrowsDown : 0) |
                                             (locked ? kLocked : 0));
  if (fixed && address.value % kPageSize != 0) return kEINVAL;
  if (fixed && !Fits(task, address.value, size)) return kENOMEM;
  if (fixed && address.value < kLowestAddress) return kEPERM;
  if (flags.Has(kMap32Bit) && !fixed && !abi::IsI386(task.call->layout)) {
    const auto low = FreeIn32Bits(task, size);
    if (!low) return kENOMEM;
    request.address = *low;
  }
  // A hint that does not fit is no hint.
  if (!fixed && (request.address < kLowestAddress || !Fits(task, request.address, size)))
    request.address = 0;
  if (flags.Has(kMapAnonymous)) return FromMap(task, task.space().Map(request));
  return MapFd(task, request, fd, offset.value);
}

SyscallResult SysMunmap(Task& task, Address address, Size length) {
  if (length.value == 0) return kEINVAL;
  const auto size = CheckRange(task, address.value, length.value, kEINVAL);
  return size ? FromMap(task, task.space().Unmap(address.value, *size))
              : SyscallResult(size.error());
}

SyscallResult SysMprotect(Task& task, Address address, Size length, ProtectionFlags protection) {
  constexpr std::uint64_t kKnown = 7 | kProtGrowsDown | kProtGrowsUp;
  if (protection.HasOther(kKnown) || protection.Has(kProtGrowsDown | kProtGrowsUp)) return kEINVAL;
  const auto size = CheckRange(task, address.value, length.value, kENOMEM);
  if (!size) return size.error();
  if (*size == 0) return 0;
  GuestAddr start = address.value;
  if (protection.Has(kProtGrowsDown) || protection.Has(kProtGrowsUp)) {
    const Mapping* const mapping = task.space().Find(start);
    if (mapping == nullptr) return kENOMEM;
    if (protection.Has(kProtGrowsUp) || (mapping->traits & kGrowsDown) == 0) return kEINVAL;
    start = mapping->start;
  }
  return FromMap(task, task.space().Protect(start, address.value + *size - start,
                                            static_cast<std::uint8_t>(protection.value & 7)));
}

// CPUs without protection keys: pkeys(7). Key -1 is none.
SyscallResult SysPkeyMprotect(Task& task, Address address, Size length, ProtectionFlags protection,
                              int key) {
  return key == -1 ? SysMprotect(task, address, length, protection) : SyscallResult(kEINVAL);
}

// brk(2): failure is the old end.
AddressResult SysBrk(Task& task, Address address) {
  Program& program = *task.program;
  const auto old_end = static_cast<std::int64_t>(program.brk);
  if (address.value < program.brk_start || !Fits(task, address.value, kPageSize)) return old_end;
  const std::uint64_t data_limit = task.process.limits[kLimitData].soft;
  const std::uint64_t data =
      address.value - program.brk_start + (program.image.data_end - program.image.data_start);
  if (data > data_limit) return old_end;
  const GuestAddr old_top = PageCeil(program.brk);
  const GuestAddr new_top = PageCeil(address.value);
  if (new_top > old_top) {
    MapRequest request;
    request.address = old_top;
    request.size_bytes = new_top - old_top;
    request.protection = kProtRead | kProtWrite;
    request.fixed = request.no_replace = true;
    request.name = "[heap]";
    if (program.locks_future) request.traits = kLocked;
    const bool may_lock = !program.locks_future || MayLock(task, request.size_bytes);
    if (!may_lock || !MayGrow(task, request.size_bytes) || !task.space().Map(request))
      return old_end;
  } else if (new_top < old_top && !task.space().Unmap(new_top, old_top - new_top)) {
    return old_end;
  }
  program.brk = address.value;
  return static_cast<std::int64_t>(address.value);
}

AddressResult SysMremap(Task& task, Address old_address, Size old_size, Size new_size,
                        RemapFlags flags, Address new_address) {
  constexpr std::uint64_t kMayMove = 1, kFixed = 2, kDontUnmap = 4;
  if (flags.HasOther(kMayMove | kFixed | kDontUnmap) || old_address.value % kPageSize != 0)
    return kEINVAL;
  if ((flags.Has(kFixed) || flags.Has(kDontUnmap)) && !flags.Has(kMayMove)) return kEINVAL;
  const std::uint64_t from = PageCeil(old_size.value);
  const std::uint64_t to = PageCeil(new_size.value);
  if (flags.Has(kDontUnmap) && from != to) return kEINVAL;
  if (to == 0 || new_size.value > task.program->address_end)
    return new_size.value == 0 ? kEINVAL : kENOMEM;
  if (!Fits(task, old_address.value, from)) return kEFAULT;
  RemapRequest request{.old_address = old_address.value,
                       .old_size_bytes = from,
                       .new_size_bytes = to,
                       .may_move = flags.Has(kMayMove),
                       .keep_old = flags.Has(kDontUnmap)};
  if (flags.Has(kFixed)) {
    if (new_address.value % kPageSize != 0 || !Fits(task, new_address.value, to)) return kEINVAL;
    if (new_address.value < old_address.value + from && old_address.value < new_address.value + to)
      return kEINVAL;
    if (new_address.value < kLowestAddress) return kEPERM;
    request.fixed_address = new_address.value;
  } else if (flags.Has(kDontUnmap)) {
    request.hint = PageFloor(new_address.value);
  }
  const Mapping* const mapping = task.space().Find(old_address.value);
  if (mapping == nullptr) return kEFAULT;
  if (to > from) {
    if ((mapping->traits & kLocked) != 0 && !MayLock(task, to - from)) return kEAGAIN;
    if (!MayGrow(task, to - from)) return kENOMEM;
  }
  return FromMap(task, task.space().Remap(request));
}

// remap_file_pages(2), as Linux emulates it since 4.0: another mapping in that place.
SyscallResult SysRemapFilePages(Task& task, Address address, Size length, Hex protection,
                                Hex page_offset, MapFlags) {
  const GuestAddr start = PageFloor(address.value);
  const std::uint64_t size = PageFloor(length.value);
  if (protection.value != 0 || size == 0 || !Fits(task, start, size)) return kEINVAL;
  if (page_offset.value > (kMaxFileOffset - size) / kPageSize) return kEINVAL;
  return FromMap(task, task.space().ShowOther(start, size, page_offset.value * kPageSize));
}

}  // namespace glovebox::engine
