// Rows of the x87.

#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/x87_shapes.h"
#include "engine/isa/x86/x87_work.h"

namespace glovebox::engine::x86 {
namespace {

// The handlers of forms with an operand of type Source in memory.
template <typename Semantic, typename Source>
constexpr AddressHandlers kArithmeticFrom =
    kGeneralHandler<X87LoadShape<Source, X87ArithmeticFromMemory<Semantic, Source>>::template Body>;
template <typename Source>
constexpr AddressHandlers kCompareWith =
    kGeneralHandler<X87LoadShape<Source, X87CompareWithMemory<Fcom, Source>>::template Body>;
template <typename Source>
constexpr AddressHandlers kLoadFrom =
    kGeneralHandler<X87LoadShape<Source, X87LoadFromMemory<Source>>::template Body>;
template <typename Destination, std::uint16_t kRounding = 0>
constexpr AddressHandlers kStoreTo = kGeneralHandler<
    X87StoreShape<Destination, X87StoreToMemory<Destination, kRounding>>::template Body>;

constexpr std::uint16_t kTruncate = 0x0C00;  // rounding control

// FADD and the like: registers, or a real in memory.
template <typename Semantic>
constexpr Lower Arithmetic = [](Emitter& emitter, const Instruction& instruction) {
  switch (IsMemory(instruction.operands[0]) ? instruction.operands[0].size : 0) {
    case 32:
      return LowerX87Memory(kArithmeticFrom<Semantic, Real32>, emitter, instruction, 0);
    case 64:
      return LowerX87Memory(kArithmeticFrom<Semantic, Real64>, emitter, instruction, 0);
    default:
      return X87Register<X87Arithmetic<Semantic>>(emitter, instruction);
  }
};

// FADDP and the like
template <typename Semantic>
constexpr Lower ArithmeticPop = X87Register<X87Arithmetic<Semantic>, 1>;

// FIADD and the like
template <typename Semantic>
constexpr Lower IntegerArithmetic = [](Emitter& emitter, const Instruction& instruction) {
  return instruction.operands[0].size == 16
             ? LowerX87Memory(kArithmeticFrom<Semantic, Integer16>, emitter, instruction, 0)
             : LowerX87Memory(kArithmeticFrom<Semantic, Integer32>, emitter, instruction, 0);
};

template <std::uint8_t kPops>
constexpr Lower Compare = [](Emitter& emitter, const Instruction& instruction) {
  switch (IsMemory(instruction.operands[0]) ? instruction.operands[0].size : 0) {
    case 32:
      return LowerX87Memory(kCompareWith<Real32>, emitter, instruction, kPops);
    case 64:
      return LowerX87Memory(kCompareWith<Real64>, emitter, instruction, kPops);
    default:
      return X87Register<X87Compare<Fcom>, kPops>(emitter, instruction);
  }
};

template <std::uint8_t kPops>
constexpr Lower IntegerCompare = [](Emitter& emitter, const Instruction& instruction) {
  return instruction.operands[0].size == 16
             ? LowerX87Memory(kCompareWith<Integer16>, emitter, instruction, kPops)
             : LowerX87Memory(kCompareWith<Integer32>, emitter, instruction, kPops);
};

constexpr Lower kLoadReal = [](Emitter& emitter, const Instruction& instruction) {
  switch (IsMemory(instruction.operands[0]) ? instruction.operands[0].size : 0) {
    case 32:
      return LowerX87Memory(kLoadFrom<Real32>, emitter, instruction, 0);
    case 64:
      return LowerX87Memory(kLoadFrom<Real64>, emitter, instruction, 0);
    case 80:
      return LowerX87Memory(kLoadFrom<Real80>, emitter, instruction, 0);
    default:
      return X87Register<X87LoadRegister>(emitter, instruction);
  }
};

constexpr Lower kLoadInteger = [](Emitter& emitter, const Instruction& instruction) {
  switch (instruction.operands[0].size) {
    case 16:
      return LowerX87Memory(kLoadFrom<Integer16>, emitter, instruction, 0);
    case 32:
      return LowerX87Memory(kLoadFrom<Integer32>, emitter, instruction, 0);
    default:
      return LowerX87Memory(kLoadFrom<Integer64>, emitter, instruction, 0);
  }
};

template <std::uint8_t kPops>
constexpr Lower StoreReal = [](Emitter& emitter, const Instruction& instruction) {
  switch (IsMemory(instruction.operands[0]) ? instruction.operands[0].size : 0) {
    case 32:
      return LowerX87Memory(kStoreTo<Real32>, emitter, instruction, kPops);
    case 64:
      return LowerX87Memory(kStoreTo<Real64>, emitter, instruction, kPops);
    case 80:
      return LowerX87Memory(kStoreTo<Real80>, emitter, instruction, kPops);
    default:
      return X87Register<X87StoreRegister, kPops>(emitter, instruction);
  }
};

template <std::uint8_t kPops, std::uint16_t kRounding = 0>
constexpr Lower StoreInteger = [](Emitter& emitter, const Instruction& instruction) {
  switch (instruction.operands[0].size) {
    case 16:
      return LowerX87Memory(kStoreTo<Integer16, kRounding>, emitter, instruction, kPops);
    case 32:
      return LowerX87Memory(kStoreTo<Integer32, kRounding>, emitter, instruction, kPops);
    default:
      return LowerX87Memory(kStoreTo<Integer64, kRounding>, emitter, instruction, kPops);
  }
};

constexpr Lower kStoreDecimal = [](Emitter& emitter, const Instruction& instruction) {
  return LowerX87Memory(kStoreTo<Decimal80>, emitter, instruction, 1);
};

constexpr Lower kLoadDecimal = [](Emitter& emitter, const Instruction& instruction) {
  return LowerX87Memory(kLoadFrom<Decimal80>, emitter, instruction, 0);
};

// Control instructions with a memory operand of one type.
template <typename Source, void (*Work)(Cpu& cpu, const Source& src)>
constexpr Lower RestoreFrom = [](Emitter& emitter, const Instruction& instruction) {
  return LowerX87Memory(kGeneralHandler<X87RestoreShape<Source, Work>::template Body>, emitter,
                        instruction, 0);
};
template <typename Image, void (*Save)(const Cpu& cpu, Image& image),
          void (*After)(X87State& state) = X87LeaveAsItIs>
constexpr Lower SaveTo = [](Emitter& emitter, const Instruction& instruction) {
  return LowerX87Memory(kGeneralHandler<X87SaveShape<Image, Save, After>::template Body>, emitter,
                        instruction, 0);
};
// One lower function or the other, by the operand size.
template <const Lower& kWords, const Lower& kDoublewords>
constexpr Lower ByOperandSize = [](Emitter& emitter, const Instruction& instruction) {
  return (instruction.decoded.operand_width == 16 ? kWords : kDoublewords)(emitter, instruction);
};
using Word = std::uint16_t;
using Doubleword = std::uint32_t;

constexpr Lower kStoreStatus = [](Emitter& emitter, const Instruction& instruction) {
  if (IsMemory(instruction.operands[0])) {
    return SaveTo<Integer16, X87SaveStatus>(emitter, instruction);
  }
  return X87Control<X87StatusToAx, X87Wait::kNo>(emitter, instruction);
};

void InitialiseWork(Cpu& cpu, const Uop&) { X87Initialise(cpu.x87); }
void FreeAndPop(Cpu& cpu, const Uop& uop) {  // undocumented, but every CPU has it
  X87Free(cpu, uop);
  X87Stack(cpu.x87).Pop(1);
}
// FSTP ST(a) of D9 D8, undocumented: an empty register is no stack fault, and not stored.
void StoreUnchecked(Cpu& cpu, const Uop& uop) {
  X87Stack stack(cpu.x87);
  stack.Record(0, kX87C1);
  if (!stack.IsEmpty(0)) stack.Set(uop.a, stack.Get(0));
  stack.Pop(1);
}
void EmptyAll(Cpu& cpu, const Uop&) {
  cpu.x87.valid = 0;
  cpu.x87.top = 0;
}

bool IsBelow(const LazyFlags& flags) { return flags.Cf(); }
bool IsEqual(const LazyFlags& flags) { return flags.Zf(); }
bool IsBelowOrEqual(const LazyFlags& flags) { return flags.Cf() || flags.Zf(); }
bool IsUnordered(const LazyFlags& flags) { return flags.Pf(); }
template <bool (*Condition)(const LazyFlags& flags)>
bool Not(const LazyFlags& flags) {
  return !Condition(flags);
}

// The manuals disagree with one another and with CPUs about C1.
constexpr Latitude kC1Undefined = {.x87_status = kX87C1};

// CPUs are wrong by up to one unit in the last place (Intel SDM vol. 1, 8.3.10), ours by half a
// one.
constexpr Latitude kTranscendental = {.x87_status = kX87C1, .approximate_bits = 62};
// And so on the one side or the other of the least normal number.
constexpr Latitude kLogarithm = {.x87_status = kX87C1 | kX87Underflow, .approximate_bits = 62};

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_FADD, Arithmetic<RangedAdd>, kMayRaise},
    {ZYDIS_MNEMONIC_FSUB, Arithmetic<RangedSubtract>, kMayRaise},
    {ZYDIS_MNEMONIC_FSUBR, Arithmetic<RangedSubtractReversed>, kMayRaise},
    {ZYDIS_MNEMONIC_FMUL, Arithmetic<RangedMultiply>, kMayRaise},
    {ZYDIS_MNEMONIC_FDIV, Arithmetic<RangedDivide>, kMayRaise},
    {ZYDIS_MNEMONIC_FDIVR, Arithmetic<RangedDivideReversed>, kMayRaise},
    {ZYDIS_MNEMONIC_FADDP, ArithmeticPop<RangedAdd>, kMayRaise},
    {ZYDIS_MNEMONIC_FSUBP, ArithmeticPop<RangedSubtract>, kMayRaise},
    {ZYDIS_MNEMONIC_FSUBRP, ArithmeticPop<RangedSubtractReversed>, kMayRaise},
    {ZYDIS_MNEMONIC_FMULP, ArithmeticPop<RangedMultiply>, kMayRaise},
    {ZYDIS_MNEMONIC_FDIVP, ArithmeticPop<RangedDivide>, kMayRaise},
    {ZYDIS_MNEMONIC_FDIVRP, ArithmeticPop<RangedDivideReversed>, kMayRaise},
    {ZYDIS_MNEMONIC_FIADD, IntegerArithmetic<RangedAdd>, kMayRaise},
    {ZYDIS_MNEMONIC_FISUB, IntegerArithmetic<RangedSubtract>, kMayRaise},
    {ZYDIS_MNEMONIC_FISUBR, IntegerArithmetic<RangedSubtractReversed>, kMayRaise},
    {ZYDIS_MNEMONIC_FIMUL, IntegerArithmetic<RangedMultiply>, kMayRaise},
    {ZYDIS_MNEMONIC_FIDIV, IntegerArithmetic<RangedDivide>, kMayRaise},
    {ZYDIS_MNEMONIC_FIDIVR, IntegerArithmetic<RangedDivideReversed>, kMayRaise},
    {ZYDIS_MNEMONIC_FSQRT, X87Register<X87Unary<Fsqrt>>, kMayRaise},
    {ZYDIS_MNEMONIC_FABS, X87Register<X87Unary<Fabs>>, kMayRaise},
    {ZYDIS_MNEMONIC_FCHS, X87Register<X87Unary<Fchs>>, kMayRaise},
    {ZYDIS_MNEMONIC_FRNDINT, X87Register<X87Unary<Frndint>>, kMayRaise},
    {ZYDIS_MNEMONIC_FSCALE, X87Register<X87Arithmetic<RangedScale>>, kMayRaise},
    {ZYDIS_MNEMONIC_FPREM, X87Register<X87Remainder<RangedRemainder<Fprem>>>, kMayRaise},
    {ZYDIS_MNEMONIC_FPREM1, X87Register<X87Remainder<RangedRemainder<Fprem1>>>, kMayRaise},
    {ZYDIS_MNEMONIC_FXTRACT, X87Register<X87Extract>, kMayRaise},
    {ZYDIS_MNEMONIC_FSIN, X87Register<X87OfAngle<Fsin>>, kMayRaise, kTranscendental},
    {ZYDIS_MNEMONIC_FCOS, X87Register<X87OfAngle<Fcos>>, kMayRaise, kTranscendental},
    {ZYDIS_MNEMONIC_FSINCOS, X87Register<X87PushOfAngle<Fsin, Fcos>>, kMayRaise, kTranscendental},
    {ZYDIS_MNEMONIC_FPTAN, X87Register<X87PushOfAngle<Fptan, OneOrNan>>, kMayRaise,
     kTranscendental},
    {ZYDIS_MNEMONIC_FPATAN, X87Register<X87OfTwo<Fpatan>>, kMayRaise, kTranscendental},
    {ZYDIS_MNEMONIC_F2XM1, X87Register<X87Unary<F2xm1>>, kMayRaise, kTranscendental},
    {ZYDIS_MNEMONIC_FYL2X, X87Register<X87OfTwo<Fyl2x>>, kMayRaise, kLogarithm},
    {ZYDIS_MNEMONIC_FYL2XP1, X87Register<X87OfTwo<Fyl2xp1>>, kMayRaise, kLogarithm},

    {ZYDIS_MNEMONIC_FCOM, Compare<0>, kMayRaise},
    {ZYDIS_MNEMONIC_FCOMP, Compare<1>, kMayRaise},
    {ZYDIS_MNEMONIC_FCOMPP, X87Register<X87Compare<Fcom>, 2>, kMayRaise},
    {ZYDIS_MNEMONIC_FUCOM, X87Register<X87Compare<Fucom>>, kMayRaise},
    {ZYDIS_MNEMONIC_FUCOMP, X87Register<X87Compare<Fucom>, 1>, kMayRaise},
    {ZYDIS_MNEMONIC_FUCOMPP, X87Register<X87Compare<Fucom>, 2>, kMayRaise},
    {ZYDIS_MNEMONIC_FICOM, IntegerCompare<0>, kMayRaise},
    {ZYDIS_MNEMONIC_FICOMP, IntegerCompare<1>, kMayRaise},
    {ZYDIS_MNEMONIC_FCOMI, X87Register<X87CompareToFlags<Fcom>>, kMayRaise | kMayKeepFlags,
     kC1Undefined},
    {ZYDIS_MNEMONIC_FCOMIP, X87Register<X87CompareToFlags<Fcom>, 1>, kMayRaise | kMayKeepFlags,
     kC1Undefined},
    {ZYDIS_MNEMONIC_FUCOMI, X87Register<X87CompareToFlags<Fucom>>, kMayRaise | kMayKeepFlags,
     kC1Undefined},
    {ZYDIS_MNEMONIC_FUCOMIP, X87Register<X87CompareToFlags<Fucom>, 1>, kMayRaise | kMayKeepFlags,
     kC1Undefined},
    {ZYDIS_MNEMONIC_FTST, X87Register<X87CompareWithZero>, kMayRaise},
    {ZYDIS_MNEMONIC_FXAM, X87Register<X87Examine>, kMayRaise},

    {ZYDIS_MNEMONIC_FLD, kLoadReal, kMayRaise},
    {ZYDIS_MNEMONIC_FILD, kLoadInteger, kMayRaise},
    {ZYDIS_MNEMONIC_FBLD, kLoadDecimal, kMayRaise},
    {ZYDIS_MNEMONIC_FST, StoreReal<0>, kMayRaise},
    {ZYDIS_MNEMONIC_FSTP, StoreReal<1>, kMayRaise},
    {ZYDIS_MNEMONIC_FIST, StoreInteger<0>, kMayRaise},
    {ZYDIS_MNEMONIC_FISTP, StoreInteger<1>, kMayRaise},
    {ZYDIS_MNEMONIC_FISTTP, StoreInteger<1, kTruncate>, kMayRaise},
    {ZYDIS_MNEMONIC_FBSTP, kStoreDecimal, kMayRaise},
    {ZYDIS_MNEMONIC_FLD1, X87Register<X87LoadConstant<Fld1>>, kMayRaise},
    {ZYDIS_MNEMONIC_FLDZ, X87Register<X87LoadConstant<Fldz>>, kMayRaise},
    {ZYDIS_MNEMONIC_FLDPI, X87Register<X87LoadConstant<Fldpi>>, kMayRaise},
    {ZYDIS_MNEMONIC_FLDL2T, X87Register<X87LoadConstant<Fldl2t>>, kMayRaise},
    {ZYDIS_MNEMONIC_FLDL2E, X87Register<X87LoadConstant<Fldl2e>>, kMayRaise},
    {ZYDIS_MNEMONIC_FLDLG2, X87Register<X87LoadConstant<Fldlg2>>, kMayRaise},
    {ZYDIS_MNEMONIC_FLDLN2, X87Register<X87LoadConstant<Fldln2>>, kMayRaise},
    {ZYDIS_MNEMONIC_FXCH, X87Register<X87Exchange>, kMayRaise},
    {ZYDIS_MNEMONIC_FCMOVB, X87Register<X87Move<IsBelow>>, kMayRaise, kC1Undefined},
    {ZYDIS_MNEMONIC_FCMOVE, X87Register<X87Move<IsEqual>>, kMayRaise, kC1Undefined},
    {ZYDIS_MNEMONIC_FCMOVBE, X87Register<X87Move<IsBelowOrEqual>>, kMayRaise, kC1Undefined},
    {ZYDIS_MNEMONIC_FCMOVU, X87Register<X87Move<IsUnordered>>, kMayRaise, kC1Undefined},
    {ZYDIS_MNEMONIC_FCMOVNB, X87Register<X87Move<Not<IsBelow>>>, kMayRaise, kC1Undefined},
    {ZYDIS_MNEMONIC_FCMOVNE, X87Register<X87Move<Not<IsEqual>>>, kMayRaise, kC1Undefined},
    {ZYDIS_MNEMONIC_FCMOVNBE, X87Register<X87Move<Not<IsBelowOrEqual>>>, kMayRaise, kC1Undefined},
    {ZYDIS_MNEMONIC_FCMOVNU, X87Register<X87Move<Not<IsUnordered>>>, kMayRaise, kC1Undefined},

    {ZYDIS_MNEMONIC_FNINIT, X87Control<InitialiseWork, X87Wait::kNo>},
    {ZYDIS_MNEMONIC_FNCLEX, X87Control<X87ClearExceptions, X87Wait::kNo>},
    {ZYDIS_MNEMONIC_FFREE, X87Register<X87Free>, kMayRaise, kC1Undefined},
    {ZYDIS_MNEMONIC_FFREEP, X87Register<FreeAndPop>, kMayRaise, kC1Undefined},
    {ZYDIS_MNEMONIC_FINCSTP, X87Register<X87IncrementTop>, kMayRaise},
    {ZYDIS_MNEMONIC_FDECSTP, X87Register<X87DecrementTop>, kMayRaise},
    {ZYDIS_MNEMONIC_FNOP, X87Register<X87Nothing>, kMayRaise},
    {ZYDIS_MNEMONIC_FWAIT, X87Control<X87Nothing>, kMayRaise},
    // Of the 8087 and the 287 alone; nothing since the 387.
    {ZYDIS_MNEMONIC_FENI8087_NOP, X87Control<X87Nothing, X87Wait::kNo>},
    {ZYDIS_MNEMONIC_FDISI8087_NOP, X87Control<X87Nothing, X87Wait::kNo>},
    {ZYDIS_MNEMONIC_FSETPM287_NOP, X87Control<X87Nothing, X87Wait::kNo>},
    {ZYDIS_MNEMONIC_FSTPNCE, X87Register<StoreUnchecked>, kMayRaise},
    {ZYDIS_MNEMONIC_EMMS, X87Control<EmptyAll>, kMayRaise},
    {ZYDIS_MNEMONIC_FLDCW, RestoreFrom<Integer16, X87LoadControl>},
    {ZYDIS_MNEMONIC_FNSTCW, SaveTo<Integer16, X87SaveControl>},
    {ZYDIS_MNEMONIC_FNSTSW, kStoreStatus},
    {ZYDIS_MNEMONIC_FLDENV,
     ByOperandSize<RestoreFrom<X87Environment<Word>, X87LoadEnvironment<Word>>,
                   RestoreFrom<X87Environment<Doubleword>, X87LoadEnvironment<Doubleword>>>},
    {ZYDIS_MNEMONIC_FNSTENV,
     ByOperandSize<SaveTo<X87Environment<Word>, X87SaveEnvironment<Word>, X87MaskAll>,
                   SaveTo<X87Environment<Doubleword>, X87SaveEnvironment<Doubleword>, X87MaskAll>>},
    {ZYDIS_MNEMONIC_FRSTOR,
     ByOperandSize<RestoreFrom<X87Image<Word>, X87LoadAll<Word>>,
                   RestoreFrom<X87Image<Doubleword>, X87LoadAll<Doubleword>>>},
    {ZYDIS_MNEMONIC_FNSAVE,
     ByOperandSize<SaveTo<X87Image<Word>, X87SaveAll<Word>, X87Initialise>,
                   SaveTo<X87Image<Doubleword>, X87SaveAll<Doubleword>, X87Initialise>>},
};

}  // namespace

std::span<const InstructionRow> X87Rows() { return kRows; }

}  // namespace glovebox::engine::x86
