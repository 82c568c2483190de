// XADD and CMPXCHG. Intel SDM vol. 2. One host thread runs a box, so LOCK needs nothing.
#pragma once

#include "engine/isa/x86/alu.h"
#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/move.h"

namespace glovebox::engine::x86 {

template <typename W>
struct ExchangeAddBodies {
  struct Registers {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const W to = ReadGpr<W>(c.cpu, c.uop->a);
      const W from = ReadGpr<W>(c.cpu, c.uop->b);
      const W sum = Add::Apply<true, W>(c.cpu.lazy, to, from);
      WriteGpr<W>(c.cpu, c.uop->b, to);
      WriteGpr<W>(c.cpu, c.uop->a, sum);  // last: with one register as both, the sum stays
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
      c.template Commit<W>(address,
                           Add::Apply<true, W>(c.cpu.lazy, old, ReadGpr<W>(c.cpu, c.uop->a)));
      WriteGpr<W>(c.cpu, c.uop->a, old);
      return c.template Next<Address::kUnits>();
    }
  };
};
inline bool LowerExchangeAdd(Emitter& emitter, const Instruction& in) {
  return RegisterAndAny<ExchangeAddBodies>(emitter, in);
}

// Memory is always written, if only with what was there, so it must be writable.
template <typename W>
struct CompareExchangeBodies {
  struct Registers {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const W old = ReadGpr<W>(c.cpu, c.uop->a);
      const W expected = ReadGpr<W>(c.cpu, kRax * 8);
      Cmp::Apply<true, W>(c.cpu.lazy, expected, old);
      if (old == expected) {
        WriteGpr<W>(c.cpu, c.uop->a, ReadGpr<W>(c.cpu, c.uop->b));
      } else {
        WriteGpr<W>(c.cpu, kRax * 8, old);
      }
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
      const W expected = ReadGpr<W>(c.cpu, kRax * 8);
      Cmp::Apply<true, W>(c.cpu.lazy, expected, old);
      if (old == expected) {
        c.template Commit<W>(address, ReadGpr<W>(c.cpu, c.uop->a));
      } else {
        WriteGpr<W>(c.cpu, kRax * 8, old);
      }
      return c.template Next<Address::kUnits>();
    }
  };
};
inline bool LowerCompareExchange(Emitter& emitter, const Instruction& in) {
  return RegisterAndAny<CompareExchangeBodies>(emitter, in);
}

// CMPXCHG8B, CMPXCHG16B: rDX:rAX against memory, rCX:rBX to it. Of the flags, ZF alone changes.
template <typename W>
struct CompareExchangePairBodies {
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr address = Address::Of(c);
      // CMPXCHG16B wants its operand aligned (Intel SDM vol. 2A).
      if (sizeof(W) == 8 && address % 16 != 0) [[unlikely]] {
        return c.Raise(ExceptionKind::kGeneralProtection);
      }
      if (!c.Writable(address, 2 * sizeof(W))) [[unlikely]]
        return c.Missed();
      const W low = c.template At<W>(address);
      const W high = c.template At<W>(address + sizeof(W));
      const bool same = low == ReadGpr<W>(c.cpu, kRax * 8) && high == ReadGpr<W>(c.cpu, kRdx * 8);
      if (same) {
        c.template Commit<W>(address, ReadGpr<W>(c.cpu, kRbx * 8));
        c.template Commit<W>(address + sizeof(W), ReadGpr<W>(c.cpu, kRcx * 8));
      } else {
        WriteGpr<W>(c.cpu, kRax * 8, low);
        WriteGpr<W>(c.cpu, kRdx * 8, high);
      }
      c.cpu.lazy.Set((c.cpu.lazy.Materialise() & ~std::uint64_t{kZf}) | FlagIf(same, kZf));
      return c.template Next<Address::kUnits>();
    }
  };
};
template <typename W>
bool CompareExchangePair(Emitter& emitter, const Instruction& in) {
  emitter.EmitMemory(kGeneralHandler<CompareExchangePairBodies<W>::template Memory>, in,
                     in.operands[0], 0);
  return true;
}

}  // namespace glovebox::engine::x86
