// The mapping table: an ordered interval map whose like neighbours are merged, as the kernel does
// with its VMAs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/types.h"
#include "engine/memory/address_space.h"
#include "engine/memory/shared_object.h"

namespace glovebox::engine {

// What a mapping shows, shared by the pieces that it was split into.
struct MappedFile {
  std::uint64_t size_bytes = 0;
  std::shared_ptr<HostFile> host;        // see FileBacking
  std::shared_ptr<SharedObject> shared;  // not null: memory, not a file
};

struct Region {
  Mapping mapping;
  std::shared_ptr<const MappedFile> file;  // null: private anonymous memory

  bool IsSharedMemory() const { return file && file->shared; }

  // The first address whose page lies wholly beyond the file; the region's end where there is none.
  GuestAddr BackedEnd() const;
};

class MappingTable {
 public:
  std::size_t size() const { return regions_.size(); }

  // The region that holds `address`; null where there is none.
  const Region* Find(GuestAddr address) const;
  // Is every page of [start, end) mapped?
  bool Covers(GuestAddr start, GuestAddr end) const;
  // Is no page of [start, end) mapped?
  bool IsFree(GuestAddr start, GuestAddr end) const;
  // The highest free range of the size within [bottom, top).
  std::optional<GuestAddr> HighestFree(std::uint64_t size_bytes, GuestAddr bottom,
                                       GuestAddr top) const;
  // Pieces of regions inside [start, end), cut to it, in order.
  std::vector<Region> Within(GuestAddr start, GuestAddr end) const;
  std::vector<Mapping> All() const;
  std::vector<Region> Regions() const;

  // By how much the table may grow when [start, end) is replaced or changed.
  std::size_t GrowthOf(GuestAddr start, GuestAddr end) const;
  // The range must be free.
  void Insert(Region region);
  void Erase(GuestAddr start, GuestAddr end);
  // Sets the protection of what is mapped in [start, end).
  void SetProtection(GuestAddr start, GuestAddr end, std::uint8_t protection);

 private:
  using ByStart = std::map<GuestAddr, Region>;
  // Makes `at` a border between regions.
  void SplitAt(GuestAddr at);
  // Merges the regions that meet at `at`, where they are alike.
  void MergeAt(GuestAddr at);

  ByStart regions_;
};

}  // namespace glovebox::engine
