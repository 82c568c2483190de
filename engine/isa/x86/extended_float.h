// Floating point with 128 bits of significand and an unlimited exponent, made of integers: what the
// x87's transcendental functions are computed with, and what tells how an operation that overflowed
// or underflowed would have been rounded. The same bits on every host.
#pragma once

#include <bit>
#include <cstdint>

#include "engine/isa/x86/wide_integer.h"
#include "engine/isa/x86/x87_state.h"

namespace glovebox::engine::x86 {

// The upper half of a product.
constexpr UInt128 MultiplyHigh(UInt128 a, UInt128 b) {
  const auto a0 = static_cast<std::uint64_t>(a);
  const auto a1 = static_cast<std::uint64_t>(a >> 64);
  const auto b0 = static_cast<std::uint64_t>(b);
  const auto b1 = static_cast<std::uint64_t>(b >> 64);
  const UInt128 low = UInt128{a0} * b0;
  const UInt128 first = UInt128{a0} * b1 + (low >> 64);
  const UInt128 second = UInt128{a1} * b0 + static_cast<std::uint64_t>(first);
  return UInt128{a1} * b1 + (first >> 64) + (second >> 64);
}

constexpr int LeadingZeros(UInt128 value) {
  const auto high = static_cast<std::uint64_t>(value >> 64);
  return high != 0 ? std::countl_zero(high)
                   : 64 + std::countl_zero(static_cast<std::uint64_t>(value));
}

// (-1)^negative * significand * 2^(exponent - 127), and with `more` something beyond that in the
// same direction, less than the last bit. Bit 127 of the significand is set, but for zeros.
struct ExtendedFloat {
  bool negative = false;
  int exponent = 0;
  UInt128 significand = 0;
  bool more = false;

  constexpr bool IsZero() const { return significand == 0; }

  static constexpr ExtendedFloat Normalised(bool negative, int exponent, UInt128 significand,
                                            bool more = false) {
    if (significand == 0) return {negative, 0, 0, more};
    const int shift = LeadingZeros(significand);
    return {negative, exponent - shift, significand << shift, more};
  }
  static constexpr ExtendedFloat FromInteger(std::int64_t value) {
    const auto magnitude = static_cast<std::uint64_t>(
        value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value));
    return Normalised(value < 0, 127, magnitude);
  }
  // Of a finite value; denormals and pseudo-denormals too.
  static constexpr ExtendedFloat From(const Float80& x) {
    const int biased = x.sign_exponent & 0x7FFF;
    return Normalised((x.sign_exponent & 0x8000) != 0, (biased == 0 ? 1 : biased) - 16383,
                      UInt128{x.significand} << 64);
  }
  constexpr ExtendedFloat Negated() const { return {!negative, exponent, significand, more}; }
  constexpr ExtendedFloat Magnitude() const { return {false, exponent, significand, more}; }
  // Times a power of two.
  constexpr ExtendedFloat Scaled(int power) const {
    return {negative, IsZero() ? 0 : exponent + power, significand, more};
  }
  // The fraction of 2^128 that a magnitude less than 1 is.
  constexpr UInt128 AsFraction() const {
    const int shift = -1 - exponent;
    return shift > 127 ? 0 : significand >> shift;
  }
};

// -1, 0, 1: how the magnitudes are ordered.
constexpr int CompareMagnitudes(const ExtendedFloat& a, const ExtendedFloat& b) {
  if (a.IsZero() || b.IsZero())
    return static_cast<int>(!a.IsZero()) - static_cast<int>(!b.IsZero());
  if (a.exponent != b.exponent) return a.exponent < b.exponent ? -1 : 1;
  return a.significand == b.significand ? 0 : (a.significand < b.significand ? -1 : 1);
}

constexpr ExtendedFloat Multiply(const ExtendedFloat& a, const ExtendedFloat& b) {
  const bool negative = a.negative != b.negative;
  const UInt128 high = MultiplyHigh(a.significand, b.significand);
  const UInt128 low = a.significand * b.significand;
  if (high == 0) return {negative, 0, 0, false};  // a factor is 0
  const bool carried = high >> 127 != 0;
  const UInt128 significand = carried ? high : high << 1 | low >> 127;
  const bool more = (carried ? low : low << 1) != 0 || a.more || b.more;
  return {negative, a.exponent + b.exponent + (carried ? 1 : 0), significand, more};
}

// The sum, rounded towards 0 with `more`; exact operands need have no `more` for that to be right.
constexpr ExtendedFloat Add(const ExtendedFloat& first, const ExtendedFloat& second) {
  const bool swap = CompareMagnitudes(first, second) < 0;
  const ExtendedFloat& a = swap ? second : first;
  const ExtendedFloat& b = swap ? first : second;
  if (b.IsZero()) return a;
  const bool more = a.more || b.more;
  const int distance = a.exponent - b.exponent;
  // b as 256 bits, and whether there is still something behind them.
  UInt128 high = distance > 127 ? 0 : b.significand >> distance;
  UInt128 low = distance % 128 == 0 ? 0 : b.significand << (128 - distance % 128);
  if (distance >= 128) low = distance > 255 ? 1 : b.significand >> (distance - 128) | 1;
  if (a.negative == b.negative) {
    const UInt128 sum = a.significand + high;
    if (sum >= a.significand) return {a.negative, a.exponent, sum, more || low != 0};
    return {a.negative, a.exponent + 1, sum >> 1 | UInt128{1} << 127,
            more || low != 0 || (sum & 1) != 0};
  }
  high = a.significand - high - (low != 0 ? 1 : 0);
  low = 0 - low;
  int exponent = a.exponent;
  if (high == 0) {
    high = low;
    low = 0;
    exponent -= 128;
    if (high == 0) return {a.negative, 0, 0, more};
  }
  const int shift = LeadingZeros(high);
  if (shift != 0) high = high << shift | low >> (128 - shift);
  return {a.negative, exponent - shift, high, more || low << shift != 0};
}

// b is not 0.
constexpr ExtendedFloat Divide(const ExtendedFloat& a, const ExtendedFloat& b) {
  const bool negative = a.negative != b.negative;
  if (a.IsZero()) return {negative, 0, 0, false};
  // Long division; the quotient of the significands is in (1/2, 2).
  UInt128 rest = a.significand;
  UInt128 quotient = 0;
  int exponent = a.exponent - b.exponent;
  bool carry = false;  // bit 128 of `rest`
  if (rest < b.significand) {
    exponent -= 1;
    carry = rest >> 127 != 0;
    rest <<= 1;
  }
  for (int bit = 127;; --bit) {
    if (carry || rest >= b.significand) {
      rest -= b.significand;
      quotient |= UInt128{1} << bit;
    }
    if (bit == 0) break;
    carry = rest >> 127 != 0;
    rest <<= 1;
  }
  return {negative, exponent, quotient, rest != 0 || a.more || b.more};
}

enum class Rounding : std::uint8_t { kNearest, kDown, kUp, kTowardsZero };  // as in control words

// A value rounded to `precision` bits, 1 to 64, whatever its exponent. Where the significand was
// shifted down before, as for a denormal result, they are counted from the same place on.
struct RoundedFloat {
  bool negative = false;
  int exponent = 0;
  std::uint64_t significand = 0;  // from bit 63 down
  bool inexact = false;
  bool up = false;  // away from 0
};
constexpr RoundedFloat RoundTo(const ExtendedFloat& x, int precision, Rounding rounding) {
  RoundedFloat result = {.negative = x.negative, .exponent = x.exponent};
  const int dropped = 128 - precision;
  const UInt128 last = UInt128{1} << dropped;
  const UInt128 rest = x.significand & (last - 1);
  const UInt128 kept = x.significand - rest;
  result.inexact = rest != 0 || x.more;
  switch (rounding) {
    case Rounding::kNearest:
      result.up = rest > last / 2 || (rest == last / 2 && (x.more || (kept & last) != 0));
      break;
    case Rounding::kDown:
      result.up = x.negative && result.inexact;
      break;
    case Rounding::kUp:
      result.up = !x.negative && result.inexact;
      break;
    case Rounding::kTowardsZero:
      break;
  }
  UInt128 value = result.up ? kept + last : kept;
  if (result.up && value == 0) {  // carried out
    value = UInt128{1} << 127;
    result.exponent += 1;
  }
  result.significand = static_cast<std::uint64_t>(value >> 64);
  return result;
}

// x * 2^-shift, kept in the same place: what becomes a denormal.
constexpr ExtendedFloat ShiftedDown(const ExtendedFloat& x, int shift) {
  if (shift > 127) return {x.negative, x.exponent + shift, 0, x.more || x.significand != 0};
  const UInt128 kept = x.significand >> shift;
  return {x.negative, x.exponent + shift, kept, x.more || kept << shift != x.significand};
}

}  // namespace glovebox::engine::x86
