// The address space: mmap(2), mprotect(2), brk(2), mremap(2), madvise(2) and their kin.
#include <algorithm>
#include <vector>

#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"
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
  kMapHugeTlb = 0x40000,
  kMapFixedNoReplace = 0x100000,
};
constexpr GuestAddr kLowestAddress = 65536;  // vm.mmap_min_addr

Errno ErrnoOf(MapError error) {
  switch (error) {
    case MapError::kInvalid:
      return kEINVAL;
    case MapError::kExists:
      return kEEXIST;
    default:
      return kENOMEM;
  }
}

SyscallResult FromMap(const Result<void, MapError>& result) {
  return result ? SyscallResult(0) : SyscallResult(ErrnoOf(result.error()));
}

// Is [address, address + size) where the program can have mappings? The size is rounded up to pages
// by the caller.
bool Fits(Task& task, GuestAddr address, std::uint64_t size) {
  const std::uint64_t end = task.program->address_end;
  return size <= end && address <= end - size;
}

// What mprotect, msync, mlock and others share: page aligned, rounded, mapped throughout.
Result<std::uint64_t, Errno> CheckRange(Task& task, GuestAddr address, std::uint64_t length,
                                        Errno beyond) {
  if (address % kPageSize != 0) return std::unexpected(kEINVAL);
  const std::uint64_t size = PageCeil(length);
  if (size < length || !Fits(task, address, size)) return std::unexpected(beyond);
  return size;
}

SyscallResult RequireMapped(Task& task, GuestAddr address, std::uint64_t length) {
  const auto size = CheckRange(task, address, length, kENOMEM);
  if (!size) return size.error();
  return *size == 0 || task.space().IsMapped(address, *size) ? SyscallResult(0) : kENOMEM;
}

SyscallResult FromMap(Task& task, const Result<GuestAddr, MapError>& mapped) {
  if (mapped) return static_cast<std::int64_t>(*mapped);
  if (mapped.error() == MapError::kMemoryLimit) task.kernel.EndByLimit(LimitId::kMemory);
  return ErrnoOf(mapped.error());
}

SyscallResult MapFd(Task& task, MapRequest request, Fd fd, std::uint64_t offset) {
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  Inode& inode = (*file)->inode();
  if (!(*file)->readable()) return kEACCES;
  if (request.shared && (request.protection & kProtWrite) != 0 && !(*file)->writable())
    return kEACCES;
  if (auto* device = dynamic_cast<DeviceInode*>(&inode)) {
    if (device->kind() != DeviceKind::kZero) return kENODEV;
    return FromMap(task, task.space().Map(request));
  }
  auto* regular = dynamic_cast<RegularFile*>(&inode);
  if (regular == nullptr) return kENODEV;
  // A store through a shared mapping would have to reach the file: not served, and said so as file
  // systems without shared mappings do (mmap(2), ENODEV).
  if (request.shared && (request.protection & kProtWrite) != 0) {
    task.kernel.CountAbsent("mmap(MAP_SHARED, PROT_WRITE) of a file");
    return kENODEV;
  }
  request.name = DisplayPath(task.fs().root, (*file)->path());
  return FromMap(task, MapFile(task.space(), *regular, offset, request));
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
  if (flags.Has(kMapHugeTlb)) return kENOMEM;  // no huge pages are set aside
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
  request.grows_down = flags.Has(kMapGrowsDown);
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
  return size ? FromMap(task.space().Unmap(address.value, *size)) : SyscallResult(size.error());
}

SyscallResult SysMprotect(Task& task, Address address, Size length, ProtectionFlags protection) {
  constexpr std::uint64_t kKnown = 7;
  if (protection.HasOther(kKnown)) return kEINVAL;
  const auto size = CheckRange(task, address.value, length.value, kENOMEM);
  if (!size) return size.error();
  if (*size == 0) return 0;
  return FromMap(
      task.space().Protect(address.value, *size, static_cast<std::uint8_t>(protection.value)));
}

// brk(2): failure is the old end.
AddressResult SysBrk(Task& task, Address address) {
  Program& program = *task.program;
  const auto old_end = static_cast<std::int64_t>(program.brk);
  if (address.value < program.brk_start || !Fits(task, address.value, kPageSize)) return old_end;
  const GuestAddr old_top = PageCeil(program.brk);
  const GuestAddr new_top = PageCeil(address.value);
  if (new_top > old_top) {
    MapRequest request;
    request.address = old_top;
    request.size_bytes = new_top - old_top;
    request.protection = kProtRead | kProtWrite;
    request.fixed = request.no_replace = true;
    request.name = "[heap]";
    if (!task.space().Map(request)) return old_end;
  } else if (new_top < old_top && !task.space().Unmap(new_top, old_top - new_top)) {
    return old_end;
  }
  program.brk = address.value;
  return static_cast<std::int64_t>(address.value);
}

AddressResult SysMremap(Task& task, Address old_address, Size old_size, Size new_size,
                        RemapFlags flags, Address new_address) {
  constexpr std::uint64_t kMayMove = 1, kFixed = 2;
  if (flags.HasOther(kMayMove | kFixed) || old_address.value % kPageSize != 0) return kEINVAL;
  if (flags.Has(kFixed) && !flags.Has(kMayMove)) return kEINVAL;
  const std::uint64_t from = PageCeil(old_size.value);
  const std::uint64_t to = PageCeil(new_size.value);
  if (to == 0 || new_size.value > task.program->address_end)
    return new_size.value == 0 ? kEINVAL : kENOMEM;
  if (old_size.value == 0) return kEINVAL;  // duplicates of shared mappings are not served
  if (!Fits(task, old_address.value, from)) return kEFAULT;
  std::optional<GuestAddr> fixed;
  if (flags.Has(kFixed)) {
    if (new_address.value % kPageSize != 0 || !Fits(task, new_address.value, to)) return kEINVAL;
    if (new_address.value < old_address.value + from && old_address.value < new_address.value + to)
      return kEINVAL;
    fixed = new_address.value;
  }
  if (!task.space().IsMapped(old_address.value, from)) return kEFAULT;
  return FromMap(task, task.space().Remap(old_address.value, from, to, flags.Has(kMayMove), fixed));
}

SyscallResult SysMadvise(Task& task, Address address, Size length, Advice advice) {
  constexpr int kDontNeed = 4, kRemove = 9, kKeepOnFork = 19, kFree = 8, kLastHint = 21;
  const bool known = (advice.value >= 0 && advice.value <= 4) ||
                     (advice.value >= kFree && advice.value <= kLastHint);
  if (!known || advice.value == kRemove || advice.value == kKeepOnFork - 1) return kEINVAL;
  const auto size = CheckRange(task, address.value, length.value, kEINVAL);
  if (!size) return size.error();
  if (*size == 0) return 0;
  const bool mapped = task.space().IsMapped(address.value, *size);
  if (advice.value == kDontNeed) {
    if (const auto discarded = task.space().Discard(address.value, *size); !discarded)
      return kENOMEM;
  }
  return mapped ? SyscallResult(0) : kENOMEM;
}

SyscallResult SysMsync(Task& task, Address address, Size length, SyncFlags flags) {
  constexpr std::uint64_t kAsync = 1, kInvalidate = 2, kSync = 4;
  if (flags.HasOther(kAsync | kInvalidate | kSync) || flags.Has(kAsync | kSync)) return kEINVAL;
  return RequireMapped(task, address.value, length.value);
}

SyscallResult SysMlock(Task& task, Address address, Size length) {
  const GuestAddr start = PageFloor(address.value);
  return RequireMapped(task, start, length.value + (address.value - start));
}
SyscallResult SysMlock2(Task& task, Address address, Size length, Hex flags) {
  if ((flags.value & ~1ull) != 0) return kEINVAL;
  return SysMlock(task, address, length);
}
SyscallResult SysMunlock(Task& task, Address address, Size length) {
  return SysMlock(task, address, length);
}
SyscallResult SysMlockall(Task&, Hex flags) {
  return flags.value == 0 || flags.value > 7 ? kEINVAL : SyscallResult(0);
}
SyscallResult SysMunlockall(Task&) { return 0; }

SyscallResult SysMincore(Task& task, Address address, Size length, Address vector) {
  const auto size = CheckRange(task, address.value, length.value, kENOMEM);
  if (!size) return size.error();
  // Everything counts as resident: nothing is ever swapped out. In pieces, since the range may be
  // huge.
  const std::vector<std::byte> ones(4096, std::byte{1});
  for (std::uint64_t page = 0; page < *size / kPageSize;) {
    const std::uint64_t count = std::min<std::uint64_t>(ones.size(), *size / kPageSize - page);
    if (!task.space().IsMapped(address.value + page * kPageSize, count * kPageSize)) return kENOMEM;
    const auto ok = task.memory().WriteBytes(
        vector.value + page, std::span(ones).first(static_cast<std::size_t>(count)));
    if (!ok) return ok.error();
    page += count;
  }
  return 0;
}

}  // namespace glovebox::engine
