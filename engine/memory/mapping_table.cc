#include "engine/memory/mapping_table.h"

#include <algorithm>
#include <utility>

namespace glovebox::engine {
namespace {

// The piece [start, end) of a region.
Region Cut(const Region& region, GuestAddr start, GuestAddr end) {
  Region piece = region;
  piece.mapping.start = start;
  piece.mapping.end = end;
  piece.mapping.file_offset_bytes += start - region.mapping.start;
  if (!region.file) piece.mapping.file_offset_bytes = 0;
  return piece;
}

bool AreAlike(const Region& low, const Region& high) {
  const Mapping& a = low.mapping;
  const Mapping& b = high.mapping;
  if (a.protection != b.protection || a.shared != b.shared || a.traits != b.traits ||
      a.allowed_protection != b.allowed_protection || a.name != b.name || low.file != high.file) {
    return false;
  }
  return !low.file || a.file_offset_bytes + (a.end - a.start) == b.file_offset_bytes;
}

}  // namespace

GuestAddr Region::BackedEnd() const {
  if (!file) return mapping.end;
  const std::uint64_t pages_end = PageCeil(file->end_bytes());
  if (mapping.file_offset_bytes >= pages_end) return mapping.start;
  const std::uint64_t backed = pages_end - mapping.file_offset_bytes;
  return mapping.start + std::min(backed, mapping.end - mapping.start);
}

const Region* MappingTable::Find(GuestAddr address) const {
  auto it = regions_.upper_bound(address);
  if (it == regions_.begin()) return nullptr;
  --it;
  return address < it->second.mapping.end ? &it->second : nullptr;
}

bool MappingTable::Covers(GuestAddr start, GuestAddr end) const {
  while (start < end) {
    const Region* const region = Find(start);
    if (region == nullptr) return false;
    start = region->mapping.end;
  }
  return true;
}

bool MappingTable::IsFree(GuestAddr start, GuestAddr end) const {
  const auto it = regions_.lower_bound(end);
  return it == regions_.begin() || std::prev(it)->second.mapping.end <= start;
}

std::optional<GuestAddr> MappingTable::HighestFree(std::uint64_t size_bytes, GuestAddr bottom,
                                                   GuestAddr top) const {
  GuestAddr gap_end = top;
  auto it = regions_.lower_bound(top);
  while (true) {
    const bool is_last = it == regions_.begin();
    const GuestAddr gap_start =
        is_last ? bottom : std::max(bottom, std::prev(it)->second.mapping.end);
    if (gap_start < gap_end && gap_end - gap_start >= size_bytes) return gap_end - size_bytes;
    if (is_last || gap_start <= bottom) return std::nullopt;
    --it;
    gap_end = std::min(gap_end, it->first);
  }
}

std::optional<GuestAddr> MappingTable::LowestFree(std::uint64_t size_bytes, GuestAddr bottom,
                                                  GuestAddr top) const {
  GuestAddr gap_start = bottom;
  auto it = regions_.upper_bound(bottom);
  if (it != regions_.begin()) gap_start = std::max(bottom, std::prev(it)->second.mapping.end);
  for (; gap_start < top; gap_start = it->second.mapping.end, ++it) {
    const GuestAddr gap_end = it == regions_.end() ? top : std::min(top, it->first);
    if (gap_end - gap_start >= size_bytes) return gap_start;
    if (it == regions_.end()) break;
  }
  return std::nullopt;
}

std::vector<Region> MappingTable::Within(GuestAddr start, GuestAddr end) const {
  std::vector<Region> pieces;
  auto it = regions_.upper_bound(start);
  if (it != regions_.begin()) --it;
  for (; it != regions_.end() && it->first < end; ++it) {
    const Mapping& mapping = it->second.mapping;
    if (mapping.end <= start) continue;
    pieces.push_back(Cut(it->second, std::max(start, mapping.start), std::min(end, mapping.end)));
  }
  return pieces;
}

std::vector<Mapping> MappingTable::All() const {
  std::vector<Mapping> all;
  all.reserve(regions_.size());
  for (const auto& [start, region] : regions_) all.push_back(region.mapping);
  return all;
}

std::vector<Region> MappingTable::Regions() const {
  std::vector<Region> all;
  all.reserve(regions_.size());
  for (const auto& [start, region] : regions_) all.push_back(region);
  return all;
}

std::size_t MappingTable::GrowthOf(GuestAddr start, GuestAddr end) const {
  const auto splits = [this](GuestAddr at) {
    const Region* const region = Find(at);
    return region != nullptr && region->mapping.start != at;
  };
  return (splits(start) ? 1u : 0u) + (splits(end) ? 1u : 0u);
}

void MappingTable::Insert(Region region) {
  ++changes_;
  const GuestAddr start = region.mapping.start;
  const GuestAddr end = region.mapping.end;
  regions_.emplace(start, std::move(region));
  MergeAt(start);
  MergeAt(end);
}

void MappingTable::Erase(GuestAddr start, GuestAddr end) {
  ++changes_;
  SplitAt(start);
  SplitAt(end);
  regions_.erase(regions_.lower_bound(start), regions_.lower_bound(end));
}

template <typename Change>
void MappingTable::ChangeEach(GuestAddr start, GuestAddr end, Change change) {
  SplitAt(start);
  SplitAt(end);
  std::vector<GuestAddr> borders;
  for (auto it = regions_.lower_bound(start); it != regions_.end() && it->first < end; ++it) {
    change(it->second.mapping);
    borders.push_back(it->first);
  }
  borders.push_back(end);
  for (const GuestAddr border : borders) MergeAt(border);
}

void MappingTable::SetProtection(GuestAddr start, GuestAddr end, std::uint8_t protection) {
  ChangeEach(start, end, [protection](Mapping& mapping) { mapping.protection = protection; });
}

void MappingTable::SetTraits(GuestAddr start, GuestAddr end, std::uint8_t set, std::uint8_t clear) {
  ChangeEach(start, end, [=](Mapping& mapping) {
    mapping.traits = static_cast<std::uint8_t>((mapping.traits & ~clear) | set);
  });
}

void MappingTable::LowerStart(GuestAddr start, GuestAddr new_start) {
  ++changes_;
  auto node = regions_.extract(start);
  node.key() = node.mapped().mapping.start = new_start;
  regions_.insert(std::move(node));
  MergeAt(new_start);
}

std::size_t MappingTable::HostPieces(GuestAddr start, GuestAddr end) const {
  std::size_t count = 0;
  for (auto it = regions_.lower_bound(start); it != regions_.end() && it->first <= end; ++it) {
    const Region& region = it->second;
    if (!region.HasHostMapping()) continue;
    const bool goes_on =
        it != regions_.begin() && std::prev(it)->second.mapping.end == it->first &&
        std::prev(it)->second.file == region.file &&
        std::prev(it)->second.mapping.file_offset_bytes + (it->first - std::prev(it)->first) ==
            region.mapping.file_offset_bytes;
    if (!goes_on) ++count;
  }
  return count;
}

void MappingTable::SplitAt(GuestAddr at) {
  auto it = regions_.upper_bound(at);
  if (it == regions_.begin()) return;
  --it;
  Region& region = it->second;
  if (it->first == at || region.mapping.end <= at) return;
  Region high = Cut(region, at, region.mapping.end);
  region.mapping.end = at;
  regions_.emplace(at, std::move(high));
}

void MappingTable::MergeAt(GuestAddr at) {
  const auto high = regions_.find(at);
  if (high == regions_.end() || high == regions_.begin()) return;
  Region& low = std::prev(high)->second;
  if (low.mapping.end != at || !AreAlike(low, high->second)) return;
  low.mapping.end = high->second.mapping.end;
  regions_.erase(high);
}

}  // namespace glovebox::engine
