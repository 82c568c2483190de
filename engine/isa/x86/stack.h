// PUSH, POP, PUSHF, POPF, ENTER, LEAVE. Intel SDM vol. 2. In 64-bit mode operands are 64 or 16 bits
// wide, in 32-bit code 32 or 16; S is as wide as the stack pointer.
#pragma once

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/lowering.h"

namespace glovebox::engine::x86 {

template <typename S>
[[gnu::always_inline]] inline S StackTop(const Cpu& cpu) {
  return ReadGpr<S>(cpu, kRsp * 8);
}
template <typename S>
[[gnu::always_inline]] inline void SetStackTop(Cpu& cpu, S top) {
  WriteGpr<S>(cpu, kRsp * 8, top);
}

// False: return Missed(). Nothing is changed before the store has succeeded.
template <typename S, typename W>
[[gnu::always_inline]] inline bool Push(Context& c, W value) {
  const S top = StackTop<S>(c.cpu) - sizeof(W);
  if (!c.template Store<W>(top, value)) [[unlikely]]
    return false;
  SetStackTop<S>(c.cpu, top);
  return true;
}

template <typename W, typename S>
struct PushBodies {
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      if (!Push<S>(c, ReadGpr<W>(c.cpu, c.uop->a))) [[unlikely]]
        return c.Missed();
      return c.Next();
    }
  };
  struct Immediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      if (!Push<S>(c, static_cast<W>(static_cast<std::int64_t>(c.uop->imm)))) [[unlikely]] {
        return c.Missed();
      }
      return c.Next();
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W value;
      if (!c.Load(Address::Of(c), value) || !Push<S>(c, value)) [[unlikely]]
        return c.Missed();
      return c.template Next<Address::kUnits>();
    }
  };
};

template <typename W, typename S>
struct PopBodies {
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const S top = StackTop<S>(c.cpu);
      W value;
      if (!c.Load(top, value)) [[unlikely]]
        return c.Missed();
      SetStackTop<S>(c.cpu, top + sizeof(W));
      WriteGpr<W>(c.cpu, c.uop->a, value);  // last: POP RSP keeps the value read
      return c.Next();
    }
  };
  // An address with RSP as its base is computed after RSP was raised (Intel SDM vol. 2B, POP).
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const S top = StackTop<S>(c.cpu);
      W value;
      if (!c.Load(top, value)) [[unlikely]]
        return c.Missed();
      SetStackTop<S>(c.cpu, top + sizeof(W));
      if (!c.template Store<W>(Address::Of(c), value)) [[unlikely]] {
        SetStackTop<S>(c.cpu, top);
        return c.Missed();
      }
      return c.template Next<Address::kUnits>();
    }
  };
};

// An instruction of one unit whose body is a template over the operand's and the stack pointer's
// types.
template <template <typename W, typename S> typename Body>
bool OnStack(Emitter& emitter, const Instruction& in) {
  return ForStack(in, [&]<typename W, typename S>(W, S) {
    emitter.Emit(kHandler<Body<W, S>>, {});
    return true;
  });
}

bool LowerPush(Emitter& emitter, const Instruction& in);
bool LowerPop(Emitter& emitter, const Instruction& in);

}  // namespace glovebox::engine::x86
