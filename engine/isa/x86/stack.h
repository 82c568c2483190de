// PUSH, POP, PUSHF, POPF, ENTER, LEAVE. Intel SDM vol. 2. In 64-bit mode operands are 64 or 16 bits
// wide.
#pragma once

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/lowering.h"

namespace glovebox::engine::x86 {

// False: return Missed(). Nothing is changed before the store has succeeded.
template <typename W>
[[gnu::always_inline]] inline bool Push(Context& c, W value) {
  const GuestAddr top = c.cpu.gpr[kRsp] - sizeof(W);
  if (!c.template Store<W>(top, value)) [[unlikely]]
    return false;
  c.cpu.gpr[kRsp] = top;
  return true;
}

template <typename W>
struct PushBodies {
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      if (!Push(c, ReadGpr<W>(c.cpu, c.uop->a))) [[unlikely]]
        return c.Missed();
      return c.Next();
    }
  };
  struct Immediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      if (!Push(c, static_cast<W>(static_cast<std::int64_t>(c.uop->imm)))) [[unlikely]] {
        return c.Missed();
      }
      return c.Next();
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W value;
      if (!c.Load(Address::Of(c), value) || !Push(c, value)) [[unlikely]]
        return c.Missed();
      return c.template Next<Address::kUnits>();
    }
  };
};

template <typename W>
struct PopBodies {
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W value;
      if (!c.Load(c.cpu.gpr[kRsp], value)) [[unlikely]]
        return c.Missed();
      c.cpu.gpr[kRsp] += sizeof(W);
      WriteGpr<W>(c.cpu, c.uop->a, value);  // last: POP RSP keeps the value read
      return c.Next();
    }
  };
  // An address with RSP as its base is computed after RSP was raised (Intel SDM vol. 2B, POP).
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr top = c.cpu.gpr[kRsp];
      W value;
      if (!c.Load(top, value)) [[unlikely]]
        return c.Missed();
      c.cpu.gpr[kRsp] = top + sizeof(W);
      if (!c.template Store<W>(Address::Of(c), value)) [[unlikely]] {
        c.cpu.gpr[kRsp] = top;
        return c.Missed();
      }
      return c.template Next<Address::kUnits>();
    }
  };
};

bool LowerPush(Emitter& emitter, const Instruction& in);
bool LowerPop(Emitter& emitter, const Instruction& in);

}  // namespace glovebox::engine::x86
