// What 32-bit code has and 64-bit code has not.
#include "engine/isa/x86/decimal.h"
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/stack.h"

namespace glovebox::engine::x86 {
namespace {

template <typename Body>
bool WithBase(Emitter& emitter, const Instruction& in) {
  emitter.Emit(kHandler<Body>, {.imm = static_cast<std::int32_t>(ImmediateOf(in.operands[0]))});
  return true;
}

// --- PUSHA, POPA: one register after the other. A fault leaves SP alone, but what was written to
// the stack or read into registers before stays, as in hardware ---

constexpr std::uint32_t kAllRegisters = 8;

template <typename W, typename S>
struct PushAll {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const S old_top = StackTop<S>(c.cpu);
    const auto slot = [&](std::uint32_t i) -> GuestAddr {
      return static_cast<S>(old_top - (i + 1) * sizeof(W));
    };
    for (std::uint8_t i = 0; i < kAllRegisters; ++i) {  // ESP as it was before
      if (!c.Store(slot(i), ReadGpr<W>(c.cpu, static_cast<std::uint8_t>(i * 8)))) [[unlikely]]
        return c.Missed();
    }
    SetStackTop<S>(c.cpu, static_cast<S>(slot(kAllRegisters - 1)));
    return c.Next();
  }
};
template <typename W, typename S>
struct PopAll {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const S top = StackTop<S>(c.cpu);
    for (std::uint32_t i = 0; i < kAllRegisters; ++i) {
      const auto reg = static_cast<std::uint8_t>(kRdi - i);
      W value;
      if (!c.Load(static_cast<S>(top + i * sizeof(W)), value)) [[unlikely]]
        return c.Missed();
      if (reg != kRsp) WriteGpr<W>(c.cpu, static_cast<std::uint8_t>(reg * 8), value);
    }
    SetStackTop<S>(c.cpu, static_cast<S>(top + kAllRegisters * sizeof(W)));
    return c.Next();
  }
};

// --- BOUND: the index against the two signed bounds in memory, one after the other ---

template <typename W>
struct BoundBodies {
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const auto index = static_cast<std::make_signed_t<W>>(ReadGpr<W>(c.cpu, c.uop->a));
      const GuestAddr bounds = Address::Of(c);
      std::make_signed_t<W> bound;
      if (!c.Load(bounds, bound)) [[unlikely]]
        return c.Missed();
      if (index < bound) return c.Raise(ExceptionKind::kBoundRange);
      if (!c.Load(bounds + sizeof(W), bound)) [[unlikely]]
        return c.Missed();
      if (index > bound) return c.Raise(ExceptionKind::kBoundRange);
      return c.template Next<Address::kUnits>();
    }
  };
};
bool LowerBound(Emitter& emitter, const Instruction& in) {
  return ForWideWidth(in.operands[0].size, [&]<typename W>(W) {
    emitter.EmitMemory(kGeneralHandler<BoundBodies<W>::template Memory>, in, in.operands[1],
                       GprSlot(in.operands[0].reg.value));
    return true;
  });
}

// --- INTO: a trap, of an instruction that has retired ---

struct TrapOnOverflow {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    if (!c.cpu.lazy.Of()) return c.Next<2>();
    c.cpu.budget -= c.uop->d;
    c.cpu.exception = ExceptionKind::kOverflow;
    return c.LeaveAt(c.Second<Wide>().immediate, LeaveKind::kTrap);
  }
};
bool LowerInto(Emitter& emitter, const Instruction& in) {
  emitter.Emit(kHandler<TrapOnOverflow>, {.d = static_cast<std::uint8_t>(in.number + 1)},
               Wide{0, in.next_rip});
  return true;
}

// --- SALC: AL = CF ? 0xff : 0. In no manual of Intel's, on all of their CPUs ---

struct SetAlFromCarry {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    WriteGpr<std::uint8_t>(c.cpu, kAl, c.cpu.lazy.Cf() ? 0xff : 0);
    return c.Next();
  }
};

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_AAA, Plain<AsciiAdjust<true>>},
    {ZYDIS_MNEMONIC_AAS, Plain<AsciiAdjust<false>>},
    {ZYDIS_MNEMONIC_AAM, WithBase<AsciiAfterMultiply>, kMayRaise},
    {ZYDIS_MNEMONIC_AAD, WithBase<AsciiBeforeDivide>},
    {ZYDIS_MNEMONIC_DAA, Plain<DecimalAdjust<true>>},
    {ZYDIS_MNEMONIC_DAS, Plain<DecimalAdjust<false>>},
    {ZYDIS_MNEMONIC_PUSHA, OnStack<PushAll>},
    {ZYDIS_MNEMONIC_PUSHAD, OnStack<PushAll>},
    {ZYDIS_MNEMONIC_POPA, OnStack<PopAll>},
    {ZYDIS_MNEMONIC_POPAD, OnStack<PopAll>},
    {ZYDIS_MNEMONIC_BOUND, LowerBound, kMayRaise},
    {ZYDIS_MNEMONIC_INTO, LowerInto, kMayRaise},
    {ZYDIS_MNEMONIC_SALC, Plain<SetAlFromCarry>},
};

}  // namespace

std::span<const InstructionRow> LegacyRows() { return kRows; }

}  // namespace glovebox::engine::x86
