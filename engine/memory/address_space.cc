#include "engine/memory/address_space.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "engine/base/check.h"
#include "engine/memory/address_space_tables.h"

namespace glovebox::engine {
namespace {

// Of a window, its flags and its counts, and what the engine allocates for it.
constexpr std::size_t kMappingsOfWindow = 6;

}  // namespace

Result<std::unique_ptr<AddressSpace>, Error> AddressSpace::Make(const Options& options,
                                                                MemoryMeter& meter) {
  return MakeAt(options, meter, {}, {});
}

Result<std::unique_ptr<AddressSpace>, Error> AddressSpace::MakeAt(
    const Options& options, MemoryMeter& meter, const std::set<std::uint64_t>& units,
    const HostPlace::Range& reach) {
  GB_CHECK(std::has_single_bit(options.window_bytes) && options.window_bytes >= 2_MiB);
  GB_CHECK(options.window_start % HostPlace::kUnitBytes == 0);
  std::unique_ptr<AddressSpace> space(new AddressSpace(options, meter));
  Tables& tables = *space->tables_;
  if (!meter.AddMappings(kMappingsOfWindow)) {
    return Fail(ErrorCode::kResourceExhausted, "TOO_MANY_MAPPINGS",
                "the box has as many mappings as the host allows");
  }
  tables.host_mappings = kMappingsOfWindow;
  // One page more of flags, always zero: an access that begins in the last bytes looks there too.
  const std::uint64_t pages = PageOf(space->address_end_);
  const bool reserved = tables.flags.Reserve(PageCeil(pages) + kPageSize) &&
                        tables.chunk_counts.Reserve(PageCeil((pages / kPagesPerChunk + 1) * 2));
  if (!reserved || !tables.place.Settle(units, reach)) {
    return Fail(ErrorCode::kResourceExhausted, "NO_ADDRESS_SPACE",
                "the host did not reserve a window of " +
                    std::to_string(options.window_bytes >> 30) + " GiB: " + std::strerror(errno));
  }
  space->base_ = tables.place.base();
  space->flags_ = reinterpret_cast<std::uint8_t*>(tables.flags.bytes());
  tables.charged_in_chunk = reinterpret_cast<std::uint16_t*>(tables.chunk_counts.bytes());
  return space;
}

AddressSpace::~AddressSpace() {
  for (const auto& weak : tables_->objects) {
    if (const auto object = weak.lock()) object->Detach(*this);
  }
  meter_.RemoveMappings(tables_->host_mappings);
  if (tables_->is_spread) meter_.RemoveSpread();
  if (flags_ == nullptr) return;
  for (const Mapping& mapping : tables_->mappings.All()) ReleasePages(mapping.start, mapping.end);
  tables_->costs.Remove(tables_->costs.pages(), meter_);
}

AddressSpace::AddressSpace(const Options& options, MemoryMeter& meter)
    : window_start_(options.window_start),
      window_bytes_(options.window_bytes),
      address_end_(options.address_end != 0 ? options.address_end
                                            : options.window_start + options.window_bytes),
      mmap_top_(options.window_start + options.window_bytes),
      meter_(meter),
      tables_(std::make_unique<Tables>(
          HostPlace::Shape{{window_start_, window_start_ + window_bytes_}, address_end_})) {
  tables_->max_mappings = options.max_mappings;
}

bool AddressSpace::CountPieces(std::size_t before, GuestAddr start, GuestAddr end) {
  const std::size_t after = tables_->mappings.HostPieces(start, end) * kMappingsOfPiece;
  before *= kMappingsOfPiece;
  if (after > before && !meter_.AddMappings(after - before)) return false;
  if (after < before) meter_.RemoveMappings(before - after);
  tables_->host_mappings += after - before;
  return true;
}

bool AddressSpace::ChargePage(std::uint64_t page) {
  if ((flags_[page] & kCharged) != 0) return true;
  if (!tables_->NoteAccess(page, meter_)) return false;
  if (!meter_.Charge(kPageSize)) return false;
  flags_[page] |= kCharged;
  ++tables_->charged_in_chunk[page / kPagesPerChunk];
  return true;
}

// Gives back what the pages of [start, end) were charged.
void AddressSpace::ReleasePages(GuestAddr start, GuestAddr end) {
  ForEachChargedRun(start, end, [this](std::uint64_t page, std::uint64_t run_end) {
    meter_.Release((run_end - page) << kPageShift);
    auto& in_chunk = tables_->charged_in_chunk[page / kPagesPerChunk];
    in_chunk = static_cast<std::uint16_t>(in_chunk - (run_end - page));
    for (; page < run_end; ++page) flags_[page] &= static_cast<std::uint8_t>(~kCharged);
    return true;
  });
}

// Makes the flags of [start, end) ask the table again; whether pages are charged stays.
void AddressSpace::ForgetPermissions(GuestAddr start, GuestAddr end) {
  tables_->place.ForEachPiece(start, end, [this](GuestAddr piece_start, GuestAddr piece_end) {
    ForgetPermissionsOf(piece_start, piece_end);
  });
}

void AddressSpace::ForgetPermissionsOf(GuestAddr start, GuestAddr end) {
  std::uint64_t clear_from = PageOf(start);
  ForEachChargedRun(start, end, [&](std::uint64_t page, std::uint64_t run_end) {
    ClearFlags(clear_from << kPageShift, page << kPageShift);
    for (; page < run_end; ++page) flags_[page] &= kCharged;
    clear_from = run_end;
    return true;
  });
  ClearFlags(clear_from << kPageShift, end);
}

// Whole pages of the table are given back, so that a huge range costs nothing.
void AddressSpace::ClearFlags(GuestAddr start, GuestAddr end) {
  if (start == end) return;
  std::uint8_t* const first = flags_ + PageOf(start);
  std::uint8_t* const last = flags_ + PageOf(end);
  const auto round_up = [this](std::uint8_t* at) {
    return flags_ + PageCeil(static_cast<std::uint64_t>(at - flags_));
  };
  std::uint8_t* const whole_first = round_up(first);
  std::uint8_t* const whole_last = flags_ + PageFloor(static_cast<std::uint64_t>(last - flags_));
  if (whole_first >= whole_last) {
    std::memset(first, 0, static_cast<std::size_t>(last - first));
    return;
  }
  std::memset(first, 0, static_cast<std::size_t>(whole_first - first));
  const auto whole_bytes = static_cast<std::size_t>(whole_last - whole_first);
  if (::madvise(whole_first, whole_bytes, MADV_DONTNEED) != 0) {
    std::memset(whole_first, 0, whole_bytes);
  }
  std::memset(whole_last, 0, static_cast<std::size_t>(last - whole_last));
}

std::uint64_t AddressSpace::LockedBytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [start, region] : tables_->mappings.rows()) {
    if ((region.mapping.traits & kLocked) != 0) bytes += region.mapping.end - start;
  }
  return bytes;
}

std::uint64_t AddressSpace::ChargedBytes(GuestAddr start, GuestAddr end) const {
  std::uint64_t pages = 0;
  ForEachChargedRun(start, end, [&pages](std::uint64_t page, std::uint64_t run_end) {
    pages += run_end - page;
    return true;
  });
  return pages << kPageShift;
}

bool AddressSpace::IsResident(GuestAddr address) const {
  const Region* const region = tables_->mappings.Find(address);
  if (region == nullptr) return false;
  if (region->file && !region->file->shared) return true;  // the files of the root are all there
  return tables_->place.Has(address) && flags_[PageOf(address)] != 0;
}

bool AddressSpace::IsMapped(GuestAddr address, std::uint64_t size_bytes) const {
  return InRange(address, size_bytes) &&
         tables_->mappings.Covers(PageFloor(address), PageCeil(address + size_bytes));
}

const Mapping* AddressSpace::Find(GuestAddr address) const {
  const Region* const region = tables_->mappings.Find(address);
  return region != nullptr ? &region->mapping : nullptr;
}

std::vector<Mapping> AddressSpace::Mappings() const { return tables_->mappings.All(); }

}  // namespace glovebox::engine
