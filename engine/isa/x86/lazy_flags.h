// EFLAGS' six status flags, kept as what they follow from.
//
// ZF, SF and PF follow from a result; CF, OF and AF from the carries of an addition or the borrows
// of a subtraction. Recording an operation so costs a few instructions and two stores, and every
// flag is had without knowing which operation it was. (Rejected: {operation, operands}, which
// records faster but makes each reader a switch.)
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "engine/isa/x86/registers.h"

namespace glovebox::engine::x86 {

template <typename W>
inline constexpr int kBits = static_cast<int>(sizeof(W)) * 8;

struct LazyFlags {
  // Sign-extended to 64 bits. ZF: it is 0. SF: its sign. PF: parity of its low byte.
  std::uint64_t result = 1;
  // kCarryIntoSign..kParityFlip.
  std::uint32_t carries = 0;

  static constexpr std::uint32_t kIntoSign = 1 << 0;    // OF = kIntoSign != kOut
  static constexpr std::uint32_t kOut = 1 << 1;         // CF
  static constexpr std::uint32_t kHalf = 1 << 3;        // AF
  static constexpr std::uint32_t kSignFlip = 1 << 4;    // SF is the opposite of the result's sign
  static constexpr std::uint32_t kParityFlip = 1 << 5;  // PF is the opposite of the result's parity

  constexpr bool Zf() const { return result == 0; }
  constexpr bool Sf() const { return ((result >> 63) ^ (carries >> 4)) & 1; }
  constexpr bool Cf() const { return (carries >> 1) & 1; }
  constexpr bool Of() const { return (carries ^ (carries >> 1)) & 1; }
  constexpr bool Af() const { return (carries >> 3) & 1; }
  constexpr bool Pf() const {
    return ((std::popcount(static_cast<std::uint8_t>(result)) + 1) ^ (carries >> 5)) & 1;
  }

  // ZF, SF and PF from `value`; CF, OF and AF from the vector of carries out of each bit.
  template <typename W>
  [[gnu::always_inline]] constexpr void Record(W value, W carry_vector) {
    result = SignExtend(value);
    carries = static_cast<std::uint32_t>((carry_vector >> (kBits<W> - 2)) & 3) |
              static_cast<std::uint32_t>(carry_vector & kHalf);
  }
  // As after a logical operation: CF = OF = AF = 0.
  template <typename W>
  [[gnu::always_inline]] constexpr void RecordLogic(W value) {
    result = SignExtend(value);
    carries = 0;
  }
  // ZF, SF, PF from `value`, the others as given.
  template <typename W>
  [[gnu::always_inline]] constexpr void RecordWith(W value, bool cf, bool of, bool af) {
    result = SignExtend(value);
    carries = Carries(cf, of, af);
  }
  // CF, or CF and OF, with the others as they were.
  [[gnu::always_inline]] constexpr void SetCf(bool cf) { SetCfOf(cf, Of()); }
  [[gnu::always_inline]] constexpr void SetCfOf(bool cf, bool of) {
    carries = (carries & ~(kOut | kIntoSign)) | Carries(cf, of, false);
  }

  // All six, as bits of RFLAGS.
  constexpr std::uint64_t Materialise() const {
    return Cf() * kCf | Pf() * kPf | Af() * kAf | Zf() * kZf | Sf() * kSf | Of() * kOf;
  }
  // Any combination, also those that no result has (comisd's ZF = PF = CF = 1 has one, ZF = SF = 1
  // has none).
  constexpr void Set(std::uint64_t rflags) {
    const bool zf = (rflags & kZf) != 0;
    result = zf ? 0 : 0x100;  // both of even parity and without sign
    carries = Carries((rflags & kCf) != 0, (rflags & kOf) != 0, (rflags & kAf) != 0) |
              ((rflags & kSf) != 0 ? kSignFlip : 0) | ((rflags & kPf) != 0 ? 0 : kParityFlip);
  }

 private:
  template <typename W>
  static constexpr std::uint64_t SignExtend(W value) {
    return static_cast<std::uint64_t>(
        static_cast<std::int64_t>(static_cast<std::make_signed_t<W>>(value)));
  }
  static constexpr std::uint32_t Carries(bool cf, bool of, bool af) {
    return (cf ? kOut : 0) | (cf != of ? kIntoSign : 0) | (af ? kHalf : 0);
  }
};

}  // namespace glovebox::engine::x86
