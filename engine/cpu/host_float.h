// Handlers run under the guest's MXCSR; everything else of ours must not, because it would set the
// guest's sticky flags (hash maps compute their load in floating point). Hosts are x86-64.
#pragma once

#include <xmmintrin.h>

namespace glovebox::engine {

inline constexpr unsigned kHostMxcsr = 0x1f80;  // round to nearest, all exceptions masked

// The host's own floating point environment for the life of the object; then what was there before.
class HostFloatScope {
 public:
  HostFloatScope() : saved_(_mm_getcsr()) { _mm_setcsr(kHostMxcsr); }
  ~HostFloatScope() { _mm_setcsr(saved_); }
  HostFloatScope(const HostFloatScope&) = delete;
  HostFloatScope& operator=(const HostFloatScope&) = delete;

 private:
  unsigned saved_;
};

}  // namespace glovebox::engine
