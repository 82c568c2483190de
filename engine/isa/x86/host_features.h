// What the host's CPU can beyond x86-64-v3, for handlers that have a faster way of doing the same.
// Nothing of it is visible to guests.
#pragma once

#include <cpuid.h>

namespace glovebox::engine::x86 {

struct HostFeatures {
  bool aes = false;
  bool pclmul = false;
  bool sha = false;

  static HostFeatures Detect() {
    HostFeatures features;
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) {
      features.pclmul = (ecx >> 1 & 1) != 0;
      features.aes = (ecx >> 25 & 1) != 0;
    }
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) features.sha = (ebx >> 29 & 1) != 0;
    return features;
  }
};

// As found at the first call.
inline const HostFeatures& ThisHost() {
  static const HostFeatures kFeatures = HostFeatures::Detect();
  return kFeatures;
}

}  // namespace glovebox::engine::x86
