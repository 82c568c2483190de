#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "engine/memory/address_space_tables.h"

namespace glovebox::engine {

std::optional<GuestAddr> AddressSpace::FindFree(std::uint64_t size_bytes) {
  const MappingTable& mappings = tables_->mappings;
  const GuestAddr bottom = std::max(window_start_, kLowestMapping);
  auto found = mappings.HighestFree(size_bytes, bottom, mmap_top_);
  if (found) return found;
  // What is larger than the window, as a rule: next to it, so that all lies close together.
  found = mappings.LowestFree(size_bytes, window_start_ + window_bytes_, address_end_);
  if (!found) found = mappings.HighestFree(size_bytes, kLowestMapping, window_start_);
  return found && MaySpread(*found, size_bytes) ? found : std::nullopt;
}

// Forgets the contents of [start, end): zeros from now on, and no file.
Result<void, MapError> AddressSpace::MakeAnonymous(GuestAddr start, GuestAddr end) {
  bool has_file = false;
  for (const Region& region : tables_->mappings.Within(start, end)) {
    has_file = has_file || region.file != nullptr;
  }
  bool done = true;
  tables_->place.ForEachPiece(start, end, [&](GuestAddr piece, GuestAddr piece_end) {
    const std::uint64_t size_bytes = piece_end - piece;
    if (!has_file) {
      done = done && ::madvise(Host(piece), size_bytes, MADV_DONTNEED) == 0;
      return;
    }
    void* const at = ::mmap(Host(piece), size_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    done = done && at != MAP_FAILED;
    if (at != MAP_FAILED) ::madvise(at, size_bytes, MADV_NOHUGEPAGE);
  });
  return done ? Result<void, MapError>{} : std::unexpected(MapError::kHostFailed);
}

bool AddressSpace::ShowBacking(const Region& region) {
  const Mapping& mapping = region.mapping;
  const std::uint64_t backed = region.BackedEnd() - mapping.start;
  if (!region.file) return true;
  if (region.file->shared) {
    // All of it: what lies beyond the end now may be behind it later.
    return region.file->shared->ShowAt(Host(mapping.start), mapping.file_offset_bytes,
                                       mapping.end - mapping.start);
  }
  if (!region.file->host || backed == 0) return true;
  // Pages wholly beyond the file stay anonymous: the guest never reaches them, so the host never
  // raises SIGBUS. The host's mapping holds the file; no descriptor is kept.
  const int fd = region.file->host->Descriptor();
  return fd >= 0 && ::mmap(Host(mapping.start), backed, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd,
                           static_cast<off_t>(mapping.file_offset_bytes)) != MAP_FAILED;
}

Result<GuestAddr, MapError> AddressSpace::Map(const MapRequest& request) {
  MappingTable& mappings = tables_->mappings;
  if (request.size_bytes == 0 || request.address % kPageSize != 0) {
    return std::unexpected(MapError::kInvalid);
  }
  if (request.size_bytes > address_end_) return std::unexpected(MapError::kNoMemory);
  const std::uint64_t size_bytes = PageCeil(request.size_bytes);
  if (request.file && (request.file->offset_bytes % kPageSize != 0 ||
                       request.file->offset_bytes > ~std::uint64_t{0} - size_bytes)) {
    return std::unexpected(MapError::kInvalid);
  }
  GuestAddr start = request.address;
  const auto in_reach = [&](GuestAddr at) {
    return tables_->IsInReach(*this, at, at + size_bytes);
  };
  const bool usable_hint = start >= kLowestMapping && InRange(start, size_bytes) &&
                           mappings.IsFree(start, start + size_bytes) && in_reach(start);
  if (request.fixed) {
    if (!InRange(start, size_bytes)) return std::unexpected(MapError::kNoMemory);
    if (request.no_replace && !mappings.IsFree(start, start + size_bytes)) {
      return std::unexpected(MapError::kExists);
    }
  } else if (!usable_hint || !MaySpread(start, size_bytes)) {
    const auto found = FindFree(size_bytes);
    if (!found) return std::unexpected(MapError::kNoMemory);
    start = *found;
  }
  const GuestAddr end = start + size_bytes;
  if (!MaySpread(start, size_bytes) || (MayRead(request.protection) && !in_reach(start))) {
    return std::unexpected(MapError::kTooManySpaces);
  }
  if (mappings.size() + mappings.GrowthOf(start, end) + 1 > tables_->max_mappings) {
    return std::unexpected(MapError::kTooManyMappings);
  }

  Region region;
  region.mapping = {.start = start,
                    .end = end,
                    .protection = request.protection,
                    .allowed_protection = request.allowed_protection,
                    .traits = request.traits,
                    .shared = request.shared,
                    .file_offset_bytes = 0,
                    .device = request.device,
                    .inode = request.inode,
                    .name = request.name};
  if (request.file) {
    const FileBacking& file = *request.file;
    region.mapping.file_offset_bytes = file.offset_bytes;
    region.file = std::make_shared<MappedFile>(
        MappedFile{file.file_size_bytes, file.host, file.shared, file.source});
  } else if (request.shared) {
    SharedObject::Failure failure;
    auto object = SharedObject::Make(size_bytes, meter_, failure);
    if (!object) {
      return std::unexpected(failure == SharedObject::Failure::kHost ? MapError::kHostFailed
                                                                     : MapError::kNoMemory);
    }
    region.file =
        std::make_shared<MappedFile>(MappedFile{size_bytes, nullptr, std::move(object), nullptr});
  }
  if (const auto unmapped = Unmap(start, size_bytes); !unmapped) {
    return std::unexpected(unmapped.error());
  }
  if (region.HasHostMapping()) {
    if (const auto taken = TakePlace(start, region.ShownEnd()); !taken) {
      return std::unexpected(taken.error());
    }
  }
  const std::size_t pieces = mappings.HostPieces(start, end);
  const auto shared = region.file ? region.file->shared : nullptr;
  mappings.Insert(region);
  if (!CountPieces(pieces, start, end)) {
    mappings.Erase(start, end);
    return std::unexpected(MapError::kTooManyMappings);
  }
  if (!ShowBacking(region)) return std::unexpected(MapError::kHostFailed);
  if (shared) AttachTo(shared);
  return start;
}

Result<void, MapError> AddressSpace::Unmap(GuestAddr address, std::uint64_t size_bytes) {
  MappingTable& mappings = tables_->mappings;
  if (address % kPageSize != 0 || size_bytes == 0 || size_bytes > address_end_ ||
      !InRange(address, PageCeil(size_bytes))) {
    return std::unexpected(MapError::kInvalid);
  }
  const GuestAddr end = address + PageCeil(size_bytes);
  if (mappings.IsFree(address, end)) return {};
  if (mappings.size() + mappings.GrowthOf(address, end) > tables_->max_mappings + 1) {
    return std::unexpected(MapError::kTooManyMappings);
  }
  // A hole in the middle leaves one piece more than there was.
  const std::size_t pieces = mappings.HostPieces(address, end);
  const Region* const last = mappings.Find(end);
  const bool cuts = last != nullptr && last->mapping.start < address && last->HasHostMapping();
  if (cuts && !meter_.AddMappings(kMappingsOfPiece)) {
    return std::unexpected(MapError::kTooManyMappings);
  }
  if (cuts) meter_.RemoveMappings(kMappingsOfPiece);
  TellObserver(address, end - address);
  if (const auto made = MakeAnonymous(address, end); !made) return made;
  ReleasePages(address, end);
  ClearFlags(address, end);
  mappings.Erase(address, end);
  CountPieces(pieces, address, end);
  LeaveUnusedPlaces(address, end);
  return {};
}

Result<void, MapError> AddressSpace::Protect(GuestAddr address, std::uint64_t size_bytes,
                                             std::uint8_t protection) {
  MappingTable& mappings = tables_->mappings;
  if (address % kPageSize != 0) return std::unexpected(MapError::kInvalid);
  if (size_bytes == 0) return {};
  if (size_bytes > address_end_ || !InRange(address, PageCeil(size_bytes))) {
    return std::unexpected(MapError::kNoMemory);
  }
  // mprotect(2) changes everything up to the first hole before it fails.
  const GuestAddr wanted_end = address + PageCeil(size_bytes);
  GuestAddr end = address;
  bool denied = false;
  while (end < wanted_end) {
    const Region* const region = mappings.Find(end);
    if (region == nullptr) break;
    denied = (protection & ~region->mapping.allowed_protection) != 0;
    if (denied) break;
    end = std::min(wanted_end, region->mapping.end);
  }
  if (end > address) {
    if (mappings.size() + mappings.GrowthOf(address, end) > tables_->max_mappings) {
      return std::unexpected(MapError::kTooManyMappings);
    }
    if (MayRead(protection) && !tables_->IsInReach(*this, address, end)) {
      return std::unexpected(MapError::kNoMemory);
    }
    TellObserver(address, end - address);
    mappings.SetProtection(address, end, protection);
    ForgetPermissions(address, end);
  }
  if (denied) return std::unexpected(MapError::kDenied);
  if (end != wanted_end) return std::unexpected(MapError::kNoMemory);
  return {};
}

Result<void, MapError> AddressSpace::Discard(GuestAddr address, std::uint64_t size_bytes) {
  if (address % kPageSize != 0) return std::unexpected(MapError::kInvalid);
  if (size_bytes == 0) return {};
  if (size_bytes > address_end_ || !InRange(address, PageCeil(size_bytes))) {
    return std::unexpected(MapError::kNoMemory);
  }
  const GuestAddr end = address + PageCeil(size_bytes);
  for (const Region& piece : tables_->mappings.Within(address, end)) {
    if ((piece.mapping.traits & kLocked) != 0) return std::unexpected(MapError::kInvalid);
  }
  TellObserver(address, end - address);
  // On a private file mapping the host shows the file again, on shared memory what is in it.
  bool done = true;
  tables_->place.ForEachPiece(address, end, [&](GuestAddr piece, GuestAddr piece_end) {
    done = done && ::madvise(Host(piece), piece_end - piece, MADV_DONTNEED) == 0;
  });
  if (!done) return std::unexpected(MapError::kHostFailed);
  ReleasePages(address, end);
  ForgetPermissions(address, end);
  if (!tables_->mappings.Covers(address, end)) return std::unexpected(MapError::kNoMemory);
  return {};
}

Result<void, MapError> AddressSpace::SetTraits(GuestAddr address, std::uint64_t size_bytes,
                                               std::uint8_t set, std::uint8_t clear) {
  MappingTable& mappings = tables_->mappings;
  const GuestAddr wanted_end = address + PageCeil(size_bytes);
  GuestAddr end = address;
  while (end < wanted_end) {
    const Region* const region = mappings.Find(end);
    if (region == nullptr) break;
    end = std::min(wanted_end, region->mapping.end);
  }
  if (end > address) {
    if (mappings.size() + mappings.GrowthOf(address, end) > tables_->max_mappings) {
      return std::unexpected(MapError::kTooManyMappings);
    }
    mappings.SetTraits(address, end, set, clear);
  }
  return end == wanted_end ? Result<void, MapError>{} : std::unexpected(MapError::kNoMemory);
}

}  // namespace glovebox::engine
