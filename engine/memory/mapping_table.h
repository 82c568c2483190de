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
  std::shared_ptr<HostFile> host;        // these three: see FileBacking
  std::shared_ptr<SharedObject> shared;  // also of MAP_SHARED | MAP_ANONYMOUS
  std::shared_ptr<PageSource> source;

  std::uint64_t end_bytes() const {
    if (shared) return shared->size_bytes();
    return source ? source->size_bytes() : size_bytes;
  }
};

struct Region {
  Mapping mapping;
  std::shared_ptr<const MappedFile> file;  // null: private anonymous memory

  // Stores reach the object, and whoever else maps it.
  bool IsSharedMemory() const { return file && file->shared; }
  bool HasHostMapping() const { return file && (file->shared || file->host); }

  // The first address whose page lies wholly beyond the file; the region's end where there is none.
  GuestAddr BackedEnd() const;
  // The end of what the host is to map: shared memory may have more behind its end later.
  GuestAddr ShownEnd() const { return file && file->shared ? mapping.end : BackedEnd(); }
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
  // The lowest.
  std::optional<GuestAddr> LowestFree(std::uint64_t size_bytes, GuestAddr bottom,
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
  // Sets and clears traits of what is mapped there.
  void SetTraits(GuestAddr start, GuestAddr end, std::uint8_t set, std::uint8_t clear);
  // Lets a region that grows down begin further below; what lies between is free.
  void LowerStart(GuestAddr start, GuestAddr new_start);
  // Pieces in which the host has to map what begins in [start, end]: like neighbours are one.
  std::size_t HostPieces(GuestAddr start, GuestAddr end) const;

  using ByStart = std::map<GuestAddr, Region>;
  const ByStart& rows() const { return regions_; }
  // How often anything was mapped or unmapped.
  std::uint64_t changes() const { return changes_; }

 private:
  template <typename Change>
  void ChangeEach(GuestAddr start, GuestAddr end, Change change);
  // Makes `at` a border between regions.
  void SplitAt(GuestAddr at);
  // Merges the regions that meet at `at`, where they are alike.
  void MergeAt(GuestAddr at);

  ByStart regions_;
  std::uint64_t changes_ = 0;
};

}  // namespace glovebox::engine
