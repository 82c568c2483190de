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

// Nothing of ours reaches further than one access beyond the window's end; the guard stops a bug
// from going on.
constexpr std::uint64_t kGuardBytes = 64_KiB;
// Of a window with its guard, its flags and its counts, and what the engine allocates for it.
constexpr std::size_t kMappingsOfWindow = 6;

}  // namespace

Result<std::unique_ptr<AddressSpace>, Error> AddressSpace::Make(const Options& options,
                                                                MemoryMeter& meter) {
  GB_CHECK(std::has_single_bit(options.window_bytes) && options.window_bytes >= 2_MiB);
  std::unique_ptr<AddressSpace> space(new AddressSpace(options, meter));
  Tables& tables = *space->tables_;
  if (!meter.AddMappings(kMappingsOfWindow)) {
    return Fail(ErrorCode::kResourceExhausted, "TOO_MANY_MAPPINGS",
                "the box has as many mappings as the host allows");
  }
  tables.host_mappings = kMappingsOfWindow;
  const std::uint64_t pages = PageOf(options.window_bytes);
  // One page more of flags, always zero: an access that begins in the window's last bytes looks
  // there too.
  const bool reserved = tables.window.Reserve(options.window_bytes + kGuardBytes) &&
                        tables.flags.Reserve(pages + kPageSize) &&
                        tables.chunk_counts.Reserve(PageCeil(pages / kPagesPerChunk * 2));
  if (!reserved ||
      ::mprotect(tables.window.bytes() + options.window_bytes, kGuardBytes, PROT_NONE) != 0) {
    return Fail(ErrorCode::kResourceExhausted, "NO_ADDRESS_SPACE",
                "the host did not reserve a window of " +
                    std::to_string(options.window_bytes >> 30) + " GiB: " + std::strerror(errno));
  }
  space->base_ = tables.window.bytes();
  space->flags_ = reinterpret_cast<std::uint8_t*>(tables.flags.bytes());
  tables.charged_in_chunk = reinterpret_cast<std::uint16_t*>(tables.chunk_counts.bytes());
  return space;
}

AddressSpace::~AddressSpace() {
  for (const auto& weak : tables_->objects) {
    if (const auto object = weak.lock()) object->Detach(*this);
  }
  meter_.RemoveMappings(tables_->host_mappings);
  if (flags_ == nullptr) return;
  for (const Mapping& mapping : tables_->mappings.All()) ReleasePages(mapping.start, mapping.end);
}

AddressSpace::AddressSpace(const Options& options, MemoryMeter& meter)
    : window_bytes_(options.window_bytes),
      mmap_top_(options.window_bytes),
      meter_(meter),
      tables_(std::make_unique<Tables>()) {
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
  if (!meter_.Charge(kPageSize)) return false;
  flags_[page] |= kCharged;
  ++tables_->charged_in_chunk[page / kPagesPerChunk];
  return true;
}

// Gives back what the pages of [start, end) were charged.
void AddressSpace::ReleasePages(GuestAddr start, GuestAddr end) {
  const std::uint64_t last = PageOf(end);
  for (std::uint64_t page = PageOf(start); page < last;) {
    std::uint16_t& in_chunk = tables_->charged_in_chunk[page / kPagesPerChunk];
    const std::uint64_t chunk_end = std::min(last, (page / kPagesPerChunk + 1) * kPagesPerChunk);
    if (in_chunk == 0) {
      page = chunk_end;
      continue;
    }
    for (; page < chunk_end; ++page) {
      if ((flags_[page] & kCharged) == 0) continue;
      flags_[page] &= static_cast<std::uint8_t>(~kCharged);
      --in_chunk;
      meter_.Release(kPageSize);
    }
  }
}

// Makes the flags of [start, end) ask the table again; whether pages are charged stays.
void AddressSpace::ForgetPermissions(GuestAddr start, GuestAddr end) {
  const std::uint64_t last = PageOf(end);
  std::uint64_t clear_from = PageOf(start);
  std::uint64_t page = clear_from;
  while (page < last) {
    const std::uint64_t chunk_end = std::min(last, (page / kPagesPerChunk + 1) * kPagesPerChunk);
    if (tables_->charged_in_chunk[page / kPagesPerChunk] == 0) {
      page = chunk_end;
      continue;
    }
    ClearFlags(clear_from << kPageShift, page << kPageShift);
    for (; page < chunk_end; ++page) flags_[page] &= kCharged;
    clear_from = page;
  }
  ClearFlags(clear_from << kPageShift, last << kPageShift);
}

// Whole pages of the table are given back, so that a huge range costs nothing.
void AddressSpace::ClearFlags(GuestAddr start, GuestAddr end) {
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
  for (std::uint64_t page = PageOf(start); page < PageOf(end);) {
    const std::uint64_t chunk = page / kPagesPerChunk;
    const std::uint64_t chunk_end = std::min(PageOf(end), (chunk + 1) * kPagesPerChunk);
    if (tables_->charged_in_chunk[chunk] == 0) {
      page = chunk_end;
      continue;
    }
    for (; page < chunk_end; ++page) pages += (flags_[page] & kCharged) != 0 ? 1 : 0;
  }
  return pages << kPageShift;
}

bool AddressSpace::IsResident(GuestAddr address) const {
  const Region* const region = tables_->mappings.Find(address);
  if (region == nullptr) return false;
  if (region->file && !region->file->shared) return true;  // the files of the root are all there
  return flags_[PageOf(address)] != 0;
}

bool AddressSpace::IsMapped(GuestAddr address, std::uint64_t size_bytes) const {
  return InWindow(address, size_bytes) &&
         tables_->mappings.Covers(PageFloor(address), PageCeil(address + size_bytes));
}

const Mapping* AddressSpace::Find(GuestAddr address) const {
  const Region* const region = tables_->mappings.Find(address);
  return region != nullptr ? &region->mapping : nullptr;
}

std::vector<Mapping> AddressSpace::Mappings() const { return tables_->mappings.All(); }

}  // namespace glovebox::engine
