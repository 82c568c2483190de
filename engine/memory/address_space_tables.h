// What only the sources of AddressSpace see of it.
#pragma once

#include <sys/mman.h>

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

}  // namespace glovebox::engine
