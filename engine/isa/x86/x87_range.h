// x87 arithmetic with overflow or underflow unmasked. The host's instructions run masked
// (x87_host.h), and where the guest wants to hear of a result out of range, they give another one:
// infinity or a denormal instead of the rounded result with its exponent 24576 lower or higher, and
// nothing for a denormal that is exact (Intel SDM vol. 1, 8.5.4 and 8.5.5). Such an operation is
// done again here, with exponents that have no end.
#pragma once

#include <cstdint>

#include "engine/isa/x86/x87_remainder.h"
#include "engine/isa/x86/x87_round.h"

namespace glovebox::engine::x86 {

inline bool IsFinite(const Float80& x) {
  return IsFiniteNonZero(x) || ((x.sign_exponent & 0x7FFF) == 0 && x.significand == 0);
}

// May the guest expect something else than `outcome`, the masked response?
[[gnu::always_inline]] inline bool MayLeaveRange(std::uint16_t control,
                                                 const X87Outcome<Float80>& outcome) {
  const int unmasked = ~control & (kX87Overflow | kX87Underflow);
  if (unmasked == 0) [[likely]]
    return false;
  const bool tiny = (outcome.value.sign_exponent & 0x7FFF) == 0;
  return (outcome.status & unmasked) != 0 || (tiny && (unmasked & kX87Underflow) != 0);
}

// `exact` instead of `masked`, its denormal operand and condition codes kept.
inline X87Outcome<Float80> OutOfRange(std::uint16_t control, int precision,
                                      const X87Outcome<Float80>& masked,
                                      const ExtendedFloat& exact) {
  if (exact.IsZero() && !exact.more) return masked;  // whose sign follows from rounding control
  X87Outcome<Float80> outcome = RoundToX87(exact, precision, control);
  outcome.status |= masked.status & kX87Denormal;
  return outcome;
}

// Host, with Exact::Apply for values out of range.
template <typename Host, typename Exact>
struct Ranged {
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& dst, const Float80& src) {
    const auto masked = Host::Apply(control, dst, src);
    if (!MayLeaveRange(control, masked)) [[likely]]
      return masked;
    return Again(control, dst, src, masked);
  }
  template <typename Source>
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& dst, Source src) {
    const auto masked = Host::Apply(control, dst, src);
    if (!MayLeaveRange(control, masked)) [[likely]]
      return masked;
    return Again(control, dst, LoadX87::Apply(control, src).value, masked);
  }

 private:
  static X87Outcome<Float80> Again(std::uint16_t control, const Float80& dst, const Float80& src,
                                   const X87Outcome<Float80>& masked) {
    if (!IsFinite(dst) || !IsFinite(src)) return masked;
    const ExtendedFloat exact = Exact::Apply(ExtendedFloat::From(dst), ExtendedFloat::From(src));
    return OutOfRange(control, Exact::kAsPrecisionControl ? X87Precision(control) : 64, masked,
                      exact);
  }
};

struct Rounded {
  static constexpr bool kAsPrecisionControl = true;
};
struct ExactSum : Rounded {
  static ExtendedFloat Apply(const ExtendedFloat& dst, const ExtendedFloat& src) {
    return Add(dst, src);
  }
};
struct ExactDifference : Rounded {
  static ExtendedFloat Apply(const ExtendedFloat& dst, const ExtendedFloat& src) {
    return Add(dst, src.Negated());
  }
};
struct ExactProduct : Rounded {
  static ExtendedFloat Apply(const ExtendedFloat& dst, const ExtendedFloat& src) {
    return Multiply(dst, src);
  }
};
// A division by 0 is not out of range, and so not here.
struct ExactQuotient : Rounded {
  static ExtendedFloat Apply(const ExtendedFloat& dst, const ExtendedFloat& src) {
    return Divide(dst, src);
  }
};
template <typename Exact>
struct Reversed : Rounded {
  static ExtendedFloat Apply(const ExtendedFloat& dst, const ExtendedFloat& src) {
    return Exact::Apply(src, dst);
  }
};
// FSCALE: dst * 2^src, src cut to an integer.
struct ExactScaling {
  static constexpr bool kAsPrecisionControl = false;
  static ExtendedFloat Apply(const ExtendedFloat& dst, const ExtendedFloat& src) {
    constexpr int kFarthest = 1 << 17;  // from any exponent to beyond the biased ones
    int power = 0;
    if (src.exponent >= 17) {
      power = kFarthest;
    } else if (src.exponent >= 0) {
      power = static_cast<int>(src.significand >> (127 - src.exponent));
    }
    return dst.Scaled(src.negative ? -power : power);
  }
};

// A denormal that is stored exactly: nothing for the host, whose exceptions are masked, but an
// underflow where that is not masked.
inline bool IsDenormal(Real32 x) { return (x.bits & 0x7F80'0000) == 0 && (x.bits << 1) != 0; }
inline bool IsDenormal(Real64 x) { return (x.bits >> 52 & 0x7FF) == 0 && (x.bits << 1) != 0; }
template <typename Destination>
struct RangedStore : StoreX87<Destination> {
  static X87Outcome<Destination> Apply(std::uint16_t control, const Float80& src) {
    auto outcome = StoreX87<Destination>::Apply(control, src);
    if constexpr (requires { IsDenormal(outcome.value); }) {
      if ((control & kX87Underflow) == 0 && IsDenormal(outcome.value)) {
        outcome.status |= kX87Underflow;
      }
    }
    return outcome;
  }
};

using RangedAdd = Ranged<Fadd, ExactSum>;
using RangedSubtract = Ranged<Fsub, ExactDifference>;
using RangedSubtractReversed = Ranged<Fsubr, Reversed<ExactDifference>>;
using RangedMultiply = Ranged<Fmul, ExactProduct>;
using RangedDivide = Ranged<Fdiv, ExactQuotient>;
using RangedDivideReversed = Ranged<Fdivr, Reversed<ExactQuotient>>;
// Scaling by 0, and by nothing else that is cut to it, leaves a denormal what it was: no underflow.
struct RangedScale {
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& dst, const Float80& src) {
    const bool by_zero = src.significand == 0 && (src.sign_exponent & 0x7FFF) == 0;
    return by_zero ? Fscale::Apply(control, dst, src)
                   : Ranged<Fscale, ExactScaling>::Apply(control, dst, src);
  }
};

// FPREM, FPREM1: a remainder is exact, and may be a denormal.
template <typename Remainder>
struct RangedRemainder {
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& dividend,
                                   const Float80& divisor) {
    const auto masked = Remainder::Apply(control, dividend, divisor);
    // By infinity nothing is divided: a denormal that stays what it was has not underflowed.
    if (!MayLeaveRange(control, masked) || !IsFinite(divisor)) [[likely]]
      return masked;
    auto outcome = OutOfRange(control, 64, masked, ExtendedFloat::From(masked.value));
    outcome.status |= masked.status & kX87Conditions;
    return outcome;
  }
};

}  // namespace glovebox::engine::x86
