#include "engine/isa/x86/sse_range.h"

#include <array>
#include <bit>
#include <optional>

#include "engine/isa/x86/extended_float.h"
#include "engine/isa/x86/mxcsr.h"

namespace glovebox::engine::x86 {
namespace {

// A significand's bits, and the exponents of normal values.
struct FloatFormat {
  int precision;
  int least_exponent;
  int greatest_exponent;
};
constexpr FloatFormat kSingle = {24, -126, 127};
constexpr FloatFormat kDouble = {53, -1022, 1023};
constexpr FloatFormat kHalf = {11, -14, 15};

// Lane i as a value, or nothing where it is an infinity or a NaN.
std::optional<ExtendedFloat> ValueOf(const RangeQuestion::Vector& vector, unsigned i, bool doubles,
                                     std::uint32_t mxcsr) {
  const std::uint64_t bits =
      doubles ? vector[i] : std::bit_cast<std::array<std::uint32_t, 4>>(vector)[i];
  const FloatFormat& format = doubles ? kDouble : kSingle;
  const int fraction_bits = format.precision - 1;
  const int bias = format.greatest_exponent;
  const std::uint64_t hidden = std::uint64_t{1} << fraction_bits;
  const std::uint64_t fraction = bits & (hidden - 1);
  const int biased = static_cast<int>(bits >> fraction_bits) & (2 * bias + 1);
  const bool negative = (bits >> (doubles ? 63 : 31) & 1) != 0;
  if (biased == 2 * bias + 1) return {};
  if (biased == 0) {
    const bool flushed = (mxcsr & kMxcsrDenormalsAreZeros) != 0;
    return ExtendedFloat::Normalised(negative, format.least_exponent - fraction_bits + 127,
                                     flushed ? 0 : fraction);
  }
  return ExtendedFloat::Normalised(negative, biased - bias - fraction_bits + 127,
                                   fraction | hidden);
}

std::uint32_t FlagsOf(const ExtendedFloat& exact, const FloatFormat& format, Rounding rounding,
                      std::uint32_t mxcsr) {
  if (exact.IsZero()) return 0;
  const auto is_masked = [&](std::uint32_t flag) { return (mxcsr >> 7 & flag) != 0; };
  const RoundedFloat rounded = RoundTo(exact, format.precision, rounding);
  const auto precision_if = [](bool inexact) {
    return inexact ? std::uint32_t{kMxcsrPrecision} : 0;
  };
  const std::uint32_t precision = precision_if(rounded.inexact);
  if (rounded.exponent > format.greatest_exponent) {
    return kMxcsrOverflow | (is_masked(kMxcsrOverflow) ? kMxcsrPrecision : precision);
  }
  if (rounded.exponent >= format.least_exponent) return precision;
  const ExtendedFloat denormal = ShiftedDown(exact, format.least_exponent - exact.exponent);
  const bool inexact = RoundTo(denormal, format.precision, rounding).inexact;
  if (!is_masked(kMxcsrUnderflow)) {
    // Of a single that is a denormal itself hardware makes no half without losing something.
    const bool halves_denormal =
        format.precision == kHalf.precision && exact.exponent < kSingle.least_exponent;
    return kMxcsrUnderflow | (halves_denormal ? std::uint32_t{kMxcsrPrecision} : precision);
  }
  if ((mxcsr & kMxcsrFlushToZero) != 0) return kMxcsrUnderflow | kMxcsrPrecision;
  return inexact ? kMxcsrUnderflow | kMxcsrPrecision : 0;
}

Rounding RoundingOf(std::uint32_t mxcsr) { return static_cast<Rounding>(mxcsr >> 13 & 3); }

std::optional<ExtendedFloat> Exact(RangeOperation operation, unsigned lane,
                                   const std::optional<ExtendedFloat>& a,
                                   const std::optional<ExtendedFloat>& b) {
  using enum RangeOperation;
  if (operation == kNarrow) return b;
  if (!a || !b) return {};
  switch (operation) {
    case kAdd:
      return Add(*a, *b);
    case kSubtract:
      return Add(*a, b->Negated());
    case kSubtractAdd:
      return Add(*a, lane % 2 == 0 ? b->Negated() : *b);
    case kMultiply:
      return Multiply(*a, *b);
    default:
      if (b->IsZero()) return {};
      return Divide(*a, *b);
  }
}

}  // namespace

std::uint32_t AnswerRange(RangeQuestion& question) {
  const auto& [dst, src, unused] = question.operands;
  const bool doubles = question.doubles;
  const std::uint32_t mxcsr = question.mxcsr;
  const bool narrows = question.operation == RangeOperation::kNarrow;
  const FloatFormat& format = doubles && !narrows ? kDouble : kSingle;
  std::uint32_t flags = 0;
  for (unsigned i = 0; i < question.lanes; ++i) {
    const auto exact =
        Exact(question.operation, i, narrows ? std::nullopt : ValueOf(dst, i, doubles, mxcsr),
              ValueOf(src, i, doubles, mxcsr));
    if (exact) flags |= FlagsOf(*exact, format, RoundingOf(mxcsr), mxcsr);
  }
  return flags;
}

std::uint32_t AnswerFusedRange(RangeQuestion& question) {
  const auto& [a, b, c] = question.operands;
  const bool doubles = question.doubles;
  const std::uint32_t mxcsr = question.mxcsr;
  const FusedSigns signs = question.signs;
  std::uint32_t flags = 0;
  for (unsigned i = 0; i < question.lanes; ++i) {
    const auto x = ValueOf(a, i, doubles, mxcsr);
    const auto y = ValueOf(b, i, doubles, mxcsr);
    const auto z = ValueOf(c, i, doubles, mxcsr);
    if (!x || !y || !z) continue;
    const ExtendedFloat product = Multiply(*x, *y);  // exact: at most 106 bits
    const bool negate = signs.negate_addend != (signs.alternate && i % 2 != 0);
    const ExtendedFloat exact =
        Add(signs.negate_product ? product.Negated() : product, negate ? z->Negated() : *z);
    flags |= FlagsOf(exact, doubles ? kDouble : kSingle, RoundingOf(mxcsr), mxcsr);
  }
  return flags;
}

// Flush to zero is not for halves: Intel SDM vol. 2C, VCVTPS2PH.
std::uint32_t AnswerHalfRange(RangeQuestion& question) {
  std::uint32_t flags = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const auto value = ValueOf(question.operands[0], i, /*doubles=*/false, question.mxcsr);
    if (value) {
      flags |= FlagsOf(*value, kHalf, static_cast<Rounding>(question.rounding & 3),
                       question.mxcsr & ~std::uint32_t{kMxcsrFlushToZero});
    }
  }
  return flags;
}

}  // namespace glovebox::engine::x86
