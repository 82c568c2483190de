// FPREM and FPREM1. Intel SDM vol. 2A: when the exponents are 64 or more apart, one execution takes
// off a multiple of the divisor that leaves them 32 to 63 closer, and sets C2. How many is the
// CPU's choice; ours is the least number of steps that a multiple of 32 allows, the same on every
// host: a complete remainder by a divisor scaled up.
#pragma once

#include <bit>
#include <cstdint>

#include "engine/isa/x86/x87_host.h"

namespace glovebox::engine::x86 {

// The exponent of the leading bit; for finite values other than 0.
inline int LeadingExponent(const Float80& x) {
  const int exponent = x.sign_exponent & 0x7FFF;
  return (exponent == 0 ? 1 : exponent) - std::countl_zero(x.significand);
}

inline bool IsFiniteNonZero(const Float80& x) {
  const int exponent = x.sign_exponent & 0x7FFF;
  const bool normal = (x.significand >> 63) != 0;
  return exponent == 0 ? x.significand != 0 : exponent != 0x7FFF && normal;
}

template <typename HostRemainder>
struct Remainder {
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& dividend,
                                   const Float80& divisor) {
    if (!IsFiniteNonZero(dividend) || !IsFiniteNonZero(divisor)) {
      return HostRemainder::Apply(control, dividend, divisor);
    }
    const int distance = LeadingExponent(dividend) - LeadingExponent(divisor);
    if (distance < 64) return HostRemainder::Apply(control, dividend, divisor);
    // The divisor times 2^(distance - step), exactly; its exponent is that of the dividend less
    // `step`.
    const int step = 32 + distance % 32;
    const int exponent = LeadingExponent(dividend) - step;
    Float80 scaled;
    scaled.significand = divisor.significand << std::countl_zero(divisor.significand);
    if (exponent >= 1) {
      scaled.sign_exponent = static_cast<std::uint16_t>(exponent);
    } else {
      scaled.significand >>=
          1 - exponent;  // still denormal; no bit is lost, the divisor was smaller
    }
    X87Outcome<Float80> outcome = HostFprem::Apply(control, dividend, scaled);
    const bool denormal = (divisor.sign_exponent & 0x7FFF) == 0;
    outcome.status = static_cast<std::uint16_t>((outcome.status & ~kX87Conditions) | kX87C2 |
                                                (denormal ? kX87Denormal : 0));
    return outcome;
  }
};

using Fprem = Remainder<HostFprem>;
using Fprem1 = Remainder<HostFprem1>;

}  // namespace glovebox::engine::x86
