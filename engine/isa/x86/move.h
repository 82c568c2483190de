// Moves: MOV and its extensions, LEA, XCHG, CMOVcc, SETcc, the stack, the CBW family.
#pragma once

#include "engine/isa/x86/conditions.h"
#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/source_bodies.h"

namespace glovebox::engine::x86 {

// --- MOV ---

template <typename W>
struct MoveBodies {
  struct RegisterRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      WriteGpr<W>(c.cpu, c.uop->a, ReadGpr<W>(c.cpu, c.uop->b));
      return c.Next();
    }
  };
  struct RegisterImmediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      WriteGpr<W>(c.cpu, c.uop->a, static_cast<W>(c.uop->imm));
      return c.Next();
    }
  };
  struct RegisterWide {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      WriteGpr<W>(c.cpu, c.uop->a, static_cast<W>(c.template Second<Wide>().immediate));
      return c.template Next<2>();
    }
  };
  template <typename Address>
  struct RegisterMemory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W value;
      if (!c.Load(Address::Of(c), value)) [[unlikely]]
        return c.Missed();
      WriteGpr<W>(c.cpu, c.uop->a, value);
      return c.template Next<Address::kUnits>();
    }
  };
  template <typename Address>
  struct MemoryRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      if (!c.template Store<W>(Address::Of(c), ReadGpr<W>(c.cpu, c.uop->a))) [[unlikely]] {
        return c.Missed();
      }
      return c.template Next<Address::kUnits>();
    }
  };
  template <typename Address>
  struct MemoryImmediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const W value = static_cast<W>(c.template Second<Wide>().immediate);
      if (!c.template Store<W>(Address::Of(c), value)) [[unlikely]]
        return c.Missed();
      return c.template Next<Address::kUnits>();
    }
  };
};

// Intel SDM vol. 2B, MOV. Forms with control and debug registers are not for user mode.
bool Move(Emitter& emitter, const Instruction& in);

struct ZeroExtend {
  template <typename To, typename From>
  [[gnu::always_inline]] static To Apply(From value) {
    return static_cast<To>(value);
  }
};
struct SignExtend {
  template <typename To, typename From>
  [[gnu::always_inline]] static To Apply(From value) {
    return static_cast<To>(
        static_cast<std::make_signed_t<To>>(static_cast<std::make_signed_t<From>>(value)));
  }
};

// --- LEA: the offset, without segment base or access ---

template <typename W>
struct LeaBodies {
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      GuestAddr offset;
      if constexpr (std::is_same_v<Address, AddressGeneral>) {
        offset = Address::Offset(c);
      } else {
        offset = Address::Of(c);
      }
      WriteGpr<W>(c.cpu, c.uop->a, static_cast<W>(offset));
      return c.template Next<Address::kUnits>();
    }
  };
};
inline bool Lea(Emitter& emitter, const Instruction& in) {
  return ForWideWidth(in.operands[0].size, [&]<typename W>(W) {
    emitter.EmitMemory(kAddressHandlers<LeaBodies<W>::template Memory>, in, in.operands[1],
                       GprSlot(in.operands[0].reg.value));
    return true;
  });
}

// --- XCHG ---

template <typename W>
struct ExchangeBodies {
  struct Registers {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const W a = ReadGpr<W>(c.cpu, c.uop->a);
      WriteGpr<W>(c.cpu, c.uop->a, ReadGpr<W>(c.cpu, c.uop->b));
      WriteGpr<W>(c.cpu, c.uop->b, a);
      return c.Next();
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr address = Address::Of(c);
      if (!c.Writable(address, sizeof(W))) [[unlikely]]
        return c.Missed();
      const W old = c.template At<W>(address);
      c.template Commit<W>(address, ReadGpr<W>(c.cpu, c.uop->a));
      WriteGpr<W>(c.cpu, c.uop->a, old);
      return c.template Next<Address::kUnits>();
    }
  };
};

// Register and (register or memory), in either order; one unit where both are registers.
template <template <typename W> typename Bodies>
bool RegisterAndAny(Emitter& emitter, const Instruction& in) {
  const bool swapped = IsMemory(in.operands[1]);
  const ZydisDecodedOperand& any = in.operands[swapped ? 1 : 0];
  const ZydisDecodedOperand& reg = in.operands[swapped ? 0 : 1];
  return ForWidth(any.size, [&]<typename W>(W) {
    if (IsMemory(any)) {
      emitter.EmitMemory(kGeneralHandler<Bodies<W>::template Memory>, in, any,
                         GprSlot(reg.reg.value));
    } else {
      emitter.Emit(kHandler<typename Bodies<W>::Registers>,
                   {.a = GprSlot(any.reg.value), .b = GprSlot(reg.reg.value)});
    }
    return true;
  });
}

// --- CMOVcc: the source is always read; a 32-bit destination loses its upper half either way ---

template <Condition condition, typename W>
struct ConditionalMoveWork {
  [[gnu::always_inline]] static void Finish(Context& c, W source) {
    const W old = ReadGpr<W>(c.cpu, c.uop->a);
    WriteGpr<W>(c.cpu, c.uop->a, Holds<condition>(c.cpu.lazy) ? source : old);
  }
};

template <Condition condition>
bool ConditionalMove(Emitter& emitter, const Instruction& in) {
  return ForWideWidth(in.operands[0].size, [&]<typename W>(W) {
    using Bodies = SourceBodies<ConditionalMoveWork<condition, W>, W>;
    const std::uint8_t to = GprSlot(in.operands[0].reg.value);
    if (IsMemory(in.operands[1])) {
      emitter.EmitMemory(kGeneralHandler<Bodies::template Memory>, in, in.operands[1], to);
    } else {
      emitter.Emit(kHandler<typename Bodies::Register>,
                   {.a = to, .b = GprSlot(in.operands[1].reg.value)});
    }
    return true;
  });
}

template <Condition condition>
struct SetBodies {
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      WriteGpr<std::uint8_t>(c.cpu, c.uop->a, Holds<condition>(c.cpu.lazy) ? 1 : 0);
      return c.Next();
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const std::uint8_t value = Holds<condition>(c.cpu.lazy) ? 1 : 0;
      if (!c.Store(Address::Of(c), value)) [[unlikely]]
        return c.Missed();
      return c.template Next<Address::kUnits>();
    }
  };
};

template <Condition condition>
bool SetByte(Emitter& emitter, const Instruction& in) {
  if (IsMemory(in.operands[0])) {
    emitter.EmitMemory(kGeneralHandler<SetBodies<condition>::template Memory>, in, in.operands[0],
                       0);
  } else {
    emitter.Emit(kHandler<typename SetBodies<condition>::Register>,
                 {.a = GprSlot(in.operands[0].reg.value)});
  }
  return true;
}

}  // namespace glovebox::engine::x86
