// Control flow.
#include "engine/isa/x86/control.h"
#include "engine/isa/x86/far.h"
#include "engine/isa/x86/instruction_table.h"

namespace glovebox::engine::x86 {
namespace {

bool IsFar(const Instruction& in) { return in.decoded.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR; }

// --- JMP ---

// Targets in 64-bit code must be canonical; in 32-bit code the whole of 4 GiB is.
template <typename W>
[[gnu::always_inline]] inline bool IsTarget(W target) {
  if constexpr (sizeof(W) == 8) return IsCanonical(target);
  return true;
}

template <typename W>
struct IndirectJump {
  [[gnu::always_inline]] static const Uop* To(Context& c, W target, std::uint64_t count) {
    if (!IsTarget(target)) [[unlikely]]
      return c.Raise(ExceptionKind::kGeneralProtection);
    return c.ExitTo(target, static_cast<std::int64_t>(count));
  }
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return To(c, ReadGpr<W>(c.cpu, c.uop->a), c.uop->d);
    }
  };
  template <typename Address>
  struct Memory {  // a: the instructions that retire
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W target;
      if (!c.Load(Address::Of(c), target)) [[unlikely]]
        return c.Missed();
      return To(c, target, c.uop->a);
    }
  };
};

std::uint8_t Retiring(const Instruction& in) { return static_cast<std::uint8_t>(in.number + 1); }

bool LowerJump(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& target = in.operands[0];
  if (IsFar(in)) return LowerFarJump(emitter, in);
  if (IsImmediate(target)) {
    EmitGoto(emitter, in, BranchTarget(in));
    return true;
  }
  return ForBranch(in, [&]<typename W, typename S>(W, S) {
    if (IsMemory(target)) {
      emitter.EmitMemory(kAddressHandlers<IndirectJump<W>::template Memory>, in, target,
                         Retiring(in));
    } else {
      emitter.Emit(kHandler<typename IndirectJump<W>::Register>,
                   {.a = GprSlot(target.reg.value), .d = Retiring(in)});
    }
    return true;
  });
}

// --- CALL, RET ---

// imm: the distance from the return address to the target.
template <typename W, typename S>
struct CallDirect {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const Jump jump = c.Second<Jump>();
    const GuestAddr back = jump.rip - static_cast<std::int64_t>(c.uop->imm);
    if (!Push<S>(c, static_cast<W>(back))) [[unlikely]]
      return c.Missed();
    return c.Exit(jump);
  }
};

template <typename W, typename S>
struct IndirectCall {
  [[gnu::always_inline]] static const Uop* To(Context& c, W target, GuestAddr back,
                                              std::uint64_t count) {
    // The return address is stored before the target is looked at, as in hardware.
    const S top = StackTop<S>(c.cpu) - sizeof(W);
    if (!c.Store(top, static_cast<W>(back))) [[unlikely]]
      return c.Missed();
    if (!IsTarget(target)) [[unlikely]]
      return c.Raise(ExceptionKind::kGeneralProtection);
    SetStackTop<S>(c.cpu, top);
    return c.ExitTo(target, static_cast<std::int64_t>(count));
  }
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return To(c, ReadGpr<W>(c.cpu, c.uop->a), c.template Second<Wide>().immediate, c.uop->d);
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W target;
      if (!c.Load(Address::Of(c), target)) [[unlikely]]
        return c.Missed();
      return To(c, target, c.template Second<Wide>().immediate, c.uop->a);
    }
  };
};

bool LowerCall(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& target = in.operands[0];
  if (IsFar(in)) return LowerFarCall(emitter, in);
  return ForBranch(in, [&]<typename W, typename S>(W, S) {
    if (IsImmediate(target)) {
      const GuestAddr to = BranchTarget(in);
      const auto distance = static_cast<std::int32_t>(to - in.next_rip);
      emitter.EmitExit(kHandler<CallDirect<W, S>>, {.imm = distance}, in, to);
    } else if (IsMemory(target)) {
      emitter.EmitMemoryImmediate(kImmediateHandlers<IndirectCall<W, S>::template Memory>, in,
                                  target, Retiring(in), in.next_rip);
    } else {
      emitter.Emit(kHandler<typename IndirectCall<W, S>::Register>,
                   {.a = GprSlot(target.reg.value), .d = Retiring(in)}, Wide{0, in.next_rip});
    }
    return true;
  });
}

// imm: bytes of arguments to drop.
template <typename W, typename S>
struct Return {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    W target;
    const S top = StackTop<S>(c.cpu);
    if (!c.Load(top, target)) [[unlikely]]
      return c.Missed();
    if (!IsTarget(target)) [[unlikely]]
      return c.Raise(ExceptionKind::kGeneralProtection);
    SetStackTop<S>(c.cpu, top + sizeof(target) + static_cast<std::uint32_t>(c.uop->imm));
    return c.ExitTo(target, c.uop->d);
  }
};
bool LowerReturn(Emitter& emitter, const Instruction& in) {
  if (IsFar(in)) return LowerFarReturn(emitter, in);
  const bool drops = IsImmediate(in.operands[0]);
  return ForBranch(in, [&]<typename W, typename S>(W, S) {
    emitter.Emit(
        kHandler<Return<W, S>>,
        {.imm = drops ? static_cast<std::int32_t>(ImmediateOf(in.operands[0]) & 0xffff) : 0,
         .d = Retiring(in)});
    return true;
  });
}

// --- LOOPcc, JrCXZ: the counter is as wide as addresses are ---

enum class LoopKind { kLoop, kLoopEqual, kLoopNotEqual, kZero };

template <LoopKind kind, typename W>
struct Loop {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    W counter = ReadGpr<W>(c.cpu, kRcx * 8);
    bool taken = counter == 0;
    if constexpr (kind != LoopKind::kZero) {
      --counter;
      WriteGpr<W>(c.cpu, kRcx * 8, counter);
      taken = counter != 0;
      if constexpr (kind == LoopKind::kLoopEqual) taken = taken && c.cpu.lazy.Zf();
      if constexpr (kind == LoopKind::kLoopNotEqual) taken = taken && !c.cpu.lazy.Zf();
    }
    if (taken) return c.Exit(c.template Second<Jump>());
    return c.template Next<2>();
  }
};

template <LoopKind kind>
bool LowerLoop(Emitter& emitter, const Instruction& in) {
  return ForAddressWidth(in, [&]<typename W>(W) {
    emitter.EmitExit(kHandler<Loop<kind, W>>, {}, in, BranchTarget(in));
    return true;
  });
}

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_JMP, LowerJump, kEndsBlock},
    {ZYDIS_MNEMONIC_CALL, LowerCall, kEndsBlock},
    {ZYDIS_MNEMONIC_RET, LowerReturn, kEndsBlock},
    {ZYDIS_MNEMONIC_IRET, LowerInterruptReturn, kEndsBlock},
    {ZYDIS_MNEMONIC_IRETD, LowerInterruptReturn, kEndsBlock},
    {ZYDIS_MNEMONIC_IRETQ, LowerInterruptReturn, kEndsBlock},
    {ZYDIS_MNEMONIC_JO, JumpConditional<kO>, kBranches},
    {ZYDIS_MNEMONIC_JNO, JumpConditional<kNO>, kBranches},
    {ZYDIS_MNEMONIC_JB, JumpConditional<kB>, kBranches},
    {ZYDIS_MNEMONIC_JNB, JumpConditional<kNB>, kBranches},
    {ZYDIS_MNEMONIC_JZ, JumpConditional<kZ>, kBranches},
    {ZYDIS_MNEMONIC_JNZ, JumpConditional<kNZ>, kBranches},
    {ZYDIS_MNEMONIC_JBE, JumpConditional<kBE>, kBranches},
    {ZYDIS_MNEMONIC_JNBE, JumpConditional<kNBE>, kBranches},
    {ZYDIS_MNEMONIC_JS, JumpConditional<kS>, kBranches},
    {ZYDIS_MNEMONIC_JNS, JumpConditional<kNS>, kBranches},
    {ZYDIS_MNEMONIC_JP, JumpConditional<kP>, kBranches},
    {ZYDIS_MNEMONIC_JNP, JumpConditional<kNP>, kBranches},
    {ZYDIS_MNEMONIC_JL, JumpConditional<kL>, kBranches},
    {ZYDIS_MNEMONIC_JNL, JumpConditional<kNL>, kBranches},
    {ZYDIS_MNEMONIC_JLE, JumpConditional<kLE>, kBranches},
    {ZYDIS_MNEMONIC_JNLE, JumpConditional<kNLE>, kBranches},
    {ZYDIS_MNEMONIC_JRCXZ, LowerLoop<LoopKind::kZero>, kBranches},
    {ZYDIS_MNEMONIC_JCXZ, LowerLoop<LoopKind::kZero>, kBranches},
    {ZYDIS_MNEMONIC_JECXZ, LowerLoop<LoopKind::kZero>, kBranches},
    {ZYDIS_MNEMONIC_LOOP, LowerLoop<LoopKind::kLoop>, kBranches},
    {ZYDIS_MNEMONIC_LOOPE, LowerLoop<LoopKind::kLoopEqual>, kBranches},
    {ZYDIS_MNEMONIC_LOOPNE, LowerLoop<LoopKind::kLoopNotEqual>, kBranches},
};

}  // namespace

void EmitGoto(Emitter& emitter, const Instruction& in, GuestAddr target) {
  emitter.EmitExit(kHandler<Goto>, {}, in, target);
}

std::span<const InstructionRow> ControlRows() { return kRows; }

}  // namespace glovebox::engine::x86
