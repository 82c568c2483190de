// FSIN FCOS FSINCOS FPTAN FPATAN F2XM1 FYL2X FYL2XP1: operands of every kind, the functions of
// x87_elementary.h, and their rounding. CPUs differ in the last bits; here one implementation in
// integers gives one result on every host, the exact one rounded (but for cases in which more than
// 50 bits behind the last one are alike; see README.md for the errors measured). Intel SDM vol. 2A
// and vol. 1, 8.3.8 to 8.3.11.
#pragma once

#include <cstdint>

#include "engine/isa/x86/x87_host.h"

namespace glovebox::engine::x86 {

// C2 in the outcome: the operand is out of range (2^63 and beyond) and stays.
struct Fsin {
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& x);
};
struct Fcos {
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& x);
};
// FPTAN without the 1 that it pushes.
struct Fptan {
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& x);
};
struct F2xm1 {
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& x);
};
// y is ST1, x ST0. The angle of (x, y); y * log2(x); y * log2(x + 1)
struct Fpatan {
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& y, const Float80& x);
};
struct Fyl2x {
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& y, const Float80& x);
};
struct Fyl2xp1 {
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& y, const Float80& x);
};

}  // namespace glovebox::engine::x86
