// Rows of MMX, SSE and SSE2.

#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/mmx.h"
#include "engine/isa/x86/packed.h"
#include "engine/isa/x86/sse_approximate.h"
#include "engine/isa/x86/sse_control.h"
#include "engine/isa/x86/sse_float.h"
#include "engine/isa/x86/sse_move.h"
#include "engine/isa/x86/sse_shapes.h"
#include "engine/isa/x86/sse_shuffle.h"

namespace glovebox::engine::x86 {
namespace {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s8 = std::int8_t;
using s16 = std::int16_t;
using s32 = std::int32_t;

// MOVD, MOVQ
template <typename Word>
constexpr Lower WordMoveOrMmx = [](Emitter& emitter, const Instruction& instruction) {
  const auto& [dst, src] = std::tie(instruction.operands[0], instruction.operands[1]);
  if (IsMm(dst)) {
    if (IsMm(src)) return LowerMmxMove<MmToMm>(emitter, instruction);
    if (IsGpr(src)) return LowerMmxMove<GprToMm<Word>>(emitter, instruction);
    return MmSource<MmxLoad<Word, TakeLoaded<Word>>, Word>::Lower(emitter, instruction,
                                                                  VectorIndex(dst.reg.value));
  }
  if (!IsMm(src)) return WordMove<Word>(emitter, instruction);
  if (IsGpr(dst)) return LowerMmxMove<MmToGpr<Word>>(emitter, instruction);
  return MmxStore<Word>::Lower(emitter, instruction);
};

constexpr Lower kByteSigns = [](Emitter& emitter, const Instruction& instruction) {
  return IsMm(instruction.operands[1]) ? LowerMmxMove<MmSigns>(emitter, instruction)
                                       : ToGpr<SignMask<u8>>(emitter, instruction);
};

constexpr Lower kInsertWord = [](Emitter& emitter, const Instruction& instruction) {
  const auto& [dst, src] = std::tie(instruction.operands[0], instruction.operands[1]);
  if (!IsMm(dst)) return Insert<InsertLane, u16>(emitter, instruction);
  if (IsGpr(src)) return LowerMmxMove<MmInsertWord>(emitter, instruction);
  return MmSource<MmxLoad<u16, InsertLoaded>, u16, true>::Lower(emitter, instruction,
                                                                VectorIndex(dst.reg.value));
};

constexpr Lower kExtractWord = [](Emitter& emitter, const Instruction& instruction) {
  return IsMm(instruction.operands[1]) ? LowerMmxMove<MmExtractWord>(emitter, instruction)
                                       : Extract<ExtractLane, u16>(emitter, instruction);
};

constexpr Lower kMaskedMmxStore = [](Emitter& emitter, const Instruction& instruction) {
  const auto& [src, mask, memory] =
      std::tie(instruction.operands[0], instruction.operands[1], instruction.operands[2]);
  emitter.EmitMemory(kGeneralHandler<MmxMaskedStore>, instruction, memory,
                     VectorIndex(src.reg.value), VectorIndex(mask.reg.value));
  return true;
};

// Intel SDM vol. 2B, RCPPS: a relative error of at most 1.5 * 2^-12, of either CPU.
constexpr Latitude kApproximate = {.approximate_bits = 10};

constexpr InstructionRow kRows[] = {
    // Moves. The second argument of a partial move is what a load does.
    {ZYDIS_MNEMONIC_MOVAPS, WholeMove<true>},
    {ZYDIS_MNEMONIC_MOVAPD, WholeMove<true>},
    {ZYDIS_MNEMONIC_MOVDQA, WholeMove<true>},
    {ZYDIS_MNEMONIC_MOVUPS, WholeMove<false>},
    {ZYDIS_MNEMONIC_MOVUPD, WholeMove<false>},
    {ZYDIS_MNEMONIC_MOVDQU, WholeMove<false>},
    {ZYDIS_MNEMONIC_MOVNTPS, WholeMove<true>},
    {ZYDIS_MNEMONIC_MOVNTPD, WholeMove<true>},
    {ZYDIS_MNEMONIC_MOVNTDQ, WholeMove<true>},
    {ZYDIS_MNEMONIC_MOVSS, VectorMove<Packed<MergeLow, u32>, TakeSource, u32>},
    {ZYDIS_MNEMONIC_MOVSD, VectorMove<Packed<MergeLow, u64>, TakeSource, u64>},
    {ZYDIS_MNEMONIC_MOVLPS, VectorMove<ReplaceLowQuad, ReplaceLowQuad, u64>},
    {ZYDIS_MNEMONIC_MOVLPD, VectorMove<ReplaceLowQuad, ReplaceLowQuad, u64>},
    {ZYDIS_MNEMONIC_MOVHPS, VectorMove<ReplaceHighQuad, ReplaceHighQuad, u64, 1>},
    {ZYDIS_MNEMONIC_MOVHPD, VectorMove<ReplaceHighQuad, ReplaceHighQuad, u64, 1>},
    {ZYDIS_MNEMONIC_MOVHLPS, Vector<MoveHighToLow>},
    {ZYDIS_MNEMONIC_MOVLHPS, Vector<MoveLowToHigh>},
    {ZYDIS_MNEMONIC_MOVD, WordMoveOrMmx<u32>},
    {ZYDIS_MNEMONIC_MOVQ, WordMoveOrMmx<u64>},
    {ZYDIS_MNEMONIC_MOVNTI, &StoreWordShape::Lower},
    {ZYDIS_MNEMONIC_MASKMOVDQU, &MaskedStoreShape::Lower},
    {ZYDIS_MNEMONIC_MOVMSKPS, ToGpr<SignMask<u32>>},
    {ZYDIS_MNEMONIC_MOVMSKPD, ToGpr<SignMask<u64>>},
    {ZYDIS_MNEMONIC_PMOVMSKB, kByteSigns},

    // Floating point. Scalar forms read a lane's worth of memory.
    {ZYDIS_MNEMONIC_ADDPS, Vector<AddPs>, kMayRaise},
    {ZYDIS_MNEMONIC_ADDPD, Vector<AddPd>, kMayRaise},
    {ZYDIS_MNEMONIC_ADDSS, Vector<AddSs, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_ADDSD, Vector<AddSd, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_SUBPS, Vector<SubPs>, kMayRaise},
    {ZYDIS_MNEMONIC_SUBPD, Vector<SubPd>, kMayRaise},
    {ZYDIS_MNEMONIC_SUBSS, Vector<SubSs, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_SUBSD, Vector<SubSd, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_MULPS, Vector<MulPs>, kMayRaise},
    {ZYDIS_MNEMONIC_MULPD, Vector<MulPd>, kMayRaise},
    {ZYDIS_MNEMONIC_MULSS, Vector<MulSs, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_MULSD, Vector<MulSd, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_DIVPS, Vector<DivPs>, kMayRaise},
    {ZYDIS_MNEMONIC_DIVPD, Vector<DivPd>, kMayRaise},
    {ZYDIS_MNEMONIC_DIVSS, Vector<DivSs, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_DIVSD, Vector<DivSd, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_MINPS, Vector<MinPs>, kMayRaise},
    {ZYDIS_MNEMONIC_MINPD, Vector<MinPd>, kMayRaise},
    {ZYDIS_MNEMONIC_MINSS, Vector<MinSs, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_MINSD, Vector<MinSd, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_MAXPS, Vector<MaxPs>, kMayRaise},
    {ZYDIS_MNEMONIC_MAXPD, Vector<MaxPd>, kMayRaise},
    {ZYDIS_MNEMONIC_MAXSS, Vector<MaxSs, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_MAXSD, Vector<MaxSd, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_SQRTPS, Vector<SqrtPs>, kMayRaise},
    {ZYDIS_MNEMONIC_SQRTPD, Vector<SqrtPd>, kMayRaise},
    {ZYDIS_MNEMONIC_SQRTSS, Vector<SqrtSs, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_SQRTSD, Vector<SqrtSd, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_RCPPS, Vector<ApproximatePacked<Reciprocal>>, kNoTraits, kApproximate},
    {ZYDIS_MNEMONIC_RCPSS, Vector<ApproximateScalar<Reciprocal>, u32>, kNoTraits, kApproximate},
    {ZYDIS_MNEMONIC_RSQRTPS, Vector<ApproximatePacked<ReciprocalSquareRoot>>, kNoTraits,
     kApproximate},
    {ZYDIS_MNEMONIC_RSQRTSS, Vector<ApproximateScalar<ReciprocalSquareRoot>, u32>, kNoTraits,
     kApproximate},
    {ZYDIS_MNEMONIC_CMPPS, VectorImmediate<ComparePs>, kMayRaise},
    {ZYDIS_MNEMONIC_CMPPD, VectorImmediate<ComparePd>, kMayRaise},
    {ZYDIS_MNEMONIC_CMPSS, VectorImmediate<CompareSs, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_CMPSD, VectorImmediate<CompareSd, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_COMISS, Order<OrderSs, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_COMISD, Order<OrderSd, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_UCOMISS, Order<UnorderedSs, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_UCOMISD, Order<UnorderedSd, u64>, kMayRaise},

    // Conversions.
    {ZYDIS_MNEMONIC_CVTPS2PD, Vector<CvtPs2Pd, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTPD2PS, Vector<CvtPd2Ps>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTSS2SD, Vector<CvtSs2Sd, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTSD2SS, Vector<CvtSd2Ss, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTDQ2PS, Vector<CvtDq2Ps>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTDQ2PD, Vector<CvtDq2Pd, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTPS2DQ, Vector<CvtPs2Dq>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTPD2DQ, Vector<CvtPd2Dq>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTTPS2DQ, Vector<CvttPs2Dq>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTTPD2DQ, Vector<CvttPd2Dq>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTSI2SS, FromGpr<CvtSi2Ss>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTSI2SD, FromGpr<CvtSi2Sd>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTSS2SI, ToGpr<CvtSs2Si, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTTSS2SI, ToGpr<CvttSs2Si, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTSD2SI, ToGpr<CvtSd2Si, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_CVTTSD2SI, ToGpr<CvttSd2Si, u64>, kMayRaise},

    // Bits.
    {ZYDIS_MNEMONIC_PAND, VectorOrMmx<BitwiseAnd>},
    {ZYDIS_MNEMONIC_ANDPS, Vector<BitwiseAnd>},
    {ZYDIS_MNEMONIC_ANDPD, Vector<BitwiseAnd>},
    {ZYDIS_MNEMONIC_PANDN, VectorOrMmx<BitwiseAndNot>},
    {ZYDIS_MNEMONIC_ANDNPS, Vector<BitwiseAndNot>},
    {ZYDIS_MNEMONIC_ANDNPD, Vector<BitwiseAndNot>},
    {ZYDIS_MNEMONIC_POR, VectorOrMmx<BitwiseOr>},
    {ZYDIS_MNEMONIC_ORPS, Vector<BitwiseOr>},
    {ZYDIS_MNEMONIC_ORPD, Vector<BitwiseOr>},
    {ZYDIS_MNEMONIC_PXOR, VectorOrMmx<BitwiseXor>},
    {ZYDIS_MNEMONIC_XORPS, Vector<BitwiseXor>},
    {ZYDIS_MNEMONIC_XORPD, Vector<BitwiseXor>},

    // Integer lanes.
    {ZYDIS_MNEMONIC_PADDB, VectorOrMmx<Packed<PackedAdd, u8>>},
    {ZYDIS_MNEMONIC_PADDW, VectorOrMmx<Packed<PackedAdd, u16>>},
    {ZYDIS_MNEMONIC_PADDD, VectorOrMmx<Packed<PackedAdd, u32>>},
    {ZYDIS_MNEMONIC_PADDQ, VectorOrMmx<Packed<PackedAdd, u64>>},
    {ZYDIS_MNEMONIC_PSUBB, VectorOrMmx<Packed<PackedSubtract, u8>>},
    {ZYDIS_MNEMONIC_PSUBW, VectorOrMmx<Packed<PackedSubtract, u16>>},
    {ZYDIS_MNEMONIC_PSUBD, VectorOrMmx<Packed<PackedSubtract, u32>>},
    {ZYDIS_MNEMONIC_PSUBQ, VectorOrMmx<Packed<PackedSubtract, u64>>},
    {ZYDIS_MNEMONIC_PADDSB, VectorOrMmx<Packed<PackedAddSaturated, s8>>},
    {ZYDIS_MNEMONIC_PADDSW, VectorOrMmx<Packed<PackedAddSaturated, s16>>},
    {ZYDIS_MNEMONIC_PADDUSB, VectorOrMmx<Packed<PackedAddSaturated, u8>>},
    {ZYDIS_MNEMONIC_PADDUSW, VectorOrMmx<Packed<PackedAddSaturated, u16>>},
    {ZYDIS_MNEMONIC_PSUBSB, VectorOrMmx<Packed<PackedSubtractSaturated, s8>>},
    {ZYDIS_MNEMONIC_PSUBSW, VectorOrMmx<Packed<PackedSubtractSaturated, s16>>},
    {ZYDIS_MNEMONIC_PSUBUSB, VectorOrMmx<Packed<PackedSubtractSaturated, u8>>},
    {ZYDIS_MNEMONIC_PSUBUSW, VectorOrMmx<Packed<PackedSubtractSaturated, u16>>},
    {ZYDIS_MNEMONIC_PMULLW, VectorOrMmx<Packed<PackedMultiplyLow, u16>>},
    {ZYDIS_MNEMONIC_PMULHW, VectorOrMmx<Packed<PackedMultiplyHigh, s16>>},
    {ZYDIS_MNEMONIC_PMULHUW, VectorOrMmx<Packed<PackedMultiplyHigh, u16>>},
    {ZYDIS_MNEMONIC_PMULUDQ, VectorOrMmx<Packed<PackedMultiplyEven, u32>>},
    {ZYDIS_MNEMONIC_PMADDWD, VectorOrMmx<PackedMultiplyAdd>},
    {ZYDIS_MNEMONIC_PSADBW, VectorOrMmx<PackedSumOfDifferences>},
    {ZYDIS_MNEMONIC_PAVGB, VectorOrMmx<Packed<PackedAverage, u8>>},
    {ZYDIS_MNEMONIC_PAVGW, VectorOrMmx<Packed<PackedAverage, u16>>},
    {ZYDIS_MNEMONIC_PMINUB, VectorOrMmx<Packed<PackedMinimum, u8>>},
    {ZYDIS_MNEMONIC_PMINSW, VectorOrMmx<Packed<PackedMinimum, s16>>},
    {ZYDIS_MNEMONIC_PMAXUB, VectorOrMmx<Packed<PackedMaximum, u8>>},
    {ZYDIS_MNEMONIC_PMAXSW, VectorOrMmx<Packed<PackedMaximum, s16>>},
    {ZYDIS_MNEMONIC_PCMPEQB, VectorOrMmx<Packed<PackedEqual, u8>>},
    {ZYDIS_MNEMONIC_PCMPEQW, VectorOrMmx<Packed<PackedEqual, u16>>},
    {ZYDIS_MNEMONIC_PCMPEQD, VectorOrMmx<Packed<PackedEqual, u32>>},
    {ZYDIS_MNEMONIC_PCMPGTB, VectorOrMmx<Packed<PackedGreater, s8>>},
    {ZYDIS_MNEMONIC_PCMPGTW, VectorOrMmx<Packed<PackedGreater, s16>>},
    {ZYDIS_MNEMONIC_PCMPGTD, VectorOrMmx<Packed<PackedGreater, s32>>},
    {ZYDIS_MNEMONIC_PSLLW, ShiftOrMmx<Packed<PackedShiftLeft, u16>>},
    {ZYDIS_MNEMONIC_PSLLD, ShiftOrMmx<Packed<PackedShiftLeft, u32>>},
    {ZYDIS_MNEMONIC_PSLLQ, ShiftOrMmx<Packed<PackedShiftLeft, u64>>},
    {ZYDIS_MNEMONIC_PSRLW, ShiftOrMmx<Packed<PackedShiftRight, u16>>},
    {ZYDIS_MNEMONIC_PSRLD, ShiftOrMmx<Packed<PackedShiftRight, u32>>},
    {ZYDIS_MNEMONIC_PSRLQ, ShiftOrMmx<Packed<PackedShiftRight, u64>>},
    {ZYDIS_MNEMONIC_PSRAW, ShiftOrMmx<Packed<PackedShiftRight, s16>>},
    {ZYDIS_MNEMONIC_PSRAD, ShiftOrMmx<Packed<PackedShiftRight, s32>>},
    {ZYDIS_MNEMONIC_PSLLDQ, ByImmediate<ShiftBytesLeft>},
    {ZYDIS_MNEMONIC_PSRLDQ, ByImmediate<ShiftBytesRight>},

    // Of MMX alone, or between mm and xmm.
    {ZYDIS_MNEMONIC_PSHUFW, &MmxShuffleShape::Lower},
    {ZYDIS_MNEMONIC_MOVNTQ, &MmxStore<u64>::Lower},
    {ZYDIS_MNEMONIC_MASKMOVQ, kMaskedMmxStore},
    {ZYDIS_MNEMONIC_MOVDQ2Q, &LowerMmxMove<XmmToMm>},
    {ZYDIS_MNEMONIC_MOVQ2DQ, &LowerMmxMove<MmToXmm>},
    {ZYDIS_MNEMONIC_CVTPI2PS, &FromMmxShape<CvtDq2Ps, true>::Lower, kMayRaise},
    {ZYDIS_MNEMONIC_CVTPI2PD, &FromMmxShape<CvtDq2Pd, false>::Lower, kMayRaise},
    {ZYDIS_MNEMONIC_CVTPS2PI, &ToMmxShape<CvtPs2Dq, u64>::Lower, kMayRaise},
    {ZYDIS_MNEMONIC_CVTTPS2PI, &ToMmxShape<CvttPs2Dq, u64>::Lower, kMayRaise},
    {ZYDIS_MNEMONIC_CVTPD2PI, &ToMmxShape<CvtPd2Dq, Xmm>::Lower, kMayRaise},
    {ZYDIS_MNEMONIC_CVTTPD2PI, &ToMmxShape<CvttPd2Dq, Xmm>::Lower, kMayRaise},

    // Order of lanes.
    {ZYDIS_MNEMONIC_PACKSSWB, VectorOrMmx<Packed<PackSaturated, s8>>},
    {ZYDIS_MNEMONIC_PACKUSWB, VectorOrMmx<Packed<PackSaturated, u8>>},
    {ZYDIS_MNEMONIC_PACKSSDW, VectorOrMmx<Packed<PackSaturated, s16>>},
    {ZYDIS_MNEMONIC_PUNPCKLBW, VectorOrMmx<Packed<UnpackLow, u8>, u32>},
    {ZYDIS_MNEMONIC_PUNPCKLWD, VectorOrMmx<Packed<UnpackLow, u16>, u32>},
    {ZYDIS_MNEMONIC_PUNPCKLDQ, VectorOrMmx<Packed<UnpackLow, u32>, u32>},
    {ZYDIS_MNEMONIC_PUNPCKLQDQ, Vector<Packed<UnpackLow, u64>>},
    {ZYDIS_MNEMONIC_UNPCKLPS, Vector<Packed<UnpackLow, u32>>},
    {ZYDIS_MNEMONIC_UNPCKLPD, Vector<Packed<UnpackLow, u64>>},
    {ZYDIS_MNEMONIC_PUNPCKHBW, VectorOrMmx<Packed<UnpackHigh, u8>>},
    {ZYDIS_MNEMONIC_PUNPCKHWD, VectorOrMmx<Packed<UnpackHigh, u16>>},
    {ZYDIS_MNEMONIC_PUNPCKHDQ, VectorOrMmx<Packed<UnpackHigh, u32>>},
    {ZYDIS_MNEMONIC_PUNPCKHQDQ, Vector<Packed<UnpackHigh, u64>>},
    {ZYDIS_MNEMONIC_UNPCKHPS, Vector<Packed<UnpackHigh, u32>>},
    {ZYDIS_MNEMONIC_UNPCKHPD, Vector<Packed<UnpackHigh, u64>>},
    {ZYDIS_MNEMONIC_PSHUFD, VectorImmediate<ShuffleDwords>},
    {ZYDIS_MNEMONIC_PSHUFLW, VectorImmediate<ShuffleWords<0>>},
    {ZYDIS_MNEMONIC_PSHUFHW, VectorImmediate<ShuffleWords<4>>},
    {ZYDIS_MNEMONIC_SHUFPS, VectorImmediate<ShufflePs>},
    {ZYDIS_MNEMONIC_SHUFPD, VectorImmediate<ShufflePd>},
    {ZYDIS_MNEMONIC_PINSRW, kInsertWord},
    {ZYDIS_MNEMONIC_PEXTRW, kExtractWord},

    // State.
    {ZYDIS_MNEMONIC_CLFLUSH, InMemory<FlushLine>},
    {ZYDIS_MNEMONIC_LDMXCSR, InMemory<LoadMxcsr>},
    {ZYDIS_MNEMONIC_STMXCSR, InMemory<StoreMxcsr>},
    {ZYDIS_MNEMONIC_FXSAVE, FxInMemory<SaveFx>},
    {ZYDIS_MNEMONIC_FXSAVE64, FxInMemory<SaveFx>},
    {ZYDIS_MNEMONIC_FXRSTOR, FxInMemory<RestoreFx>},
    {ZYDIS_MNEMONIC_FXRSTOR64, FxInMemory<RestoreFx>},
};

}  // namespace

std::span<const InstructionRow> SseRows() { return kRows; }

}  // namespace glovebox::engine::x86
