// Shifts and rotates. Intel SDM vol. 2B, "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR", "SHLD", "SHRD".
//
// The count is masked to 5 bits (6 for 64-bit operands); a masked count of 0 changes no flag. OF is
// defined for counts of 1 only; for others it follows from the same formula, as it does in
// hardware.
#pragma once

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/lowering.h"

namespace glovebox::engine::x86 {

template <typename W>
[[gnu::always_inline]] constexpr bool SignBit(W value) {
  return (value >> (kBits<W> - 1)) != 0;
}

template <typename W>
inline constexpr unsigned kCountMask = sizeof(W) == 8 ? 63 : 31;

// Semantics: `count` is masked and not 0.
struct Shl {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a, unsigned count) {
    // One bit more than W catches the last bit shifted out; counts beyond it leave 0 (8 and 16
    // bits).
    const W value = count < kBits<W> ? static_cast<W>(std::uint64_t{a} << count) : W{0};
    if constexpr (kFlags) {
      const bool cf = count <= kBits<W> && ((a >> (kBits<W> - count)) & 1) != 0;
      flags.RecordWith(value, cf, SignBit(value) != cf, false);
    }
    return value;
  }
};
struct Shr {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a, unsigned count) {
    const W value = static_cast<W>(std::uint64_t{a} >> count);
    if constexpr (kFlags) {
      const bool cf = ((std::uint64_t{a} >> (count - 1)) & 1) != 0;
      flags.RecordWith(value, cf, SignBit(static_cast<W>(value ^ (value << 1))), false);
    }
    return value;
  }
};
struct Sar {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a, unsigned count) {
    const std::int64_t wide = static_cast<std::make_signed_t<W>>(a);
    const W value = static_cast<W>(wide >> count);
    if constexpr (kFlags) flags.RecordWith(value, ((wide >> (count - 1)) & 1) != 0, false, false);
    return value;
  }
};

// Rotates change CF and OF alone.
struct Rol {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a, unsigned count) {
    const W value = std::rotl(a, static_cast<int>(count % kBits<W>));
    if constexpr (kFlags) {
      const bool cf = (value & 1) != 0;
      flags.SetCfOf(cf, SignBit(value) != cf);
    }
    return value;
  }
};
struct Ror {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a, unsigned count) {
    const W value = std::rotr(a, static_cast<int>(count % kBits<W>));
    if constexpr (kFlags) {
      flags.SetCfOf(SignBit(value), SignBit(static_cast<W>(value ^ (value << 1))));
    }
    return value;
  }
};

// Through CF: a rotation of one bit more than the operand has.
template <bool kLeft>
struct RotateThroughCarry {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a, unsigned count) {
    constexpr unsigned kRing = kBits<W> + 1;
    count %= kRing;
    const bool carry = flags.Cf();
    // A count that is a multiple of the ring moves nothing.
    if (count == 0) {
      if constexpr (kFlags) {
        flags.SetCfOf(carry, kLeft ? SignBit(a) != carry : SignBit(static_cast<W>(a ^ (a << 1))));
      }
      return a;
    }
    const unsigned left = kLeft ? count : kRing - count;
    // left is 1 .. width: the carry goes to bit left-1, the low bits go up, the high ones come
    // around.
    const std::uint64_t up = left < 64 ? std::uint64_t{a} << left : 0;
    const std::uint64_t around = left >= 2 ? std::uint64_t{a} >> (kRing - left) : 0;
    const W value = static_cast<W>(up | (std::uint64_t{carry} << (left - 1)) | around);
    if constexpr (kFlags) {
      const bool cf = ((a >> (kBits<W> - left)) & 1) != 0;
      const bool of = kLeft ? SignBit(value) != cf : SignBit(static_cast<W>(value ^ (value << 1)));
      flags.SetCfOf(cf, of);
    }
    return value;
  }
};
using Rcl = RotateThroughCarry<true>;
using Rcr = RotateThroughCarry<false>;

template <typename Op, typename W, bool kFlags>
struct ShiftBodies {
  template <typename Address>
  [[gnu::always_inline]] static const Uop* ToMemory(Context& c, unsigned count) {
    const GuestAddr address = Address::Of(c);
    if (!c.Writable(address, sizeof(W))) [[unlikely]]
      return c.Missed();
    if (count != 0) {
      c.template Commit<W>(
          address, Op::template Apply<kFlags, W>(c.cpu.lazy, c.template At<W>(address), count));
    }
    return c.template Next<Address::kUnits>();
  }
  struct RegisterImmediate {  // never 0
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      WriteGpr<W>(c.cpu, c.uop->a,
                  Op::template Apply<kFlags, W>(c.cpu.lazy, ReadGpr<W>(c.cpu, c.uop->a),
                                                static_cast<unsigned>(c.uop->imm)));
      return c.Next();
    }
  };
  struct RegisterCl {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const unsigned count = static_cast<unsigned>(c.cpu.gpr[kRcx]) & kCountMask<W>;
      W value = ReadGpr<W>(c.cpu, c.uop->a);
      if (count != 0) value = Op::template Apply<kFlags, W>(c.cpu.lazy, value, count);
      WriteGpr<W>(c.cpu, c.uop->a, value);  // also for 0: a 32-bit register loses its upper half
      return c.Next();
    }
  };
  template <typename Address>
  struct MemoryImmediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return ToMemory<Address>(c, c.uop->a);
    }
  };
  template <typename Address>
  struct MemoryCl {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return ToMemory<Address>(c, static_cast<unsigned>(c.cpu.gpr[kRcx]) & kCountMask<W>);
    }
  };
};

struct ShiftByZero {  // of a 32-bit register: clears its upper half, as every write does
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    WriteGpr<std::uint32_t>(c.cpu, c.uop->a, ReadGpr<std::uint32_t>(c.cpu, c.uop->a));
    return c.Next();
  }
};
struct NoOperation {
  [[gnu::always_inline]] static const Uop* Run(Context& c) { return c.Next(); }
};

template <typename Op>
bool Shift(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& to = in.operands[0];
  return ForWidth(to.size, [&]<typename W>(W) {
    return ForBool(in.flags_live, [&](auto flags) {
      using Bodies = ShiftBodies<Op, W, flags.value>;
      if (IsRegister(in.operands[1])) {
        if (IsMemory(to)) {
          emitter.EmitMemory(kGeneralHandler<Bodies::template MemoryCl>, in, to, 0);
        } else {
          emitter.Emit(kHandler<typename Bodies::RegisterCl>, {.a = GprSlot(to.reg.value)});
        }
        return true;
      }
      const auto count = static_cast<std::uint8_t>(ImmediateOf(in.operands[1]) & kCountMask<W>);
      if (IsMemory(to)) {
        emitter.EmitMemory(kGeneralHandler<Bodies::template MemoryImmediate>, in, to, count);
      } else if (count != 0) {
        emitter.Emit(kHandler<typename Bodies::RegisterImmediate>,
                     {.imm = count, .a = GprSlot(to.reg.value)});
      } else {
        emitter.Emit(to.size == 32 ? kHandler<ShiftByZero> : kHandler<NoOperation>,
                     {.a = GprSlot(to.reg.value)});
      }
      return true;
    });
  });
}

// SHLD, SHRD: `count` is masked and not 0. A 16-bit count above 16 is undefined; as on AMD and
// Intel the source's bits are followed by the destination's again.
struct Shld {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a, W b, unsigned count) {
    W value;
    bool cf;
    if constexpr (sizeof(W) == 2) {
      const std::uint64_t ring = std::uint64_t{a} << 32 | std::uint64_t{b} << 16 | a;
      value = static_cast<W>(ring >> (32 - count));
      cf = ((ring >> (48 - count)) & 1) != 0;
    } else {
      value = static_cast<W>((a << count) | (b >> (kBits<W> - count)));
      cf = ((a >> (kBits<W> - count)) & 1) != 0;
    }
    if constexpr (kFlags) flags.RecordWith(value, cf, SignBit(static_cast<W>(value ^ a)), false);
    return value;
  }
};
struct Shrd {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a, W b, unsigned count) {
    W value;
    bool cf;
    if constexpr (sizeof(W) == 2) {
      const std::uint64_t ring = std::uint64_t{a} << 32 | std::uint64_t{b} << 16 | a;
      value = static_cast<W>(ring >> count);
      cf = ((ring >> (count - 1)) & 1) != 0;
    } else {
      value = static_cast<W>((a >> count) | (b << (kBits<W> - count)));
      cf = ((a >> (count - 1)) & 1) != 0;
    }
    if constexpr (kFlags) flags.RecordWith(value, cf, SignBit(static_cast<W>(value ^ a)), false);
    return value;
  }
};

template <typename Op, typename W, bool kFlags>
struct DoubleShiftBodies {
  // The count: an immediate, or 0x80 for CL.
  static constexpr std::uint8_t kInCl = 0x80;
  [[gnu::always_inline]] static unsigned Count(const Context& c, std::uint64_t encoded) {
    const std::uint64_t count = encoded == kInCl ? c.cpu.gpr[kRcx] : encoded;
    return static_cast<unsigned>(count) & kCountMask<W>;
  }
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const unsigned count = Count(c, c.uop->c);
      W value = ReadGpr<W>(c.cpu, c.uop->a);
      if (count != 0) {
        value =
            Op::template Apply<kFlags, W>(c.cpu.lazy, value, ReadGpr<W>(c.cpu, c.uop->b), count);
      }
      WriteGpr<W>(c.cpu, c.uop->a, value);
      return c.Next();
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const unsigned count = Count(c, c.template Second<Wide>().immediate);
      const GuestAddr address = Address::Of(c);
      if (!c.Writable(address, sizeof(W))) [[unlikely]]
        return c.Missed();
      if (count != 0) {
        c.template Commit<W>(address,
                             Op::template Apply<kFlags, W>(c.cpu.lazy, c.template At<W>(address),
                                                           ReadGpr<W>(c.cpu, c.uop->a), count));
      }
      return c.template Next<Address::kUnits>();
    }
  };
};

template <typename Op>
bool DoubleShift(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& to = in.operands[0];
  const std::uint8_t source = GprSlot(in.operands[1].reg.value);
  return ForWideWidth(to.size, [&]<typename W>(W) {
    return ForBool(in.flags_live, [&](auto flags) {
      using Bodies = DoubleShiftBodies<Op, W, flags.value>;
      const std::uint8_t count =
          IsRegister(in.operands[2])
              ? Bodies::kInCl
              : static_cast<std::uint8_t>(ImmediateOf(in.operands[2]) & kCountMask<W>);
      if (IsMemory(to)) {
        emitter.EmitMemory(kGeneralHandler<Bodies::template Memory>, in, to, source, count);
      } else {
        emitter.Emit(kHandler<typename Bodies::Register>,
                     {.a = GprSlot(to.reg.value), .b = source, .c = count});
      }
      return true;
    });
  });
}

}  // namespace glovebox::engine::x86
