// RCPPS RCPSS RSQRTPS RSQRTSS. Intel SDM vol. 2B bounds the relative error by 1.5 * 2^-12 and
// leaves the rest to the CPU, so hosts differ. Glovebox has one result on every host: the exact
// value rounded to 13 significant bits (error at most 2^-13), computed with integers. As on
// hardware no flag is raised, rounding control is not looked at, denormal operands are zeros of
// their sign, and results too small to be normal are zeros.
#pragma once

#include <cstdint>

#include "engine/isa/x86/packed.h"

namespace glovebox::engine::x86 {

inline constexpr std::uint32_t kFloatSign = 0x80000000;
inline constexpr std::uint32_t kFloatInfinity = 0x7F800000;
inline constexpr std::uint32_t kFloatQuiet = 0x00400000;
inline constexpr std::uint32_t kFloatDefaultNan = 0xFFC00000;

// A float of 13 significant bits: `significand` is in [2^12, 2^13], 2^13 standing for the next
// power of two.
constexpr std::uint32_t FloatFrom13Bits(int biased_exponent, std::uint32_t significand) {
  if (biased_exponent <= 0) return 0;
  return (static_cast<std::uint32_t>(biased_exponent) << 23) + ((significand - 0x1000) << 11);
}

struct Reciprocal {
  static constexpr std::uint32_t Apply(std::uint32_t x) {
    const std::uint32_t sign = x & kFloatSign;
    const std::uint32_t magnitude = x & ~kFloatSign;
    if (magnitude > kFloatInfinity) return x | kFloatQuiet;
    if (magnitude == kFloatInfinity) return sign;
    const int exponent = static_cast<int>(magnitude >> 23);
    if (exponent == 0) return sign | kFloatInfinity;
    const std::uint64_t m = (magnitude & 0x7FFFFF) | 0x800000;  // x = m * 2^(exponent - 150)
    // 2^36 / m is in (2^12, 2^13].
    const std::uint64_t quotient = ((std::uint64_t{1} << 36) + m / 2) / m;
    return sign | FloatFrom13Bits(253 - exponent, static_cast<std::uint32_t>(quotient));
  }
};

struct ReciprocalSquareRoot {
  static constexpr std::uint32_t Apply(std::uint32_t x) {
    const std::uint32_t sign = x & kFloatSign;
    const std::uint32_t magnitude = x & ~kFloatSign;
    if (magnitude > kFloatInfinity) return x | kFloatQuiet;
    const int exponent = static_cast<int>(magnitude >> 23);
    if (exponent == 0) return sign | kFloatInfinity;
    if (sign != 0) return kFloatDefaultNan;
    if (magnitude == kFloatInfinity) return 0;
    // x = m * 2^(2 * half) with m in [2^24, 2^26); r = 2^25 / sqrt(m) is in (2^12, 2^13].
    const int up = (exponent & 1) != 0 ? 1 : 2;
    const std::uint64_t m = std::uint64_t{(magnitude & 0x7FFFFF) | 0x800000} << up;
    const int half = (exponent - 150 - up) / 2;
    // The nearest integer is the largest with (2r - 1)^2 * m <= 2^52; bit by bit from the top.
    std::uint64_t r = 0;
    for (std::uint64_t bit = 1 << 13; bit != 0; bit >>= 1) {
      const std::uint64_t doubled = 2 * (r | bit) - 1;
      if (doubled * doubled * m <= std::uint64_t{1} << 52) r |= bit;
    }
    return FloatFrom13Bits(114 - half, static_cast<std::uint32_t>(r));
  }
};

// RCPPS, RSQRTPS
template <typename Operation>
struct ApproximatePacked {
  static Xmm Apply(Xmm, Xmm src) {
    auto lanes = AsLanes<std::uint32_t>(src);
    for (unsigned i = 0; i < 4; ++i) lanes[i] = Operation::Apply(lanes[i]);
    return AsXmm(lanes);
  }
};

// RCPSS, RSQRTSS
template <typename Operation>
struct ApproximateScalar {
  static Xmm Apply(Xmm dst, Xmm src) {
    auto lanes = AsLanes<std::uint32_t>(dst);
    lanes[0] = Operation::Apply(AsLanes<std::uint32_t>(src)[0]);
    return AsXmm(lanes);
  }
};

}  // namespace glovebox::engine::x86
