// Memory that several mappings show, in one window or in many: MAP_SHARED | MAP_ANONYMOUS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "engine/base/types.h"
#include "engine/memory/meter.h"

namespace glovebox::engine {

// Charged by its size from the start to the end of its life, whatever is written. It has a host
// mapping of its own from which windows get further ones of the same pages, so it needs no host
// descriptor, of which a guest could use up any number.
// Threads: one at a time.
class SharedObject {
 public:
  enum class Failure : std::uint8_t { kMemoryLimit, kHost };

  // `size_bytes` is a multiple of the page size and not 0. Null: `failure` says why.
  static std::shared_ptr<SharedObject> Make(std::uint64_t size_bytes, MemoryMeter& meter,
                                            Failure& failure);
  ~SharedObject();
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;

  std::uint64_t size_bytes() const { return size_bytes_; }
  // Shows [offset, offset + size) at `at`, in place of what is there. False: the host refused.
  bool ShowAt(std::byte* at, std::uint64_t offset_bytes, std::uint64_t size_bytes);

 private:
  SharedObject(std::byte* bytes, std::uint64_t size_bytes, MemoryMeter& meter)
      : bytes_(bytes), size_bytes_(size_bytes), meter_(meter) {}

  std::byte* const bytes_;
  const std::uint64_t size_bytes_;
  MemoryMeter& meter_;
};

}  // namespace glovebox::engine
