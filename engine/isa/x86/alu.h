// Two-operand and one-operand arithmetic. A semantic is `Apply<kFlags>(flags, destination,
// source)`; with kFlags false nobody looks at the flags that it would write.
#pragma once

#include <limits>

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/lazy_flags.h"

namespace glovebox::engine::x86 {

// The carry out of each bit of a + b (+ 1), given the sum.
template <typename W>
[[gnu::always_inline]] constexpr W CarryVector(W a, W b, W sum) {
  return static_cast<W>((a & b) | ((a | b) & ~sum));
}
// The borrow out of each bit of a - b (- 1), given the difference.
template <typename W>
[[gnu::always_inline]] constexpr W BorrowVector(W a, W b, W difference) {
  return static_cast<W>((~a & b) | ((~a | b) & difference));
}

// Intel SDM vol. 2A, ADD, ADC; vol. 2B, SUB, SBB; vol. 2A, CMP.
template <bool kWithCarry>
struct Addition {
  static constexpr bool kWrites = true;
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a, W b) {
    const W carry = kWithCarry && flags.Cf() ? 1 : 0;
    const W sum = static_cast<W>(a + b + carry);
    if constexpr (kFlags) flags.Record(sum, CarryVector(a, b, sum));
    return sum;
  }
};
template <bool kWithBorrow, bool kWritesResult>
struct Subtraction {
  static constexpr bool kWrites = kWritesResult;
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a, W b) {
    const W borrow = kWithBorrow && flags.Cf() ? 1 : 0;
    const W difference = static_cast<W>(a - b - borrow);
    if constexpr (kFlags) flags.Record(difference, BorrowVector(a, b, difference));
    return difference;
  }
};
using Add = Addition<false>;
using Adc = Addition<true>;
using Sub = Subtraction<false, true>;
using Sbb = Subtraction<true, true>;
using Cmp = Subtraction<false, false>;

// Intel SDM vol. 2, AND, OR, XOR, TEST. AF is undefined; AMD and Intel clear it.
template <typename Combine, bool kWritesResult>
struct Logic {
  static constexpr bool kWrites = kWritesResult;
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a, W b) {
    const W value = static_cast<W>(Combine{}(a, b));
    if constexpr (kFlags) flags.RecordLogic(value);
    return value;
  }
};
struct BitAnd {
  constexpr std::uint64_t operator()(std::uint64_t a, std::uint64_t b) const { return a & b; }
};
struct BitOr {
  constexpr std::uint64_t operator()(std::uint64_t a, std::uint64_t b) const { return a | b; }
};
struct BitXor {
  constexpr std::uint64_t operator()(std::uint64_t a, std::uint64_t b) const { return a ^ b; }
};
using And = Logic<BitAnd, true>;
using Or = Logic<BitOr, true>;
using Xor = Logic<BitXor, true>;
using Test = Logic<BitAnd, false>;

// Intel SDM vol. 2, INC, DEC: CF stays. NEG; NOT writes no flags.
struct Inc {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a) {
    const W value = static_cast<W>(a + 1);
    if constexpr (kFlags) {
      constexpr W kMin = static_cast<W>(W{1} << (kBits<W> - 1));
      flags.RecordWith(value, flags.Cf(), value == kMin, (value & 0xf) == 0);
    }
    return value;
  }
};
struct Dec {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a) {
    const W value = static_cast<W>(a - 1);
    if constexpr (kFlags) {
      constexpr W kMax = static_cast<W>(std::numeric_limits<W>::max() >> 1);
      flags.RecordWith(value, flags.Cf(), value == kMax, (value & 0xf) == 0xf);
    }
    return value;
  }
};
struct Neg {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a) {
    return Sub::Apply<kFlags, W>(flags, 0, a);
  }
};
struct Not {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags&, W a) {
    return static_cast<W>(~a);
  }
};

}  // namespace glovebox::engine::x86
