// Rows of AVX: floating point in VEX form.
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/sse4_float.h"
#include "engine/isa/x86/sse_approximate.h"
#include "engine/isa/x86/sse_float.h"
#include "engine/isa/x86/sse_shuffle.h"
#include "engine/isa/x86/vex_compare.h"
#include "engine/isa/x86/vex_dot.h"
#include "engine/isa/x86/vex_move.h"
#include "engine/isa/x86/vex_permute.h"

namespace glovebox::engine::x86 {
namespace {

using u32 = std::uint32_t;
using u64 = std::uint64_t;

// VMOVDDUP: of 128 bits only the low quadword is read.
struct DuplicateLow : PerLane<DuplicateLowQuad> {
  template <typename V>
  using Memory = std::conditional_t<std::is_same_v<V, Ymm>, Ymm, u64>;
};

// As InsertFloat (sse4_shapes.h).
constexpr Lower VexInsertFloat = [](Emitter& emitter, const Instruction& instruction) {
  if (!IsMemory(instruction.operands[2])) {
    return VexImmediate<OneLane<InsertPs>>(emitter, instruction);
  }
  Instruction first_lane = instruction;
  first_lane.operands[3].imm.value.u &= 0x3F;
  return VexImmediate<Scalar<InsertPs, u32>>(emitter, first_lane);
};

// Intel SDM vol. 2B, RCPPS: a relative error of at most 1.5 * 2^-12, of either CPU.
constexpr Latitude kApproximate = {.approximate_bits = 10};

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_VADDPS, Vex<PerLane<AddPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VADDPD, Vex<PerLane<AddPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VADDSS, Vex<Scalar<AddSs, u32>>, kMayRaise},
    {ZYDIS_MNEMONIC_VADDSD, Vex<Scalar<AddSd, u64>>, kMayRaise},
    {ZYDIS_MNEMONIC_VSUBPS, Vex<PerLane<SubPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VSUBPD, Vex<PerLane<SubPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VSUBSS, Vex<Scalar<SubSs, u32>>, kMayRaise},
    {ZYDIS_MNEMONIC_VSUBSD, Vex<Scalar<SubSd, u64>>, kMayRaise},
    {ZYDIS_MNEMONIC_VMULPS, Vex<PerLane<MulPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VMULPD, Vex<PerLane<MulPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VMULSS, Vex<Scalar<MulSs, u32>>, kMayRaise},
    {ZYDIS_MNEMONIC_VMULSD, Vex<Scalar<MulSd, u64>>, kMayRaise},
    {ZYDIS_MNEMONIC_VDIVPS, Vex<PerLane<DivPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VDIVPD, Vex<PerLane<DivPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VDIVSS, Vex<Scalar<DivSs, u32>>, kMayRaise},
    {ZYDIS_MNEMONIC_VDIVSD, Vex<Scalar<DivSd, u64>>, kMayRaise},
    {ZYDIS_MNEMONIC_VMINPS, Vex<PerLane<MinPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VMINPD, Vex<PerLane<MinPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VMINSS, Vex<Scalar<MinSs, u32>>, kMayRaise},
    {ZYDIS_MNEMONIC_VMINSD, Vex<Scalar<MinSd, u64>>, kMayRaise},
    {ZYDIS_MNEMONIC_VMAXPS, Vex<PerLane<MaxPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VMAXPD, Vex<PerLane<MaxPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VMAXSS, Vex<Scalar<MaxSs, u32>>, kMayRaise},
    {ZYDIS_MNEMONIC_VMAXSD, Vex<Scalar<MaxSd, u64>>, kMayRaise},
    {ZYDIS_MNEMONIC_VSQRTPS, Vex<PerLane<SqrtPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VSQRTPD, Vex<PerLane<SqrtPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VSQRTSS, Vex<Scalar<SqrtSs, u32>>, kMayRaise},
    {ZYDIS_MNEMONIC_VSQRTSD, Vex<Scalar<SqrtSd, u64>>, kMayRaise},
    {ZYDIS_MNEMONIC_VRCPPS, Vex<PerLane<ApproximatePacked<Reciprocal>>>, kNoTraits, kApproximate},
    {ZYDIS_MNEMONIC_VRCPSS, Vex<Scalar<ApproximateScalar<Reciprocal>, u32>>, kNoTraits,
     kApproximate},
    {ZYDIS_MNEMONIC_VRSQRTPS, Vex<PerLane<ApproximatePacked<ReciprocalSquareRoot>>>, kNoTraits,
     kApproximate},
    {ZYDIS_MNEMONIC_VRSQRTSS, Vex<Scalar<ApproximateScalar<ReciprocalSquareRoot>, u32>>, kNoTraits,
     kApproximate},
    {ZYDIS_MNEMONIC_VADDSUBPS, Vex<PerLane<AddsubPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VADDSUBPD, Vex<PerLane<AddsubPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VHADDPS, Vex<PerLane<HorizontalPs<AddPs>>>, kMayRaise},
    {ZYDIS_MNEMONIC_VHADDPD, Vex<PerLane<HorizontalPd<AddPd>>>, kMayRaise},
    {ZYDIS_MNEMONIC_VHSUBPS, Vex<PerLane<HorizontalPs<SubPs>>>, kMayRaise},
    {ZYDIS_MNEMONIC_VHSUBPD, Vex<PerLane<HorizontalPd<SubPd>>>, kMayRaise},
    {ZYDIS_MNEMONIC_VDPPS, VexImmediate<VexDotPs>, kMayRaise},
    {ZYDIS_MNEMONIC_VDPPD, VexImmediate<VexDotPd>, kMayRaise},
    {ZYDIS_MNEMONIC_VROUNDPS, VexImmediate<PerLane<RoundPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VROUNDPD, VexImmediate<PerLane<RoundPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VROUNDSS, VexImmediate<Scalar<RoundSs, u32>>, kMayRaise},
    {ZYDIS_MNEMONIC_VROUNDSD, VexImmediate<Scalar<RoundSd, u64>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCMPPS, VexImmediate<PerLane<VexComparePs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCMPPD, VexImmediate<PerLane<VexComparePd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCMPSS, VexImmediate<Scalar<VexCompareSs, u32>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCMPSD, VexImmediate<Scalar<VexCompareSd, u64>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCOMISS, Order<OrderSs, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VCOMISD, Order<OrderSd, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VUCOMISS, Order<UnorderedSs, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VUCOMISD, Order<UnorderedSd, u64>, kMayRaise},

    // Conversions.
    {ZYDIS_MNEMONIC_VCVTPS2PD, Vex<Widening<CvtPs2Pd, 8>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTPD2PS, Vex<Narrowing<CvtPd2Ps>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTSS2SD, Vex<Scalar<CvtSs2Sd, u32>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTSD2SS, Vex<Scalar<CvtSd2Ss, u64>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTDQ2PS, Vex<PerLane<CvtDq2Ps>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTDQ2PD, Vex<Widening<CvtDq2Pd, 8>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTPS2DQ, Vex<PerLane<CvtPs2Dq>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTPD2DQ, Vex<Narrowing<CvtPd2Dq>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTTPS2DQ, Vex<PerLane<CvttPs2Dq>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTTPD2DQ, Vex<Narrowing<CvttPd2Dq>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTSI2SS, VexFromGpr<CvtSi2Ss>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTSI2SD, VexFromGpr<CvtSi2Sd>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTSS2SI, ToGpr<CvtSs2Si, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTTSS2SI, ToGpr<CvttSs2Si, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTSD2SI, ToGpr<CvtSd2Si, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTTSD2SI, ToGpr<CvttSd2Si, u64>, kMayRaise},

    // Bits.
    {ZYDIS_MNEMONIC_VANDPS, Vex<PerLane<BitwiseAnd>>},
    {ZYDIS_MNEMONIC_VANDPD, Vex<PerLane<BitwiseAnd>>},
    {ZYDIS_MNEMONIC_VANDNPS, Vex<PerLane<BitwiseAndNot>>},
    {ZYDIS_MNEMONIC_VANDNPD, Vex<PerLane<BitwiseAndNot>>},
    {ZYDIS_MNEMONIC_VORPS, Vex<PerLane<BitwiseOr>>},
    {ZYDIS_MNEMONIC_VORPD, Vex<PerLane<BitwiseOr>>},
    {ZYDIS_MNEMONIC_VXORPS, Vex<PerLane<BitwiseXor>>},
    {ZYDIS_MNEMONIC_VXORPD, Vex<PerLane<BitwiseXor>>},
    {ZYDIS_MNEMONIC_VTESTPS, VexTest<u32>},
    {ZYDIS_MNEMONIC_VTESTPD, VexTest<u64>},

    // Order of elements.
    {ZYDIS_MNEMONIC_VUNPCKLPS, Vex<PerLane<Packed<UnpackLow, u32>>>},
    {ZYDIS_MNEMONIC_VUNPCKLPD, Vex<PerLane<Packed<UnpackLow, u64>>>},
    {ZYDIS_MNEMONIC_VUNPCKHPS, Vex<PerLane<Packed<UnpackHigh, u32>>>},
    {ZYDIS_MNEMONIC_VUNPCKHPD, Vex<PerLane<Packed<UnpackHigh, u64>>>},
    {ZYDIS_MNEMONIC_VMOVDDUP, Vex<DuplicateLow>},
    {ZYDIS_MNEMONIC_VMOVSLDUP, Vex<PerLane<DuplicateEven>>},
    {ZYDIS_MNEMONIC_VMOVSHDUP, Vex<PerLane<DuplicateOdd>>},
    {ZYDIS_MNEMONIC_VBLENDPS, VexImmediate<PerLaneImmediate<BlendByImmediate<u32>, 4>>},
    {ZYDIS_MNEMONIC_VBLENDPD, VexImmediate<PerLaneImmediate<BlendByImmediate<u64>, 2>>},
    {ZYDIS_MNEMONIC_VBLENDVPS, VexFourth<PerLaneOfThree<BlendByMask<u32>>>},
    {ZYDIS_MNEMONIC_VBLENDVPD, VexFourth<PerLaneOfThree<BlendByMask<u64>>>},
    {ZYDIS_MNEMONIC_VINSERTPS, VexInsertFloat},
    {ZYDIS_MNEMONIC_VEXTRACTPS, Extract<ExtractLane, u32>},
    {ZYDIS_MNEMONIC_VSHUFPS, VexImmediate<PerLane<ShufflePs>>},
    {ZYDIS_MNEMONIC_VSHUFPD, VexImmediate<PerLaneImmediate<ShufflePd, 2>>},
    {ZYDIS_MNEMONIC_VPERMILPS, VexPermuteInLane<PerLane<PermuteSingles>, PerLane<ShuffleDwords>>},
    {ZYDIS_MNEMONIC_VPERMILPD,
     VexPermuteInLane<PerLane<PermuteDoubles>, PerLaneImmediate<PermuteDoublesByImmediate, 2>>},
    {ZYDIS_MNEMONIC_VPERM2F128, VexImmediate<PermuteHalves>},
    {ZYDIS_MNEMONIC_VPERMPS, Vex<PermuteDwords>},
    {ZYDIS_MNEMONIC_VPERMPD, VexImmediate<PermuteQuads>},
};

}  // namespace

std::span<const InstructionRow> AvxFloatRows() { return kRows; }

}  // namespace glovebox::engine::x86
