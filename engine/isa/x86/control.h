// Jumps, calls, returns, and the fusion of a comparison with the conditional jump behind it.
#pragma once

#include "engine/isa/x86/alu.h"
#include "engine/isa/x86/conditions.h"
#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/stack.h"

namespace glovebox::engine::x86 {

// JMP to a known place, and what a block ends with that runs on into the next one.
struct Goto {
  [[gnu::always_inline]] static const Uop* Run(Context& c) { return c.Exit(c.Second<Jump>()); }
};

// Emitted by the file that has the handlers' compiler options.
void EmitGoto(Emitter& emitter, const Instruction& in, GuestAddr target);

template <Condition condition>
struct JumpIf {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    if (Holds<condition>(c.cpu.lazy)) return c.Exit(c.Second<Jump>());
    return c.Next<2>();
  }
};

template <Condition condition>
bool JumpConditional(Emitter& emitter, const Instruction& in) {
  emitter.EmitExit(kHandler<JumpIf<condition>>, {}, in, BranchTarget(in));
  return true;
}

// Does the condition hold after `a` op `b`? Straight from the operands where that is shorter.
template <typename Op, Condition condition, typename W>
[[gnu::always_inline]] inline bool HoldsAfter(W a, W b) {
  using Signed = std::make_signed_t<W>;
  constexpr auto kEven = static_cast<Condition>(condition & ~1);
  constexpr bool kNegated = (condition & 1) != 0;
  if constexpr (std::is_same_v<Op, Cmp>) {
    const W difference = static_cast<W>(a - b);
    if constexpr (kEven == kB) return (a < b) != kNegated;
    if constexpr (kEven == kZ) return (a == b) != kNegated;
    if constexpr (kEven == kBE) return (a <= b) != kNegated;
    if constexpr (kEven == kS) return (static_cast<Signed>(difference) < 0) != kNegated;
    if constexpr (kEven == kL) return (static_cast<Signed>(a) < static_cast<Signed>(b)) != kNegated;
    if constexpr (kEven == kLE) {
      return (static_cast<Signed>(a) <= static_cast<Signed>(b)) != kNegated;
    }
  }
  LazyFlags flags;
  Op::template Apply<true, W>(flags, a, b);
  return Holds<condition>(flags);
}

template <typename Op, Condition condition, typename W>
struct CompareAndJumpBodies {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, W a, W b) {
    Op::template Apply<true, W>(c.cpu.lazy, a, b);
    if (HoldsAfter<Op, condition, W>(a, b)) return c.Exit(c.template Second<Jump>());
    return c.template Next<2>();
  }
  struct RegisterRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return Finish(c, ReadGpr<W>(c.cpu, c.uop->a), ReadGpr<W>(c.cpu, c.uop->b));
    }
  };
  struct RegisterImmediate {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return Finish(c, ReadGpr<W>(c.cpu, c.uop->a), static_cast<W>(c.uop->imm));
    }
  };
};

// One uop for CMP or TEST (of a register with a register or an immediate) and the Jcc behind it.
// False: these two do not fuse.
bool EmitFused(Emitter& emitter, const Instruction& first, const Instruction& second);

}  // namespace glovebox::engine::x86
