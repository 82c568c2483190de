// Bit tests, scans and counts. Intel SDM vol. 2A.
#pragma once

#include <bit>

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/lowering.h"

namespace glovebox::engine::x86 {

// BT, BTS, BTR, BTC: Change<W>(value, mask). CF alone changes (ZF is unchanged; OF, SF, AF and PF
// are undefined and stay).
struct BitKeep {
  static constexpr bool kWrites = false;
  template <typename W>
  static constexpr W Change(W value, W) {
    return value;
  }
};
struct BitSet {
  static constexpr bool kWrites = true;
  template <typename W>
  static constexpr W Change(W value, W mask) {
    return static_cast<W>(value | mask);
  }
};
struct BitReset {
  static constexpr bool kWrites = true;
  template <typename W>
  static constexpr W Change(W value, W mask) {
    return static_cast<W>(value & ~mask);
  }
};
struct BitComplement {
  static constexpr bool kWrites = true;
  template <typename W>
  static constexpr W Change(W value, W mask) {
    return static_cast<W>(value ^ mask);
  }
};

template <typename Op, typename W>
struct BitTestBodies {
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W value, unsigned bit) {
    flags.SetCf(((value >> bit) & 1) != 0);
    return Op::template Change<W>(value, static_cast<W>(W{1} << bit));
  }
  [[gnu::always_inline]] static const Uop* InRegister(Context& c, std::uint64_t offset) {
    const W value = Apply(c.cpu.lazy, ReadGpr<W>(c.cpu, c.uop->a), offset & (kBits<W> - 1));
    if constexpr (Op::kWrites) WriteGpr<W>(c.cpu, c.uop->a, value);
    return c.Next();
  }
  [[gnu::always_inline]] static const Uop* InMemory(Context& c, GuestAddr address, unsigned bit,
                                                    const Uop* next) {
    if constexpr (Op::kWrites) {
      if (!c.Writable(address, sizeof(W))) [[unlikely]]
        return c.Missed();
      c.template Commit<W>(address, Apply(c.cpu.lazy, c.template At<W>(address), bit));
    } else {
      W value;
      if (!c.Load(address, value)) [[unlikely]]
        return c.Missed();
      Apply(c.cpu.lazy, value, bit);
    }
    return next;
  }
  struct RegisterRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return InRegister(c, ReadGpr<W>(c.cpu, c.uop->b));
    }
  };
  struct RegisterImmediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return InRegister(c, static_cast<std::uint32_t>(c.uop->imm));
    }
  };
  // The offset is signed and reaches beyond the operand (Intel SDM vol. 2A, 3.1.1.9, "Bit(BitBase,
  // BitOffset)"), and the sum is as wide as addresses are.
  template <typename Address>
  struct MemoryRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const auto offset = static_cast<std::int64_t>(
          static_cast<std::make_signed_t<W>>(ReadGpr<W>(c.cpu, c.uop->a)));
      const std::int64_t words = offset >> std::countr_zero(unsigned{kBits<W>});
      const GuestAddr far = Address::Offset(c) + static_cast<std::uint64_t>(words) * sizeof(W);
      const GuestAddr address = Address::Linear(c, Address::Cut(c, far));
      return InMemory(c, address, static_cast<unsigned>(offset) & (kBits<W> - 1),
                      c.template Next<Address::kUnits>());
    }
  };
  template <typename Address>
  struct MemoryImmediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return InMemory(c, Address::Of(c), c.uop->a, c.template Next<Address::kUnits>());
    }
  };
};

template <typename Op>
bool BitTest(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& to = in.operands[0];
  const ZydisDecodedOperand& offset = in.operands[1];
  return ForWideWidth(to.size, [&]<typename W>(W) {
    using Bodies = BitTestBodies<Op, W>;
    if (IsImmediate(offset)) {
      const auto bit = static_cast<std::uint8_t>(ImmediateOf(offset) & (kBits<W> - 1));
      if (IsMemory(to)) {
        emitter.EmitMemory(kGeneralHandler<Bodies::template MemoryImmediate>, in, to, bit);
      } else {
        emitter.Emit(kHandler<typename Bodies::RegisterImmediate>,
                     {.imm = bit, .a = GprSlot(to.reg.value)});
      }
      return true;
    }
    const std::uint8_t slot = GprSlot(offset.reg.value);
    if (IsMemory(to)) {
      emitter.EmitMemory(kGeneralHandler<Bodies::template MemoryRegister>, in, to, slot);
    } else {
      emitter.Emit(kHandler<typename Bodies::RegisterRegister>,
                   {.a = GprSlot(to.reg.value), .b = slot});
    }
    return true;
  });
}

// BSF, BSR: a source of 0 leaves the destination alone (documented by AMD, true of Intel). ZF is
// defined; the others follow the source.
template <bool kForward>
struct BitScan {
  static constexpr bool kKeepsOnZero = true;  // all 64 bits, also of a 32-bit one
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W source) {
    if constexpr (kFlags) flags.RecordLogic(source);
    return static_cast<W>(kForward ? std::countr_zero(source) : std::bit_width(source) - 1);
  }
};
// TZCNT, LZCNT: CF says that the source is 0, ZF that the result is.
template <bool kTrailing>
struct ZeroCount {
  static constexpr bool kKeepsOnZero = false;
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W source) {
    const W count = static_cast<W>(kTrailing ? std::countr_zero(source) : std::countl_zero(source));
    if constexpr (kFlags) flags.RecordWith(count, source == 0, false, false);
    return count;
  }
};
// POPCNT: ZF says that the source is 0; all others are cleared.
struct PopulationCount {
  static constexpr bool kKeepsOnZero = false;
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W source) {
    if constexpr (kFlags) flags.Set(FlagIf(source == 0, kZf));
    return static_cast<W>(std::popcount(source));
  }
};

// BSWAP; of 16 bits undefined, 0 on today's CPUs.
struct ByteSwap {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags&, W a) {
    if constexpr (sizeof(W) == 8) return __builtin_bswap64(a);
    if constexpr (sizeof(W) == 4) return __builtin_bswap32(a);
    return 0;
  }
};

}  // namespace glovebox::engine::x86
