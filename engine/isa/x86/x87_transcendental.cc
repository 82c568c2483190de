#include "engine/isa/x86/x87_transcendental.h"

#include "engine/isa/x86/x87_elementary.h"
#include "engine/isa/x86/x87_round.h"
#include "engine/isa/x86/x87_stack.h"

namespace glovebox::engine::x86 {
namespace {

using Outcome = X87Outcome<Float80>;

// --- Kinds of operands. Intel SDM vol. 1, tables 8-3 and 4-3. ---

enum class Kind : std::uint8_t { kZero, kFinite, kInfinity, kOther };  // other: NaN, unsupported

Kind KindOf(const Float80& x) {
  const int biased = x.sign_exponent & 0x7FFF;
  const bool leading = x.significand >> 63 != 0;
  if (biased == 0) return x.significand == 0 ? Kind::kZero : Kind::kFinite;
  if (!leading) return Kind::kOther;
  if (biased < 0x7FFF) return Kind::kFinite;
  return x.significand << 1 == 0 ? Kind::kInfinity : Kind::kOther;
}
bool IsNegative(const Float80& x) { return (x.sign_exponent & 0x8000) != 0; }
std::uint16_t DenormalStatus(const Float80& x) {
  const bool denormal = (x.sign_exponent & 0x7FFF) == 0 && x.significand != 0;
  return denormal ? kX87Denormal : 0;
}

constexpr std::uint16_t kOutOfRange = kX87C2;

Outcome Invalid() { return {kX87DefaultNan, kX87Invalid}; }
Outcome Zero(bool negative, std::uint16_t status = 0) {
  return {ToFloat80(negative, 0, 0), status};
}
Outcome Infinity(bool negative, std::uint16_t status = 0) {
  return {X87Infinity(negative), status};
}

// `value` rounded to 64 bits, whatever precision control says. Results count as inexact, and tiny
// ones as an underflow, even where they are exact, as on hardware.
Outcome Rounded(std::uint16_t control, const ExtendedFloat& value, std::uint16_t status) {
  Outcome outcome = RoundToX87(value, 64, control);
  outcome.status |= status | kX87Precision;
  const bool denormal = (outcome.value.sign_exponent & 0x7FFF) == 0;
  if (denormal) outcome.status |= kX87Underflow;
  return outcome;
}

constexpr int kAngleLimit = 63;
// Less than 2^-33: the sine and the tangent are the angle itself, the cosine is 1, for the exact
// ones are nearer to that than to any other number. As on hardware rounding control does not change
// them then.
constexpr int kTinyAngle = -34;
constexpr std::uint16_t kRoundToNearest = static_cast<std::uint16_t>(~0x0C00);

// A function of an angle, given as that of 0, that of a tiny angle, and the general one.
template <typename Tiny, typename Function>
Outcome OfAngle(std::uint16_t control, const Float80& x, const Float80& of_zero, Tiny&& tiny,
                Function&& function) {
  switch (KindOf(x)) {
    case Kind::kZero:
      return {of_zero, 0};
    case Kind::kInfinity:
      return Invalid();
    case Kind::kOther:
      return Fadd::Apply(control, x, x);  // a quiet NaN, or invalid
    case Kind::kFinite:
      break;
  }
  const ExtendedFloat value = ExtendedFloat::From(x);
  if (value.exponent >= kAngleLimit) return {x, kOutOfRange};
  if (value.exponent < kTinyAngle) {
    return Rounded(control & kRoundToNearest, tiny(value), DenormalStatus(x));
  }
  return Rounded(control, function(value), DenormalStatus(x));
}

}  // namespace

Outcome Fsin::Apply(std::uint16_t control, const Float80& x) {
  return OfAngle(
      control, x, x, [](const ExtendedFloat& value) { return value; },
      [](const ExtendedFloat& value) { return SineAndCosine(value).sine; });
}

Outcome Fcos::Apply(std::uint16_t control, const Float80& x) {
  constexpr Float80 kUnit = ToFloat80(false, 0, std::uint64_t{1} << 63);
  return OfAngle(
      control, x, kUnit, [](const ExtendedFloat&) { return ExtendedFloat::FromInteger(1); },
      [](const ExtendedFloat& value) { return SineAndCosine(value).cosine; });
}

Outcome Fptan::Apply(std::uint16_t control, const Float80& x) {
  return OfAngle(
      control, x, x, [](const ExtendedFloat& value) { return value; },
      [](const ExtendedFloat& value) {
        const SineCosine both = SineAndCosine(value);
        return Divide(both.sine, both.cosine);
      });
}

Outcome F2xm1::Apply(std::uint16_t control, const Float80& x) {
  constexpr Float80 kLess1 = ToFloat80(true, 0, std::uint64_t{1} << 63);
  switch (KindOf(x)) {
    case Kind::kZero:
      return {x, 0};
    case Kind::kInfinity:
      return {IsNegative(x) ? kLess1 : x, 0};
    case Kind::kOther:
      return Fadd::Apply(control, x, x);
    case Kind::kFinite:
      break;
  }
  const ExtendedFloat value = ExtendedFloat::From(x);
  const bool is_one = value.exponent == 0 && value.significand << 1 == 0;
  if (is_one) {
    return Rounded(control, value.Scaled(value.negative ? -1 : 0), 0);
  }
  // Beyond 1 the manual defines nothing: as on Intel's CPUs the operand stays.
  if (value.exponent >= 0) return {x, kX87Precision};
  return Rounded(control, PowerOf2Less1(value), DenormalStatus(x));
}

Outcome Fpatan::Apply(std::uint16_t control, const Float80& y, const Float80& x) {
  const Kind y_kind = KindOf(y);
  const Kind x_kind = KindOf(x);
  if (y_kind == Kind::kOther || x_kind == Kind::kOther) return Fadd::Apply(control, y, x);
  const auto status = static_cast<std::uint16_t>(DenormalStatus(y) | DenormalStatus(x));
  const bool y_infinite = y_kind == Kind::kInfinity;
  const bool x_infinite = x_kind == Kind::kInfinity;
  const auto signed_like_y = [&](const ExtendedFloat& angle) {
    return Rounded(control, IsNegative(y) ? angle.Negated() : angle, status);
  };
  // Table 3-48 of the manual.
  if (y_infinite && x_infinite) {
    return signed_like_y(IsNegative(x) ? Add(kHalfPi, kHalfPi.Scaled(-1)) : kHalfPi.Scaled(-1));
  }
  if (y_kind == Kind::kZero || x_infinite) {
    return IsNegative(x) ? signed_like_y(kPi) : Zero(IsNegative(y), status);
  }
  if (y_infinite || x_kind == Kind::kZero) return signed_like_y(kHalfPi);
  return Rounded(control, Arctangent(ExtendedFloat::From(y), ExtendedFloat::From(x)), status);
}

namespace {

// y * log, which is that of a finite positive number other than 1.
Outcome TimesLog(std::uint16_t control, const Float80& y, const ExtendedFloat& log,
                 std::uint16_t status) {
  const bool negative = IsNegative(y) != log.negative;
  switch (KindOf(y)) {
    case Kind::kZero:
      return Zero(negative, status);
    case Kind::kInfinity:
      return Infinity(negative, status);
    default:
      return Rounded(control, Multiply(ExtendedFloat::From(y), log), status);
  }
}

}  // namespace

Outcome Fyl2x::Apply(std::uint16_t control, const Float80& y, const Float80& x) {
  const Kind y_kind = KindOf(y);
  const Kind x_kind = KindOf(x);
  if (y_kind == Kind::kOther || x_kind == Kind::kOther) return Fadd::Apply(control, y, x);
  const auto status = static_cast<std::uint16_t>(DenormalStatus(y) | DenormalStatus(x));
  if (x_kind == Kind::kZero) {
    if (y_kind == Kind::kZero) return Invalid();
    const bool negative = !IsNegative(y);
    return Infinity(negative, y_kind == Kind::kInfinity ? 0 : kX87ZeroDivide);
  }
  if (IsNegative(x)) return Invalid();
  if (x_kind == Kind::kInfinity) {
    return y_kind == Kind::kZero ? Invalid() : Infinity(IsNegative(y), status);
  }
  const ExtendedFloat log = Log2(ExtendedFloat::From(x));
  if (log.IsZero()) {
    return y_kind == Kind::kInfinity ? Invalid() : Zero(IsNegative(y), status);
  }
  return TimesLog(control, y, log, status);
}

Outcome Fyl2xp1::Apply(std::uint16_t control, const Float80& y, const Float80& x) {
  const Kind y_kind = KindOf(y);
  const Kind x_kind = KindOf(x);
  if (y_kind == Kind::kOther || x_kind == Kind::kOther) return Fadd::Apply(control, y, x);
  const auto status = static_cast<std::uint16_t>(DenormalStatus(y) | DenormalStatus(x));
  if (x_kind == Kind::kZero) {
    if (y_kind == Kind::kInfinity) return Invalid();
    return Zero(IsNegative(y) != IsNegative(x), status);
  }
  if (x_kind == Kind::kInfinity) {
    if (IsNegative(x) || y_kind == Kind::kZero) return Invalid();
    return Infinity(IsNegative(y), status);
  }
  const ExtendedFloat value = ExtendedFloat::From(x);
  // The manual defines results for 1 - sqrt(1/2) and less. Above -1 there is a logarithm; from
  // there on, as on Intel's CPUs, x stands for it with a special y, and is the result with any
  // other.
  if (!value.negative || value.exponent < 0) {
    return TimesLog(control, y, Log2Of1Plus(value), status);
  }
  if (y_kind != Kind::kFinite) return TimesLog(control, y, value, status);
  return {x, static_cast<std::uint16_t>(kX87Precision | status)};
}

}  // namespace glovebox::engine::x86
