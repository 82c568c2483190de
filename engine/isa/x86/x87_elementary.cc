#include "engine/isa/x86/x87_elementary.h"

#include <array>
#include <cstddef>

namespace glovebox::engine::x86 {
namespace {

// --- Series. Coefficients and sums are fractions of 2^127 in [0, 2), the variable of 2^128 in
// [0, 1). ---

template <std::size_t kTerms>
using Series = std::array<UInt128, kTerms>;
constexpr UInt128 kOne = UInt128{1} << 127;

// 1 / (first * (first + 1) * ... ), a factor more than `step` further factors for each term.
template <std::size_t kTerms>
constexpr Series<kTerms> InverseFactorials(unsigned first, unsigned step) {
  Series<kTerms> series{};
  UInt128 value = kOne;
  unsigned factor = first;
  for (UInt128& term : series) {
    term = value;
    for (unsigned i = 0; i < step; ++i) value /= factor++;
  }
  return series;
}
// 1, 1/3, 1/5 ...
template <std::size_t kTerms>
constexpr Series<kTerms> OddInverses() {
  Series<kTerms> series{};
  for (std::size_t i = 0; i < kTerms; ++i) series[i] = kOne / (2 * i + 1);
  return series;
}

// c0 + c1 x + c2 x^2 ...
template <std::size_t kTerms>
constexpr UInt128 SumOf(const Series<kTerms>& series, UInt128 x) {
  UInt128 sum = series[kTerms - 1];
  for (std::size_t i = kTerms - 1; i-- > 0;) sum = series[i] + MultiplyHigh(sum, x);
  return sum;
}
// c0 - c1 x + c2 x^2 ..., less than c0 even where x is too small to be seen.
template <std::size_t kTerms>
constexpr UInt128 AlternatingSumOf(const Series<kTerms>& series, UInt128 x) {
  UInt128 sum = series[kTerms - 1];
  for (std::size_t i = kTerms - 1; i-- > 0;) sum = series[i] - MultiplyHigh(sum, x) - 1;
  return sum;
}
// A sum as a float.
constexpr ExtendedFloat AsFloat(UInt128 sum) {
  return ExtendedFloat::Normalised(false, 0, sum, true);
}

constexpr auto kSineSeries = InverseFactorials<17>(2, 2);
constexpr auto kCosineSeries = InverseFactorials<17>(1, 2);
constexpr auto kExponentialSeries = InverseFactorials<32>(2, 1);
constexpr auto kOddInverses = OddInverses<27>();
constexpr Series<13> kArctangentSeries = OddInverses<13>();

// --- Arctangents of i / 32, as fractions of 2^127 ---

constexpr int kSteps = 32;
constexpr std::array<UInt128, kSteps + 1> kArctangents = [] {
  std::array<UInt128, kSteps + 1> table{};
  for (unsigned i = 1; i <= kSteps; ++i) {
    // tan(a - b) = (tan a - tan b) / (1 + tan a tan b); the quotient is at most 1/32.
    const UInt128 denominator = kSteps * kSteps + i * (i - 1);
    const UInt128 quotient = (UInt128{kSteps} << 120) / denominator << 8 |
                             ((UInt128{kSteps} << 120) % denominator << 8) / denominator;
    const UInt128 square = MultiplyHigh(quotient, quotient);
    table[i] = table[i - 1] + MultiplyHigh(AlternatingSumOf(kArctangentSeries, square), quotient);
  }
  return table;
}();

// --- Reduction by pi / 2 ---

struct Reduced {
  unsigned quadrant = 0;  // of four, counted from the nearest multiple of pi / 2
  ExtendedFloat rest;     // -pi / 4 to pi / 4
};
// x >= 0. pi / 2 is kHalf * 2^-67 to the x87; everything that is larger is a whole multiple of
// 2^-67.
Reduced ReduceByHalfPi(const ExtendedFloat& x) {
  constexpr UInt128 kHalf = UInt128{0xC} << 64 | 0x90FDAA22168C234C;
  constexpr int kUnit = 67;
  if (x.exponent < -1) return {0, x};  // less than 1/2
  // The significand's upper half holds everything. Take 64 bits, then bring the others down.
  UInt128 rest = x.significand >> 64;
  unsigned quotient = 0;
  for (int shift = x.exponent - 63 + kUnit; shift > 0; --shift) {
    rest <<= 1;
    quotient <<= 1;
    if (rest >= kHalf) {
      rest -= kHalf;
      quotient |= 1;
    }
  }
  const bool past_middle = rest > kHalf / 2;
  const UInt128 magnitude = past_middle ? kHalf - rest : rest;
  return {(quotient + (past_middle ? 1 : 0)) & 3,
          ExtendedFloat::Normalised(past_middle, 127 - kUnit, magnitude)};
}

}  // namespace

SineCosine SineAndCosine(const ExtendedFloat& x) {
  const Reduced reduced = ReduceByHalfPi(x.Magnitude());
  const UInt128 square = Multiply(reduced.rest, reduced.rest).AsFraction();
  ExtendedFloat sine = Multiply(reduced.rest, AsFloat(AlternatingSumOf(kSineSeries, square)));
  ExtendedFloat cosine = AsFloat(AlternatingSumOf(kCosineSeries, square));
  // A quarter turn takes (cos, sin) to (-sin, cos).
  for (unsigned i = 0; i < reduced.quadrant; ++i) {
    const ExtendedFloat before = cosine;
    cosine = sine.Negated();
    sine = before;
  }
  if (x.negative) sine = sine.Negated();
  return {sine, cosine};
}

ExtendedFloat Arctangent(const ExtendedFloat& y, const ExtendedFloat& x) {
  const bool steep = CompareMagnitudes(y, x) > 0;
  const ExtendedFloat& small = steep ? x : y;
  const ExtendedFloat& large = steep ? y : x;
  // The nearest i / 32 to the quotient, from its upper bits: an error there only makes the rest a
  // little larger.
  const ExtendedFloat a = small.Magnitude();
  const ExtendedFloat b = large.Magnitude();
  const int distance = b.exponent - a.exponent;
  unsigned step = 0;
  if (distance < 8) {
    const std::uint64_t numerator =
        static_cast<std::uint64_t>(a.significand >> 80) * kSteps >> distance;
    const std::uint64_t denominator = static_cast<std::uint64_t>(b.significand >> 80);
    step = static_cast<unsigned>((2 * numerator / denominator + 1) / 2);
  }
  // The angle differs from so small a quotient far behind the last bit, and is taken for it.
  constexpr int kTiny = 64;
  if (distance > kTiny && !steep && !x.negative) return Divide(y, x);
  ExtendedFloat quotient;
  if (step == 0) {
    quotient = Divide(a, b);
  } else {
    const ExtendedFloat tangent = ExtendedFloat::FromInteger(step).Scaled(-5);
    quotient = Divide(Add(a, Multiply(b, tangent).Negated()), Add(b, Multiply(a, tangent)));
  }
  const UInt128 square = Multiply(quotient, quotient).AsFraction();
  ExtendedFloat angle = Multiply(quotient, AsFloat(AlternatingSumOf(kArctangentSeries, square)));
  if (step != 0) angle = Add(AsFloat(kArctangents[step]), angle);
  if (steep) angle = Add(kHalfPi, angle.Negated());
  if (x.negative) angle = Add(kPi, angle.Negated());
  return y.negative ? angle.Negated() : angle;
}

ExtendedFloat PowerOf2Less1(const ExtendedFloat& x) {
  const ExtendedFloat y = Multiply(x, kLogOf2);
  const UInt128 magnitude = y.AsFraction();
  const UInt128 sum = x.negative ? AlternatingSumOf(kExponentialSeries, magnitude)
                                 : SumOf(kExponentialSeries, magnitude);
  return Multiply(y, AsFloat(sum));
}

namespace {

// log2((1 + s) / (1 - s)) = 2 log2(e) * (s + s^3 / 3 + s^5 / 5 ...), |s| < 0.18
ExtendedFloat LogOfRatio(const ExtendedFloat& s) {
  const UInt128 square = Multiply(s, s).AsFraction();
  const ExtendedFloat sum = Multiply(s, AsFloat(SumOf(kOddInverses, square)));
  return Multiply(sum, kLog2OfE).Scaled(1);
}

}  // namespace

ExtendedFloat Log2(const ExtendedFloat& x) {
  constexpr ExtendedFloat kUnit = ExtendedFloat::FromInteger(1);
  constexpr UInt128 kRootOf2 = UInt128{0xb504f333f9de6484} << 64;  // about
  const int power = x.significand > kRootOf2 ? x.exponent + 1 : x.exponent;
  const ExtendedFloat m = x.Scaled(-power);  // sqrt(1/2) to sqrt(2)
  const ExtendedFloat whole = ExtendedFloat::FromInteger(power);
  const ExtendedFloat less = Add(m, kUnit.Negated());
  if (less.IsZero()) return whole;
  return Add(whole, LogOfRatio(Divide(less, Add(m, kUnit))));
}

ExtendedFloat Log2Of1Plus(const ExtendedFloat& x) {
  constexpr ExtendedFloat kUnit = ExtendedFloat::FromInteger(1);
  if (x.exponent >= -2) return Log2(Add(x, kUnit));
  return LogOfRatio(Divide(x, Add(x, ExtendedFloat::FromInteger(2))));
}

}  // namespace glovebox::engine::x86
