// BMI1, BMI2, ADX, CRC32. Intel SDM vol. 2. What these leave undefined follows the result, or is 0.
// Hosts have all of them (x86-64-v3), so the harder ones are the host's.
#pragma once

#include <immintrin.h>

#include "engine/isa/x86/alu.h"
#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/source_bodies.h"
#include "engine/isa/x86/wide_integer.h"

namespace glovebox::engine::x86 {

// --- Of one source, for Scan (shapes.h): the destination is another register ---

// BLSI, BLSR, BLSMSK: CF says that the source is 0 (BLSI: that it is not).
template <typename Combine, bool kCarryIfZero>
struct LowestBit {
  static constexpr bool kKeepsOnZero = false;
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W source) {
    const W value = static_cast<W>(Combine{}(source));
    if constexpr (kFlags) flags.RecordWith(value, (source == 0) == kCarryIfZero, false, false);
    return value;
  }
};
struct IsolateLowest {
  constexpr std::uint64_t operator()(std::uint64_t a) const { return a & (0 - a); }
};
struct ResetLowest {
  constexpr std::uint64_t operator()(std::uint64_t a) const { return a & (a - 1); }
};
struct MaskToLowest {
  constexpr std::uint64_t operator()(std::uint64_t a) const { return a ^ (a - 1); }
};
using Blsi = LowestBit<IsolateLowest, false>;
using Blsr = LowestBit<ResetLowest, true>;
using Blsmsk = LowestBit<MaskToLowest, true>;

// --- Of two sources: Apply<kFlags>(flags, operand 2, operand 3) ---

struct AndNot {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a, W b) {
    const W value = static_cast<W>(~a & b);
    if constexpr (kFlags) flags.RecordLogic(value);
    return value;
  }
};
// The field of `control`: bits 0-7 say where it starts, bits 8-15 how long it is.
struct ExtractField {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W source, W control) {
    const unsigned start = control & 0xff;
    const unsigned length = (control >> 8) & 0xff;
    W value = start < kBits<W> ? static_cast<W>(source >> start) : W{0};
    if (length < kBits<W>) value &= static_cast<W>((W{1} << length) - 1);
    if constexpr (kFlags) flags.RecordLogic(value);
    return value;
  }
};
struct ZeroHighBits {
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W source, W index) {
    const unsigned count = index & 0xff;
    const bool all = count >= kBits<W>;
    const W value = all ? source : static_cast<W>(source & ((W{1} << count) - 1));
    if constexpr (kFlags) flags.RecordWith(value, all, false, false);
    return value;
  }
};
struct Deposit {
  template <bool, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags&, W source, W mask) {
    return static_cast<W>(_pdep_u64(source, mask));
  }
};
struct Extract {
  template <bool, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags&, W source, W mask) {
    return static_cast<W>(_pext_u64(source, mask));
  }
};
struct Shlx {
  template <bool, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags&, W source, W count) {
    return static_cast<W>(source << (count & (kBits<W> - 1)));
  }
};
struct Shrx {
  template <bool, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags&, W source, W count) {
    return static_cast<W>(source >> (count & (kBits<W> - 1)));
  }
};
struct Sarx {
  template <bool, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags&, W source, W count) {
    return static_cast<W>(static_cast<std::make_signed_t<W>>(source) >> (count & (kBits<W> - 1)));
  }
};
struct Rorx {
  template <bool, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags&, W source, W count) {
    return std::rotr(source, static_cast<int>(count & (kBits<W> - 1)));
  }
};

// Operand byte a is the destination; the register that stands beside an operand in memory is the
// second unit's immediate.
template <typename Op, typename W, bool kFlags>
struct TernaryBodies {
  [[gnu::always_inline]] static void Finish(Context& c, W first, W second) {
    WriteGpr<W>(c.cpu, c.uop->a, Op::template Apply<kFlags, W>(c.cpu.lazy, first, second));
  }
  struct Registers {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      Finish(c, ReadGpr<W>(c.cpu, c.uop->b), ReadGpr<W>(c.cpu, c.uop->c));
      return c.Next();
    }
  };
  struct RegisterImmediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      Finish(c, ReadGpr<W>(c.cpu, c.uop->b), static_cast<W>(c.uop->imm));
      return c.Next();
    }
  };
  template <bool kMemoryFirst>
  struct Ordered {
    template <typename Address>
    struct Memory {
      [[gnu::always_inline]] static const Uop* Run(Context& c) {
        W value;
        if (!c.Load(Address::Of(c), value)) [[unlikely]]
          return c.Missed();
        const auto slot = static_cast<std::uint8_t>(c.template Second<Wide>().immediate);
        const W other = ReadGpr<W>(c.cpu, slot);
        Finish(c, kMemoryFirst ? value : other, kMemoryFirst ? other : value);
        return c.template Next<Address::kUnits>();
      }
    };
  };
  template <typename Address>
  struct MemoryImmediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W value;
      if (!c.Load(Address::Of(c), value)) [[unlikely]]
        return c.Missed();
      Finish(c, value, static_cast<W>(c.template Second<Wide>().immediate));
      return c.template Next<Address::kUnits>();
    }
  };
};

template <typename Op>
bool Ternary(Emitter& emitter, const Instruction& in) {
  const std::uint8_t to = GprSlot(in.operands[0].reg.value);
  const ZydisDecodedOperand& first = in.operands[1];
  const ZydisDecodedOperand& second = in.operands[2];
  return ForWideWidth(in.operands[0].size, [&]<typename W>(W) {
    return ForBool(in.flags_live, [&](auto flags) {
      using Bodies = TernaryBodies<Op, W, flags.value>;
      if (IsImmediate(second) && IsMemory(first)) {
        emitter.EmitMemory(kGeneralHandler<Bodies::template MemoryImmediate>, in, first, to,
                           ImmediateOf(second));
      } else if (IsImmediate(second)) {
        emitter.Emit(kHandler<typename Bodies::RegisterImmediate>,
                     {.imm = static_cast<std::int32_t>(ImmediateOf(second)),
                      .a = to,
                      .b = GprSlot(first.reg.value)});
      } else if (IsMemory(first)) {
        emitter.EmitMemory(kGeneralHandler<Bodies::template Ordered<true>::template Memory>, in,
                           first, to, GprSlot(second.reg.value));
      } else if (IsMemory(second)) {
        emitter.EmitMemory(kGeneralHandler<Bodies::template Ordered<false>::template Memory>, in,
                           second, to, GprSlot(first.reg.value));
      } else {
        emitter.Emit(kHandler<typename Bodies::Registers>,
                     {.a = to, .b = GprSlot(first.reg.value), .c = GprSlot(second.reg.value)});
      }
      return true;
    });
  });
}

// --- MULX: rDX times the source, without flags. Where both results go to one register, the upper
// half stays ---

// a: the register of the upper half; that of the lower one is the second unit's immediate.
template <typename W>
struct MultiplyTwoResults {
  [[gnu::always_inline]] static void Finish(Context& c, W source) {
    using Wide2 = typename DoubleWidth<W>::Unsigned;
    const auto low = static_cast<std::uint8_t>(c.Second<Wide>().immediate);
    const Wide2 product = static_cast<Wide2>(Wide2{ReadGpr<W>(c.cpu, kRdx * 8)} * source);
    WriteGpr<W>(c.cpu, low, static_cast<W>(product));
    WriteGpr<W>(c.cpu, c.uop->a, static_cast<W>(product >> kBits<W>));
  }
};
inline bool LowerMulx(Emitter& emitter, const Instruction& in) {
  const std::uint8_t high = GprSlot(in.operands[0].reg.value);
  const std::uint8_t low = GprSlot(in.operands[1].reg.value);
  const ZydisDecodedOperand& source = in.operands[2];
  return ForWideWidth(in.operands[0].size, [&]<typename W>(W) {
    using Bodies = SourceBodies<MultiplyTwoResults<W>, W, /*kUnits=*/2>;
    if (IsMemory(source)) {
      emitter.EmitMemory(kGeneralHandler<Bodies::template Memory>, in, source, high, low);
    } else {
      emitter.Emit(kHandler<typename Bodies::Register>, {.a = high, .b = GprSlot(source.reg.value)},
                   Wide{0, low});
    }
    return true;
  });
}

// --- ADCX, ADOX: the carry goes in and out by one flag, the others stay ---

template <bool kInOverflow>
struct AddWithOneFlag {
  static constexpr bool kWrites = true;
  template <bool kFlags, typename W>
  [[gnu::always_inline]] static W Apply(LazyFlags& flags, W a, W b) {
    const W carry = (kInOverflow ? flags.Of() : flags.Cf()) ? 1 : 0;
    const W sum = static_cast<W>(a + b + carry);
    if constexpr (kFlags) {
      const bool out = (CarryVector(a, b, sum) >> (kBits<W> - 1)) != 0;
      flags.SetCfOf(kInOverflow ? flags.Cf() : out, kInOverflow ? out : flags.Of());
    }
    return sum;
  }
};

// --- CRC32: into 32 bits, whose upper half is cleared; the source is 8 to 64 bits wide ---

template <typename From>
struct CrcWork {
  [[gnu::always_inline]] static void Finish(Context& c, From source) {
    const auto crc = ReadGpr<std::uint32_t>(c.cpu, c.uop->a);
    std::uint64_t value = 0;
    if constexpr (sizeof(From) == 1) value = _mm_crc32_u8(crc, source);
    if constexpr (sizeof(From) == 2) value = _mm_crc32_u16(crc, source);
    if constexpr (sizeof(From) == 4) value = _mm_crc32_u32(crc, source);
    if constexpr (sizeof(From) == 8) value = _mm_crc32_u64(crc, source);
    WriteGpr<std::uint64_t>(c.cpu, c.uop->a, value);
  }
};
inline bool LowerCrc32(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& from = in.operands[1];
  const std::uint8_t to = GprSlot(in.operands[0].reg.value);
  return ForWidth(from.size, [&]<typename From>(From) {
    using Bodies = SourceBodies<CrcWork<From>, From>;
    if (IsMemory(from)) {
      emitter.EmitMemory(kGeneralHandler<Bodies::template Memory>, in, from, to);
    } else {
      emitter.Emit(kHandler<typename Bodies::Register>, {.a = to, .b = GprSlot(from.reg.value)});
    }
    return true;
  });
}

// --- MOVBE: between a register and memory, in the other order of bytes ---

template <typename W>
[[gnu::always_inline]] inline W SwapBytes(W value) {
  if constexpr (sizeof(W) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(W) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(W) == 8) return __builtin_bswap64(value);
}

template <typename W>
struct SwapMoveBodies {
  template <typename Address>
  struct Load {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W value;
      if (!c.Load(Address::Of(c), value)) [[unlikely]]
        return c.Missed();
      WriteGpr<W>(c.cpu, c.uop->a, SwapBytes(value));
      return c.template Next<Address::kUnits>();
    }
  };
  template <typename Address>
  struct Store {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      if (!c.Store(Address::Of(c), SwapBytes(ReadGpr<W>(c.cpu, c.uop->a)))) [[unlikely]]
        return c.Missed();
      return c.template Next<Address::kUnits>();
    }
  };
};
inline bool LowerMovbe(Emitter& emitter, const Instruction& in) {
  const bool loads = IsMemory(in.operands[1]);
  const ZydisDecodedOperand& memory = in.operands[loads ? 1 : 0];
  const std::uint8_t slot = GprSlot(in.operands[loads ? 0 : 1].reg.value);
  return ForWideWidth(memory.size, [&]<typename W>(W) {
    const AddressHandlers& handlers = loads ? kGeneralHandler<SwapMoveBodies<W>::template Load>
                                            : kGeneralHandler<SwapMoveBodies<W>::template Store>;
    emitter.EmitMemory(handlers, in, memory, slot);
    return true;
  });
}

}  // namespace glovebox::engine::x86
