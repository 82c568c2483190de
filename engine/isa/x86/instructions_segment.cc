// Segment registers.
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/segments.h"
#include "engine/isa/x86/selector.h"
#include "engine/isa/x86/stack.h"

namespace glovebox::engine::x86 {
namespace {

SegmentRegister SegmentRegisterOf(const ZydisDecodedOperand& operand) {
  return static_cast<SegmentRegister>(operand.reg.value - ZYDIS_REGISTER_ES);
}

// Loads the segment register of operand byte `reg` and goes on at `next`, or raises. Last of what
// an instruction does that may fault.
[[gnu::always_inline]] inline const Uop* LoadOrRaise(Context& c, std::uint8_t reg,
                                                     std::uint16_t selector, const Uop* next) {
  if (const auto fault = LoadSegment(c.cpu, static_cast<SegmentRegister>(reg), selector)) {
    return c.Raise(fault->kind, fault->error_code);
  }
  return next;
}

// --- MOV r/m, Sreg: memory is 16 bits whatever the operand size ---

template <typename W>
struct ReadToRegister {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    WriteGpr<W>(c.cpu, c.uop->a, c.cpu.selector[c.uop->b]);
    return c.Next();
  }
};
template <typename Address>
struct ReadToMemory {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    if (!c.Store(Address::Of(c), c.cpu.selector[c.uop->a])) [[unlikely]]
      return c.Missed();
    return c.template Next<Address::kUnits>();
  }
};

// --- MOV Sreg, r/m ---

struct LoadFromRegister {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    return LoadOrRaise(c, c.uop->a, ReadGpr<std::uint16_t>(c.cpu, c.uop->b), c.Next());
  }
};
template <typename Address>
struct LoadFromMemory {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    std::uint16_t selector;
    if (!c.Load(Address::Of(c), selector)) [[unlikely]]
      return c.Missed();
    return LoadOrRaise(c, c.uop->a, selector, c.template Next<Address::kUnits>());
  }
};

// --- PUSH, POP: with an operand of 32 or 64 bits PUSH writes 16 of them in 32-bit code on Intel's
// CPUs since the Core 2 (Intel SDM vol. 2B, PUSH), and all of them in 64-bit mode ---

template <typename W, typename S>
struct PushSelector {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const S top = StackTop<S>(c.cpu) - sizeof(W);
    using Stored = std::conditional_t<sizeof(S) == 4, std::uint16_t, W>;
    if (!c.Store(top, static_cast<Stored>(c.cpu.selector[c.uop->a]))) [[unlikely]]
      return c.Missed();
    SetStackTop<S>(c.cpu, top);
    return c.Next();
  }
};
template <typename W, typename S>
struct PopSelector {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const S top = StackTop<S>(c.cpu);
    std::uint16_t selector;
    if (!c.Load(top, selector)) [[unlikely]]
      return c.Missed();
    const Uop* const next = LoadOrRaise(c, c.uop->a, selector, c.Next());
    if (next == c.Next()) SetStackTop<S>(c.cpu, top + sizeof(W));
    return next;
  }
};

}  // namespace

bool LowerReadSelector(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& to = in.operands[0];
  const std::uint8_t reg = SegmentRegisterOf(in.operands[1]);
  if (IsMemory(to)) {
    emitter.EmitMemory(kGeneralHandler<ReadToMemory>, in, to, reg);
    return true;
  }
  return ForWideWidth(to.size, [&]<typename W>(W) {
    emitter.Emit(kHandler<ReadToRegister<W>>, {.a = GprSlot(to.reg.value), .b = reg});
    return true;
  });
}

bool LowerLoadSelector(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& from = in.operands[1];
  const std::uint8_t reg = SegmentRegisterOf(in.operands[0]);
  if (IsMemory(from)) {
    emitter.EmitMemory(kGeneralHandler<LoadFromMemory>, in, from, reg);
  } else {
    emitter.Emit(kHandler<LoadFromRegister>, {.a = reg, .b = GprSlot(from.reg.value)});
  }
  return true;
}

bool LowerPushSelector(Emitter& emitter, const Instruction& in) {
  return ForStack(in, [&]<typename W, typename S>(W, S) {
    emitter.Emit(kHandler<PushSelector<W, S>>, {.a = SegmentRegisterOf(in.operands[0])});
    return true;
  });
}

bool LowerPopSelector(Emitter& emitter, const Instruction& in) {
  return ForStack(in, [&]<typename W, typename S>(W, S) {
    emitter.Emit(kHandler<PopSelector<W, S>>, {.a = SegmentRegisterOf(in.operands[0])});
    return true;
  });
}

}  // namespace glovebox::engine::x86
