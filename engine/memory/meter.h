// The exact memory meter of a box: private pages written, and shared objects by their size.
#pragma once

#include <cstdint>

#include "engine/base/types.h"

namespace glovebox::engine {

// Threads: one at a time.
class MemoryMeter {
 public:
  explicit MemoryMeter(std::uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // False, and nothing charged, where the limit would be passed.
  bool Charge(std::uint64_t bytes) {
    if (bytes > limit_bytes_ - used_bytes_) return false;
    used_bytes_ += bytes;
    if (used_bytes_ > peak_bytes_) peak_bytes_ = used_bytes_;
    return true;
  }
  void Release(std::uint64_t bytes) { used_bytes_ -= bytes; }

  std::uint64_t used_bytes() const { return used_bytes_; }
  std::uint64_t peak_bytes() const { return peak_bytes_; }
  std::uint64_t limit_bytes() const { return limit_bytes_; }

 private:
  std::uint64_t limit_bytes_;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t peak_bytes_ = 0;
};

}  // namespace glovebox::engine
