#include "engine/isa/x86/sse_approximate.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

namespace glovebox::engine::x86 {
namespace {

// Intel SDM vol. 2B, RCPPS and RSQRTPS: |relative error| <= 1.5 * 2^-12.
constexpr double kBound = 1.5 / 4096;
constexpr std::uint32_t kStep = 4099;  // a prime: every exponent, and significands all over

TEST(SseApproximate, ReciprocalKeepsTheBoundOfTheManual) {
  for (std::uint64_t bits = 0x00800000; bits < 0x7E800000; bits += kStep) {
    const auto x = static_cast<std::uint32_t>(bits);
    const double exact = 1.0 / static_cast<double>(std::bit_cast<float>(x));
    const auto got = static_cast<double>(std::bit_cast<float>(Reciprocal::Apply(x)));
    ASSERT_LE(std::fabs(got / exact - 1), kBound) << std::hex << x;
  }
}

TEST(SseApproximate, ReciprocalSquareRootKeepsTheBoundOfTheManual) {
  for (std::uint64_t bits = 0x00800000; bits < 0x7F800000; bits += kStep) {
    const auto x = static_cast<std::uint32_t>(bits);
    const double exact = 1.0 / std::sqrt(static_cast<double>(std::bit_cast<float>(x)));
    const auto got = static_cast<double>(std::bit_cast<float>(ReciprocalSquareRoot::Apply(x)));
    ASSERT_LE(std::fabs(got / exact - 1), kBound) << std::hex << x;
  }
}

// One result on every host: these may only change with the epoch.
static_assert(Reciprocal::Apply(0x3F800000) == 0x3F800000);            // 1
static_assert(Reciprocal::Apply(0x40400000) == 0x3EAAA800);            // 3
static_assert(Reciprocal::Apply(0xC0490FDB) == 0xBEA2F800);            // -pi
static_assert(ReciprocalSquareRoot::Apply(0x40800000) == 0x3F000000);  // 4
static_assert(ReciprocalSquareRoot::Apply(0x40000000) == 0x3F350800);  // 2

struct SpecialCase {
  std::uint32_t x;
  std::uint32_t reciprocal;
  std::uint32_t reciprocal_square_root;
};
constexpr SpecialCase kSpecialCases[] = {
    {0x00000000, 0x7F800000, 0x7F800000},  // zeros, and denormals as zeros
    {0x80000000, 0xFF800000, 0xFF800000}, {0x007FFFFF, 0x7F800000, 0x7F800000},
    {0x80000001, 0xFF800000, 0xFF800000}, {0x7F800000, 0x00000000, 0x00000000},  // infinities
    {0xFF800000, 0x80000000, 0xFFC00000}, {0xBF800000, 0xBF800000, 0xFFC00000},  // -1
    {0x7F7FFFFF, 0x00000000, 0x1F800000},  // a tiny reciprocal is a zero
    {0x7F812345, 0x7FC12345, 0x7FC12345},  // NaNs become quiet
    {0xFFC00001, 0xFFC00001, 0xFFC00001},
};

TEST(SseApproximate, SpecialValuesAreThoseOfHardware) {
  for (const SpecialCase& row : kSpecialCases) {
    EXPECT_EQ(Reciprocal::Apply(row.x), row.reciprocal) << std::hex << row.x;
    EXPECT_EQ(ReciprocalSquareRoot::Apply(row.x), row.reciprocal_square_root) << std::hex << row.x;
  }
}

}  // namespace
}  // namespace glovebox::engine::x86
