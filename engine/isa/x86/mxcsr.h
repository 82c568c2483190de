// MXCSR: Intel SDM vol. 1, 10.2.3.
#pragma once

#include <cstdint>

namespace glovebox::engine::x86 {

enum MxcsrBit : std::uint32_t {
  kMxcsrOverflow = 1 << 3,   // OE
  kMxcsrUnderflow = 1 << 4,  // UE
  kMxcsrPrecision = 1 << 5,  // PE
  kMxcsrDenormalsAreZeros = 1 << 6,
  kMxcsrFlushToZero = 1 << 15,
  kMxcsrFlags = 0x003F,         // IE DE ZE OE UE PE, sticky
  kMxcsrBeforeResult = 0x0007,  // IE DE ZE: found before there is a result
  kMxcsrMasks = 0x1F80,         // the same six, masked
};
inline constexpr std::uint32_t kMxcsrReset = 0x1F80;
inline constexpr std::uint32_t kMxcsrValid = 0xFFFF;  // the guest's CPU has no further bits

// What the host's MXCSR holds while guest code runs: the guest's rounding, denormal modes and
// sticky flags, and every exception masked, so that no guest arithmetic raises a host signal.
// sse_float.h finds what the guest unmasked.
constexpr std::uint32_t HostMxcsr(std::uint32_t guest_mxcsr) { return guest_mxcsr | kMxcsrMasks; }

}  // namespace glovebox::engine::x86
