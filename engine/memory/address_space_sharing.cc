#include <algorithm>
#include <utility>

#include "engine/memory/address_space_tables.h"

namespace glovebox::engine {

void AddressSpace::AttachTo(const std::shared_ptr<SharedObject>& object) {
  auto& objects = tables_->objects;
  if (!object->Attach(*this)) return;
  if (objects.size() == objects.capacity()) {
    std::erase_if(objects, [](const auto& weak) { return weak.expired(); });
  }
  objects.push_back(object);
}

template <typename Use>
void AddressSpace::ForEachAlias(const SharedObject& object, std::uint64_t offset,
                                std::uint64_t size_bytes, Use use) const {
  for (const auto& [start, region] : tables_->mappings.rows()) {
    if (!region.IsSharedMemory() || region.file->shared.get() != &object) continue;
    const std::uint64_t first = region.mapping.file_offset_bytes;
    const std::uint64_t end = first + (region.mapping.end - start);
    const std::uint64_t from = std::max(first, offset);
    const std::uint64_t to =
        size_bytes > end - std::min(end, from) ? end : std::min(end, offset + size_bytes);
    if (from < to) use(start + (from - first), start + (to - first));
  }
}

// Code that was decoded by way of another mapping of the same memory.
void AddressSpace::TellOfStore(const Region& region, GuestAddr address) {
  if (!region.IsSharedMemory()) return;
  SharedObject& object = *region.file->shared;
  const std::uint64_t offset = region.mapping.file_offset_bytes + (address - region.mapping.start);
  if (!object.HasCode(offset)) return;
  object.Stored(offset, *this, PageFloor(address), (flags_[PageOf(address)] & kHasCode) != 0);
}

void AddressSpace::ObjectStored(const SharedObject& object, std::uint64_t offset,
                                GuestAddr except) {
  ForEachAlias(object, offset, kPageSize, [&](GuestAddr start, GuestAddr) {
    const bool has_code = (flags_[PageOf(start)] & kHasCode) != 0;
    if (start != except && has_code && observer_ != nullptr) observer_->CodeStoredElsewhere(start);
  });
}

void AddressSpace::ObjectWatched(const SharedObject& object, std::uint64_t offset) {
  ForEachAlias(object, offset, kPageSize, [&](GuestAddr start, GuestAddr) {
    flags_[PageOf(start)] &= static_cast<std::uint8_t>(~(unsigned{kPlain} | kHeldPlain));
  });
}

void AddressSpace::ObjectForgotten(const SharedObject& object, std::uint64_t offset,
                                   std::uint64_t size_bytes) {
  ForEachAlias(object, offset, size_bytes, [&](GuestAddr start, GuestAddr end) {
    TellObserver(start, end - start);
    ForgetPermissions(start, end);
  });
}

void AddressSpace::ObjectWritten(const SharedObject& object, std::uint64_t offset,
                                 std::uint64_t size_bytes) {
  if (watches_.empty()) return;
  ForEachAlias(object, offset, size_bytes, [&](GuestAddr start, GuestAddr end) {
    NoteCopy(start, end - start, Access::kWrite);
  });
}

std::vector<AddressSpace::SharedPiece> AddressSpace::SharedPieces(GuestAddr address,
                                                                  std::uint64_t size_bytes) const {
  std::vector<SharedPiece> pieces;
  if (address >= address_end_) return pieces;
  const GuestAddr end = address + std::min(size_bytes, address_end_ - address);
  for (const Region& region : tables_->mappings.Within(PageFloor(address), PageCeil(end))) {
    if (!region.IsSharedMemory()) continue;
    const GuestAddr from = std::max(address, region.mapping.start);
    pieces.push_back({region.file->shared.get(),
                      region.mapping.file_offset_bytes + (from - region.mapping.start), from,
                      std::min(end, region.mapping.end) - from});
  }
  return pieces;
}

std::vector<AddressSpace::SharedPiece> AddressSpace::PlacesOf(const SharedObject& object,
                                                              std::uint64_t offset_bytes,
                                                              std::uint64_t size_bytes) const {
  std::vector<SharedPiece> pieces;
  for (const auto& [start, region] : tables_->mappings.rows()) {
    if (!region.IsSharedMemory() || region.file->shared.get() != &object) continue;
    const std::uint64_t first = region.mapping.file_offset_bytes;
    const std::uint64_t from = std::max(first, offset_bytes);
    const std::uint64_t end =
        std::min(first + (region.mapping.end - start), offset_bytes + size_bytes);
    if (from < end) pieces.push_back({&object, from, start + (from - first), end - from});
  }
  return pieces;
}

std::uint64_t AddressSpace::mapping_changes() const { return tables_->mappings.changes(); }

bool AddressSpace::ObjectMoved(SharedObject& object) {
  bool shown = true;
  ForEachAlias(object, 0, ~std::uint64_t{0}, [&](GuestAddr start, GuestAddr end) {
    const Region& region = *tables_->mappings.Find(start);
    const std::uint64_t at = region.mapping.file_offset_bytes + (start - region.mapping.start);
    shown = shown && object.ShowAt(Host(start), at, end - start);
  });
  return shown;
}

bool AddressSpace::MayWriteObject(const SharedObject& object) const {
  bool may = false;
  ForEachAlias(object, 0, ~std::uint64_t{0}, [&](GuestAddr start, GuestAddr) {
    may = may || (Find(start)->allowed_protection & kProtWrite) != 0;
  });
  return may;
}

Result<void, MapError> AddressSpace::Remove(GuestAddr address, std::uint64_t size_bytes) {
  const GuestAddr end = address + PageCeil(size_bytes);
  for (const Region& piece : tables_->mappings.Within(address, end)) {
    if ((piece.mapping.traits & kLocked) != 0 || !piece.IsSharedMemory()) {
      return std::unexpected(MapError::kInvalid);
    }
    if ((piece.mapping.allowed_protection & kProtWrite) == 0) {
      return std::unexpected(MapError::kDenied);
    }
    if (!piece.file->shared->Punch(piece.mapping.file_offset_bytes,
                                   piece.mapping.end - piece.mapping.start)) {
      return std::unexpected(MapError::kNoMemory);
    }
  }
  if (!tables_->mappings.Covers(address, end)) return std::unexpected(MapError::kNoMemory);
  return {};
}

Result<void, MapError> AddressSpace::ShowOther(GuestAddr address, std::uint64_t size_bytes,
                                               std::uint64_t offset_bytes) {
  const Region* const region = tables_->mappings.Find(address);
  if (region == nullptr || !region->IsSharedMemory() ||
      region->mapping.end < address + size_bytes) {
    return std::unexpected(MapError::kInvalid);
  }
  const Mapping& mapping = region->mapping;
  const std::shared_ptr<SharedObject> object = region->file->shared;
  if (object->Reserve(offset_bytes + size_bytes) != SharedObject::Failure::kNone) {
    return std::unexpected(MapError::kNoMemory);
  }
  MapRequest request{.address = address,
                     .size_bytes = size_bytes,
                     .protection = mapping.protection,
                     .fixed = true,
                     .shared = true,
                     .allowed_protection = mapping.allowed_protection,
                     .traits = mapping.traits,
                     .file = FileBacking{.shared = object, .offset_bytes = offset_bytes},
                     .device = mapping.device,
                     .inode = mapping.inode,
                     .name = mapping.name};
  const auto mapped = Map(request);
  return mapped ? Result<void, MapError>{} : std::unexpected(mapped.error());
}

std::optional<AddressSpace::SharedPlace> AddressSpace::SharedPlaceOf(GuestAddr address) const {
  const Region* const region = tables_->mappings.Find(address);
  if (region == nullptr || !region->IsSharedMemory()) return std::nullopt;
  return SharedPlace{region->file->shared.get(),
                     region->mapping.file_offset_bytes + (address - region->mapping.start)};
}

}  // namespace glovebox::engine
