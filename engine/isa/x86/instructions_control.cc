// Control flow.
#include "engine/isa/x86/control.h"
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/system.h"

namespace glovebox::engine::x86 {
namespace {

// Far transfers would load a code segment, of which user mode has no other (ARCHITECTURE.md,
// "Instructions").
bool RefuseFar(Emitter& emitter) {
  emitter.Emit(kHandler<RaiseBody<ExceptionKind::kGeneralProtection>>, {});
  return true;
}

// --- JMP ---

struct IndirectJump {
  [[gnu::always_inline]] static const Uop* To(Context& c, GuestAddr target, std::uint64_t count) {
    if (!IsCanonical(target)) [[unlikely]]
      return c.Raise(ExceptionKind::kGeneralProtection);
    return c.ExitTo(target, static_cast<std::int64_t>(count));
  }
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return To(c, ReadGpr<std::uint64_t>(c.cpu, c.uop->a), c.uop->d);
    }
  };
  template <typename Address>
  struct Memory {  // a: the instructions that retire
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      GuestAddr target;
      if (!c.Load(Address::Of(c), target)) [[unlikely]]
        return c.Missed();
      return To(c, target, c.uop->a);
    }
  };
};

std::uint8_t Retiring(const Instruction& in) { return static_cast<std::uint8_t>(in.number + 1); }

bool LowerJump(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& target = in.operands[0];
  if (in.decoded.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return RefuseFar(emitter);
  if (IsImmediate(target)) {
    EmitGoto(emitter, in, BranchTarget(in));
  } else if (IsMemory(target)) {
    emitter.EmitMemory(kAddressHandlers<IndirectJump::Memory>, in, target, Retiring(in));
  } else {
    emitter.Emit(kHandler<IndirectJump::Register>,
                 {.a = GprSlot(target.reg.value), .d = Retiring(in)});
  }
  return true;
}

// --- CALL, RET ---

// imm: the distance from the return address to the target.
struct CallDirect {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const Jump jump = c.Second<Jump>();
    const GuestAddr back = jump.rip - static_cast<std::int64_t>(c.uop->imm);
    if (!Push<std::uint64_t>(c, back)) [[unlikely]]
      return c.Missed();
    return c.Exit(jump);
  }
};

struct IndirectCall {
  [[gnu::always_inline]] static const Uop* To(Context& c, GuestAddr target, GuestAddr back,
                                              std::uint64_t count) {
    // The return address is stored before the target is looked at, as in hardware.
    const GuestAddr top = c.cpu.gpr[kRsp] - sizeof(back);
    if (!c.Store(top, back)) [[unlikely]]
      return c.Missed();
    if (!IsCanonical(target)) [[unlikely]]
      return c.Raise(ExceptionKind::kGeneralProtection);
    c.cpu.gpr[kRsp] = top;
    return c.ExitTo(target, static_cast<std::int64_t>(count));
  }
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return To(c, ReadGpr<std::uint64_t>(c.cpu, c.uop->a), c.Second<Wide>().immediate, c.uop->d);
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      GuestAddr target;
      if (!c.Load(Address::Of(c), target)) [[unlikely]]
        return c.Missed();
      return To(c, target, c.template Second<Wide>().immediate, c.uop->a);
    }
  };
};

bool LowerCall(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& target = in.operands[0];
  if (in.decoded.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return RefuseFar(emitter);
  if (IsImmediate(target)) {
    emitter.EmitExit(kHandler<CallDirect>, {.imm = static_cast<std::int32_t>(ImmediateOf(target))},
                     in, BranchTarget(in));
  } else if (IsMemory(target)) {
    emitter.EmitMemoryImmediate(kImmediateHandlers<IndirectCall::Memory>, in, target, Retiring(in),
                                in.next_rip);
  } else {
    emitter.Emit(kHandler<IndirectCall::Register>,
                 {.a = GprSlot(target.reg.value), .d = Retiring(in)}, Wide{0, in.next_rip});
  }
  return true;
}

// imm: bytes of arguments to drop.
struct Return {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    GuestAddr target;
    const GuestAddr top = c.cpu.gpr[kRsp];
    if (!c.Load(top, target)) [[unlikely]]
      return c.Missed();
    if (!IsCanonical(target)) [[unlikely]]
      return c.Raise(ExceptionKind::kGeneralProtection);
    c.cpu.gpr[kRsp] = top + sizeof(target) + static_cast<std::uint32_t>(c.uop->imm);
    return c.ExitTo(target, c.uop->d);
  }
};
bool LowerReturn(Emitter& emitter, const Instruction& in) {
  if (in.decoded.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return RefuseFar(emitter);
  const bool drops = IsImmediate(in.operands[0]);
  emitter.Emit(kHandler<Return>,
               {.imm = drops ? static_cast<std::int32_t>(ImmediateOf(in.operands[0]) & 0xffff) : 0,
                .d = Retiring(in)});
  return true;
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
  const bool narrow = in.decoded.address_width == 32;
  emitter.EmitExit(
      narrow ? kHandler<Loop<kind, std::uint32_t>> : kHandler<Loop<kind, std::uint64_t>>, {}, in,
      BranchTarget(in));
  return true;
}

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_JMP, LowerJump, kEndsBlock},
    {ZYDIS_MNEMONIC_CALL, LowerCall, kEndsBlock},
    {ZYDIS_MNEMONIC_RET, LowerReturn, kEndsBlock},
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
