// What is said about pages that are mapped: madvise(2), mincore(2), msync(2), mlock(2) and their
// kin.
#include <algorithm>
#include <limits>
#include <vector>

#include "engine/linux/events/pid_file.h"
#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/syscalls/memory_ranges.h"

namespace glovebox::engine {
namespace {

// madvise(2), asm-generic/mman-common.h.
enum AdviceValue : int {
  kAdviceDontNeed = 4,
  kAdviceFree = 8,
  kAdviceRemove = 9,
  kAdviceDontFork = 10,
  kAdviceDoFork = 11,
  kAdviceDontDump = 16,
  kAdviceDoDump = 17,
  kAdviceWipeOnFork = 18,
  kAdviceKeepOnFork = 19,
  kAdvicePopulateRead = 22,
  kAdvicePopulateWrite = 23,
  kAdviceDontNeedLocked = 24,
};

enum class AdviceKind : std::uint8_t { kHint, kTrait, kDiscard, kRemove, kPopulate };
struct AdviceRow {
  int value;
  AdviceKind kind;
  std::uint8_t set = 0;
  std::uint8_t clear = 0;
  bool anonymous_only = false;  // EINVAL for anything else
};
// Hints change nothing that a guest could see: there is no swap, no read-ahead, no merging of pages
// and no huge page.
constexpr AdviceRow kAdvice[] = {
    {0, AdviceKind::kHint},
    {1, AdviceKind::kHint},
    {2, AdviceKind::kHint},
    {3, AdviceKind::kHint},
    {kAdviceDontNeed, AdviceKind::kDiscard},
    // Linux frees when it likes, so at once is right.
    {kAdviceFree, AdviceKind::kDiscard, 0, 0, true},
    {kAdviceRemove, AdviceKind::kRemove},
    {kAdviceDontFork, AdviceKind::kTrait, kDontFork, 0},
    {kAdviceDoFork, AdviceKind::kTrait, 0, kDontFork},
    {12, AdviceKind::kHint},
    {13, AdviceKind::kHint},
    {14, AdviceKind::kHint},
    {15, AdviceKind::kHint},
    {kAdviceDontDump, AdviceKind::kTrait, kDontDump, 0},
    {kAdviceDoDump, AdviceKind::kTrait, 0, kDontDump},
    {kAdviceWipeOnFork, AdviceKind::kTrait, kWipeOnFork, 0, true},
    {kAdviceKeepOnFork, AdviceKind::kTrait, 0, kWipeOnFork},
    {20, AdviceKind::kHint},
    {21, AdviceKind::kHint},
    {kAdvicePopulateRead, AdviceKind::kPopulate},
    {kAdvicePopulateWrite, AdviceKind::kPopulate},
    {kAdviceDontNeedLocked, AdviceKind::kDiscard},
};

bool IsAnonymous(Task& task, GuestAddr start, GuestAddr end) {
  while (start < end) {
    const Mapping* const mapping = task.space().Find(start);
    if (mapping == nullptr) break;
    if (mapping->shared || mapping->inode != 0) return false;
    start = mapping->end;
  }
  return true;
}

// Makes the pages present, in slices.
SyscallResult Populate(Task& task, GuestAddr start, std::uint64_t size, Access access) {
  std::uint64_t& done = task.call->progress;
  for (; done < size; done += kPageSize) {
    if (const auto fault = task.space().Resolve(start + done, 1, access)) {
      switch (fault->kind) {
        case MemoryFaultKind::kUnmapped:
          return kENOMEM;
        case MemoryFaultKind::kProtection:
          return kEINVAL;
        case MemoryFaultKind::kBeyondFile:
          return kEFAULT;
        case MemoryFaultKind::kMemoryLimit:
          task.kernel.EndByLimit(LimitId::kMemory);
          return kENOMEM;
      }
    }
    if (done % 1_MiB == 0 && task.kernel.SliceIsOver()) {
      done += kPageSize;
      return SyscallResult::Again();
    }
  }
  return 0;
}

SyscallResult SetLocked(Task& task, Address address, Size length, bool locked) {
  const GuestAddr start = PageFloor(address.value);
  const auto size = CheckRange(task, start, length.value + (address.value - start), kENOMEM);
  if (!size || length.value + (address.value - start) < length.value)
    return size ? kEINVAL : size.error();
  if (*size == 0) return 0;
  return FromMap(task,
                 task.space().SetTraits(start, *size, locked ? kLocked : 0, locked ? 0 : kLocked));
}

SyscallResult SetAllLocked(Task& task, bool locked) {
  for (const Mapping& mapping : task.space().Mappings()) {
    const auto set = task.space().SetTraits(mapping.start, mapping.end - mapping.start,
                                            locked ? kLocked : 0, locked ? 0 : kLocked);
    if (!set) return FromMapError(task, set.error());
  }
  return 0;
}

std::uint64_t MappedBytes(const Task& task) {
  std::uint64_t bytes = 0;
  for (const Mapping& mapping : task.program->space->Mappings())
    bytes += mapping.end - mapping.start;
  return bytes;
}

}  // namespace

Errno FromMapError(Task& task, MapError error) {
  switch (error) {
    case MapError::kInvalid:
      return kEINVAL;
    case MapError::kExists:
      return kEEXIST;
    case MapError::kDenied:
      return kEACCES;
    case MapError::kFault:
      return kEFAULT;
    case MapError::kMemoryLimit:
      task.kernel.EndByLimit(LimitId::kMemory);
      return kENOMEM;
    case MapError::kHostFailed:
      // Never an errno: how much the host has is not for the guest to see.
      task.kernel.FailHost({ErrorCode::kResourceExhausted,
                            "MAP_FAILED",
                            "the host did not map memory of the guest",
                            {}});
      return kENOMEM;
    default:
      return kENOMEM;
  }
}

SyscallResult FromMap(Task& task, const Result<void, MapError>& result) {
  return result ? SyscallResult(0) : SyscallResult(FromMapError(task, result.error()));
}

bool Fits(const Task& task, GuestAddr address, std::uint64_t size) {
  const std::uint64_t end = task.program->address_end;
  return size <= end && address <= end - size;
}

Result<std::uint64_t, Errno> CheckRange(const Task& task, GuestAddr address, std::uint64_t length,
                                        Errno beyond) {
  if (address % kPageSize != 0) return std::unexpected(kEINVAL);
  const std::uint64_t size = PageCeil(length);
  if (size < length || !Fits(task, address, size)) return std::unexpected(beyond);
  return size;
}

bool CanLock(const Task& task) {
  return task.credentials.Can(Capability::kIpcLock) || task.process.limits[kLimitLocked].soft != 0;
}

bool MayLock(Task& task, std::uint64_t size) {
  if (task.credentials.Can(Capability::kIpcLock)) return true;
  const std::uint64_t limit = task.process.limits[kLimitLocked].soft;
  const std::uint64_t locked = task.space().LockedBytes();
  return locked <= limit && size <= limit - locked;
}

bool MayGrow(Task& task, std::uint64_t size) {
  const std::uint64_t limit = task.process.limits[kLimitAddressSpace].soft;
  if (limit == ~std::uint64_t{0}) return true;
  const std::uint64_t mapped = MappedBytes(task);
  return mapped <= limit && size <= limit - mapped;
}

SyscallResult SysMadvise(Task& task, Address address, Size length, Advice advice) {
  const auto* const row = std::ranges::find(kAdvice, advice.value, &AdviceRow::value);
  if (row == std::end(kAdvice)) return kEINVAL;
  const auto size = CheckRange(task, address.value, length.value, kEINVAL);
  if (!size) return size.error();
  if (*size == 0) return 0;
  AddressSpace& space = task.space();
  if (row->anonymous_only && !IsAnonymous(task, address.value, address.value + *size))
    return kEINVAL;
  switch (row->kind) {
    case AdviceKind::kHint:
      break;
    case AdviceKind::kTrait:
      return FromMap(task, space.SetTraits(address.value, *size, row->set, row->clear));
    case AdviceKind::kDiscard:
      return FromMap(task, space.Discard(address.value, *size));
    case AdviceKind::kRemove:
      return FromMap(task, space.Remove(address.value, *size));
    case AdviceKind::kPopulate:
      return Populate(task, address.value, *size,
                      row->value == kAdvicePopulateWrite ? Access::kWrite : Access::kRead);
  }
  return space.IsMapped(address.value, *size) ? SyscallResult(0) : kENOMEM;
}

// What one process may advise another are hints alone: process_madvise(2).
SyscallResult SysProcessMadvise(Task& task, Fd pidfd, InVectors vectors, Size count, Advice advice,
                                Hex flags) {
  constexpr int kWillNeed = 3, kCold = 20, kPageOut = 21;
  if (flags.value != 0) return kEINVAL;
  const auto list = ReadVectors(task, vectors.first, count.value);
  if (!list) return list.error();
  const auto file = FileOf(task, pidfd);
  if (!file) return file.error();
  const auto* const pid_file = dynamic_cast<PidFile*>(file->get());
  if (pid_file == nullptr) return kEBADF;
  const Process* const process = pid_file->process();
  if (process == nullptr || process->ended) return kESRCH;
  if (advice.value != kWillNeed && advice.value != kCold && advice.value != kPageOut)
    return kEINVAL;
  if (process != &task.process && !task.credentials.Can(Capability::kSysNice)) return kEPERM;
  Task& target = *process->threads.front();
  std::int64_t done = 0;
  for (const abi::Iovec& vector : *list) {
    const auto size = CheckRange(target, vector.base, vector.length, kEINVAL);
    const Errno error = !size                                                        ? size.error()
                        : *size != 0 && !target.space().IsMapped(vector.base, *size) ? kENOMEM
                                                                                     : Errno{};
    if (error != Errno{}) return done != 0 ? SyscallResult(done) : error;
    done += static_cast<std::int64_t>(vector.length);
  }
  return done;
}

SyscallResult SysMsync(Task& task, Address address, Size length, SyncFlags flags) {
  constexpr std::uint64_t kAsync = 1, kInvalidate = 2, kSync = 4;
  if (flags.HasOther(kAsync | kInvalidate | kSync) || flags.Has(kAsync | kSync)) return kEINVAL;
  const auto size = CheckRange(task, address.value, length.value, kENOMEM);
  if (!size) return size.error();
  if (*size != 0 && flags.Has(kInvalidate)) {
    const Mapping* const mapping = task.space().Find(address.value);
    if (mapping != nullptr && (mapping->traits & kLocked) != 0) return kEBUSY;
  }
  return *size == 0 || task.space().IsMapped(address.value, *size) ? SyscallResult(0) : kENOMEM;
}

SyscallResult SysMlock(Task& task, Address address, Size length) {
  if (!CanLock(task)) return kEPERM;
  const std::uint64_t size = PageCeil(length.value + address.value % kPageSize);
  if (!MayLock(task, size)) return kENOMEM;
  return SetLocked(task, address, length, true);
}
SyscallResult SysMlock2(Task& task, Address address, Size length, Hex flags) {
  if ((flags.value & ~1ull) != 0) return kEINVAL;
  return SysMlock(task, address, length);
}
SyscallResult SysMunlock(Task& task, Address address, Size length) {
  return SetLocked(task, address, length, false);
}

SyscallResult SysMlockall(Task& task, Hex flags) {
  constexpr std::uint64_t kCurrent = 1, kFuture = 2, kOnFault = 4;
  if (flags.value == 0 || (flags.value & ~(kCurrent | kFuture | kOnFault)) != 0 ||
      flags.value == kOnFault) {
    return kEINVAL;
  }
  if (!CanLock(task)) return kEPERM;
  const bool current = (flags.value & kCurrent) != 0;
  if (current && !task.credentials.Can(Capability::kIpcLock) &&
      MappedBytes(task) > task.process.limits[kLimitLocked].soft) {
    return kENOMEM;
  }
  task.program->locks_future = (flags.value & kFuture) != 0;
  return current ? SetAllLocked(task, true) : SyscallResult(0);
}
SyscallResult SysMunlockall(Task& task) {
  task.program->locks_future = false;
  return SetAllLocked(task, false);
}

SyscallResult SysMincore(Task& task, Address address, Size length, Address vector) {
  const auto size = CheckRange(task, address.value, length.value, kENOMEM);
  if (!size) return size.error();
  const std::uint64_t total = *size / kPageSize;
  std::vector<std::byte> piece;
  for (std::uint64_t& page = task.call->progress; page < total;) {
    // A range may have tens of millions of pages.
    if (page != 0 && task.kernel.SliceIsOver()) return SyscallResult::Again();
    const std::uint64_t count = std::min<std::uint64_t>(4096, total - page);
    const GuestAddr start = address.value + page * kPageSize;
    if (!task.space().IsMapped(start, count * kPageSize)) return kENOMEM;
    piece.resize(static_cast<std::size_t>(count));
    for (std::uint64_t i = 0; i < count; ++i)
      piece[i] = std::byte{task.space().IsResident(start + i * kPageSize)};
    const auto ok = task.memory().WriteBytes(vector.value + page, piece);
    if (!ok) return ok.error();
    page += count;
  }
  return 0;
}

}  // namespace glovebox::engine
