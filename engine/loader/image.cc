#include "engine/loader/image.h"

#include <algorithm>
#include <array>
#include <utility>

namespace glovebox::engine {
namespace {

// A blob, asked for anew each time: the cache keeps few descriptors open.
class BlobFile : public HostFile {
 public:
  BlobFile(std::shared_ptr<VfsServices> services, const Digest& digest)
      : services_(std::move(services)), digest_(digest) {}
  int Descriptor() override {
    const auto fd = services_->blobs.Descriptor(digest_);
    return fd ? *fd : -1;
  }

 private:
  std::shared_ptr<VfsServices> services_;
  Digest digest_;
};

LoadError Describe(MapError error) {
  if (error == MapError::kTooManyMappings)
    return {kENOMEM, "more segments than the limit of mappings allows"};
  if (error == MapError::kMemoryLimit) {
    return {kENOMEM, "the program needs more memory than the limit", true};
  }
  return {kENOMEM, "its segments could not be mapped"};
}

LoadResult<void> Zero(AddressSpace& memory, GuestAddr from, GuestAddr to) {
  static constexpr std::array<std::byte, kPageSize> kZeros{};
  const auto zeros = std::span(kZeros).first(static_cast<std::size_t>(to - from));
  if (memory.Poke(from, zeros) == zeros.size()) return {};
  return std::unexpected(LoadError{kENOMEM, "the program needs more memory than the limit", true});
}

LoadResult<void> MapSegment(AddressSpace& memory, RegularFile& file, const ElfSegment& segment,
                            GuestAddr bias, const std::string& path) {
  const GuestAddr start = PageFloor(bias + segment.address);
  const GuestAddr file_end = bias + segment.address + segment.file_bytes;
  const GuestAddr file_pages_end = segment.file_bytes == 0 ? start : PageCeil(file_end);
  const GuestAddr end = PageCeil(bias + segment.end());
  MapRequest request;
  request.protection = segment.protection;
  request.fixed = true;
  if (file_pages_end > start) {
    request.address = start;
    request.size_bytes = file_pages_end - start;
    request.name = path;
    const auto mapped = MapFile(memory, file, PageFloor(segment.file_offset), request);
    if (!mapped) return std::unexpected(Describe(mapped.error()));
    // What follows the segment in its last page of the file is not the segment's: it starts out as
    // zeros.
    if (segment.memory_bytes > segment.file_bytes && file_end < file_pages_end) {
      if (const auto zeroed = Zero(memory, file_end, file_pages_end); !zeroed) return zeroed;
    }
  }
  if (end > file_pages_end) {
    request.address = file_pages_end;
    request.size_bytes = end - file_pages_end;
    request.name.clear();
    const auto mapped = memory.Map(request);
    if (!mapped) return std::unexpected(Describe(mapped.error()));
  }
  return {};
}

// `object`, and as long as anybody holds it `holder` too.
template <typename T>
std::shared_ptr<T> HeldWith(std::shared_ptr<T> object, const std::shared_ptr<const void>& holder) {
  if (!holder) return object;
  T* const shown = object.get();
  auto both = std::make_shared<std::pair<std::shared_ptr<T>, std::shared_ptr<const void>>>(
      std::move(object), holder);
  return {std::move(both), shown};
}

}  // namespace

Result<GuestAddr, MapError> MapFile(AddressSpace& memory, RegularFile& file,
                                    std::uint64_t file_offset, MapRequest request,
                                    std::shared_ptr<const void> holder) {
  FileBacking backing{.offset_bytes = file_offset};
  const Digest* const blob = file.content.untouched_blob();
  const bool may_write = (request.allowed_protection & kProtWrite) != 0;
  if (request.shared && (may_write || blob == nullptr)) {
    auto object = file.Share(file_offset + PageCeil(request.size_bytes));
    if (!object) {
      return std::unexpected(object.error() == kENOMEM ? MapError::kNoMemory
                                                       : MapError::kHostFailed);
    }
    backing.shared = HeldWith(std::move(*object), holder);
  } else if (blob != nullptr) {
    backing.host = HeldWith<HostFile>(std::make_shared<BlobFile>(file.services(), *blob), holder);
    backing.file_size_bytes = blob->size_bytes;
  } else {
    backing.source = HeldWith<PageSource>(file.SharedFromThis(), holder);
  }
  request.file = std::move(backing);
  request.device = file.device;
  request.inode = file.number;
  return memory.Map(request);
}

LoadResult<LoadedImage> MapImage(AddressSpace& memory, RegularFile& file, const ElfImage& image,
                                 const AddressLayout& layout, const std::string& path) {
  GuestAddr bias = 0;
  if (image.position_independent) {
    bias = (layout.image_base & ~(image.alignment - 1)) - PageFloor(image.lowest());
    const std::uint64_t span = image.highest() - PageFloor(image.lowest());
    if (span > layout.mmap_top - layout.image_base) {
      return FailLoad(kENOMEM, "its segments span more than the address space has room for");
    }
  } else if (image.highest() > layout.mmap_top) {
    return FailLoad(kENOMEM, "its segments reach into the place of the stack");
  }
  LoadedImage loaded;
  loaded.bias = bias;
  loaded.entry = image.entry + bias;
  loaded.header_table = image.header_table == 0 ? 0 : image.header_table + bias;
  loaded.header_count = image.header_count;
  for (const ElfSegment& segment : image.segments) {
    if (const auto mapped = MapSegment(memory, file, segment, bias, path); !mapped) {
      return std::unexpected(mapped.error());
    }
    const bool executable = (segment.protection & kProtExec) != 0;
    (executable ? loaded.code_start : loaded.data_start) = bias + segment.address;
    (executable ? loaded.code_end : loaded.data_end) = bias + segment.address + segment.file_bytes;
  }
  loaded.brk_start = PageCeil(image.highest() + bias) + layout.brk_gap;
  return loaded;
}

LoadResult<AddressLayout> LayoutOfInterpreter(AddressSpace& memory, const ElfImage& image,
                                              const AddressLayout& layout) {
  if (!image.position_independent) return layout;
  MapRequest request;
  request.size_bytes = PageCeil(image.highest()) - PageFloor(image.lowest()) + image.alignment;
  const auto place = memory.Map(request);
  if (!place) return std::unexpected(Describe(place.error()));
  // Found, and free again for the segments.
  if (const auto freed = memory.Unmap(*place, request.size_bytes); !freed)
    return std::unexpected(Describe(freed.error()));
  AddressLayout at = layout;
  at.image_base = (*place + image.alignment - 1) & ~(image.alignment - 1);
  return at;
}

}  // namespace glovebox::engine
