#include "engine/memory/address_space.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/base/check.h"
#include "engine/memory/mapping_table.h"

namespace glovebox::engine {
namespace {

// Nothing of ours reaches further than one access beyond the window's end; the guard stops a bug
// from going on.
constexpr std::uint64_t kGuardBytes = 64_KiB;
// Charged pages are also counted by chunk, so that a huge sparse range is not searched page by
// page.
constexpr std::uint64_t kPagesPerChunk = 512;
// mmap_min_addr of Linux: what is not asked for by MAP_FIXED never lands below.
constexpr GuestAddr kLowestMapping = 64_KiB;

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
    void* const at = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return false;
    bytes_ = static_cast<std::byte*>(at);
    size_bytes_ = size_bytes;
    // Sparse use costs 4 to 5 times the memory with transparent huge pages. Kernels without them
    // answer EINVAL.
    ::madvise(at, size_bytes, MADV_NOHUGEPAGE);
    return true;
  }
  std::byte* bytes() const { return bytes_; }

 private:
  std::byte* bytes_ = nullptr;
  std::uint64_t size_bytes_ = 0;
};

std::uint64_t PageOf(GuestAddr address) { return address >> kPageShift; }

// x86 has no write-only and (without protection keys) no execute-only pages.
bool MayRead(std::uint8_t protection) { return protection != kProtNone; }

bool MayAccess(std::uint8_t protection, Access access) {
  switch (access) {
    case Access::kRead:
      return MayRead(protection);
    case Access::kWrite:
      return (protection & kProtWrite) != 0;
    case Access::kExecute:
      return (protection & kProtExec) != 0;
  }
  return false;
}

}  // namespace

struct AddressSpace::Tables {
  std::size_t max_mappings = 0;
  HostRegion window;
  HostRegion flags;
  HostRegion chunk_counts;
  std::uint16_t* charged_in_chunk = nullptr;
  MappingTable mappings;
};

AddressSpace::AddressSpace(const Options& options, MemoryMeter& meter)
    : window_bytes_(options.window_bytes),
      mmap_top_(options.window_bytes),
      meter_(meter),
      tables_(std::make_unique<Tables>()) {
  tables_->max_mappings = options.max_mappings;
}

Result<std::unique_ptr<AddressSpace>, Error> AddressSpace::Make(const Options& options,
                                                                MemoryMeter& meter) {
  GB_CHECK(std::has_single_bit(options.window_bytes) && options.window_bytes >= 2_MiB);
  std::unique_ptr<AddressSpace> space(new AddressSpace(options, meter));
  Tables& tables = *space->tables_;
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
  if (flags_ == nullptr) return;
  for (const Mapping& mapping : tables_->mappings.All()) ReleasePages(mapping.start, mapping.end);
}

// --- Pages ---

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

// Forgets the contents of [start, end): zeros from now on, and no file.
Result<void, MapError> AddressSpace::MakeAnonymous(GuestAddr start, GuestAddr end) {
  bool has_file = false;
  for (const Region& region : tables_->mappings.Within(start, end)) {
    has_file = has_file || region.file != nullptr;
  }
  if (!has_file) {
    return ::madvise(base_ + start, end - start, MADV_DONTNEED) == 0
               ? Result<void, MapError>{}
               : std::unexpected(MapError::kHostFailed);
  }
  void* const at = ::mmap(base_ + start, end - start, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (at == MAP_FAILED) return std::unexpected(MapError::kHostFailed);
  ::madvise(at, end - start, MADV_NOHUGEPAGE);
  return {};
}

// --- The mapping table ---

std::optional<GuestAddr> AddressSpace::FindFree(std::uint64_t size_bytes) const {
  return tables_->mappings.HighestFree(size_bytes, kLowestMapping, mmap_top_);
}

Result<GuestAddr, MapError> AddressSpace::Map(const MapRequest& request) {
  MappingTable& mappings = tables_->mappings;
  if (request.size_bytes == 0 || request.address % kPageSize != 0) {
    return std::unexpected(MapError::kInvalid);
  }
  if (request.size_bytes > window_bytes_) return std::unexpected(MapError::kNoMemory);
  const std::uint64_t size_bytes = PageCeil(request.size_bytes);
  if (request.file && (request.file->offset_bytes % kPageSize != 0 ||
                       request.file->offset_bytes > ~std::uint64_t{0} - size_bytes)) {
    return std::unexpected(MapError::kInvalid);
  }
  GuestAddr start = request.address;
  const bool usable_hint = start >= kLowestMapping && InWindow(start, size_bytes) &&
                           mappings.IsFree(start, start + size_bytes);
  if (request.fixed) {
    if (!InWindow(start, size_bytes)) return std::unexpected(MapError::kNoMemory);
    if (request.no_replace && !mappings.IsFree(start, start + size_bytes)) {
      return std::unexpected(MapError::kExists);
    }
  } else if (!usable_hint) {
    const auto found = FindFree(size_bytes);
    if (!found) return std::unexpected(MapError::kNoMemory);
    start = *found;
  }
  const GuestAddr end = start + size_bytes;
  if (mappings.size() + mappings.GrowthOf(start, end) + 1 > tables_->max_mappings) {
    return std::unexpected(MapError::kTooManyMappings);
  }

  Region region;
  region.mapping = {.start = start,
                    .end = end,
                    .protection = request.protection,
                    .shared = request.shared,
                    .grows_down = request.grows_down,
                    .file_offset_bytes = 0,
                    .name = request.name};
  if (request.file) {
    region.mapping.file_offset_bytes = request.file->offset_bytes;
    region.file = std::make_shared<MappedFile>(
        MappedFile{request.file->file_size_bytes, request.file->host, nullptr});
  } else if (request.shared) {
    SharedObject::Failure failure;
    auto object = SharedObject::Make(size_bytes, meter_, failure);
    if (!object) {
      return std::unexpected(failure == SharedObject::Failure::kHost ? MapError::kHostFailed
                                                                     : MapError::kMemoryLimit);
    }
    region.file = std::make_shared<MappedFile>(MappedFile{size_bytes, nullptr, std::move(object)});
  }
  if (const auto unmapped = Unmap(start, size_bytes); !unmapped) {
    return std::unexpected(unmapped.error());
  }
  if (!ShowBacking(region)) return std::unexpected(MapError::kHostFailed);
  mappings.Insert(std::move(region));
  return start;
}

bool AddressSpace::ShowBacking(const Region& region) {
  const Mapping& mapping = region.mapping;
  const std::uint64_t backed = region.BackedEnd() - mapping.start;
  if (!region.file || backed == 0) return true;
  if (region.file->shared) {
    return region.file->shared->ShowAt(base_ + mapping.start, mapping.file_offset_bytes, backed);
  }
  if (!region.file->host) return true;
  // Pages wholly beyond the file stay anonymous: the guest never reaches them, so the host never
  // raises SIGBUS. The host's mapping holds the file; no descriptor is kept.
  const int fd = region.file->host->Descriptor();
  return fd >= 0 && ::mmap(base_ + mapping.start, backed, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd,
                           static_cast<off_t>(mapping.file_offset_bytes)) != MAP_FAILED;
}

Result<std::unique_ptr<AddressSpace>, MapError> AddressSpace::Fork() const {
  auto made = Make({window_bytes_, tables_->max_mappings}, meter_);
  if (!made) return std::unexpected(MapError::kHostFailed);
  AddressSpace& child = **made;
  child.mmap_top_ = mmap_top_;
  for (Region& region : tables_->mappings.Regions()) {
    if (!child.ShowBacking(region)) return std::unexpected(MapError::kHostFailed);
    child.tables_->mappings.Insert(region);
    for (std::uint64_t page = PageOf(region.mapping.start); page < PageOf(region.mapping.end);) {
      const std::uint64_t chunk_end = (page / kPagesPerChunk + 1) * kPagesPerChunk;
      const std::uint64_t end = std::min(PageOf(region.mapping.end), chunk_end);
      if (tables_->charged_in_chunk[page / kPagesPerChunk] == 0) {
        page = end;
        continue;
      }
      for (; page < end; ++page) {
        if ((flags_[page] & kCharged) == 0) continue;
        if (!child.ChargePage(page)) return std::unexpected(MapError::kMemoryLimit);
        std::memcpy(child.base_ + (page << kPageShift), base_ + (page << kPageShift), kPageSize);
      }
    }
  }
  return std::move(*made);
}

Result<void, MapError> AddressSpace::Unmap(GuestAddr address, std::uint64_t size_bytes) {
  MappingTable& mappings = tables_->mappings;
  if (address % kPageSize != 0 || size_bytes == 0 || size_bytes > window_bytes_ ||
      !InWindow(address, PageCeil(size_bytes))) {
    return std::unexpected(MapError::kInvalid);
  }
  const GuestAddr end = address + PageCeil(size_bytes);
  if (mappings.IsFree(address, end)) return {};
  if (mappings.size() + mappings.GrowthOf(address, end) > tables_->max_mappings + 1) {
    return std::unexpected(MapError::kTooManyMappings);
  }
  TellObserver(address, end - address);
  if (const auto made = MakeAnonymous(address, end); !made) return made;
  ReleasePages(address, end);
  ClearFlags(address, end);
  mappings.Erase(address, end);
  return {};
}

Result<void, MapError> AddressSpace::Protect(GuestAddr address, std::uint64_t size_bytes,
                                             std::uint8_t protection) {
  MappingTable& mappings = tables_->mappings;
  if (address % kPageSize != 0) return std::unexpected(MapError::kInvalid);
  if (size_bytes == 0) return {};
  if (size_bytes > window_bytes_ || !InWindow(address, PageCeil(size_bytes))) {
    return std::unexpected(MapError::kNoMemory);
  }
  // mprotect(2) changes everything up to the first hole before it fails.
  const GuestAddr wanted_end = address + PageCeil(size_bytes);
  GuestAddr end = address;
  while (end < wanted_end) {
    const Region* const region = mappings.Find(end);
    if (region == nullptr) break;
    end = std::min(wanted_end, region->mapping.end);
  }
  if (end > address) {
    if (mappings.size() + mappings.GrowthOf(address, end) > tables_->max_mappings) {
      return std::unexpected(MapError::kTooManyMappings);
    }
    TellObserver(address, end - address);
    mappings.SetProtection(address, end, protection);
    ForgetPermissions(address, end);
  }
  if (end != wanted_end) return std::unexpected(MapError::kNoMemory);
  return {};
}

Result<GuestAddr, MapError> AddressSpace::Remap(GuestAddr old_address, std::uint64_t old_size_bytes,
                                                std::uint64_t new_size_bytes, bool may_move,
                                                std::optional<GuestAddr> fixed_address) {
  MappingTable& mappings = tables_->mappings;
  if (old_address % kPageSize != 0 || old_size_bytes == 0 || new_size_bytes == 0 ||
      (fixed_address && (*fixed_address % kPageSize != 0 || !may_move))) {
    return std::unexpected(MapError::kInvalid);
  }
  if (new_size_bytes > window_bytes_) return std::unexpected(MapError::kNoMemory);
  if (old_size_bytes > window_bytes_ || !InWindow(old_address, PageCeil(old_size_bytes))) {
    return std::unexpected(MapError::kInvalid);
  }
  const std::uint64_t old_size = PageCeil(old_size_bytes);
  const std::uint64_t new_size = PageCeil(new_size_bytes);
  const GuestAddr old_end = old_address + old_size;
  const Region* const found = mappings.Find(old_address);
  if (found == nullptr || found->mapping.end < old_end) return std::unexpected(MapError::kInvalid);
  Region region = *found;
  region.mapping.file_offset_bytes += region.file ? old_address - region.mapping.start : 0;

  if (!fixed_address && new_size <= old_size) {
    if (new_size < old_size) {
      const auto unmapped = Unmap(old_address + new_size, old_size - new_size);
      if (!unmapped) return std::unexpected(unmapped.error());
    }
    return old_address;
  }
  // The rest of the file would have to be opened again.
  if (region.file && new_size > old_size) return std::unexpected(MapError::kNoMemory);
  if (mappings.size() + 3 > tables_->max_mappings) {
    return std::unexpected(MapError::kTooManyMappings);
  }
  const bool grows_in_place = !fixed_address && InWindow(old_address, new_size) &&
                              mappings.IsFree(old_end, old_address + new_size);
  if (grows_in_place) {
    region.mapping.start = old_end;
    region.mapping.end = old_address + new_size;
    mappings.Insert(std::move(region));
    return old_address;
  }
  if (!may_move) return std::unexpected(MapError::kNoMemory);

  GuestAddr new_address = 0;
  if (fixed_address) {
    new_address = *fixed_address;
    if (!InWindow(new_address, new_size)) return std::unexpected(MapError::kNoMemory);
    if (new_address < old_end && old_address < new_address + new_size) {
      return std::unexpected(MapError::kInvalid);
    }
    if (const auto unmapped = Unmap(new_address, new_size); !unmapped) {
      return std::unexpected(unmapped.error());
    }
  } else {
    const auto free = FindFree(new_size);
    if (!free) return std::unexpected(MapError::kNoMemory);
    new_address = *free;
  }
  region.mapping.start = new_address;
  region.mapping.end = new_address + new_size;
  const std::uint64_t moved = std::min(old_size, new_size);
  TellObserver(old_address, moved);
  if (region.file) {
    // A file of its own as far as merging goes: the host's mappings may not merge again after a
    // move.
    region.file = std::make_shared<MappedFile>(*region.file);
    const std::uint64_t backed = region.BackedEnd() - new_address;
    if (region.file->shared) {
      if (!ShowBacking(region)) return std::unexpected(MapError::kHostFailed);
    } else if (backed != 0 && ::mremap(base_ + old_address, backed, backed,
                                       MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
                                       base_ + new_address) == MAP_FAILED) {
      return std::unexpected(MapError::kHostFailed);
    }
  }
  MovePages(old_address, new_address, moved, /*copy=*/region.file == nullptr);
  mappings.Insert(std::move(region));
  if (const auto unmapped = Unmap(old_address, old_size); !unmapped) {
    return std::unexpected(unmapped.error());
  }
  return new_address;
}

// Moves the charges of written pages and, with `copy`, their contents: only these hold anything
// that the new place does not show by itself. Anonymous pages are copied rather than moved by the
// host's mremap, whose pieces never merge again and would use up the host's mappings.
void AddressSpace::MovePages(GuestAddr from, GuestAddr to, std::uint64_t size_bytes, bool copy) {
  for (std::uint64_t page = PageOf(from); page < PageOf(from + size_bytes); ++page) {
    std::uint16_t& old_count = tables_->charged_in_chunk[page / kPagesPerChunk];
    if (old_count == 0) {
      page |= kPagesPerChunk - 1;  // the rest of the chunk
      continue;
    }
    if ((flags_[page] & kCharged) == 0) continue;
    const std::uint64_t target = page - PageOf(from) + PageOf(to);
    if (copy) {
      std::memcpy(base_ + (target << kPageShift), base_ + (page << kPageShift), kPageSize);
    }
    flags_[page] &= static_cast<std::uint8_t>(~kCharged);
    --old_count;
    flags_[target] |= kCharged;
    ++tables_->charged_in_chunk[target / kPagesPerChunk];
  }
}

Result<void, MapError> AddressSpace::Discard(GuestAddr address, std::uint64_t size_bytes) {
  if (address % kPageSize != 0) return std::unexpected(MapError::kInvalid);
  if (size_bytes == 0) return {};
  if (size_bytes > window_bytes_ || !InWindow(address, PageCeil(size_bytes))) {
    return std::unexpected(MapError::kNoMemory);
  }
  const GuestAddr end = address + PageCeil(size_bytes);
  TellObserver(address, end - address);
  // On a private file mapping the host shows the file again, on shared memory what is in it.
  if (::madvise(base_ + address, end - address, MADV_DONTNEED) != 0) {
    return std::unexpected(MapError::kHostFailed);
  }
  ReleasePages(address, end);
  ForgetPermissions(address, end);
  if (!tables_->mappings.Covers(address, end)) return std::unexpected(MapError::kNoMemory);
  return {};
}

bool AddressSpace::IsMapped(GuestAddr address, std::uint64_t size_bytes) const {
  return InWindow(address, size_bytes) &&
         tables_->mappings.Covers(PageFloor(address), PageCeil(address + size_bytes));
}

const Mapping* AddressSpace::Find(GuestAddr address) const {
  const Region* const region = tables_->mappings.Find(address);
  return region != nullptr ? &region->mapping : nullptr;
}

std::optional<AddressSpace::SharedPlace> AddressSpace::SharedPlaceOf(GuestAddr address) const {
  const Region* const region = tables_->mappings.Find(address);
  if (region == nullptr || !region->IsSharedMemory()) return std::nullopt;
  return SharedPlace{region->file->shared.get(),
                     region->mapping.file_offset_bytes + (address - region->mapping.start)};
}

std::vector<Mapping> AddressSpace::Mappings() const { return tables_->mappings.All(); }

// --- Accesses ---

std::optional<MemoryFault> AddressSpace::ResolvePage(GuestAddr address, std::uint32_t size_bytes,
                                                     Access access) {
  const auto fault = [&](MemoryFaultKind kind) { return MemoryFault{kind, access, address}; };
  const Region* const region = address < window_bytes_ ? tables_->mappings.Find(address) : nullptr;
  if (region == nullptr) return fault(MemoryFaultKind::kUnmapped);
  const std::uint8_t protection = region->mapping.protection;
  if (!MayAccess(protection, access)) return fault(MemoryFaultKind::kProtection);
  if (address >= region->BackedEnd()) return fault(MemoryFaultKind::kBeyondFile);

  const std::uint64_t page = PageOf(address);
  if (access == Access::kWrite) {
    // Shared memory was charged as a whole when it was made.
    if (!region->IsSharedMemory() && !ChargePage(page)) return fault(MemoryFaultKind::kMemoryLimit);
    if ((flags_[page] & kHasCode) != 0) TellObserver(address, size_bytes);
  }
  std::uint8_t flag = flags_[page] & (kCharged | kHasCode);
  if (MayRead(protection)) flag |= kReadable;
  if ((protection & kProtExec) != 0) flag |= kExecutable;
  const bool charged = (flag & kCharged) != 0 || region->IsSharedMemory();
  const bool plain = (protection & kProtWrite) != 0 && charged && (flag & kHasCode) == 0;
  if (plain) flag |= kPlain;
  flags_[page] = flag;
  return std::nullopt;
}

std::optional<MemoryFault> AddressSpace::Resolve(GuestAddr address, std::uint32_t size_bytes,
                                                 Access access) {
  if (size_bytes == 0) return std::nullopt;
  // Two rounds for stores: nothing is charged and no code thrown away for a store that will fault.
  const std::uint64_t last = address + (size_bytes - 1);
  if (last < address) return MemoryFault{MemoryFaultKind::kUnmapped, access, address};
  if (access == Access::kWrite && PageFloor(last) != PageFloor(address)) {
    for (GuestAddr at = address; at <= last; at = PageFloor(at) + kPageSize) {
      const Region* const region = at < window_bytes_ ? tables_->mappings.Find(at) : nullptr;
      if (region == nullptr) return MemoryFault{MemoryFaultKind::kUnmapped, access, at};
      if (!MayAccess(region->mapping.protection, access)) {
        return MemoryFault{MemoryFaultKind::kProtection, access, at};
      }
    }
  }
  for (GuestAddr at = address; at <= last; at = PageFloor(at) + kPageSize) {
    const GuestAddr end = std::min(last + 1, PageFloor(at) + kPageSize);
    if (auto fault = ResolvePage(at, static_cast<std::uint32_t>(end - at), access)) return fault;
  }
  return std::nullopt;
}

void AddressSpace::MarkCode(GuestAddr page_address) {
  std::uint8_t& flag = flags_[PageOf(page_address)];
  flag = static_cast<std::uint8_t>((flag | kHasCode) & ~kPlain);
}

void AddressSpace::UnmarkCode(GuestAddr page_address) {
  // Not plain by that: the next store asks the table.
  flags_[PageOf(page_address)] &= static_cast<std::uint8_t>(~kHasCode);
}

std::size_t AddressSpace::CopyIn(std::span<std::byte> out, GuestAddr from) {
  std::size_t done = 0;
  while (done < out.size()) {
    const GuestAddr at = from + done;
    const std::size_t count = std::min<std::size_t>(out.size() - done, kPageSize - at % kPageSize);
    if (at >= window_bytes_ || (flags_[PageOf(at)] & kReadable) == 0) {
      if (const auto fault = Resolve(at, static_cast<std::uint32_t>(count), Access::kRead)) {
        last_fault_ = *fault;
        break;
      }
    }
    std::memcpy(out.data() + done, base_ + at, count);
    done += count;
  }
  return done;
}

std::size_t AddressSpace::CopyOut(GuestAddr to, std::span<const std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const GuestAddr at = to + done;
    const std::size_t count =
        std::min<std::size_t>(bytes.size() - done, kPageSize - at % kPageSize);
    if (at >= window_bytes_ || (flags_[PageOf(at)] & kPlain) == 0) {
      if (const auto fault = Resolve(at, static_cast<std::uint32_t>(count), Access::kWrite)) {
        last_fault_ = *fault;
        break;
      }
    }
    std::memcpy(base_ + at, bytes.data() + done, count);
    done += count;
  }
  return done;
}

std::size_t AddressSpace::Peek(std::span<std::byte> out, GuestAddr from) {
  std::size_t done = 0;
  while (done < out.size()) {
    const GuestAddr at = from + done;
    const Region* const region = tables_->mappings.Find(at);
    if (region == nullptr || at >= region->BackedEnd()) {
      last_fault_ = {region == nullptr ? MemoryFaultKind::kUnmapped : MemoryFaultKind::kBeyondFile,
                     Access::kRead, at};
      break;
    }
    const std::size_t count = std::min<std::size_t>(out.size() - done, region->BackedEnd() - at);
    std::memcpy(out.data() + done, base_ + at, count);
    done += count;
  }
  return done;
}

std::size_t AddressSpace::Poke(GuestAddr to, std::span<const std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const GuestAddr at = to + done;
    const Region* const region = tables_->mappings.Find(at);
    if (region == nullptr || at >= region->BackedEnd()) {
      last_fault_ = {region == nullptr ? MemoryFaultKind::kUnmapped : MemoryFaultKind::kBeyondFile,
                     Access::kWrite, at};
      break;
    }
    if (!region->IsSharedMemory() && !ChargePage(PageOf(at))) {
      last_fault_ = {MemoryFaultKind::kMemoryLimit, Access::kWrite, at};
      break;
    }
    const std::size_t count =
        std::min<std::size_t>(bytes.size() - done, kPageSize - at % kPageSize);
    if ((flags_[PageOf(at)] & kHasCode) != 0) TellObserver(at, count);
    std::memcpy(base_ + at, bytes.data() + done, count);
    done += count;
  }
  return done;
}

}  // namespace glovebox::engine
