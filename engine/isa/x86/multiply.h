// MUL and IMUL. Intel SDM vol. 2A, IMUL; vol. 2B, MUL. CF = OF = "the upper half says something";
// SF, ZF, PF and AF are undefined and follow the lower half here, as on Intel.
#pragma once

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/wide_integer.h"

namespace glovebox::engine::x86 {

// The product of rAX and `factor`, to rDX:rAX (AX for bytes).
template <bool kSigned, typename W, bool kFlags>
[[gnu::always_inline]] inline void MultiplyAccumulator(Cpu& cpu, W factor) {
  using Wide2 = std::conditional_t<kSigned, typename DoubleWidth<W>::Signed,
                                   typename DoubleWidth<W>::Unsigned>;
  using Narrow = std::conditional_t<kSigned, std::make_signed_t<W>, W>;
  const W accumulator = ReadGpr<W>(cpu, kRax * 8);
  const Wide2 product = static_cast<Wide2>(static_cast<Wide2>(static_cast<Narrow>(accumulator)) *
                                           static_cast<Narrow>(factor));
  const W low = static_cast<W>(product);
  const W high =
      static_cast<W>(static_cast<typename DoubleWidth<W>::Unsigned>(product) >> kBits<W>);
  if constexpr (sizeof(W) == 1) {
    WriteGpr<std::uint16_t>(cpu, kRax * 8, static_cast<std::uint16_t>(product));
  } else {
    WriteGpr<W>(cpu, kRax * 8, low);
    WriteGpr<W>(cpu, kRdx * 8, high);
  }
  if constexpr (kFlags) {
    const bool overflow = product != static_cast<Wide2>(static_cast<Narrow>(low));
    cpu.lazy.RecordWith(low, overflow, overflow, false);
  }
}

template <bool kSigned, typename W, bool kFlags>
struct MultiplyBodies {
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      MultiplyAccumulator<kSigned, W, kFlags>(c.cpu, ReadGpr<W>(c.cpu, c.uop->a));
      return c.Next();
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W factor;
      if (!c.Load(Address::Of(c), factor)) [[unlikely]]
        return c.Missed();
      MultiplyAccumulator<kSigned, W, kFlags>(c.cpu, factor);
      return c.template Next<Address::kUnits>();
    }
  };
};

template <bool kSigned>
bool MultiplyWide(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& factor = in.operands[0];
  return ForWidth(factor.size, [&]<typename W>(W) {
    return ForBool(in.flags_live, [&](auto flags) {
      using Bodies = MultiplyBodies<kSigned, W, flags.value>;
      if (IsMemory(factor)) {
        emitter.EmitMemory(kGeneralHandler<Bodies::template Memory>, in, factor, 0);
      } else {
        emitter.Emit(kHandler<typename Bodies::Register>, {.a = GprSlot(factor.reg.value)});
      }
      return true;
    });
  });
}

// IMUL with two or three operands: the product is cut to the width.
template <typename W, bool kFlags>
struct MultiplyCutBodies {
  [[gnu::always_inline]] static void Finish(Context& c, W a, W b) {
    using Signed = std::make_signed_t<W>;
    using Wide2 = typename DoubleWidth<W>::Signed;
    const Wide2 product =
        static_cast<Wide2>(static_cast<Wide2>(static_cast<Signed>(a)) * static_cast<Signed>(b));
    const W value = static_cast<W>(product);
    WriteGpr<W>(c.cpu, c.uop->a, value);
    if constexpr (kFlags) {
      const bool overflow = product != static_cast<Wide2>(static_cast<Signed>(value));
      c.cpu.lazy.RecordWith(value, overflow, overflow, false);
    }
  }
  struct Registers {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      Finish(c, ReadGpr<W>(c.cpu, c.uop->a), ReadGpr<W>(c.cpu, c.uop->b));
      return c.Next();
    }
  };
  struct RegisterImmediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      Finish(c, ReadGpr<W>(c.cpu, c.uop->b), static_cast<W>(c.uop->imm));
      return c.Next();
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W factor;
      if (!c.Load(Address::Of(c), factor)) [[unlikely]]
        return c.Missed();
      Finish(c, ReadGpr<W>(c.cpu, c.uop->a), factor);
      return c.template Next<Address::kUnits>();
    }
  };
  template <typename Address>
  struct MemoryImmediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W factor;
      if (!c.Load(Address::Of(c), factor)) [[unlikely]]
        return c.Missed();
      Finish(c, factor, static_cast<W>(c.template Second<Wide>().immediate));
      return c.template Next<Address::kUnits>();
    }
  };
};

inline bool MultiplySigned(Emitter& emitter, const Instruction& in) {
  if (in.decoded.operand_count_visible == 1) return MultiplyWide<true>(emitter, in);
  const ZydisDecodedOperand& from = in.operands[1];
  const std::uint8_t to = GprSlot(in.operands[0].reg.value);
  const bool has_immediate = in.decoded.operand_count_visible == 3;
  return ForWideWidth(in.operands[0].size, [&]<typename W>(W) {
    return ForBool(in.flags_live, [&](auto flags) {
      using Bodies = MultiplyCutBodies<W, flags.value>;
      if (IsMemory(from) && has_immediate) {
        emitter.EmitMemoryImmediate(kImmediateHandlers<Bodies::template MemoryImmediate>, in, from,
                                    to, ImmediateOf(in.operands[2]));
      } else if (IsMemory(from)) {
        emitter.EmitMemory(kAddressHandlers<Bodies::template Memory>, in, from, to);
      } else if (has_immediate) {
        emitter.Emit(kHandler<typename Bodies::RegisterImmediate>,
                     {.imm = static_cast<std::int32_t>(ImmediateOf(in.operands[2])),
                      .a = to,
                      .b = GprSlot(from.reg.value)});
      } else {
        emitter.Emit(kHandler<typename Bodies::Registers>, {.a = to, .b = GprSlot(from.reg.value)});
      }
      return true;
    });
  });
}

}  // namespace glovebox::engine::x86
