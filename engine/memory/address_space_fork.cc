#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/memory/address_space_tables.h"

namespace glovebox::engine {

// The written pages of [start, end): nothing else differs from what the child's window shows by
// itself. Runs of pages are copied as one.
bool AddressSpace::CopyCharged(AddressSpace& child, GuestAddr start, GuestAddr end) const {
  return ForEachChargedRun(start, end, [&](std::uint64_t page, std::uint64_t run_end) {
    std::uint64_t charged = page;
    while (charged < run_end && child.ChargePage(charged)) ++charged;
    const GuestAddr from = page << kPageShift;
    std::memcpy(child.Host(from), Host(from),
                static_cast<std::size_t>((charged - page) << kPageShift));
    return charged == run_end;
  });
}

Result<std::unique_ptr<AddressSpace>, MapError> AddressSpace::Fork() const {
  if (!meter_.AddMappings(tables_->host_mappings)) {
    return std::unexpected(MapError::kTooManyMappings);
  }
  meter_.RemoveMappings(tables_->host_mappings);
  if (tables_->is_spread && !meter_.AddSpread()) return std::unexpected(MapError::kTooManySpaces);
  if (tables_->is_spread) meter_.RemoveSpread();
  const std::set<std::uint64_t>& units = tables_->place.units();
  auto made = MakeAt({window_bytes_, tables_->max_mappings, window_start_, address_end_}, meter_,
                     units, Reach());
  if (!made) return std::unexpected(MapError::kHostFailed);
  AddressSpace& child = **made;
  child.tables_->is_spread = tables_->is_spread && meter_.AddSpread();
  if (meter_.AddMappings(units.size())) child.tables_->host_mappings += units.size();
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
  child.CountPieces(0, 0, address_end_);
  return std::move(*made);
}

}  // namespace glovebox::engine
