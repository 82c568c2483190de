// Rows of AVX and AVX2: integers in VEX form.
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/packed.h"
#include "engine/isa/x86/packed_sse4.h"
#include "engine/isa/x86/packed_ssse3.h"
#include "engine/isa/x86/sse4_shapes.h"
#include "engine/isa/x86/sse_shuffle.h"
#include "engine/isa/x86/vex_move.h"
#include "engine/isa/x86/vex_permute.h"

namespace glovebox::engine::x86 {
namespace {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s8 = std::int8_t;
using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_VPAND, Vex<PerLane<BitwiseAnd>>},
    {ZYDIS_MNEMONIC_VPANDN, Vex<PerLane<BitwiseAndNot>>},
    {ZYDIS_MNEMONIC_VPOR, Vex<PerLane<BitwiseOr>>},
    {ZYDIS_MNEMONIC_VPXOR, Vex<PerLane<BitwiseXor>>},
    {ZYDIS_MNEMONIC_VPADDB, Vex<PerLane<Packed<PackedAdd, u8>>>},
    {ZYDIS_MNEMONIC_VPADDW, Vex<PerLane<Packed<PackedAdd, u16>>>},
    {ZYDIS_MNEMONIC_VPADDD, Vex<PerLane<Packed<PackedAdd, u32>>>},
    {ZYDIS_MNEMONIC_VPADDQ, Vex<PerLane<Packed<PackedAdd, u64>>>},
    {ZYDIS_MNEMONIC_VPSUBB, Vex<PerLane<Packed<PackedSubtract, u8>>>},
    {ZYDIS_MNEMONIC_VPSUBW, Vex<PerLane<Packed<PackedSubtract, u16>>>},
    {ZYDIS_MNEMONIC_VPSUBD, Vex<PerLane<Packed<PackedSubtract, u32>>>},
    {ZYDIS_MNEMONIC_VPSUBQ, Vex<PerLane<Packed<PackedSubtract, u64>>>},
    {ZYDIS_MNEMONIC_VPADDSB, Vex<PerLane<Packed<PackedAddSaturated, s8>>>},
    {ZYDIS_MNEMONIC_VPADDSW, Vex<PerLane<Packed<PackedAddSaturated, s16>>>},
    {ZYDIS_MNEMONIC_VPADDUSB, Vex<PerLane<Packed<PackedAddSaturated, u8>>>},
    {ZYDIS_MNEMONIC_VPADDUSW, Vex<PerLane<Packed<PackedAddSaturated, u16>>>},
    {ZYDIS_MNEMONIC_VPSUBSB, Vex<PerLane<Packed<PackedSubtractSaturated, s8>>>},
    {ZYDIS_MNEMONIC_VPSUBSW, Vex<PerLane<Packed<PackedSubtractSaturated, s16>>>},
    {ZYDIS_MNEMONIC_VPSUBUSB, Vex<PerLane<Packed<PackedSubtractSaturated, u8>>>},
    {ZYDIS_MNEMONIC_VPSUBUSW, Vex<PerLane<Packed<PackedSubtractSaturated, u16>>>},
    {ZYDIS_MNEMONIC_VPMULLW, Vex<PerLane<Packed<PackedMultiplyLow, u16>>>},
    {ZYDIS_MNEMONIC_VPMULHW, Vex<PerLane<Packed<PackedMultiplyHigh, s16>>>},
    {ZYDIS_MNEMONIC_VPMULHUW, Vex<PerLane<Packed<PackedMultiplyHigh, u16>>>},
    {ZYDIS_MNEMONIC_VPMULUDQ, Vex<PerLane<Packed<PackedMultiplyEven, u32>>>},
    {ZYDIS_MNEMONIC_VPMADDWD, Vex<PerLane<PackedMultiplyAdd>>},
    {ZYDIS_MNEMONIC_VPSADBW, Vex<PerLane<PackedSumOfDifferences>>},
    {ZYDIS_MNEMONIC_VPAVGB, Vex<PerLane<Packed<PackedAverage, u8>>>},
    {ZYDIS_MNEMONIC_VPAVGW, Vex<PerLane<Packed<PackedAverage, u16>>>},
    {ZYDIS_MNEMONIC_VPMINUB, Vex<PerLane<Packed<PackedMinimum, u8>>>},
    {ZYDIS_MNEMONIC_VPMINSW, Vex<PerLane<Packed<PackedMinimum, s16>>>},
    {ZYDIS_MNEMONIC_VPMAXUB, Vex<PerLane<Packed<PackedMaximum, u8>>>},
    {ZYDIS_MNEMONIC_VPMAXSW, Vex<PerLane<Packed<PackedMaximum, s16>>>},
    {ZYDIS_MNEMONIC_VPCMPEQB, Vex<PerLane<Packed<PackedEqual, u8>>>},
    {ZYDIS_MNEMONIC_VPCMPEQW, Vex<PerLane<Packed<PackedEqual, u16>>>},
    {ZYDIS_MNEMONIC_VPCMPEQD, Vex<PerLane<Packed<PackedEqual, u32>>>},
    {ZYDIS_MNEMONIC_VPCMPGTB, Vex<PerLane<Packed<PackedGreater, s8>>>},
    {ZYDIS_MNEMONIC_VPCMPGTW, Vex<PerLane<Packed<PackedGreater, s16>>>},
    {ZYDIS_MNEMONIC_VPCMPGTD, Vex<PerLane<Packed<PackedGreater, s32>>>},
    {ZYDIS_MNEMONIC_VPSLLW, VexShift<Packed<PackedShiftLeft, u16>>},
    {ZYDIS_MNEMONIC_VPSLLD, VexShift<Packed<PackedShiftLeft, u32>>},
    {ZYDIS_MNEMONIC_VPSLLQ, VexShift<Packed<PackedShiftLeft, u64>>},
    {ZYDIS_MNEMONIC_VPSRLW, VexShift<Packed<PackedShiftRight, u16>>},
    {ZYDIS_MNEMONIC_VPSRLD, VexShift<Packed<PackedShiftRight, u32>>},
    {ZYDIS_MNEMONIC_VPSRLQ, VexShift<Packed<PackedShiftRight, u64>>},
    {ZYDIS_MNEMONIC_VPSRAW, VexShift<Packed<PackedShiftRight, s16>>},
    {ZYDIS_MNEMONIC_VPSRAD, VexShift<Packed<PackedShiftRight, s32>>},
    {ZYDIS_MNEMONIC_VPSLLDQ, VexImmediate<PerLane<ByImmediateBytes<ShiftBytesLeft>>>},
    {ZYDIS_MNEMONIC_VPSRLDQ, VexImmediate<PerLane<ByImmediateBytes<ShiftBytesRight>>>},
    {ZYDIS_MNEMONIC_VPACKSSWB, Vex<PerLane<Packed<PackSaturated, s8>>>},
    {ZYDIS_MNEMONIC_VPACKUSWB, Vex<PerLane<Packed<PackSaturated, u8>>>},
    {ZYDIS_MNEMONIC_VPACKSSDW, Vex<PerLane<Packed<PackSaturated, s16>>>},
    {ZYDIS_MNEMONIC_VPUNPCKLBW, Vex<PerLane<Packed<UnpackLow, u8>>>},
    {ZYDIS_MNEMONIC_VPUNPCKLWD, Vex<PerLane<Packed<UnpackLow, u16>>>},
    {ZYDIS_MNEMONIC_VPUNPCKLDQ, Vex<PerLane<Packed<UnpackLow, u32>>>},
    {ZYDIS_MNEMONIC_VPUNPCKHBW, Vex<PerLane<Packed<UnpackHigh, u8>>>},
    {ZYDIS_MNEMONIC_VPUNPCKHWD, Vex<PerLane<Packed<UnpackHigh, u16>>>},
    {ZYDIS_MNEMONIC_VPUNPCKHDQ, Vex<PerLane<Packed<UnpackHigh, u32>>>},

    // SSSE3 to SSE4.2.
    {ZYDIS_MNEMONIC_VPABSB, Vex<PerLane<Packed<PackedAbsolute, s8>>>},
    {ZYDIS_MNEMONIC_VPABSW, Vex<PerLane<Packed<PackedAbsolute, s16>>>},
    {ZYDIS_MNEMONIC_VPABSD, Vex<PerLane<Packed<PackedAbsolute, s32>>>},
    {ZYDIS_MNEMONIC_VPSIGNB, Vex<PerLane<Packed<PackedSign, s8>>>},
    {ZYDIS_MNEMONIC_VPSIGNW, Vex<PerLane<Packed<PackedSign, s16>>>},
    {ZYDIS_MNEMONIC_VPSIGND, Vex<PerLane<Packed<PackedSign, s32>>>},
    {ZYDIS_MNEMONIC_VPHADDW, Vex<PerLane<Packed<PackedHorizontalAdd, u16>>>},
    {ZYDIS_MNEMONIC_VPHADDD, Vex<PerLane<Packed<PackedHorizontalAdd, u32>>>},
    {ZYDIS_MNEMONIC_VPHADDSW, Vex<PerLane<PackedHorizontalAddSaturated>>},
    {ZYDIS_MNEMONIC_VPHSUBW, Vex<PerLane<Packed<PackedHorizontalSubtract, u16>>>},
    {ZYDIS_MNEMONIC_VPHSUBD, Vex<PerLane<Packed<PackedHorizontalSubtract, u32>>>},
    {ZYDIS_MNEMONIC_VPHSUBSW, Vex<PerLane<PackedHorizontalSubtractSaturated>>},
    {ZYDIS_MNEMONIC_VPMADDUBSW, Vex<PerLane<PackedMultiplyAddBytes>>},
    {ZYDIS_MNEMONIC_VPMULHRSW, Vex<PerLane<PackedMultiplyHighRounded>>},
    {ZYDIS_MNEMONIC_VPSHUFB, Vex<PerLane<ShuffleBytes>>},
    {ZYDIS_MNEMONIC_VPALIGNR, VexImmediate<PerLane<AlignRight>>},
    {ZYDIS_MNEMONIC_VPBLENDW, VexImmediate<PerLane<BlendByImmediate<u16>>>},
    {ZYDIS_MNEMONIC_VPBLENDVB, VexFourth<PerLaneOfThree<BlendByMask<u8>>>},
    {ZYDIS_MNEMONIC_VPINSRB, VexInsert<InsertLane, u8>},
    {ZYDIS_MNEMONIC_VPINSRD, VexInsert<InsertLane, u32>},
    {ZYDIS_MNEMONIC_VPINSRQ, VexInsert<InsertLane, u64>},
    {ZYDIS_MNEMONIC_VPEXTRB, Extract<ExtractLane, u8>},
    {ZYDIS_MNEMONIC_VPEXTRD, Extract<ExtractLane, u32>},
    {ZYDIS_MNEMONIC_VPEXTRQ, Extract<ExtractLane, u64>},
    {ZYDIS_MNEMONIC_VPACKUSDW, Vex<PerLane<Packed<PackSaturated, u16>>>},
    {ZYDIS_MNEMONIC_VPMOVSXBW, Vex<Widening<Widen<s8, s16>, 8>>},
    {ZYDIS_MNEMONIC_VPMOVSXBD, Vex<Widening<Widen<s8, s32>, 4>>},
    {ZYDIS_MNEMONIC_VPMOVSXBQ, Vex<Widening<Widen<s8, s64>, 2>>},
    {ZYDIS_MNEMONIC_VPMOVSXWD, Vex<Widening<Widen<s16, s32>, 8>>},
    {ZYDIS_MNEMONIC_VPMOVSXWQ, Vex<Widening<Widen<s16, s64>, 4>>},
    {ZYDIS_MNEMONIC_VPMOVSXDQ, Vex<Widening<Widen<s32, s64>, 8>>},
    {ZYDIS_MNEMONIC_VPMOVZXBW, Vex<Widening<Widen<u8, u16>, 8>>},
    {ZYDIS_MNEMONIC_VPMOVZXBD, Vex<Widening<Widen<u8, u32>, 4>>},
    {ZYDIS_MNEMONIC_VPMOVZXBQ, Vex<Widening<Widen<u8, u64>, 2>>},
    {ZYDIS_MNEMONIC_VPMOVZXWD, Vex<Widening<Widen<u16, u32>, 8>>},
    {ZYDIS_MNEMONIC_VPMOVZXWQ, Vex<Widening<Widen<u16, u64>, 4>>},
    {ZYDIS_MNEMONIC_VPMOVZXDQ, Vex<Widening<Widen<u32, u64>, 8>>},
    {ZYDIS_MNEMONIC_VPMULLD, Vex<PerLane<Packed<PackedMultiplyLow, u32>>>},
    {ZYDIS_MNEMONIC_VPMULDQ, Vex<PerLane<Packed<PackedMultiplyEven, s32>>>},
    {ZYDIS_MNEMONIC_VPMINSB, Vex<PerLane<Packed<PackedMinimum, s8>>>},
    {ZYDIS_MNEMONIC_VPMINSD, Vex<PerLane<Packed<PackedMinimum, s32>>>},
    {ZYDIS_MNEMONIC_VPMINUW, Vex<PerLane<Packed<PackedMinimum, u16>>>},
    {ZYDIS_MNEMONIC_VPMINUD, Vex<PerLane<Packed<PackedMinimum, u32>>>},
    {ZYDIS_MNEMONIC_VPMAXSB, Vex<PerLane<Packed<PackedMaximum, s8>>>},
    {ZYDIS_MNEMONIC_VPMAXSD, Vex<PerLane<Packed<PackedMaximum, s32>>>},
    {ZYDIS_MNEMONIC_VPMAXUW, Vex<PerLane<Packed<PackedMaximum, u16>>>},
    {ZYDIS_MNEMONIC_VPMAXUD, Vex<PerLane<Packed<PackedMaximum, u32>>>},
    {ZYDIS_MNEMONIC_VPHMINPOSUW, Vex<OneLane<HorizontalMinimum>>},
    {ZYDIS_MNEMONIC_VPCMPEQQ, Vex<PerLane<Packed<PackedEqual, u64>>>},
    {ZYDIS_MNEMONIC_VPCMPGTQ, Vex<PerLane<Packed<PackedGreater, s64>>>},
    {ZYDIS_MNEMONIC_VPCMPESTRI, ExplicitStringCompare<false, true>},
    {ZYDIS_MNEMONIC_VPCMPESTRM, ExplicitStringCompare<true, true>},
    {ZYDIS_MNEMONIC_VPCMPISTRI, ImplicitStringCompare<false, true>},
    {ZYDIS_MNEMONIC_VPCMPISTRM, ImplicitStringCompare<true, true>},
    {ZYDIS_MNEMONIC_VMPSADBW, VexImmediate<PerLaneImmediate<SumsOfDifferences, 3>>},

    // Of AVX alone.
    {ZYDIS_MNEMONIC_VPSLLVD, Vex<PerLane<Packed<ShiftLeftByElement, u32>>>},
    {ZYDIS_MNEMONIC_VPSLLVQ, Vex<PerLane<Packed<ShiftLeftByElement, u64>>>},
    {ZYDIS_MNEMONIC_VPSRLVD, Vex<PerLane<Packed<ShiftRightByElement, u32>>>},
    {ZYDIS_MNEMONIC_VPSRLVQ, Vex<PerLane<Packed<ShiftRightByElement, u64>>>},
    {ZYDIS_MNEMONIC_VPSRAVD, Vex<PerLane<Packed<ShiftRightByElement, s32>>>},
    {ZYDIS_MNEMONIC_VPMOVMSKB, VexSigns<u8>},
    {ZYDIS_MNEMONIC_VPTEST, VexTest<u8>},

    // Order of elements.
    {ZYDIS_MNEMONIC_VPUNPCKLQDQ, Vex<PerLane<Packed<UnpackLow, u64>>>},
    {ZYDIS_MNEMONIC_VPUNPCKHQDQ, Vex<PerLane<Packed<UnpackHigh, u64>>>},
    {ZYDIS_MNEMONIC_VPSHUFD, VexImmediate<PerLane<ShuffleDwords>>},
    {ZYDIS_MNEMONIC_VPSHUFLW, VexImmediate<PerLane<ShuffleWords<0>>>},
    {ZYDIS_MNEMONIC_VPSHUFHW, VexImmediate<PerLane<ShuffleWords<4>>>},
    {ZYDIS_MNEMONIC_VPINSRW, VexInsert<InsertLane, u16>},
    {ZYDIS_MNEMONIC_VPEXTRW, Extract<ExtractLane, u16>},
    {ZYDIS_MNEMONIC_VPBLENDD, VexImmediate<PerLaneImmediate<BlendByImmediate<u32>, 4>>},
    {ZYDIS_MNEMONIC_VPERM2I128, VexImmediate<PermuteHalves>},
    {ZYDIS_MNEMONIC_VPERMD, Vex<PermuteDwords>},
    {ZYDIS_MNEMONIC_VPERMQ, VexImmediate<PermuteQuads>},
};

}  // namespace

std::span<const InstructionRow> AvxIntegerRows() { return kRows; }

}  // namespace glovebox::engine::x86
