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
// Of a window with its guard, its flags and its counts, and what the engine allocates for it.
constexpr std::size_t kMappingsOfWindow = 6;
// A mapping of the host splits the memory around it.
constexpr std::size_t kMappingsOfPiece = 2;
// Between a mapping that grows down and the one below: stack_guard_gap of Linux.
constexpr std::uint64_t kStackGuardBytes = 1_MiB;

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
  std::vector<std::weak_ptr<SharedObject>> objects;  // that know of this window
  std::size_t host_mappings = 0;                     // as counted by the meter
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

void AddressSpace::AttachTo(const std::shared_ptr<SharedObject>& object) {
  auto& objects = tables_->objects;
  if (!object->Attach(*this)) return;
  if (objects.size() == objects.capacity()) {
    std::erase_if(objects, [](const auto& weak) { return weak.expired(); });
  }
  objects.push_back(object);
}

bool AddressSpace::CountPieces(std::size_t before, GuestAddr start, GuestAddr end) {
  const std::size_t after = tables_->mappings.HostPieces(start, end) * kMappingsOfPiece;
  before *= kMappingsOfPiece;
  if (after > before && !meter_.AddMappings(after - before)) return false;
  if (after < before) meter_.RemoveMappings(before - after);
  tables_->host_mappings += after - before;
  return true;
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
                    .allowed_protection = request.allowed_protection,
                    .traits = request.traits,
                    .shared = request.shared,
                    .file_offset_bytes = 0,
                    .device = request.device,
                    .inode = request.inode,
                    .name = request.name};
  if (request.file) {
    const FileBacking& file = *request.file;
    region.mapping.file_offset_bytes = file.offset_bytes;
    region.file = std::make_shared<MappedFile>(
        MappedFile{file.file_size_bytes, file.host, file.shared, file.source});
  } else if (request.shared) {
    SharedObject::Failure failure;
    auto object = SharedObject::Make(size_bytes, meter_, failure);
    if (!object) {
      return std::unexpected(failure == SharedObject::Failure::kHost ? MapError::kHostFailed
                                                                     : MapError::kNoMemory);
    }
    region.file =
        std::make_shared<MappedFile>(MappedFile{size_bytes, nullptr, std::move(object), nullptr});
  }
  if (const auto unmapped = Unmap(start, size_bytes); !unmapped) {
    return std::unexpected(unmapped.error());
  }
  const std::size_t pieces = mappings.HostPieces(start, end);
  const auto shared = region.file ? region.file->shared : nullptr;
  mappings.Insert(region);
  if (!CountPieces(pieces, start, end)) {
    mappings.Erase(start, end);
    return std::unexpected(MapError::kTooManyMappings);
  }
  if (!ShowBacking(region)) return std::unexpected(MapError::kHostFailed);
  if (shared) AttachTo(shared);
  return start;
}

bool AddressSpace::ShowBacking(const Region& region) {
  const Mapping& mapping = region.mapping;
  const std::uint64_t backed = region.BackedEnd() - mapping.start;
  if (!region.file) return true;
  if (region.file->shared) {
    // All of it: what lies beyond the end now may be behind it later.
    return region.file->shared->ShowAt(base_ + mapping.start, mapping.file_offset_bytes,
                                       mapping.end - mapping.start);
  }
  if (!region.file->host || backed == 0) return true;
  // Pages wholly beyond the file stay anonymous: the guest never reaches them, so the host never
  // raises SIGBUS. The host's mapping holds the file; no descriptor is kept.
  const int fd = region.file->host->Descriptor();
  return fd >= 0 && ::mmap(base_ + mapping.start, backed, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd,
                           static_cast<off_t>(mapping.file_offset_bytes)) != MAP_FAILED;
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
  // A hole in the middle leaves one piece more than there was.
  const std::size_t pieces = mappings.HostPieces(address, end);
  const Region* const last = mappings.Find(end);
  const bool cuts = last != nullptr && last->mapping.start < address && last->HasHostMapping();
  if (cuts && !meter_.AddMappings(kMappingsOfPiece)) {
    return std::unexpected(MapError::kTooManyMappings);
  }
  if (cuts) meter_.RemoveMappings(kMappingsOfPiece);
  TellObserver(address, end - address);
  if (const auto made = MakeAnonymous(address, end); !made) return made;
  ReleasePages(address, end);
  ClearFlags(address, end);
  mappings.Erase(address, end);
  CountPieces(pieces, address, end);
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
  bool denied = false;
  while (end < wanted_end) {
    const Region* const region = mappings.Find(end);
    if (region == nullptr) break;
    denied = (protection & ~region->mapping.allowed_protection) != 0;
    if (denied) break;
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
  if (denied) return std::unexpected(MapError::kDenied);
  if (end != wanted_end) return std::unexpected(MapError::kNoMemory);
  return {};
}

// Where the moved mapping goes; what is there goes, or the place is free.
Result<GuestAddr, MapError> AddressSpace::Place(const RemapRequest& request, std::uint64_t new_size,
                                                GuestAddr old_end) {
  if (!request.fixed_address) {
    const bool usable = request.hint >= kLowestMapping && InWindow(request.hint, new_size) &&
                        tables_->mappings.IsFree(request.hint, request.hint + new_size);
    const auto free = usable ? std::optional(request.hint) : FindFree(new_size);
    return free ? Result<GuestAddr, MapError>(*free) : std::unexpected(MapError::kNoMemory);
  }
  const GuestAddr at = *request.fixed_address;
  if (!InWindow(at, new_size)) return std::unexpected(MapError::kNoMemory);
  if (at < old_end && request.old_address < at + new_size) {
    return std::unexpected(MapError::kInvalid);
  }
  if (const auto unmapped = Unmap(at, new_size); !unmapped) {
    return std::unexpected(unmapped.error());
  }
  return at;
}

Result<GuestAddr, MapError> AddressSpace::Remap(const RemapRequest& request) {
  MappingTable& mappings = tables_->mappings;
  const GuestAddr old_address = request.old_address;
  if (old_address % kPageSize != 0 || request.new_size_bytes == 0 ||
      (request.fixed_address && (*request.fixed_address % kPageSize != 0 || !request.may_move))) {
    return std::unexpected(MapError::kInvalid);
  }
  if (request.new_size_bytes > window_bytes_) return std::unexpected(MapError::kNoMemory);
  if (request.old_size_bytes > window_bytes_ ||
      !InWindow(old_address, PageCeil(request.old_size_bytes))) {
    return std::unexpected(MapError::kInvalid);
  }
  const std::uint64_t old_size = PageCeil(request.old_size_bytes);
  const std::uint64_t new_size = PageCeil(request.new_size_bytes);
  const GuestAddr old_end = old_address + old_size;
  const Region* const found = mappings.Find(old_address);
  if (found == nullptr) return std::unexpected(MapError::kFault);
  if (old_size == 0 && (!found->IsSharedMemory() || !request.may_move)) {
    return std::unexpected(MapError::kInvalid);
  }
  Region region = *found;
  region.mapping.file_offset_bytes += region.file ? old_address - region.mapping.start : 0;

  const bool stays = !request.fixed_address && !request.keep_old;
  if (old_size != 0 && stays && new_size <= old_size) {
    if (new_size < old_size) {
      const auto unmapped = Unmap(old_address + new_size, old_size - new_size);
      if (!unmapped) return std::unexpected(unmapped.error());
    }
    return old_address;
  }
  if (found->mapping.end < old_end) return std::unexpected(MapError::kFault);
  if (mappings.size() + 3 > tables_->max_mappings) {
    return std::unexpected(MapError::kTooManyMappings);
  }
  if (region.IsSharedMemory() && new_size > old_size) {
    // An object of a file has to have room for what is to be shown of it.
    const std::uint64_t end = region.mapping.file_offset_bytes + new_size;
    if (region.file->shared->Reserve(end) != SharedObject::Failure::kNone) {
      return std::unexpected(MapError::kNoMemory);
    }
  }
  const bool grows_in_place = old_size != 0 && stays && InWindow(old_address, new_size) &&
                              mappings.IsFree(old_end, old_address + new_size);
  if (grows_in_place) {
    const std::size_t pieces = mappings.HostPieces(old_end, old_address + new_size);
    if (region.file) region.mapping.file_offset_bytes += old_size;
    region.mapping.start = old_end;
    region.mapping.end = old_address + new_size;
    mappings.Insert(region);
    if (!CountPieces(pieces, old_end, old_address + new_size)) {
      mappings.Erase(old_end, old_address + new_size);
      return std::unexpected(MapError::kTooManyMappings);
    }
    if (!ShowBacking(region)) return std::unexpected(MapError::kHostFailed);
    return old_address;
  }
  if (!request.may_move) return std::unexpected(MapError::kNoMemory);

  const auto place = Place(request, new_size, old_end);
  if (!place) return place;
  const GuestAddr new_address = *place;
  region.mapping.start = new_address;
  region.mapping.end = new_address + new_size;
  const std::uint64_t moved = std::min(old_size, new_size);
  const std::size_t pieces = mappings.HostPieces(new_address, region.mapping.end);
  // As a file of its own where merging is concerned: the host's mappings may not merge again after
  // a move.
  if (region.file) region.file = std::make_shared<MappedFile>(*region.file);
  mappings.Insert(region);
  if (!CountPieces(pieces, new_address, region.mapping.end)) {
    mappings.Erase(new_address, region.mapping.end);
    return std::unexpected(MapError::kTooManyMappings);
  }
  if (moved != 0) TellObserver(old_address, moved);
  // What the file has is shown anew; written pages of a private mapping are copied like anonymous
  // ones.
  if (!ShowBacking(region)) return std::unexpected(MapError::kHostFailed);
  MovePages(old_address, new_address, moved);
  if (old_size == 0) return new_address;
  if (request.keep_old) {
    const auto discarded = Discard(old_address, old_size);
    if (!discarded) return std::unexpected(discarded.error());
    mappings.SetTraits(old_address, old_end, 0, kLocked);
  } else if (const auto unmapped = Unmap(old_address, old_size); !unmapped) {
    return std::unexpected(unmapped.error());
  }
  return new_address;
}

// Moves the contents and the charges of written pages: only these hold anything that the new place
// does not show by itself. They are copied rather than moved by the host's mremap, whose pieces
// never merge again and would use up the host's mappings.
void AddressSpace::MovePages(GuestAddr from, GuestAddr to, std::uint64_t size_bytes) {
  for (std::uint64_t page = PageOf(from); page < PageOf(from + size_bytes); ++page) {
    std::uint16_t& old_count = tables_->charged_in_chunk[page / kPagesPerChunk];
    if (old_count == 0) {
      page |= kPagesPerChunk - 1;  // the rest of the chunk
      continue;
    }
    if ((flags_[page] & kCharged) == 0) continue;
    const std::uint64_t target = page - PageOf(from) + PageOf(to);
    std::memcpy(base_ + (target << kPageShift), base_ + (page << kPageShift), kPageSize);
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
  for (const Region& piece : tables_->mappings.Within(address, end)) {
    if ((piece.mapping.traits & kLocked) != 0) return std::unexpected(MapError::kInvalid);
  }
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

Result<void, MapError> AddressSpace::SetTraits(GuestAddr address, std::uint64_t size_bytes,
                                               std::uint8_t set, std::uint8_t clear) {
  MappingTable& mappings = tables_->mappings;
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
    mappings.SetTraits(address, end, set, clear);
  }
  return end == wanted_end ? Result<void, MapError>{} : std::unexpected(MapError::kNoMemory);
}

Result<void, MapError> AddressSpace::Remove(GuestAddr address, std::uint64_t size_bytes) {
  const GuestAddr end = address + PageCeil(size_bytes);
  for (const Region& piece : tables_->mappings.Within(address, end)) {
    if ((piece.mapping.traits & kLocked) != 0 || !piece.IsSharedMemory()) {
      return std::unexpected(MapError::kInvalid);
    }
    if ((piece.mapping.allowed_protection & kProtWrite) == 0) {
      return std::unexpected(MapError::kDenied);
    }
    if (!piece.file->shared->Punch(piece.mapping.file_offset_bytes,
                                   piece.mapping.end - piece.mapping.start)) {
      return std::unexpected(MapError::kNoMemory);
    }
  }
  if (!tables_->mappings.Covers(address, end)) return std::unexpected(MapError::kNoMemory);
  return {};
}

Result<void, MapError> AddressSpace::ShowOther(GuestAddr address, std::uint64_t size_bytes,
                                               std::uint64_t offset_bytes) {
  const Region* const region = tables_->mappings.Find(address);
  if (region == nullptr || !region->IsSharedMemory() ||
      region->mapping.end < address + size_bytes) {
    return std::unexpected(MapError::kInvalid);
  }
  const Mapping& mapping = region->mapping;
  const std::shared_ptr<SharedObject> object = region->file->shared;
  if (object->Reserve(offset_bytes + size_bytes) != SharedObject::Failure::kNone) {
    return std::unexpected(MapError::kNoMemory);
  }
  MapRequest request{.address = address,
                     .size_bytes = size_bytes,
                     .protection = mapping.protection,
                     .fixed = true,
                     .shared = true,
                     .allowed_protection = mapping.allowed_protection,
                     .traits = mapping.traits,
                     .file = FileBacking{.shared = object, .offset_bytes = offset_bytes},
                     .device = mapping.device,
                     .inode = mapping.inode,
                     .name = mapping.name};
  const auto mapped = Map(request);
  return mapped ? Result<void, MapError>{} : std::unexpected(mapped.error());
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

std::optional<AddressSpace::SharedPlace> AddressSpace::SharedPlaceOf(GuestAddr address) const {
  const Region* const region = tables_->mappings.Find(address);
  if (region == nullptr || !region->IsSharedMemory()) return std::nullopt;
  return SharedPlace{region->file->shared.get(),
                     region->mapping.file_offset_bytes + (address - region->mapping.start)};
}

std::vector<Mapping> AddressSpace::Mappings() const { return tables_->mappings.All(); }

// --- Accesses ---

const Region* AddressSpace::FindOrGrow(GuestAddr address) {
  MappingTable& mappings = tables_->mappings;
  if (address >= window_bytes_) return nullptr;
  if (const Region* const region = mappings.Find(address)) return region;
  // As expand_stack of Linux: the next mapping above, where it may grow so far.
  const auto above = mappings.rows().upper_bound(address);
  if (above == mappings.rows().end()) return nullptr;
  const Mapping& mapping = above->second.mapping;
  const GuestAddr start = PageFloor(address);
  if ((mapping.traits & kGrowsDown) == 0 || start < kLowestMapping ||
      mapping.end - start > stack_limit_bytes_) {
    return nullptr;
  }
  if (above != mappings.rows().begin()) {
    const Mapping& below = std::prev(above)->second.mapping;
    const bool guarded = (below.traits & kGrowsDown) == 0 && below.protection != kProtNone;
    if (guarded && start - below.end < kStackGuardBytes) return nullptr;
  }
  mappings.LowerStart(mapping.start, start);
  return mappings.Find(address);
}

std::optional<MemoryFaultKind> AddressSpace::ProvidePage(const Region& region, GuestAddr address,
                                                         Access access) {
  if (!region.file) return std::nullopt;
  const std::uint64_t page = PageOf(address);
  const std::uint64_t offset =
      region.mapping.file_offset_bytes + (PageFloor(address) - region.mapping.start);
  if (region.file->shared) {
    switch (region.file->shared->Provide(offset, access)) {
      case SharedObject::Provided::kReady:
        return std::nullopt;
      case SharedObject::Provided::kBeyondEnd:
      case SharedObject::Provided::kNoSpace:
        return MemoryFaultKind::kBeyondFile;
      case SharedObject::Provided::kMemoryLimit:
        break;
    }
    return MemoryFaultKind::kMemoryLimit;
  }
  if (!region.file->source || (flags_[page] & kCharged) != 0) return std::nullopt;
  if (!ChargePage(page)) return MemoryFaultKind::kMemoryLimit;
  const bool read = region.file->source->ReadPage(
      offset, std::span(base_ + (page << kPageShift), static_cast<std::size_t>(kPageSize)));
  return read ? std::nullopt : std::optional(MemoryFaultKind::kBeyondFile);
}

std::optional<MemoryFault> AddressSpace::ResolvePage(GuestAddr address, std::uint32_t size_bytes,
                                                     Access access) {
  const auto fault = [&](MemoryFaultKind kind) { return MemoryFault{kind, access, address}; };
  const Region* const region = FindOrGrow(address);
  if (region == nullptr) return fault(MemoryFaultKind::kUnmapped);
  const std::uint8_t protection = region->mapping.protection;
  if (!MayAccess(protection, access)) return fault(MemoryFaultKind::kProtection);
  if (address >= region->BackedEnd()) return fault(MemoryFaultKind::kBeyondFile);
  if (const auto kind = ProvidePage(*region, address, access)) return fault(*kind);

  const std::uint64_t page = PageOf(address);
  const bool shared = region->IsSharedMemory();
  if (access == Access::kWrite) {
    // Pages of shared memory are charged by their object.
    if (!shared && !ChargePage(page)) return fault(MemoryFaultKind::kMemoryLimit);
    TellOfStore(*region, address);
    if ((flags_[page] & kHasCode) != 0) TellObserver(address, size_bytes);
  }
  std::uint8_t flag = flags_[page] & (kCharged | kHasCode);
  if (MayRead(protection)) flag |= kReadable;
  if ((protection & kProtExec) != 0) flag |= kExecutable;
  // The first store to shared memory has to be told of: code elsewhere, times of files.
  const bool ready = shared ? access == Access::kWrite : (flag & kCharged) != 0;
  const bool plain = (protection & kProtWrite) != 0 && ready && (flag & kHasCode) == 0;
  if (plain) flag |= kPlain;
  flags_[page] = flag;
  return std::nullopt;
}

// Code that was decoded by way of another mapping of the same memory.
void AddressSpace::TellOfStore(const Region& region, GuestAddr address) {
  if (!region.IsSharedMemory()) return;
  SharedObject& object = *region.file->shared;
  const std::uint64_t offset = region.mapping.file_offset_bytes + (address - region.mapping.start);
  if (!object.HasCode(offset)) return;
  object.Stored(offset, *this, PageFloor(address), (flags_[PageOf(address)] & kHasCode) != 0);
}

template <typename Use>
void AddressSpace::ForEachAlias(const SharedObject& object, std::uint64_t offset,
                                std::uint64_t size_bytes, Use use) const {
  for (const auto& [start, region] : tables_->mappings.rows()) {
    if (!region.IsSharedMemory() || region.file->shared.get() != &object) continue;
    const std::uint64_t first = region.mapping.file_offset_bytes;
    const std::uint64_t end = first + (region.mapping.end - start);
    const std::uint64_t from = std::max(first, offset);
    const std::uint64_t to =
        size_bytes > end - std::min(end, from) ? end : std::min(end, offset + size_bytes);
    if (from < to) use(start + (from - first), start + (to - first));
  }
}

void AddressSpace::ObjectStored(const SharedObject& object, std::uint64_t offset,
                                GuestAddr except) {
  ForEachAlias(object, offset, kPageSize, [&](GuestAddr start, GuestAddr) {
    const bool has_code = (flags_[PageOf(start)] & kHasCode) != 0;
    if (start != except && has_code && observer_ != nullptr) observer_->CodeStoredElsewhere(start);
  });
}

void AddressSpace::ObjectWatched(const SharedObject& object, std::uint64_t offset) {
  ForEachAlias(object, offset, kPageSize, [&](GuestAddr start, GuestAddr) {
    flags_[PageOf(start)] &= static_cast<std::uint8_t>(~kPlain);
  });
}

void AddressSpace::ObjectForgotten(const SharedObject& object, std::uint64_t offset,
                                   std::uint64_t size_bytes) {
  ForEachAlias(object, offset, size_bytes, [&](GuestAddr start, GuestAddr end) {
    TellObserver(start, end - start);
    ForgetPermissions(start, end);
  });
}

bool AddressSpace::ObjectMoved(SharedObject& object) {
  bool shown = true;
  ForEachAlias(object, 0, ~std::uint64_t{0}, [&](GuestAddr start, GuestAddr end) {
    const Region& region = *tables_->mappings.Find(start);
    const std::uint64_t at = region.mapping.file_offset_bytes + (start - region.mapping.start);
    shown = shown && object.ShowAt(base_ + start, at, end - start);
  });
  return shown;
}

bool AddressSpace::MayWriteObject(const SharedObject& object) const {
  bool may = false;
  ForEachAlias(object, 0, ~std::uint64_t{0}, [&](GuestAddr start, GuestAddr) {
    may = may || (Find(start)->allowed_protection & kProtWrite) != 0;
  });
  return may;
}

std::optional<MemoryFault> AddressSpace::Resolve(GuestAddr address, std::uint32_t size_bytes,
                                                 Access access) {
  if (size_bytes == 0) return std::nullopt;
  // Two rounds for stores: nothing is charged and no code thrown away for a store that will fault.
  const std::uint64_t last = address + (size_bytes - 1);
  if (last < address) return MemoryFault{MemoryFaultKind::kUnmapped, access, address};
  if (access == Access::kWrite && PageFloor(last) != PageFloor(address)) {
    for (GuestAddr at = address; at <= last; at = PageFloor(at) + kPageSize) {
      const Region* const region = FindOrGrow(at);
      if (region == nullptr) return MemoryFault{MemoryFaultKind::kUnmapped, access, at};
      if (!MayAccess(region->mapping.protection, access)) {
        return MemoryFault{MemoryFaultKind::kProtection, access, at};
      }
      if (at >= region->BackedEnd()) return MemoryFault{MemoryFaultKind::kBeyondFile, access, at};
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
  if (tables_->objects.empty()) return;
  if (const auto place = SharedPlaceOf(page_address)) {
    tables_->mappings.Find(page_address)->file->shared->NoteCode(place->offset_bytes);
  }
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
    const bool lazy = region->file && !region->file->host;
    if (const auto kind = ProvidePage(*region, at, Access::kRead)) {
      last_fault_ = {*kind, Access::kRead, at};
      break;
    }
    const std::size_t count = std::min<std::size_t>(
        out.size() - done, lazy ? kPageSize - at % kPageSize : region->BackedEnd() - at);
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
    if (const auto kind = ProvidePage(*region, at, Access::kWrite)) {
      last_fault_ = {*kind, Access::kWrite, at};
      break;
    }
    if (!region->IsSharedMemory() && !ChargePage(PageOf(at))) {
      last_fault_ = {MemoryFaultKind::kMemoryLimit, Access::kWrite, at};
      break;
    }
    TellOfStore(*region, at);
    const std::size_t count =
        std::min<std::size_t>(bytes.size() - done, kPageSize - at % kPageSize);
    if ((flags_[PageOf(at)] & kHasCode) != 0) TellObserver(at, count);
    std::memcpy(base_ + at, bytes.data() + done, count);
    done += count;
  }
  return done;
}

}  // namespace glovebox::engine
