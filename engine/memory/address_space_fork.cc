#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/memory/address_space_tables.h"

namespace glovebox::engine {

// The written pages of [start, end): nothing else differs from what the child's window shows by
// itself. Runs of pages are copied as one.
bool AddressSpace::CopyCharged(AddressSpace& child, GuestAddr start, GuestAddr end) const {
  for (std::uint64_t page = PageOf(start); page < PageOf(end);) {
    const std::uint64_t chunk = page / kPagesPerChunk;
    const std::uint64_t chunk_end = std::min(PageOf(end), (chunk + 1) * kPagesPerChunk);
    if (tables_->charged_in_chunk[chunk] == 0) {
      page = chunk_end;
      continue;
    }
    while (page < chunk_end) {
      std::uint64_t run = page;
      while (run < chunk_end && (flags_[run] & kCharged) != 0 && child.ChargePage(run)) ++run;
      if (run != page) {
        std::memcpy(child.base_ + (page << kPageShift), base_ + (page << kPageShift),
                    (run - page) << kPageShift);
      }
      if (run < chunk_end && (flags_[run] & kCharged) != 0) return false;
      page = run < chunk_end ? run + 1 : run;
    }
  }
  return true;
}

Result<std::unique_ptr<AddressSpace>, MapError> AddressSpace::Fork() const {
  if (!meter_.AddMappings(tables_->host_mappings)) {
    return std::unexpected(MapError::kTooManyMappings);
  }
  meter_.RemoveMappings(tables_->host_mappings);
  auto made = Make({window_bytes_, tables_->max_mappings}, meter_);
  if (!made) return std::unexpected(MapError::kHostFailed);
  AddressSpace& child = **made;
  child.mmap_top_ = mmap_top_;
  child.stack_limit_bytes_ = stack_limit_bytes_;
  for (const auto& [start, parents] : tables_->mappings.rows()) {
    if ((parents.mapping.traits & kDontFork) != 0) continue;
    if (!child.ShowBacking(parents)) return std::unexpected(MapError::kHostFailed);
    if (parents.IsSharedMemory()) child.AttachTo(parents.file->shared);
    Region region = parents;
    region.mapping.traits &= static_cast<std::uint8_t>(~kLocked);  // mlock(2), "Notes"
    child.tables_->mappings.Insert(std::move(region));
    if ((parents.mapping.traits & kWipeOnFork) != 0) continue;
    if (!CopyCharged(child, start, parents.mapping.end)) {
      return std::unexpected(MapError::kMemoryLimit);
    }
  }
  child.CountPieces(0, 0, window_bytes_);
  return std::move(*made);
}

}  // namespace glovebox::engine
