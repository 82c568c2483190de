#include "tests/instructions/x86/random.h"

namespace glovebox::engine::x86 {
namespace {

constexpr std::uint64_t kIntegers[] = {0,
                                       1,
                                       2,
                                       3,
                                       7,
                                       8,
                                       15,
                                       16,
                                       31,
                                       32,
                                       63,
                                       64,
                                       127,
                                       128,
                                       255,
                                       256,
                                       0x7FFF,
                                       0x8000,
                                       0xFFFF,
                                       0x10000,
                                       0x7FFFFFFF,
                                       0x80000000,
                                       0xFFFFFFFF,
                                       0x100000000,
                                       0x7FFFFFFFFFFFFFFF,
                                       0x8000000000000000,
                                       0xFFFFFFFFFFFFFFFF,
                                       0xFFFFFFFFFFFFFFFE,
                                       0xFFFFFFFFFFFFFF80,
                                       0xFFFFFFFFFFFF8000,
                                       0xFFFFFFFF80000000,
                                       0x5555555555555555,
                                       0xAAAAAAAAAAAAAAAA,
                                       0x0102040810204080};

constexpr std::uint32_t kFloats[] = {
    0x00000000, 0x80000000, 0x3F800000, 0xBF800000, 0x3F000000, 0x3FC00000, 0x40200000, 0x00000001,
    0x807FFFFF, 0x00800000, 0x80800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000,
    0xFFC00000, 0x7F800001, 0xFFBFFFFF, 0x7FC12345, 0x4EFFFFFF, 0x4F000000, 0xCF000000, 0xCF000001,
    0x5EFFFFFF, 0x5F000000, 0xDF000000, 0x33800000, 0x34000000, 0x7E800000, 0x00400000};

constexpr std::uint64_t kDoubles[] = {
    0x0000000000000000, 0x8000000000000000, 0x3FF0000000000000, 0xBFF0000000000000,
    0x3FE0000000000000, 0x3FF8000000000000, 0x4004000000000000, 0x0000000000000001,
    0x800FFFFFFFFFFFFF, 0x0010000000000000, 0x8010000000000000, 0x7FEFFFFFFFFFFFFF,
    0xFFEFFFFFFFFFFFFF, 0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000000,
    0xFFF8000000000000, 0x7FF0000000000001, 0xFFF7FFFFFFFFFFFF, 0x7FF8000012345678,
    0x41DFFFFFFFC00000, 0x41E0000000000000, 0xC1E0000000000000, 0xC1E0000000200000,
    0x43DFFFFFFFFFFFFF, 0x43E0000000000000, 0xC3E0000000000000, 0x3CA0000000000000,
    0x47EFFFFFE0000000, 0x380FFFFFFFFFFFFF, 0x36A0000000000000};

// Significand and exponent; signs are drawn.
constexpr std::array<std::uint64_t, 2> kExtended[] = {
    {0, 0},                        // zero
    {0x8000000000000000, 0x3FFF},  // one
    {0xC000000000000000, 0x3FFF},  // 1.5
    {0xA000000000000000, 0x4000},  // 2.5
    {1, 0},                        // least denormal
    {0x7FFFFFFFFFFFFFFF, 0},       // greatest denormal
    {0x8000000000000000, 0},       // pseudo-denormal
    {0x8000000000000000, 1},       // least normal
    {0xFFFFFFFFFFFFFFFF, 0x7FFE},  // greatest
    {0x8000000000000000, 0x7FFF},  // infinity
    {0xC000000000000000, 0x7FFF},  // default NaN
    {0xC000000000012345, 0x7FFF},  // quiet NaN
    {0x8000000000000001, 0x7FFF},  // signalling NaN
    {0x0000000000000000, 0x7FFF},  // pseudo-infinity
    {0x4000000000000000, 0x7FFF},  // pseudo-NaN
    {0x4000000000000000, 0x3FFF},  // unnormal
    {0xFFFFFFFE00000000, 0x401D},  // 2^31 - 0.5
    {0x8000000000000000, 0x401E},  // 2^31
    {0xFFFFFFFFFFFFFFFF, 0x403D},  // about 2^63
    {0x8000000000000000, 0x403E},  // 2^63
    {0xC90FDAA22168C235, 0x4000},  // pi
};

}  // namespace

std::uint64_t InterestingInteger(Random& random) {
  switch (random.Below(4)) {
    case 0:
      return random.Next();
    case 1:
      return random.Below(64);
    case 2: {
      const auto near = random.Pick(kIntegers);
      return near + random.Below(3) - 1;
    }
    default:
      return random.Pick(kIntegers);
  }
}

std::uint32_t InterestingFloat(Random& random) {
  switch (random.Below(4)) {
    case 0:
      return static_cast<std::uint32_t>(random.Next());
    case 1: {  // near one another, so that sums cancel
      const std::uint64_t bits = random.Next();
      return static_cast<std::uint32_t>((bits & 0x807FFFFF) | (0x7C + (bits >> 40) % 8) << 23);
    }
    default:
      return random.Pick(kFloats);
  }
}

std::uint64_t InterestingDouble(Random& random) {
  switch (random.Below(4)) {
    case 0:
      return random.Next();
    case 1: {
      const std::uint64_t sign_and_fraction = random.Next() & 0x800FFFFFFFFFFFFF;
      return sign_and_fraction | (0x3FC + random.Below(8)) << 52;
    }
    default:
      return random.Pick(kDoubles);
  }
}

std::array<std::uint64_t, 2> InterestingExtended(Random& random) {
  const std::uint64_t sign = random.Below(2) << 15;
  switch (random.Below(6)) {
    case 0:
      return {random.Next() | std::uint64_t{1} << 63, sign | random.Below(0x7FFF)};
    case 1:
    case 2:
      return {random.Next() | std::uint64_t{1} << 63, sign | (0x3FF0 + random.Below(80))};
    case 3:
      return {(InterestingInteger(random) << 11) | std::uint64_t{1} << 63,
              sign | (0x3FF8 + random.Below(16))};
    default: {
      const auto& value = random.Pick(kExtended);
      return {value[0], value[1] | sign};
    }
  }
}

std::array<std::uint64_t, 2> InterestingVector(Random& random) {
  const auto floats = [&] {
    const std::uint64_t low = InterestingFloat(random);
    return low | std::uint64_t{InterestingFloat(random)} << 32;
  };
  switch (random.Below(4)) {
    case 0:
      return {floats(), floats()};
    case 1:
      return {InterestingDouble(random), InterestingDouble(random)};
    case 2:
      return {InterestingInteger(random), InterestingInteger(random)};
    default:
      return {random.Next(), random.Next()};
  }
}

}  // namespace glovebox::engine::x86
