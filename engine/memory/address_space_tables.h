// What only the sources of AddressSpace see of it.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/memory/address_space.h"
#include "engine/memory/mapping_table.h"

namespace glovebox::engine {

// Charged pages are also counted by chunk, so that a huge sparse range is not searched page by
// page.
inline constexpr std::uint64_t kPagesPerChunk = 512;
// mmap_min_addr of Linux: what is not asked for by MAP_FIXED never lands below.
inline constexpr GuestAddr kLowestMapping = 64_KiB;
// A mapping of the host splits the memory around it.
inline constexpr std::size_t kMappingsOfPiece = 2;

// Addresses that can be accessed lie no further apart, as no host has more for one base: a step of
// the grid less than what host_place.cc has. A mapping without access does not count.
inline constexpr std::uint64_t kMaxReach = 125 * 1024_GiB + 512_GiB;

inline std::uint64_t PageOf(GuestAddr address) { return address >> kPageShift; }

// x86 has no write-only and (without protection keys) no execute-only pages.
inline bool MayRead(std::uint8_t protection) { return protection != kProtNone; }

// A lazily populated host region.
class HostRegion {
 public:
  HostRegion() = default;
  ~HostRegion() {
    if (bytes_ != nullptr) ::munmap(bytes_, size_bytes_);
  }
  HostRegion(const HostRegion&) = delete;
  HostRegion& operator=(const HostRegion&) = delete;

  bool Reserve(std::uint64_t size_bytes) {
    bytes_ = ReserveTable(size_bytes);
    size_bytes_ = size_bytes;
    return bytes_ != nullptr;
  }
  std::byte* bytes() const { return bytes_; }

 private:
  std::byte* bytes_ = nullptr;
  std::uint64_t size_bytes_ = 0;
};

// What accesses cost the host beside the memory: pages of page tables, of the flags and of theirs.
// Each first access to 2 MiB of guest addresses, and each first question for the flags of 8 GiB,
// counts as a page. Some are free, more than programs need that use their memory densely; the rest
// is charged, so that accesses all over the addresses end at the memory limit.
class AccessCosts {
 public:
  static constexpr std::uint64_t kFreePages = 1024;
  static constexpr std::uint64_t kFlagsShift = 33;

  explicit AccessCosts(std::uint64_t address_end)
      : asked_(static_cast<std::size_t>((address_end >> kFlagsShift) + 1)) {}

  // False: the memory limit.
  bool Add(MemoryMeter& meter) {
    if (pages_ >= kFreePages && !meter.Charge(kPageSize)) return false;
    ++pages_;
    return true;
  }
  void Remove(std::uint64_t pages, MemoryMeter& meter) {
    const auto charged = [this] { return pages_ > kFreePages ? pages_ - kFreePages : 0; };
    const std::uint64_t before = charged();
    pages_ -= pages;
    meter.Release((before - charged()) * kPageSize);
  }
  bool AskForFlags(GuestAddr address, MemoryMeter& meter) {
    const auto index = static_cast<std::size_t>(address >> kFlagsShift);
    if (index >= asked_.size() || asked_[index]) return true;
    if (!Add(meter)) return false;
    asked_[index] = true;
    return true;
  }
  std::uint64_t pages() const { return pages_; }

 private:
  std::uint64_t pages_ = 0;
  std::vector<bool> asked_;
};

struct AddressSpace::Tables {
  // Would a space with `reach` and [start, end) too still have a place on a host?
  static bool CanReach(HostPlace::Range reach, GuestAddr start, GuestAddr end) {
    return std::max(reach.end, end) - std::min(reach.start, start) <= kMaxReach;
  }
  // May [start, end) be accessed, as far as its distance from the rest is concerned?
  bool IsInReach(const AddressSpace& space, GuestAddr start, GuestAddr end) const {
    if (!place.shape().has_units()) return true;
    const HostPlace::Range window = place.shape().window;
    const auto& rows = mappings.rows();
    if (rows.empty()) return CanReach(window, start, end);
    // All that is mapped, and only where that is too much without what cannot be accessed.
    const HostPlace::Range all{std::min(window.start, rows.begin()->first),
                               std::max(window.end, rows.rbegin()->second.mapping.end)};
    return CanReach(all, start, end) || CanReach(space.Reach(), start, end);
  }

  explicit Tables(const HostPlace::Shape& shape) : place(shape), costs(shape.address_end) {}

  std::size_t max_mappings = 0;
  HostPlace place;
  bool is_spread = false;  // something was mapped outside of the window
  HostRegion flags;
  HostRegion chunk_counts;
  // With kAccessed where anything in the chunk was accessed.
  std::uint16_t* charged_in_chunk = nullptr;
  AccessCosts costs;
  MappingTable mappings;
  std::vector<std::weak_ptr<SharedObject>> objects;  // that know of this window
  std::size_t host_mappings = 0;                     // as counted by the meter

  static constexpr std::uint16_t kAccessed = 0x8000;
  bool HasCharged(std::uint64_t chunk) const { return (charged_in_chunk[chunk] & ~kAccessed) != 0; }
  // Before a page is accessed. False: the memory limit.
  bool NoteAccess(std::uint64_t page, MemoryMeter& meter) {
    std::uint16_t& in_chunk = charged_in_chunk[page / kPagesPerChunk];
    if ((in_chunk & kAccessed) != 0) return true;
    if (!costs.Add(meter)) return false;
    in_chunk |= kAccessed;
    return true;
  }
};

template <typename Use>
bool AddressSpace::ForEachChargedRun(GuestAddr start, GuestAddr end, Use use) const {
  bool goes_on = true;
  tables_->place.ForEachPiece(start, end, [&](GuestAddr piece_start, GuestAddr piece_end) {
    const std::uint64_t last = PageOf(piece_end);
    for (std::uint64_t page = PageOf(piece_start); goes_on && page < last;) {
      const std::uint64_t chunk = page / kPagesPerChunk;
      const std::uint64_t chunk_end = std::min(last, (chunk + 1) * kPagesPerChunk);
      if (!tables_->HasCharged(chunk)) {
        page = chunk_end;
        continue;
      }
      while (goes_on && page < chunk_end) {
        std::uint64_t run = page;
        while (run < chunk_end && (flags_[run] & kCharged) != 0) ++run;
        if (run != page) goes_on = use(page, run);
        page = run < chunk_end ? run + 1 : run;
      }
    }
  });
  return goes_on;
}

}  // namespace glovebox::engine
