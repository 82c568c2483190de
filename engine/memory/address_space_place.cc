// Where the space lies on the host: what it needs outside of its window, and moving to where the
// host has that.
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/memory/address_space_tables.h"

namespace glovebox::engine {
namespace {

// Of one space: what is done to all of them at once, as munmap(2) may, is done within the time in
// which a box has to answer.
constexpr std::size_t kMaxUnits = 4'096;

}  // namespace

bool AddressSpace::MaySpread(GuestAddr start, std::uint64_t size_bytes) {
  const GuestAddr window_end = window_start_ + window_bytes_;
  if (start >= window_start_ && start + size_bytes <= window_end) return true;
  if (tables_->is_spread) return true;
  tables_->is_spread = meter_.AddSpread();
  return tables_->is_spread;
}

HostPlace::Range AddressSpace::Reach() const {
  HostPlace::Range reach{window_start_, window_start_ + window_bytes_};
  for (const auto& [start, region] : tables_->mappings.rows()) {
    if (region.mapping.protection == kProtNone) continue;
    reach.start = std::min(reach.start, start);
    reach.end = std::max(reach.end, region.mapping.end);
  }
  return reach;
}

// A unit is a mapping of the host and costs pages of its page tables, so units are counted: by what
// the guest mapped and accessed.
Result<void, MapError> AddressSpace::TakePlace(GuestAddr start, GuestAddr end) {
  HostPlace& place = tables_->place;
  if (!place.shape().has_units()) return {};
  const std::vector<std::uint64_t> missing = place.Missing(start, end);
  if (missing.empty()) return {};
  if (missing.size() > kMaxUnits - place.units().size() || !meter_.AddMappings(missing.size())) {
    return std::unexpected(MapError::kTooManyMappings);
  }
  tables_->host_mappings += missing.size();
  if (place.Take(missing) || MoveToPlaceWith(missing)) return {};
  meter_.RemoveMappings(missing.size());
  tables_->host_mappings -= missing.size();
  meter_.NoteHostFailure();
  return std::unexpected(MapError::kHostFailed);
}

// As a fork to itself, whose pages go instead of being copied.
bool AddressSpace::MoveToPlaceWith(const std::vector<std::uint64_t>& missing) {
  HostPlace place(tables_->place.shape());
  std::set<std::uint64_t> units = tables_->place.units();
  units.insert(missing.begin(), missing.end());
  if (!place.Settle(units, Reach())) return false;
  std::byte* const old_base = base_;
  base_ = place.base();
  for (const auto& [start, region] : tables_->mappings.rows()) {
    if (ShowBacking(region)) continue;
    base_ = old_base;
    return false;
  }
  ForEachChargedRun(0, address_end_, [&](std::uint64_t page, std::uint64_t run_end) {
    const GuestAddr from = page << kPageShift;
    const auto size_bytes = static_cast<std::size_t>((run_end - page) << kPageShift);
    std::memcpy(Host(from), HostOf(old_base, from), size_bytes);
    ::madvise(HostOf(old_base, from), size_bytes, MADV_DONTNEED);
    return true;
  });
  tables_->place = std::move(place);  // and what it was goes
  return true;
}

void AddressSpace::LeaveUnusedPlaces(GuestAddr start, GuestAddr end) {
  HostPlace& place = tables_->place;
  if (place.units().empty()) return;
  constexpr std::uint64_t kUnit = HostPlace::kUnitBytes;
  std::vector<std::uint64_t> unused;
  for (auto it = place.units().lower_bound(start / kUnit);
       it != place.units().end() && *it * kUnit < end; ++it) {
    if (tables_->mappings.IsFree(*it * kUnit, (*it + 1) * kUnit)) unused.push_back(*it);
  }
  std::uint64_t accessed = 0;
  for (const std::uint64_t unit : unused) {
    constexpr std::uint64_t kChunks = (kUnit >> kPageShift) / kPagesPerChunk;
    for (std::uint64_t chunk = unit * kChunks; chunk < (unit + 1) * kChunks; ++chunk) {
      accessed += tables_->charged_in_chunk[chunk] != 0 ? 1 : 0;
      tables_->charged_in_chunk[chunk] = 0;
    }
    place.GiveBack(unit);
  }
  tables_->costs.Remove(accessed, meter_);
  meter_.RemoveMappings(unused.size());
  tables_->host_mappings -= unused.size();
}

}  // namespace glovebox::engine
