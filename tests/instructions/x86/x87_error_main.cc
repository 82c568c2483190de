// How far the x87's transcendental instructions are from the exact results, in units in the last
// place of the 64-bit significand, and from those of the host's CPU.
//
//   glovebox_x87_error [--seed N] [--count N] [--limit ULPS]
//
// The exact results are libquadmath's, of 113 bits; for sines, cosines and tangents of what the
// x87's 66-bit value of pi leaves of the operand. Fails where an error is beyond the limit.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "engine/isa/x86/wide_integer.h"
#include "engine/isa/x86/x87_transcendental.h"
#include "tests/instructions/x86/random.h"

namespace glovebox::engine::x86 {
namespace {

__extension__ using Quad = __float128;

}  // namespace
}  // namespace glovebox::engine::x86

extern "C" {  // libquadmath; its header is GCC's own and not to be found by other compilers
__extension__ __float128 sinq(__float128);
__extension__ __float128 cosq(__float128);
__extension__ __float128 tanq(__float128);
__extension__ __float128 atan2q(__float128, __float128);
__extension__ __float128 expm1q(__float128);
__extension__ __float128 log2q(__float128);
__extension__ __float128 log1pq(__float128);
__extension__ __float128 ldexpq(__float128, int);
__extension__ int ilogbq(__float128);
}

namespace glovebox::engine::x86 {
namespace {

constexpr std::uint16_t kControl = 0x037F;

Quad ToQuad(const Float80& x) {
  const int biased = x.sign_exponent & 0x7FFF;
  const Quad magnitude =
      ldexpq(static_cast<Quad>(x.significand), (biased == 0 ? 1 : biased) - 16446);
  return (x.sign_exponent & 0x8000) != 0 ? -magnitude : magnitude;
}

// An angle less whole turns and quarters, by integers: exact.
struct Angle {
  Quad rest;
  unsigned quadrant;
};
Angle Reduce(const Float80& x) {
  const int shift = (x.sign_exponent & 0x7FFF) - 16446 + 67;  // x = significand * 2^(shift - 67)
  if (shift < 0) return {ToQuad(x), 0};
  constexpr UInt128 kHalfPi = UInt128{0xC} << 64 | 0x90FDAA22168C234C;
  UInt128 rest = x.significand;
  std::uint64_t quotient = 0;
  for (int done = 0; done < shift;) {  // 60 bits at a time: rest < 2^68
    const int step = std::min(shift - done, 60);
    quotient = (quotient << step) + static_cast<std::uint64_t>((rest << step) / kHalfPi);
    rest = (rest << step) % kHalfPi;
    done += step;
  }
  // From the nearest multiple on: libquadmath's pi is another one.
  const bool past_middle = rest > kHalfPi / 2;
  if (past_middle) quotient += 1;
  const bool negative = (x.sign_exponent & 0x8000) != 0;
  const Quad angle = past_middle ? -ldexpq(static_cast<Quad>(kHalfPi - rest), -67)
                                 : ldexpq(static_cast<Quad>(rest), -67);
  return {negative ? -angle : angle, static_cast<unsigned>(negative ? 0 - quotient : quotient) & 3};
}
Quad ExactSine(const Angle& angle) {
  const Quad value = (angle.quadrant & 1) != 0 ? cosq(angle.rest) : sinq(angle.rest);
  return (angle.quadrant & 2) != 0 ? -value : value;
}
Quad ExactCosine(const Angle& angle) { return ExactSine({angle.rest, (angle.quadrant + 1) & 3}); }

// One function: what is exact, what ours gives, what the host's gives.
struct Function {
  const char* name;
  Quad (*exact)(const Float80& y, const Float80& x);
  Float80 (*ours)(const Float80& y, const Float80& x);
  Float80 (*host)(const Float80& y, const Float80& x);
  // Operands that have a result: log2 of the least and greatest magnitude of x, and of y.
  int least_x;
  int greatest_x;
  bool negative_x;
  int least_y;
  int greatest_y;
};

// ST0 of `instruction` with x in ST0 and y in ST1, FPTAN's 1 taken off.
#define GB_HOST_X87(instruction, after)                                          \
  [](const Float80& y, const Float80& x) {                                       \
    Float80 result;                                                              \
    asm volatile("fninit\n\tfldt %[y]\n\tfldt %[x]\n\t" instruction "\n\t" after \
                 "fstpt %[result]\n\tfninit"                                     \
                 : [result] "=m"(result)                                         \
                 : [x] "m"(x), [y] "m"(y)                                        \
                 : "st", "st(1)", "st(2)", "st(3)");                             \
    return result;                                                               \
  }
template <typename Semantic>
Float80 OfOne(const Float80&, const Float80& x) {
  return Semantic::Apply(kControl, x).value;
}
template <typename Semantic>
Float80 OfTwo(const Float80& y, const Float80& x) {
  return Semantic::Apply(kControl, y, x).value;
}

Quad Log2Of1PlusExact(Quad x) {
  // log2(1 + x) = log(1 + x) * log2(e), the constant in two parts.
  const Quad high = static_cast<Quad>(0xB8AA3B295C17F0BBULL);
  const Quad low = static_cast<Quad>(0xBE87FED0691D3E88ULL);
  return log1pq(x) * (ldexpq(high, -63) + ldexpq(low, -127));
}
Quad PowerLess1Exact(Quad x) {
  const Quad high = static_cast<Quad>(0xB17217F7D1CF79ABULL);
  const Quad low = static_cast<Quad>(0xC9E3B39803F2F6AFULL);
  return expm1q(x * (ldexpq(high, -64) + ldexpq(low, -128)));
}

const Function kFunctions[] = {
    {"fsin", [](const Float80&, const Float80& x) { return ExactSine(Reduce(x)); }, &OfOne<Fsin>,
     GB_HOST_X87("fsin", ""), -70, 62, true, 0, 0},
    {"fcos", [](const Float80&, const Float80& x) { return ExactCosine(Reduce(x)); }, &OfOne<Fcos>,
     GB_HOST_X87("fcos", ""), -70, 62, true, 0, 0},
    {"fptan",
     [](const Float80&, const Float80& x) {
       const Angle angle = Reduce(x);
       return ExactSine(angle) / ExactCosine(angle);
     },
     &OfOne<Fptan>, GB_HOST_X87("fptan", "fstp %%st(0)\n\t"), -70, 62, true, 0, 0},
    {"fpatan", [](const Float80& y, const Float80& x) { return atan2q(ToQuad(y), ToQuad(x)); },
     &OfTwo<Fpatan>, GB_HOST_X87("fpatan", ""), -40, 40, true, -40, 40},
    {"f2xm1", [](const Float80&, const Float80& x) { return PowerLess1Exact(ToQuad(x)); },
     &OfOne<F2xm1>, GB_HOST_X87("f2xm1", ""), -70, -1, true, 0, 0},
    {"fyl2x",
     [](const Float80& y, const Float80& x) {
       // Near 1 as a logarithm of 1 plus, for the sake of its relative error.
       const Quad less = ToQuad(x) - 1;
       const bool near = less < 0.5 && less > -0.4;
       return ToQuad(y) * (near ? Log2Of1PlusExact(less) : log2q(ToQuad(x)));
     },
     &OfTwo<Fyl2x>, GB_HOST_X87("fyl2x", ""), -1000, 1000, false, -1000, 1000},
    {"fyl2xp1",
     [](const Float80& y, const Float80& x) { return ToQuad(y) * Log2Of1PlusExact(ToQuad(x)); },
     &OfTwo<Fyl2xp1>, GB_HOST_X87("fyl2xp1", ""), -70, -3, true, -1000, 1000},
};

Float80 RandomBetween(int least, int greatest, bool negative, Random& random) {
  Float80 x;
  x.significand = random.Next() | std::uint64_t{1} << 63;
  // Half of them near 1.
  const int near_least = std::max(least, -3);
  const int near_greatest = std::min(greatest, 3);
  const bool near = random.Chance(50);
  const int low = near ? near_least : least;
  const int high = near ? near_greatest : greatest;
  const auto exponent = low + static_cast<int>(random.Below(static_cast<unsigned>(high - low + 1)));
  x.sign_exponent = static_cast<std::uint16_t>(exponent + 16383);
  if (negative && random.Chance(50)) x.sign_exponent |= 0x8000;
  return x;
}

// In units in the last place of the exact result.
double ErrorOf(const Float80& got, Quad exact) {
  const Quad off = ToQuad(got) - exact;
  return std::fabs(static_cast<double>(ldexpq(off, 63 - ilogbq(exact))));
}

}  // namespace
}  // namespace glovebox::engine::x86

int main(int argc, char** argv) {
  using namespace glovebox::engine::x86;
  std::uint64_t seed = 1;
  std::uint64_t count = 100'000;
  double limit = 0.5001;
  CLI::App app{"Measures the errors of the x87's transcendental instructions."};
  app.add_option("--seed", seed, "seed");
  app.add_option("--count", count, "operands per instruction");
  app.add_option("--limit", limit, "greatest error allowed, in units in the last place");
  CLI11_PARSE(app, argc, argv);

  bool good = true;
  fmt::print("{:9} {:>12} {:>14} {:>16}\n", "", "ours, ulps", "host's, ulps", "differ, percent");
  for (const Function& function : kFunctions) {
    Random random(seed);
    double ours = 0;
    double host = 0;
    std::uint64_t differing = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const Float80 x =
          RandomBetween(function.least_x, function.greatest_x, function.negative_x, random);
      const Float80 y = RandomBetween(function.least_y, function.greatest_y, true, random);
      const Quad exact = function.exact(y, x);
      const Float80 got = function.ours(y, x);
      const Float80 on_host = function.host(y, x);
      ours = std::max(ours, ErrorOf(got, exact));
      host = std::max(host, ErrorOf(on_host, exact));
      differing += std::memcmp(&got, &on_host, 10) != 0 ? 1 : 0;
    }
    good = good && ours <= limit;
    fmt::print("{:9} {:12.9f} {:14.9f} {:16.3f}\n", function.name, ours, host,
               100.0 * static_cast<double>(differing) / static_cast<double>(count));
  }
  fmt::print("{} operands each, seed {}\n", count, seed);
  return good ? 0 : 1;
}
