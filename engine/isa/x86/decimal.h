// Decimal arithmetic of 32-bit code: AAA, AAS, AAM, AAD, DAA, DAS. Intel SDM vol. 2. SF, ZF and PF
// follow AL also where they are undefined; OF is undefined and cleared.
#pragma once

#include "engine/isa/x86/cpu_state.h"

namespace glovebox::engine::x86 {

inline constexpr std::uint8_t kAl = kRax * 8;

// AAA adds, AAS subtracts.
template <bool kAdds>
struct AsciiAdjust {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const auto ax = ReadGpr<std::uint16_t>(c.cpu, kRax * 8);
    const bool adjust = (ax & 0xf) > 9 || c.cpu.lazy.Af();
    const int correction = adjust ? 0x106 : 0;
    const auto value =
        static_cast<std::uint16_t>((kAdds ? ax + correction : ax - correction) & 0xff0f);
    WriteGpr(c.cpu, kRax * 8, value);
    c.cpu.lazy.RecordWith(static_cast<std::uint8_t>(value), adjust, false, adjust);
    return c.Next();
  }
};

// AAM: AL into tens and units, or into digits of another base (imm).
struct AsciiAfterMultiply {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const auto base = static_cast<std::uint8_t>(c.uop->imm);
    if (base == 0) [[unlikely]]
      return c.Raise(ExceptionKind::kDivideError);
    const auto al = ReadGpr<std::uint8_t>(c.cpu, kAl);
    const auto units = static_cast<std::uint8_t>(al % base);
    WriteGpr(c.cpu, kRax * 8, static_cast<std::uint16_t>((al / base) << 8 | units));
    c.cpu.lazy.RecordLogic(units);
    return c.Next();
  }
};
// AAD: the way back.
struct AsciiBeforeDivide {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const auto ax = ReadGpr<std::uint16_t>(c.cpu, kRax * 8);
    const auto base = static_cast<std::uint8_t>(c.uop->imm);
    const auto value = static_cast<std::uint8_t>(ax + (ax >> 8) * base);
    WriteGpr(c.cpu, kRax * 8, std::uint16_t{value});
    c.cpu.lazy.RecordLogic(value);
    return c.Next();
  }
};

// DAA adds, DAS subtracts.
template <bool kAdds>
struct DecimalAdjust {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const auto old = ReadGpr<std::uint8_t>(c.cpu, kAl);
    const bool low = (old & 0xf) > 9 || c.cpu.lazy.Af();
    const bool high = old > 0x99 || c.cpu.lazy.Cf();
    // DAS' borrow out of the first correction counts, unlike DAA's carry, which implies `high`.
    const bool borrow = !kAdds && low && old < 6;
    const int correction = (low ? 0x06 : 0) + (high ? 0x60 : 0);
    const auto value = static_cast<std::uint8_t>(kAdds ? old + correction : old - correction);
    WriteGpr(c.cpu, kAl, value);
    c.cpu.lazy.RecordWith(value, high || borrow, false, low);
    return c.Next();
  }
};

}  // namespace glovebox::engine::x86
