#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/memory/address_space_tables.h"

namespace glovebox::engine {

// Where the moved mapping goes; what is there goes, or the place is free.
Result<GuestAddr, MapError> AddressSpace::Place(const RemapRequest& request, std::uint64_t new_size,
                                                GuestAddr old_end) {
  if (!request.fixed_address) {
    const bool usable = request.hint >= kLowestMapping && InRange(request.hint, new_size) &&
                        tables_->mappings.IsFree(request.hint, request.hint + new_size) &&
                        MaySpread(request.hint, new_size);
    const auto free = usable ? std::optional(request.hint) : FindFree(new_size);
    return free ? Result<GuestAddr, MapError>(*free) : std::unexpected(MapError::kNoMemory);
  }
  const GuestAddr at = *request.fixed_address;
  if (!InRange(at, new_size)) return std::unexpected(MapError::kNoMemory);
  if (at < old_end && request.old_address < at + new_size) {
    return std::unexpected(MapError::kInvalid);
  }
  if (!MaySpread(at, new_size)) return std::unexpected(MapError::kTooManySpaces);
  if (const auto unmapped = Unmap(at, new_size); !unmapped) {
    return std::unexpected(unmapped.error());
  }
  return at;
}

Result<GuestAddr, MapError> AddressSpace::Remap(const RemapRequest& request) {
  MappingTable& mappings = tables_->mappings;
  const GuestAddr old_address = request.old_address;
  if (old_address % kPageSize != 0 || request.new_size_bytes == 0 ||
      (request.fixed_address && (*request.fixed_address % kPageSize != 0 || !request.may_move))) {
    return std::unexpected(MapError::kInvalid);
  }
  if (request.new_size_bytes > address_end_) return std::unexpected(MapError::kNoMemory);
  if (request.old_size_bytes > address_end_ ||
      !InRange(old_address, PageCeil(request.old_size_bytes))) {
    return std::unexpected(MapError::kInvalid);
  }
  const std::uint64_t old_size = PageCeil(request.old_size_bytes);
  const std::uint64_t new_size = PageCeil(request.new_size_bytes);
  const GuestAddr old_end = old_address + old_size;
  const Region* const found = mappings.Find(old_address);
  if (found == nullptr) return std::unexpected(MapError::kFault);
  if (old_size == 0 && (!found->IsSharedMemory() || !request.may_move)) {
    return std::unexpected(MapError::kInvalid);
  }
  Region region = *found;
  region.mapping.file_offset_bytes += region.file ? old_address - region.mapping.start : 0;

  const bool stays = !request.fixed_address && !request.keep_old;
  if (old_size != 0 && stays && new_size <= old_size) {
    if (new_size < old_size) {
      const auto unmapped = Unmap(old_address + new_size, old_size - new_size);
      if (!unmapped) return std::unexpected(unmapped.error());
    }
    return old_address;
  }
  if (found->mapping.end < old_end) return std::unexpected(MapError::kFault);
  if (mappings.size() + 3 > tables_->max_mappings) {
    return std::unexpected(MapError::kTooManyMappings);
  }
  if (region.IsSharedMemory() && new_size > old_size) {
    // An object of a file has to have room for what is to be shown of it.
    const std::uint64_t end = region.mapping.file_offset_bytes + new_size;
    if (region.file->shared->Reserve(end) != SharedObject::Failure::kNone) {
      return std::unexpected(MapError::kNoMemory);
    }
  }
  const bool grows_in_place = old_size != 0 && stays && InRange(old_address, new_size) &&
                              mappings.IsFree(old_end, old_address + new_size) &&
                              MaySpread(old_address, new_size);
  if (grows_in_place) {
    const std::size_t pieces = mappings.HostPieces(old_end, old_address + new_size);
    if (region.file) region.mapping.file_offset_bytes += old_size;
    region.mapping.start = old_end;
    region.mapping.end = old_address + new_size;
    if (region.HasHostMapping()) {
      if (const auto taken = TakePlace(old_end, region.ShownEnd()); !taken) {
        return std::unexpected(taken.error());
      }
    }
    mappings.Insert(region);
    if (!CountPieces(pieces, old_end, old_address + new_size)) {
      mappings.Erase(old_end, old_address + new_size);
      return std::unexpected(MapError::kTooManyMappings);
    }
    if (!ShowBacking(region)) return std::unexpected(MapError::kHostFailed);
    return old_address;
  }
  if (!request.may_move) return std::unexpected(MapError::kNoMemory);

  const auto place = Place(request, new_size, old_end);
  if (!place) return place;
  const GuestAddr new_address = *place;
  if (MayRead(region.mapping.protection) &&
      !tables_->IsInReach(*this, new_address, new_address + new_size)) {
    return std::unexpected(MapError::kNoMemory);
  }
  region.mapping.start = new_address;
  region.mapping.end = new_address + new_size;
  const std::uint64_t moved = std::min(old_size, new_size);
  if (const auto taken = TakePlaceFor(region, old_address, moved); !taken) {
    return std::unexpected(taken.error());
  }
  const std::size_t pieces = mappings.HostPieces(new_address, region.mapping.end);
  // As a file of its own where merging is concerned: the host's mappings may not merge again after
  // a move.
  if (region.file) region.file = std::make_shared<MappedFile>(*region.file);
  mappings.Insert(region);
  if (!CountPieces(pieces, new_address, region.mapping.end)) {
    mappings.Erase(new_address, region.mapping.end);
    return std::unexpected(MapError::kTooManyMappings);
  }
  if (moved != 0) TellObserver(old_address, moved);
  // What the file has is shown anew; written pages of a private mapping are copied like anonymous
  // ones.
  if (!ShowBacking(region)) return std::unexpected(MapError::kHostFailed);
  MovePages(old_address, new_address, moved);
  if (old_size == 0) return new_address;
  if (request.keep_old) {
    const auto discarded = Discard(old_address, old_size);
    if (!discarded) return std::unexpected(discarded.error());
    mappings.SetTraits(old_address, old_end, 0, kLocked);
  } else if (const auto unmapped = Unmap(old_address, old_size); !unmapped) {
    return std::unexpected(unmapped.error());
  }
  return new_address;
}

// Before `region`, where it is to be, gets what lies at `from` of it.
Result<void, MapError> AddressSpace::TakePlaceFor(const Region& region, GuestAddr from,
                                                  std::uint64_t size_bytes) {
  if (region.HasHostMapping()) return TakePlace(region.mapping.start, region.ShownEnd());
  std::vector<HostPlace::Range> runs;
  ForEachChargedRun(from, from + size_bytes, [&](std::uint64_t page, std::uint64_t run_end) {
    const GuestAddr at = (page << kPageShift) - from + region.mapping.start;
    const GuestAddr end = at + ((run_end - page) << kPageShift);
    if (!tables_->place.Missing(at, end).empty()) runs.push_back({at, end});
    return true;
  });
  for (const HostPlace::Range& run : runs) {
    if (const auto taken = TakePlace(run.start, run.end); !taken) return taken;
  }
  return {};
}

// Moves the contents and the charges of written pages: only these hold anything that the new place
// does not show by itself. They are copied rather than moved by the host's mremap, whose pieces
// never merge again and would use up the host's mappings.
void AddressSpace::MovePages(GuestAddr from, GuestAddr to, std::uint64_t size_bytes) {
  ForEachChargedRun(from, from + size_bytes, [&](std::uint64_t page, std::uint64_t run_end) {
    for (; page < run_end; ++page) {
      const std::uint64_t target = page - PageOf(from) + PageOf(to);
      std::memcpy(Host(target << kPageShift), Host(page << kPageShift), kPageSize);
      flags_[page] &= static_cast<std::uint8_t>(~kCharged);
      --tables_->charged_in_chunk[page / kPagesPerChunk];
      flags_[target] |= kCharged;
      ++tables_->charged_in_chunk[target / kPagesPerChunk];
    }
    return true;
  });
}

}  // namespace glovebox::engine
