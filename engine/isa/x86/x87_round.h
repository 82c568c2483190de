// The last step of an x87 operation that is not the host's: an exact or 128-bit result becomes 80
// bits, and what that raises. Intel SDM vol. 1, 8.5.4 to 8.5.6, and 4.9.1.
#pragma once

#include <cstdint>

#include "engine/isa/x86/extended_float.h"
#include "engine/isa/x86/x87_host.h"

namespace glovebox::engine::x86 {

inline constexpr int kX87ExponentBias = 16383;
inline constexpr int kX87LeastExponent = -16382;
inline constexpr int kX87GreatestExponent = 16383;
// What an unmasked overflow or underflow leaves is so far off: 3 * 2^13.
inline constexpr int kX87ExponentShift = 24576;

constexpr Rounding X87Rounding(std::uint16_t control) {
  return static_cast<Rounding>(control >> 10 & 3);
}
constexpr int X87Precision(std::uint16_t control) {
  constexpr int kPrecisions[] = {24, 64, 53, 64};  // 1 is reserved, and 64 bits on every CPU
  return kPrecisions[control >> 8 & 3];
}

constexpr Float80 ToFloat80(bool negative, int exponent, std::uint64_t significand) {
  // A denormal has the least exponent and no leading bit; 0 is one.
  const int biased = significand >> 63 == 0 ? 0 : exponent + kX87ExponentBias;
  return {significand, static_cast<std::uint16_t>(biased | (negative ? 0x8000 : 0)), {}};
}
constexpr Float80 X87Infinity(bool negative) {
  return ToFloat80(negative, kX87GreatestExponent + 1, std::uint64_t{1} << 63);
}

// `x` rounded to `precision` bits under the rounding and the masks of `control`.
inline X87Outcome<Float80> RoundToX87(const ExtendedFloat& x, int precision,
                                      std::uint16_t control) {
  const Rounding rounding = X87Rounding(control);
  if (x.IsZero() && !x.more) return {ToFloat80(x.negative, 0, 0), 0};
  RoundedFloat rounded = RoundTo(x, precision, rounding);
  std::uint16_t status = 0;
  if (rounded.exponent > kX87GreatestExponent) {
    status = kX87Overflow;
    if ((control & kX87Overflow) != 0) {
      const bool to_infinity = rounding == Rounding::kNearest ||
                               rounding == (x.negative ? Rounding::kDown : Rounding::kUp);
      if (to_infinity) return {X87Infinity(x.negative), kX87Overflow | kX87Precision | kX87C1};
      const std::uint64_t greatest = ~std::uint64_t{0} << (64 - precision);
      return {ToFloat80(x.negative, kX87GreatestExponent, greatest), kX87Overflow | kX87Precision};
    }
    rounded.exponent -= kX87ExponentShift;
    // FSCALE alone comes so far.
    if (rounded.exponent > kX87GreatestExponent) {
      return {X87Infinity(x.negative), kX87Overflow | kX87Precision | kX87C1};
    }
  } else if (rounded.exponent < kX87LeastExponent) {
    if ((control & kX87Underflow) != 0) {
      rounded = RoundTo(ShiftedDown(x, kX87LeastExponent - x.exponent), precision, rounding);
      if (rounded.inexact) status = kX87Underflow;
    } else {
      status = kX87Underflow;
      rounded.exponent += kX87ExponentShift;
      if (rounded.exponent < kX87LeastExponent) {
        return {ToFloat80(x.negative, 0, 0), kX87Underflow | kX87Precision};
      }
    }
  }
  if (rounded.inexact) status |= kX87Precision;
  if (rounded.up) status |= kX87C1;
  return {ToFloat80(rounded.negative, rounded.exponent, rounded.significand), status};
}

}  // namespace glovebox::engine::x86
