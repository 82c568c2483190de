// Sine, cosine, arctangent, logarithm and exponential of 128-bit values: what the x87's
// transcendental instructions round (x87_transcendental.h). Relative errors are below 2^-118.
#pragma once

#include "engine/isa/x86/extended_float.h"

namespace glovebox::engine::x86 {

inline constexpr ExtendedFloat kPi = {false, 1,
                                      UInt128{0xc90fdaa22168c234} << 64 | 0xc4c6628b80dc1cd1, true};
inline constexpr ExtendedFloat kHalfPi = kPi.Scaled(-1);
inline constexpr ExtendedFloat kLogOf2 = {
    false, -1, UInt128{0xb17217f7d1cf79ab} << 64 | 0xc9e3b39803f2f6af, true};
inline constexpr ExtendedFloat kLog2OfE = {
    false, 0, UInt128{0xb8aa3b295c17f0bb} << 64 | 0xbe87fed0691d3e88, true};

struct SineCosine {
  ExtendedFloat sine;
  ExtendedFloat cosine;
};
// |x| < 2^63. The period is that of the x87: four times the 66-bit value of pi / 2 (Intel SDM vol.
// 1, 8.3.8), and the remainder by it is exact.
SineCosine SineAndCosine(const ExtendedFloat& x);

// The angle of the point (x, y), -pi to pi; neither is 0.
ExtendedFloat Arctangent(const ExtendedFloat& y, const ExtendedFloat& x);

// 2^x - 1 for |x| <= 1.
ExtendedFloat PowerOf2Less1(const ExtendedFloat& x);

// log2(x) of x > 0, and log2(1 + x) of x > -1; exact for powers of two.
ExtendedFloat Log2(const ExtendedFloat& x);
ExtendedFloat Log2Of1Plus(const ExtendedFloat& x);

}  // namespace glovebox::engine::x86
