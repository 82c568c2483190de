// Shared memory of System V: shmget(2), shmat(2), shmdt(2), shmctl(2).
#include <fmt/format.h>

#include <set>

#include "engine/linux/ipc/ipc.h"
#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/syscalls/memory_ranges.h"

namespace glovebox::engine {
namespace {

// shmop(2), shmctl(2)
enum ShmFlag : std::uint32_t {
  kShmHugeTlb = 04000,
  kShmReadOnly = 010000,
  kShmRound = 020000,
  kShmRemap = 040000,
  kShmExecute = 0100000,
};
enum ShmCommand : int {
  kShmLock = 11,
  kShmUnlock = 12,
  kShmStat = 13,
  kShmInfo = 14,
  kShmStatAny = 15
};
enum ShmMode : std::uint32_t { kShmDestroyed = 01000, kShmLocked = 02000 };
constexpr std::uint64_t kMostShmBytes = ~std::uint64_t{0} - (1 << 24);  // SHMMAX

// Segments that were removed while they were attached, and are attached no more, are gone.
ShmSegment* FindSegment(Ipc& ipc, std::int32_t id) {
  ShmSegment* const segment = ipc.segments.Find(id);
  if (segment == nullptr || segment->Object()) return segment;
  ipc.segments.Remove(*segment);
  return nullptr;
}

std::uint64_t CountAttached(Kernel& kernel, const SharedObject* object) {
  std::set<const Program*> seen;
  std::uint64_t count = 0;
  for (const auto& [id, task] : kernel.processes().tasks()) {
    if (!task->program || !seen.insert(task->program.get()).second) continue;
    const AddressSpace& space = *task->program->space;
    for (const Mapping& mapping : space.Mappings()) {
      if (!mapping.shared || mapping.device != kMemoryDevice) continue;
      const auto place = space.SharedPlaceOf(mapping.start);
      if (place && place->object == object) ++count;
    }
  }
  return count;
}

abi::ShmStatus StatusOf(Kernel& kernel, const ShmSegment& segment) {
  abi::ShmStatus status{};
  status.permission = segment.owner.Permission();
  status.size_bytes = segment.size_bytes;
  status.attached = segment.attached;
  status.detached = segment.detached;
  status.changed = segment.changed;
  status.creator_pid = static_cast<std::int32_t>(segment.creator_pid);
  status.last_pid = static_cast<std::int32_t>(segment.last_pid);
  status.attach_count = CountAttached(kernel, segment.Object().get());
  return status;
}

SyscallResult TellAll(Task& task, int command, Address buffer) {
  const Ipc& ipc = task.kernel.ipc();
  const abi::Layout layout = task.call->layout;
  Result<void, Errno> written;
  if (command == kIpcInfo) {
    const abi::ShmLimits limits{kMostShmBytes, 1, kMostSegments, kMostSegments, kMostShmBytes, {}};
    written = task.memory().Write(GuestPtr<abi::ShmLimits>{buffer.value, layout}, limits);
  } else {
    abi::ShmInfo info{};
    for (const auto& [place, segment] : ipc.segments.objects()) {
      ++info.used;
      info.total_pages += PageCeil(segment->size_bytes) / kPageSize;
      if (const auto object = segment->Object())
        info.resident_pages += object->charged_bytes() / kPageSize;
    }
    written = task.memory().Write(GuestPtr<abi::ShmInfo>{buffer.value, layout}, info);
  }
  return written ? SyscallResult(ipc.segments.LastPlace()) : SyscallResult(written.error());
}

SyscallResult TellOne(Task& task, int id, int command, Address buffer) {
  Ipc& ipc = task.kernel.ipc();
  ShmSegment* segment = nullptr;
  if (command == kIpcStat) {
    segment = FindSegment(ipc, id);
  } else if (const ShmSegment* const at = ipc.segments.AtPlace(id)) {
    segment = FindSegment(ipc, at->id);
  }
  if (segment == nullptr) return kEINVAL;
  if (command != kShmStatAny && !segment->owner.Allows(task.credentials, 4)) return kEACCES;
  const auto written = task.memory().Write(
      GuestPtr<abi::ShmStatus>{buffer.value, task.call->layout}, StatusOf(task.kernel, *segment));
  if (!written) return written.error();
  return command == kIpcStat ? 0 : segment->id;
}

}  // namespace

SyscallResult SysShmget(Task& task, int key, Size size, IpcFlags flags) {
  Ipc& ipc = task.kernel.ipc();
  const auto check = [&](const ShmSegment& segment) {
    return size.value > segment.size_bytes ? kEINVAL : Errno{};
  };
  const auto make = [&]() -> Result<std::unique_ptr<ShmSegment>, Errno> {
    if (size.value == 0 || size.value > kMostShmBytes) return std::unexpected(kEINVAL);
    if (PageCeil(size.value) < size.value) return std::unexpected(kENOSPC);
    if (flags.Has(kShmHugeTlb)) return std::unexpected(kENOMEM);  // none are set aside
    auto segment = std::make_unique<ShmSegment>();
    SharedObject::Failure failure;
    segment->object = SharedObject::Make(PageCeil(size.value), task.kernel.memory_meter, failure);
    if (!segment->object) {
      if (failure == SharedObject::Failure::kHost) {
        task.kernel.FailHost({ErrorCode::kResourceExhausted,
                              "NO_ADDRESS_SPACE",
                              "the host did not map a segment of shared memory",
                              {}});
      }
      return std::unexpected(kENOMEM);
    }
    segment->size_bytes = size.value;
    segment->creator_pid = task.process.pid;
    segment->changed = IpcSeconds(task.kernel);
    return segment;
  };
  const auto id =
      ipc.segments.Get(key, static_cast<std::uint32_t>(flags.value), task.credentials, check, make);
  return id ? SyscallResult(*id) : SyscallResult(id.error());
}

AddressResult SysShmat(Task& task, int id, Address address, ShmFlags flags) {
  ShmSegment* const segment = FindSegment(task.kernel.ipc(), id);
  MapRequest request;
  request.address = address.value;
  if (request.address != 0) {
    if (request.address % kPageSize != 0) {
      if (!flags.Has(kShmRound)) return kEINVAL;
      request.address = PageFloor(request.address);
      if (request.address == 0 && flags.Has(kShmRemap)) return kEINVAL;
    }
  } else if (flags.Has(kShmRemap)) {
    return kEINVAL;
  }
  if (segment == nullptr) return kEINVAL;
  const bool writes = !flags.Has(kShmReadOnly);
  const bool executes = flags.Has(kShmExecute);
  if (!segment->owner.Allows(task.credentials, 4u | (writes ? 2 : 0) | (executes ? 1 : 0)))
    return kEACCES;
  request.fixed = request.address != 0;
  request.no_replace = !flags.Has(kShmRemap);
  request.size_bytes = PageCeil(segment->size_bytes);
  if (request.fixed && !Fits(task, request.address, request.size_bytes)) return kEINVAL;
  if (!MayGrow(task, request.size_bytes)) return kENOMEM;
  request.protection =
      static_cast<std::uint8_t>(kProtRead | (writes ? kProtWrite : 0) | (executes ? kProtExec : 0));
  request.allowed_protection =
      static_cast<std::uint8_t>(kProtRead | kProtExec | (writes ? kProtWrite : 0));
  request.shared = true;
  request.file = FileBacking{.shared = segment->Object()};
  request.device = kMemoryDevice;
  request.inode = static_cast<std::uint64_t>(segment->id);
  request.name =
      fmt::format("/SYSV{:08x} (deleted)", static_cast<std::uint32_t>(segment->owner.key));
  const auto mapped = task.space().Map(request);
  if (!mapped)
    return mapped.error() == MapError::kExists ? kEINVAL : FromMapError(task, mapped.error());
  segment->attached = IpcSeconds(task.kernel);
  segment->last_pid = task.process.pid;
  return static_cast<std::int64_t>(*mapped);
}

SyscallResult SysShmdt(Task& task, Address address) {
  if (address.value % kPageSize != 0) return kEINVAL;
  bool found = false;
  for (const Mapping& mapping : task.space().Mappings()) {
    const bool is_segment = mapping.device == kMemoryDevice && mapping.name.starts_with("/SYSV");
    if (!is_segment || mapping.start - mapping.file_offset_bytes != address.value) continue;
    if (!task.space().Unmap(mapping.start, mapping.end - mapping.start)) return kENOMEM;
    found = true;
    if (ShmSegment* const segment =
            task.kernel.ipc().segments.Find(static_cast<std::int32_t>(mapping.inode))) {
      segment->detached = IpcSeconds(task.kernel);
      segment->last_pid = task.process.pid;
    }
  }
  return found ? SyscallResult(0) : kEINVAL;
}

SyscallResult SysShmctl(Task& task, int id, ShmCommandArgument command, Address buffer) {
  Ipc& ipc = task.kernel.ipc();
  const int what = command.value;
  if (what < 0 || id < 0) return kEINVAL;
  if (what == kIpcInfo || what == kShmInfo) return TellAll(task, what, buffer);
  if (what == kIpcStat || what == kShmStat || what == kShmStatAny)
    return TellOne(task, id, what, buffer);
  if (what != kIpcRemove && what != kIpcSet && what != kShmLock && what != kShmUnlock)
    return kEINVAL;
  abi::ShmStatus asked{};
  if (what == kIpcSet) {
    const auto read =
        task.memory().Read(GuestPtr<const abi::ShmStatus>{buffer.value, task.call->layout});
    if (!read) return read.error();
    asked = *read;
  }
  ShmSegment* const segment = FindSegment(ipc, id);
  if (segment == nullptr) return kEINVAL;
  if (!segment->owner.IsOwner(task.credentials)) return kEPERM;
  if (what == kShmLock || what == kShmUnlock) {
    segment->owner.mode &= ~std::uint32_t{kShmLocked};
    if (what == kShmLock) segment->owner.mode |= kShmLocked;
  } else if (what == kIpcSet) {
    segment->owner.Set(asked.permission);
    segment->changed = IpcSeconds(task.kernel);
  } else {
    segment->owner.key = kIpcPrivate;
    segment->owner.mode |= kShmDestroyed;
    if (segment->object) segment->removed_object = std::move(segment->object);
    segment->object.reset();
    if (!segment->Object()) ipc.segments.Remove(*segment);
  }
  return 0;
}

}  // namespace glovebox::engine
