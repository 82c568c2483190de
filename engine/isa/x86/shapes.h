// Shapes: how operands are fetched and written back, for every width and operand kind. A shape
// makes lower functions out of semantics.
#pragma once

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/source_bodies.h"

namespace glovebox::engine::x86 {

// --- Binary: destination (register, memory), source (register, immediate, memory) ---

template <typename Op, typename W, bool kFlags>
struct BinaryBodies {
  [[gnu::always_inline]] static void ToRegister(Context& c, W source) {
    const W value = Op::template Apply<kFlags, W>(c.cpu.lazy, ReadGpr<W>(c.cpu, c.uop->a), source);
    if constexpr (Op::kWrites) WriteGpr<W>(c.cpu, c.uop->a, value);
  }
  template <typename Address>
  [[gnu::always_inline]] static const Uop* ToMemory(Context& c, W source) {
    const GuestAddr address = Address::Of(c);
    if constexpr (Op::kWrites) {
      if (!c.Writable(address, sizeof(W))) [[unlikely]]
        return c.Missed();
      c.template Commit<W>(
          address, Op::template Apply<kFlags, W>(c.cpu.lazy, c.template At<W>(address), source));
    } else {
      W value;
      if (!c.Load(address, value)) [[unlikely]]
        return c.Missed();
      Op::template Apply<kFlags, W>(c.cpu.lazy, value, source);
    }
    return c.template Next<Address::kUnits>();
  }

  struct RegisterRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      ToRegister(c, ReadGpr<W>(c.cpu, c.uop->b));
      return c.Next();
    }
  };
  struct RegisterImmediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      ToRegister(c, static_cast<W>(c.uop->imm));
      return c.Next();
    }
  };
  template <typename Address>
  struct RegisterMemory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W source;
      if (!c.Load(Address::Of(c), source)) [[unlikely]]
        return c.Missed();
      ToRegister(c, source);
      return c.template Next<Address::kUnits>();
    }
  };
  template <typename Address>
  struct MemoryRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return ToMemory<Address>(c, ReadGpr<W>(c.cpu, c.uop->a));
    }
  };
  template <typename Address>
  struct MemoryImmediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return ToMemory<Address>(c, static_cast<W>(c.template Second<Wide>().immediate));
    }
  };
};

template <typename Op>
bool Binary(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& to = in.operands[0];
  const ZydisDecodedOperand& from = in.operands[1];
  return ForWidth(to.size, [&]<typename W>(W) {
    return ForBool(in.flags_live, [&](auto flags) {
      using Bodies = BinaryBodies<Op, W, flags.value>;
      if (IsMemory(to)) {
        if (IsImmediate(from)) {
          emitter.EmitMemoryImmediate(kImmediateHandlers<Bodies::template MemoryImmediate>, in, to,
                                      0, ImmediateOf(from));
        } else {
          emitter.EmitMemory(kAddressHandlers<Bodies::template MemoryRegister>, in, to,
                             GprSlot(from.reg.value));
        }
        return true;
      }
      const std::uint8_t slot = GprSlot(to.reg.value);
      if (IsMemory(from)) {
        emitter.EmitMemory(kAddressHandlers<Bodies::template RegisterMemory>, in, from, slot);
      } else if (IsImmediate(from)) {
        emitter.Emit(kHandler<typename Bodies::RegisterImmediate>,
                     {.imm = static_cast<std::int32_t>(ImmediateOf(from)), .a = slot});
      } else {
        emitter.Emit(kHandler<typename Bodies::RegisterRegister>,
                     {.a = slot, .b = GprSlot(from.reg.value)});
      }
      return true;
    });
  });
}

// --- Unary: one operand (register, memory), read and written ---

template <typename Op, typename W, bool kFlags>
struct UnaryBodies {
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      WriteGpr<W>(c.cpu, c.uop->a,
                  Op::template Apply<kFlags, W>(c.cpu.lazy, ReadGpr<W>(c.cpu, c.uop->a)));
      return c.Next();
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr address = Address::Of(c);
      if (!c.Writable(address, sizeof(W))) [[unlikely]]
        return c.Missed();
      c.template Commit<W>(address,
                           Op::template Apply<kFlags, W>(c.cpu.lazy, c.template At<W>(address)));
      return c.template Next<Address::kUnits>();
    }
  };
};

template <typename Op>
bool Unary(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& operand = in.operands[0];
  return ForWidth(operand.size, [&]<typename W>(W) {
    return ForBool(in.flags_live, [&](auto flags) {
      using Bodies = UnaryBodies<Op, W, flags.value>;
      if (IsMemory(operand)) {
        emitter.EmitMemory(kAddressHandlers<Bodies::template Memory>, in, operand, 0);
      } else {
        emitter.Emit(kHandler<typename Bodies::Register>, {.a = GprSlot(operand.reg.value)});
      }
      return true;
    });
  });
}

// --- Convert: register from (register, memory) of another width; Op::Apply<To, From>(value) ---

template <typename Op, typename To, typename From>
struct ConvertBodies {
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      WriteGpr<To>(c.cpu, c.uop->a, Op::template Apply<To>(ReadGpr<From>(c.cpu, c.uop->b)));
      return c.Next();
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      From value;
      if (!c.Load(Address::Of(c), value)) [[unlikely]]
        return c.Missed();
      WriteGpr<To>(c.cpu, c.uop->a, Op::template Apply<To>(value));
      return c.template Next<Address::kUnits>();
    }
  };
};

template <typename Op>
bool Convert(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& to = in.operands[0];
  const ZydisDecodedOperand& from = in.operands[1];
  return ForWideWidth(to.size, [&]<typename To>(To) {
    // MOVSXD r16, r/m16: Zydis calls the source 32 bits wide.
    return ForWidth(std::min(from.size, to.size), [&]<typename From>(From) {
      using Bodies = ConvertBodies<Op, To, From>;
      const std::uint8_t slot = GprSlot(to.reg.value);
      if (IsMemory(from)) {
        emitter.EmitMemory(kAddressHandlers<Bodies::template Memory>, in, from, slot);
      } else {
        emitter.Emit(kHandler<typename Bodies::Register>,
                     {.a = slot, .b = GprSlot(from.reg.value)});
      }
      return true;
    });
  });
}

// --- Scan: register computed from (register, memory) with flags; Op::Apply<kFlags>(flags, old,
// source) ---

template <typename Op, typename W, bool kFlags>
struct ScanWork {
  [[gnu::always_inline]] static void Finish(Context& c, W source) {
    const W value = Op::template Apply<kFlags, W>(c.cpu.lazy, source);
    if (Op::kKeepsOnZero && source == 0) return;
    WriteGpr<W>(c.cpu, c.uop->a, value);
  }
};

template <typename Op>
bool Scan(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& from = in.operands[1];
  return ForWideWidth(in.operands[0].size, [&]<typename W>(W) {
    return ForBool(in.flags_live, [&](auto flags) {
      using Bodies = SourceBodies<ScanWork<Op, W, flags.value>, W>;
      const std::uint8_t slot = GprSlot(in.operands[0].reg.value);
      if (IsMemory(from)) {
        emitter.EmitMemory(kGeneralHandler<Bodies::template Memory>, in, from, slot);
      } else {
        emitter.Emit(kHandler<typename Bodies::Register>,
                     {.a = slot, .b = GprSlot(from.reg.value)});
      }
      return true;
    });
  });
}

}  // namespace glovebox::engine::x86
