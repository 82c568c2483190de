#include <algorithm>
#include <cstring>

#include "engine/memory/address_space_tables.h"

namespace glovebox::engine {
namespace {

// Between a mapping that grows down and the one below: stack_guard_gap of Linux.
constexpr std::uint64_t kStackGuardBytes = 1_MiB;

bool MayAccess(std::uint8_t protection, Access access) {
  switch (access) {
    case Access::kRead:
      return MayRead(protection);
    case Access::kWrite:
      return (protection & kProtWrite) != 0;
    case Access::kExecute:
      return (protection & kProtExec) != 0;
  }
  return false;
}

}  // namespace

const Region* AddressSpace::FindOrGrow(GuestAddr address) {
  MappingTable& mappings = tables_->mappings;
  if (address >= address_end_) return nullptr;
  if (const Region* const region = mappings.Find(address)) return region;
  // As expand_stack of Linux: the next mapping above, where it may grow so far.
  const auto above = mappings.rows().upper_bound(address);
  if (above == mappings.rows().end()) return nullptr;
  const Mapping& mapping = above->second.mapping;
  const GuestAddr start = PageFloor(address);
  if ((mapping.traits & kGrowsDown) == 0 || start < kLowestMapping ||
      mapping.end - start > stack_limit_bytes_) {
    return nullptr;
  }
  if (above != mappings.rows().begin()) {
    const Mapping& below = std::prev(above)->second.mapping;
    const bool guarded = (below.traits & kGrowsDown) == 0 && below.protection != kProtNone;
    if (guarded && start - below.end < kStackGuardBytes) return nullptr;
  }
  mappings.LowerStart(mapping.start, start);
  return mappings.Find(address);
}

std::optional<MemoryFaultKind> AddressSpace::ProvidePage(const Region& region, GuestAddr address,
                                                         Access access) {
  if (!region.file) return std::nullopt;
  const std::uint64_t page = PageOf(address);
  const std::uint64_t offset =
      region.mapping.file_offset_bytes + (PageFloor(address) - region.mapping.start);
  if (region.file->shared) {
    switch (region.file->shared->Provide(offset, access)) {
      case SharedObject::Provided::kReady:
        return std::nullopt;
      case SharedObject::Provided::kBeyondEnd:
      case SharedObject::Provided::kNoSpace:
        return MemoryFaultKind::kBeyondFile;
      case SharedObject::Provided::kMemoryLimit:
        break;
    }
    return MemoryFaultKind::kMemoryLimit;
  }
  if (!region.file->source || (flags_[page] & kCharged) != 0) return std::nullopt;
  if (!tables_->place.Has(address) && !TakePlace(address, address + 1)) {
    return MemoryFaultKind::kMemoryLimit;
  }
  if (!ChargePage(page)) return MemoryFaultKind::kMemoryLimit;
  const bool read = region.file->source->ReadPage(
      offset, std::span(Host(page << kPageShift), static_cast<std::size_t>(kPageSize)));
  return read ? std::nullopt : std::optional(MemoryFaultKind::kBeyondFile);
}

std::optional<MemoryFault> AddressSpace::ResolvePage(GuestAddr address, std::uint32_t size_bytes,
                                                     Access access) {
  const auto fault = [&](MemoryFaultKind kind) { return MemoryFault{kind, access, address}; };
  const Region* const region = FindOrGrow(address);
  if (region == nullptr) return fault(MemoryFaultKind::kUnmapped);
  const std::uint8_t protection = region->mapping.protection;
  if (!MayAccess(protection, access)) return fault(MemoryFaultKind::kProtection);
  if (address >= region->BackedEnd()) return fault(MemoryFaultKind::kBeyondFile);
  if (!tables_->place.Has(address) && !TakePlace(address, address + 1))
    return fault(MemoryFaultKind::kMemoryLimit);
  if (!tables_->NoteAccess(PageOf(address), meter_)) return fault(MemoryFaultKind::kMemoryLimit);
  if (const auto kind = ProvidePage(*region, address, access)) return fault(*kind);

  const std::uint64_t page = PageOf(address);
  const bool shared = region->IsSharedMemory();
  if (access == Access::kWrite) {
    // Pages of shared memory are charged by their object.
    if (!shared && !ChargePage(page)) return fault(MemoryFaultKind::kMemoryLimit);
    TellOfStore(*region, address);
    if ((flags_[page] & kHasCode) != 0) TellObserver(address, size_bytes);
  }
  std::uint8_t flag = flags_[page] & (kCharged | kHasCode);
  if (MayRead(protection)) flag |= kReadable;
  if ((protection & kProtExec) != 0) flag |= kExecutable;
  // The first store to shared memory has to be told of: code elsewhere, times of files.
  const bool ready = shared ? access == Access::kWrite : (flag & kCharged) != 0;
  const bool plain = (protection & kProtWrite) != 0 && ready && (flag & kHasCode) == 0;
  if (plain) flag |= kPlain;
  if (!watches_.empty()) flag = HoldBack(page, flag);
  flags_[page] = flag;
  return std::nullopt;
}

std::optional<MemoryFault> AddressSpace::Resolve(GuestAddr address, std::uint32_t size_bytes,
                                                 Access access) {
  if (size_bytes == 0) return std::nullopt;
  // Two rounds for stores: nothing is charged and no code thrown away for a store that will fault.
  const std::uint64_t last = address + (size_bytes - 1);
  if (last < address) return MemoryFault{MemoryFaultKind::kUnmapped, access, address};
  if (!tables_->costs.AskForFlags(address, meter_) || !tables_->costs.AskForFlags(last, meter_)) {
    return MemoryFault{MemoryFaultKind::kMemoryLimit, access, address};
  }
  if (access == Access::kWrite && PageFloor(last) != PageFloor(address)) {
    for (GuestAddr at = address; at <= last; at = PageFloor(at) + kPageSize) {
      const Region* const region = FindOrGrow(at);
      if (region == nullptr) return MemoryFault{MemoryFaultKind::kUnmapped, access, at};
      if (!MayAccess(region->mapping.protection, access)) {
        return MemoryFault{MemoryFaultKind::kProtection, access, at};
      }
      if (at >= region->BackedEnd()) return MemoryFault{MemoryFaultKind::kBeyondFile, access, at};
    }
  }
  for (GuestAddr at = address; at <= last; at = PageFloor(at) + kPageSize) {
    const GuestAddr end = std::min(last + 1, PageFloor(at) + kPageSize);
    if (auto fault = ResolvePage(at, static_cast<std::uint32_t>(end - at), access)) return fault;
  }
  return std::nullopt;
}

void AddressSpace::MarkCode(GuestAddr page_address) {
  std::uint8_t& flag = flags_[PageOf(page_address)];
  flag = static_cast<std::uint8_t>((flag | kHasCode) & ~(unsigned{kPlain} | kHeldPlain));
  if (tables_->objects.empty()) return;
  if (const auto place = SharedPlaceOf(page_address)) {
    tables_->mappings.Find(page_address)->file->shared->NoteCode(place->offset_bytes);
  }
}

void AddressSpace::UnmarkCode(GuestAddr page_address) {
  // Not plain by that: the next store asks the table.
  flags_[PageOf(page_address)] &= static_cast<std::uint8_t>(~kHasCode);
}

std::size_t AddressSpace::CopyIn(std::span<std::byte> out, GuestAddr from) {
  std::size_t done = 0;
  while (done < out.size()) {
    const GuestAddr at = from + done;
    const std::size_t count = std::min<std::size_t>(out.size() - done, kPageSize - at % kPageSize);
    if (at >= address_end_ || (flags_[PageOf(at)] & kReadable) == 0) {
      if (const auto fault = Resolve(at, static_cast<std::uint32_t>(count), Access::kRead)) {
        last_fault_ = *fault;
        break;
      }
    }
    std::memcpy(out.data() + done, Host(at), count);
    done += count;
  }
  if (!watches_.empty()) NoteCopy(from, done, Access::kRead);
  return done;
}

std::size_t AddressSpace::CopyOut(GuestAddr to, std::span<const std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const GuestAddr at = to + done;
    const std::size_t count =
        std::min<std::size_t>(bytes.size() - done, kPageSize - at % kPageSize);
    if (at >= address_end_ || (flags_[PageOf(at)] & kPlain) == 0) {
      if (const auto fault = Resolve(at, static_cast<std::uint32_t>(count), Access::kWrite)) {
        last_fault_ = *fault;
        break;
      }
    }
    std::memcpy(Host(at), bytes.data() + done, count);
    done += count;
  }
  if (!watches_.empty()) NoteCopy(to, done, Access::kWrite);
  return done;
}

std::size_t AddressSpace::Peek(std::span<std::byte> out, GuestAddr from) {
  std::size_t done = 0;
  while (done < out.size()) {
    const GuestAddr at = from + done;
    const Region* const region = tables_->mappings.Find(at);
    if (region == nullptr || at >= region->BackedEnd()) {
      last_fault_ = {region == nullptr ? MemoryFaultKind::kUnmapped : MemoryFaultKind::kBeyondFile,
                     Access::kRead, at};
      break;
    }
    const bool anonymous = region->file == nullptr;
    if (const auto kind = ProvidePage(*region, at, Access::kRead)) {
      last_fault_ = {*kind, Access::kRead, at};
      break;
    }
    const bool whole = region->file && region->file->host;
    const std::size_t count = std::min<std::size_t>(
        out.size() - done, whole ? region->BackedEnd() - at : kPageSize - at % kPageSize);
    // What nobody has written is not asked for: the host would need memory to show its zeros.
    const bool is_zero = !tables_->place.Has(at) || (flags_[PageOf(at)] & kCharged) == 0;
    if (anonymous && is_zero) {
      std::memset(out.data() + done, 0, count);
    } else {
      std::memcpy(out.data() + done, Host(at), count);
    }
    done += count;
  }
  return done;
}

std::size_t AddressSpace::Poke(GuestAddr to, std::span<const std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const GuestAddr at = to + done;
    const Region* const region = tables_->mappings.Find(at);
    if (region == nullptr || at >= region->BackedEnd()) {
      last_fault_ = {region == nullptr ? MemoryFaultKind::kUnmapped : MemoryFaultKind::kBeyondFile,
                     Access::kWrite, at};
      break;
    }
    if (const auto kind = ProvidePage(*region, at, Access::kWrite)) {
      last_fault_ = {*kind, Access::kWrite, at};
      break;
    }
    if (!TakePlace(at, at + 1) || (!region->IsSharedMemory() && !ChargePage(PageOf(at)))) {
      last_fault_ = {MemoryFaultKind::kMemoryLimit, Access::kWrite, at};
      break;
    }
    TellOfStore(*region, at);
    const std::size_t count =
        std::min<std::size_t>(bytes.size() - done, kPageSize - at % kPageSize);
    if ((flags_[PageOf(at)] & kHasCode) != 0) TellObserver(at, count);
    std::memcpy(Host(at), bytes.data() + done, count);
    done += count;
  }
  return done;
}

}  // namespace glovebox::engine
