#include "engine/memory/shared_object.h"

#include <sys/mman.h>

namespace glovebox::engine {

std::shared_ptr<SharedObject> SharedObject::Make(std::uint64_t size_bytes, MemoryMeter& meter,
                                                 Failure& failure) {
  failure = Failure::kMemoryLimit;
  if (!meter.Charge(size_bytes)) return nullptr;
  void* const at = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    meter.Release(size_bytes);
    failure = Failure::kHost;
    return nullptr;
  }
  return std::shared_ptr<SharedObject>(
      new SharedObject(static_cast<std::byte*>(at), size_bytes, meter));
}

SharedObject::~SharedObject() {
  ::munmap(bytes_, size_bytes_);
  meter_.Release(size_bytes_);
}

bool SharedObject::ShowAt(std::byte* at, std::uint64_t offset_bytes, std::uint64_t size_bytes) {
  // An old size of 0 makes a second mapping of shared pages: mremap(2).
  return ::mremap(bytes_ + offset_bytes, 0, size_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, at) !=
         MAP_FAILED;
}

}  // namespace glovebox::engine
