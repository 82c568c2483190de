// Moves, conversions between widths, the stack, exchanges.
#include "engine/isa/x86/exchange.h"
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/move.h"
#include "engine/isa/x86/selector.h"
#include "engine/isa/x86/shapes.h"
#include "engine/isa/x86/shift.h"
#include "engine/isa/x86/stack.h"

namespace glovebox::engine::x86 {
namespace {

// --- Accumulator conversions: Intel SDM vol. 2A, CBW/CWDE/CDQE and CWD/CDQ/CQO ---

template <typename From, typename To>
struct ExtendAccumulator {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    WriteGpr<To>(c.cpu, kRax * 8, SignExtend::Apply<To>(ReadGpr<From>(c.cpu, kRax * 8)));
    return c.Next();
  }
};
template <typename W>
struct SignToData {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const bool negative = SignBit(ReadGpr<W>(c.cpu, kRax * 8));
    WriteGpr<W>(c.cpu, kRdx * 8, static_cast<W>(negative ? ~W{0} : W{0}));
    return c.Next();
  }
};

// --- LAHF, SAHF: SF ZF AF PF CF in AH ---

constexpr std::uint64_t kAhFlags = kCf | kPf | kAf | kZf | kSf;

struct LoadFlagsToAh {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const std::uint64_t flags = (c.cpu.lazy.Materialise() & kAhFlags) | kReservedOne;
    WriteGpr<std::uint8_t>(c.cpu, 1, static_cast<std::uint8_t>(flags));
    return c.Next();
  }
};
struct StoreAhToFlags {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const std::uint64_t of = FlagIf(c.cpu.lazy.Of(), kOf);
    c.cpu.lazy.Set((ReadGpr<std::uint8_t>(c.cpu, 1) & kAhFlags) | of);
    return c.Next();
  }
};

// XLAT: AL from [RBX + AL] (Intel SDM vol. 2D). Zydis' operand has AL as its index.
template <typename Address>
struct Translate {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const GuestAddr offset = c.cpu.gpr[kRbx] + ReadGpr<std::uint8_t>(c.cpu, kRax * 8);
    std::uint8_t value;
    if (!c.Load(Address::Linear(c, Address::Cut(c, offset)), value)) [[unlikely]] {
      return c.Missed();
    }
    WriteGpr(c.cpu, kRax * 8, value);
    return c.template Next<Address::kUnits>();
  }
};
bool LowerTranslate(Emitter& emitter, const Instruction& in) {
  for (const ZydisDecodedOperand& operand : in.operands) {
    if (!IsMemory(operand)) continue;
    emitter.EmitMemory(kGeneralHandler<Translate>, in, operand, 0);
    return true;
  }
  return false;
}

// --- ENTER, LEAVE ---

template <typename W, typename S>
struct LeaveFrame {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const S frame = ReadGpr<S>(c.cpu, kRbp * 8);
    W value;
    if (!c.Load(frame, value)) [[unlikely]]
      return c.Missed();
    SetStackTop<S>(c.cpu, frame + sizeof(W));
    WriteGpr<W>(c.cpu, kRbp * 8, value);
    return c.Next();
  }
};
bool LowerLeave(Emitter& emitter, const Instruction& in) {
  return ForStack(in, [&]<typename W, typename S>(W, S) {
    emitter.Emit(kHandler<LeaveFrame<W, S>>, {});
    return true;
  });
}

// imm: bytes of the frame; a: nesting level, 0 to 31. Everything is asked for first, in the order
// of hardware; what that has pushed before a fault is pushed where the fault is seen
// (memory_access.h).
template <typename W, typename S>
struct EnterFrame {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const unsigned level = c.uop->a;
    const S old_top = StackTop<S>(c.cpu);
    const S old_frame = ReadGpr<S>(c.cpu, kRbp * 8);
    const auto below = [](S from, unsigned i) -> GuestAddr {
      return static_cast<S>(from - sizeof(W) * i);
    };
    for (unsigned i = 0; i <= level; ++i) {
      W link;
      if (i != 0 && i != level && !c.Load(below(old_frame, i), link)) [[unlikely]]
        return c.Missed();
      if (!c.Writable(below(old_top, i + 1), sizeof(W))) [[unlikely]]
        return c.Missed();
    }
    const auto top =
        static_cast<S>(below(old_top, level + 1) - static_cast<std::uint32_t>(c.uop->imm));
    if (!c.Writable(top, sizeof(W))) [[unlikely]]  // as the SDM has it, although nothing is written
      return c.Missed();
    const auto frame = static_cast<S>(below(old_top, 1));
    c.template Commit<W>(frame, static_cast<W>(old_frame));
    for (unsigned i = 1; i < level; ++i) {
      c.template Commit<W>(below(frame, i), c.template At<W>(below(old_frame, i)));
    }
    if (level > 0) c.template Commit<W>(below(frame, level), static_cast<W>(frame));
    WriteGpr<W>(c.cpu, kRbp * 8, static_cast<W>(frame));
    SetStackTop<S>(c.cpu, top);
    return c.Next();
  }
};
bool LowerEnter(Emitter& emitter, const Instruction& in) {
  return ForStack(in, [&]<typename W, typename S>(W, S) {
    emitter.Emit(kHandler<EnterFrame<W, S>>,
                 {.imm = static_cast<std::int32_t>(ImmediateOf(in.operands[0]) & 0xffff),
                  .a = static_cast<std::uint8_t>(ImmediateOf(in.operands[1]) & 31)});
    return true;
  });
}

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_MOV, Move},
    {ZYDIS_MNEMONIC_MOVZX, Convert<ZeroExtend>},
    {ZYDIS_MNEMONIC_MOVSX, Convert<SignExtend>},
    {ZYDIS_MNEMONIC_MOVSXD, Convert<SignExtend>},
    {ZYDIS_MNEMONIC_LEA, Lea},
    {ZYDIS_MNEMONIC_XCHG, RegisterAndAny<ExchangeBodies>},
    {ZYDIS_MNEMONIC_XADD, LowerExchangeAdd},
    {ZYDIS_MNEMONIC_CMPXCHG, LowerCompareExchange},
    {ZYDIS_MNEMONIC_CMPXCHG8B, CompareExchangePair<std::uint32_t>},
    {ZYDIS_MNEMONIC_CMPXCHG16B, CompareExchangePair<std::uint64_t>},
    {ZYDIS_MNEMONIC_CBW, Plain<ExtendAccumulator<std::uint8_t, std::uint16_t>>},
    {ZYDIS_MNEMONIC_CWDE, Plain<ExtendAccumulator<std::uint16_t, std::uint32_t>>},
    {ZYDIS_MNEMONIC_CDQE, Plain<ExtendAccumulator<std::uint32_t, std::uint64_t>>},
    {ZYDIS_MNEMONIC_CWD, Plain<SignToData<std::uint16_t>>},
    {ZYDIS_MNEMONIC_CDQ, Plain<SignToData<std::uint32_t>>},
    {ZYDIS_MNEMONIC_CQO, Plain<SignToData<std::uint64_t>>},
    {ZYDIS_MNEMONIC_LAHF, Plain<LoadFlagsToAh>},
    {ZYDIS_MNEMONIC_SAHF, Plain<StoreAhToFlags>},
    {ZYDIS_MNEMONIC_XLAT, LowerTranslate},
    {ZYDIS_MNEMONIC_PUSH, LowerPush},
    {ZYDIS_MNEMONIC_POP, LowerPop},
    {ZYDIS_MNEMONIC_LEAVE, LowerLeave},
    {ZYDIS_MNEMONIC_ENTER, LowerEnter},
    {ZYDIS_MNEMONIC_CMOVO, ConditionalMove<kO>},
    {ZYDIS_MNEMONIC_CMOVNO, ConditionalMove<kNO>},
    {ZYDIS_MNEMONIC_CMOVB, ConditionalMove<kB>},
    {ZYDIS_MNEMONIC_CMOVNB, ConditionalMove<kNB>},
    {ZYDIS_MNEMONIC_CMOVZ, ConditionalMove<kZ>},
    {ZYDIS_MNEMONIC_CMOVNZ, ConditionalMove<kNZ>},
    {ZYDIS_MNEMONIC_CMOVBE, ConditionalMove<kBE>},
    {ZYDIS_MNEMONIC_CMOVNBE, ConditionalMove<kNBE>},
    {ZYDIS_MNEMONIC_CMOVS, ConditionalMove<kS>},
    {ZYDIS_MNEMONIC_CMOVNS, ConditionalMove<kNS>},
    {ZYDIS_MNEMONIC_CMOVP, ConditionalMove<kP>},
    {ZYDIS_MNEMONIC_CMOVNP, ConditionalMove<kNP>},
    {ZYDIS_MNEMONIC_CMOVL, ConditionalMove<kL>},
    {ZYDIS_MNEMONIC_CMOVNL, ConditionalMove<kNL>},
    {ZYDIS_MNEMONIC_CMOVLE, ConditionalMove<kLE>},
    {ZYDIS_MNEMONIC_CMOVNLE, ConditionalMove<kNLE>},
    {ZYDIS_MNEMONIC_SETO, SetByte<kO>},
    {ZYDIS_MNEMONIC_SETNO, SetByte<kNO>},
    {ZYDIS_MNEMONIC_SETB, SetByte<kB>},
    {ZYDIS_MNEMONIC_SETNB, SetByte<kNB>},
    {ZYDIS_MNEMONIC_SETZ, SetByte<kZ>},
    {ZYDIS_MNEMONIC_SETNZ, SetByte<kNZ>},
    {ZYDIS_MNEMONIC_SETBE, SetByte<kBE>},
    {ZYDIS_MNEMONIC_SETNBE, SetByte<kNBE>},
    {ZYDIS_MNEMONIC_SETS, SetByte<kS>},
    {ZYDIS_MNEMONIC_SETNS, SetByte<kNS>},
    {ZYDIS_MNEMONIC_SETP, SetByte<kP>},
    {ZYDIS_MNEMONIC_SETNP, SetByte<kNP>},
    {ZYDIS_MNEMONIC_SETL, SetByte<kL>},
    {ZYDIS_MNEMONIC_SETNL, SetByte<kNL>},
    {ZYDIS_MNEMONIC_SETLE, SetByte<kLE>},
    {ZYDIS_MNEMONIC_SETNLE, SetByte<kNLE>},
};

}  // namespace

bool Move(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& to = in.operands[0];
  const ZydisDecodedOperand& from = in.operands[1];
  if (IsSegmentRegister(from)) return LowerReadSelector(emitter, in);
  if (IsSegmentRegister(to)) return LowerLoadSelector(emitter, in);
  const auto is_general = [](const ZydisDecodedOperand& operand) {
    if (!IsRegister(operand)) return true;
    const ZydisRegisterClass kind = ZydisRegisterGetClass(operand.reg.value);
    return kind >= ZYDIS_REGCLASS_GPR8 && kind <= ZYDIS_REGCLASS_GPR64;
  };
  if (!is_general(to) || !is_general(from)) return false;
  return ForWidth(to.size, [&]<typename W>(W) {
    using Bodies = MoveBodies<W>;
    if (IsMemory(to)) {
      if (IsImmediate(from)) {
        emitter.EmitMemoryImmediate(kImmediateHandlers<Bodies::template MemoryImmediate>, in, to, 0,
                                    ImmediateOf(from));
      } else {
        emitter.EmitMemory(kAddressHandlers<Bodies::template MemoryRegister>, in, to,
                           GprSlot(from.reg.value));
      }
      return true;
    }
    const std::uint8_t slot = GprSlot(to.reg.value);
    if (IsMemory(from)) {
      emitter.EmitMemory(kAddressHandlers<Bodies::template RegisterMemory>, in, from, slot);
    } else if (IsRegister(from)) {
      emitter.Emit(kHandler<typename Bodies::RegisterRegister>,
                   {.a = slot, .b = GprSlot(from.reg.value)});
    } else {
      const std::uint64_t value = ImmediateOf(from);
      const auto narrow = static_cast<std::int32_t>(value);
      if (sizeof(W) < 8 || static_cast<std::uint64_t>(std::int64_t{narrow}) == value) {
        emitter.Emit(kHandler<typename Bodies::RegisterImmediate>, {.imm = narrow, .a = slot});
      } else {
        emitter.Emit(kHandler<typename Bodies::RegisterWide>, {.a = slot}, Wide{0, value});
      }
    }
    return true;
  });
}

bool LowerPush(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& operand = in.operands[0];
  if (IsSegmentRegister(operand)) return LowerPushSelector(emitter, in);
  return ForStack(in, [&]<typename W, typename S>(W, S) {
    using Bodies = PushBodies<W, S>;
    if (IsImmediate(operand)) {
      emitter.Emit(kHandler<typename Bodies::Immediate>,
                   {.imm = static_cast<std::int32_t>(ImmediateOf(operand))});
    } else if (IsMemory(operand)) {
      emitter.EmitMemory(kGeneralHandler<Bodies::template Memory>, in, operand, 0);
    } else {
      emitter.Emit(kHandler<typename Bodies::Register>, {.a = GprSlot(operand.reg.value)});
    }
    return true;
  });
}

bool LowerPop(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& operand = in.operands[0];
  if (IsSegmentRegister(operand)) return LowerPopSelector(emitter, in);
  return ForStack(in, [&]<typename W, typename S>(W, S) {
    using Bodies = PopBodies<W, S>;
    if (IsMemory(operand)) {
      emitter.EmitMemory(kGeneralHandler<Bodies::template Memory>, in, operand, 0);
    } else {
      emitter.Emit(kHandler<typename Bodies::Register>, {.a = GprSlot(operand.reg.value)});
    }
    return true;
  });
}

std::span<const InstructionRow> MoveRows() { return kRows; }

}  // namespace glovebox::engine::x86
