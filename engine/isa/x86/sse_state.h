// The XMM registers and MXCSR of a guest thread, as the running CPU holds them.
#pragma once

#include <emmintrin.h>

#include <array>
#include <cstdint>

namespace glovebox::engine::x86 {

// All 128 bits; the type of lanes is the instruction's business.
using Xmm = __m128i;

// MXCSR, Intel SDM vol. 1, 10.2.3.
enum MxcsrBit : std::uint32_t {
  kMxcsrFlags = 0x003F,  // IE DE ZE OE UE PE, sticky
  kMxcsrDaz = 0x0040,    // denormal operands are zeros
  kMxcsrMasks = 0x1F80,  // the same six, masked
  kMxcsrRounding = 0x6000,
  kMxcsrFtz = 0x8000,  // denormal results are zeros
};
inline constexpr std::uint32_t kMxcsrReset = 0x1F80;
inline constexpr std::uint32_t kMxcsrValid = 0xFFFF;  // the guest's CPU has no further bits

struct SseState {
  alignas(16) std::array<std::uint64_t, 32> xmm{};  // two quadwords a register, the low one first
  std::uint32_t mxcsr = kMxcsrReset;                // as the guest wrote it, with its sticky flags

  Xmm Get(unsigned index) const {
    return _mm_load_si128(reinterpret_cast<const __m128i*>(&xmm[2 * index]));
  }
  void Set(unsigned index, Xmm value) {
    _mm_store_si128(reinterpret_cast<__m128i*>(&xmm[2 * index]), value);
  }
};

// What the host's MXCSR holds while guest code runs: the guest's rounding, denormal modes and sticky flags, and
// every exception masked, so that no guest arithmetic raises a host signal. sse_float.h finds what the guest unmasked.
constexpr std::uint32_t HostMxcsr(std::uint32_t guest_mxcsr) { return guest_mxcsr | kMxcsrMasks; }

}  // namespace glovebox::engine::x86
