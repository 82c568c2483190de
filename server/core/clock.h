// The host's wall clock, as the store and the API keep it.
#pragma once

#include <chrono>
#include <cstdint>

namespace glovebox::server {

// Nanoseconds since 1970-01-01T00:00:00Z.
inline std::int64_t WallClockNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace glovebox::server
