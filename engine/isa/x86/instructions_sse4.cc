// Rows of SSE3, SSSE3, SSE4.1 and SSE4.2.

#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/mmx.h"
#include "engine/isa/x86/packed_sse4.h"
#include "engine/isa/x86/packed_ssse3.h"
#include "engine/isa/x86/sse4_float.h"
#include "engine/isa/x86/sse4_shapes.h"
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
using s64 = std::int64_t;

constexpr InstructionRow kRows[] = {
    // SSE3. FISTTP is among the x87's rows.
    {ZYDIS_MNEMONIC_ADDSUBPS, Vector<AddsubPs>, kMayRaise},
    {ZYDIS_MNEMONIC_ADDSUBPD, Vector<AddsubPd>, kMayRaise},
    {ZYDIS_MNEMONIC_HADDPS, Vector<HorizontalPs<AddPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_HADDPD, Vector<HorizontalPd<AddPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_HSUBPS, Vector<HorizontalPs<SubPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_HSUBPD, Vector<HorizontalPd<SubPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_LDDQU, WholeMove<false>},
    {ZYDIS_MNEMONIC_MOVDDUP, Vector<DuplicateLowQuad, u64>},
    {ZYDIS_MNEMONIC_MOVSLDUP, Vector<DuplicateEven>},
    {ZYDIS_MNEMONIC_MOVSHDUP, Vector<DuplicateOdd>},

    // SSSE3.
    {ZYDIS_MNEMONIC_PABSB, VectorOrMmx<Packed<PackedAbsolute, s8>>},
    {ZYDIS_MNEMONIC_PABSW, VectorOrMmx<Packed<PackedAbsolute, s16>>},
    {ZYDIS_MNEMONIC_PABSD, VectorOrMmx<Packed<PackedAbsolute, s32>>},
    {ZYDIS_MNEMONIC_PSIGNB, VectorOrMmx<Packed<PackedSign, s8>>},
    {ZYDIS_MNEMONIC_PSIGNW, VectorOrMmx<Packed<PackedSign, s16>>},
    {ZYDIS_MNEMONIC_PSIGND, VectorOrMmx<Packed<PackedSign, s32>>},
    {ZYDIS_MNEMONIC_PHADDW, VectorOrMmx<Packed<PackedHorizontalAdd, u16>>},
    {ZYDIS_MNEMONIC_PHADDD, VectorOrMmx<Packed<PackedHorizontalAdd, u32>>},
    {ZYDIS_MNEMONIC_PHADDSW, VectorOrMmx<PackedHorizontalAddSaturated>},
    {ZYDIS_MNEMONIC_PHSUBW, VectorOrMmx<Packed<PackedHorizontalSubtract, u16>>},
    {ZYDIS_MNEMONIC_PHSUBD, VectorOrMmx<Packed<PackedHorizontalSubtract, u32>>},
    {ZYDIS_MNEMONIC_PHSUBSW, VectorOrMmx<PackedHorizontalSubtractSaturated>},
    {ZYDIS_MNEMONIC_PMADDUBSW, VectorOrMmx<PackedMultiplyAddBytes>},
    {ZYDIS_MNEMONIC_PMULHRSW, VectorOrMmx<PackedMultiplyHighRounded>},
    {ZYDIS_MNEMONIC_PSHUFB, VectorOrMmx<ShuffleBytes>},
    {ZYDIS_MNEMONIC_PALIGNR, ImmediateOrMmx<AlignRight>},

    // SSE4.1: lanes moved about.
    {ZYDIS_MNEMONIC_BLENDPS, VectorImmediate<BlendByImmediate<u32>>},
    {ZYDIS_MNEMONIC_BLENDPD, VectorImmediate<BlendByImmediate<u64>>},
    {ZYDIS_MNEMONIC_PBLENDW, VectorImmediate<BlendByImmediate<u16>>},
    {ZYDIS_MNEMONIC_BLENDVPS, ByXmm0<BlendByMask<u32>>},
    {ZYDIS_MNEMONIC_BLENDVPD, ByXmm0<BlendByMask<u64>>},
    {ZYDIS_MNEMONIC_PBLENDVB, ByXmm0<BlendByMask<u8>>},
    {ZYDIS_MNEMONIC_INSERTPS, InsertFloat<InsertPs>},
    {ZYDIS_MNEMONIC_EXTRACTPS, Extract<ExtractLane, u32>},
    {ZYDIS_MNEMONIC_PINSRB, Insert<InsertLane, u8>},
    {ZYDIS_MNEMONIC_PINSRD, Insert<InsertLane, u32>},
    {ZYDIS_MNEMONIC_PINSRQ, Insert<InsertLane, u64>},
    {ZYDIS_MNEMONIC_PEXTRB, Extract<ExtractLane, u8>},
    {ZYDIS_MNEMONIC_PEXTRD, Extract<ExtractLane, u32>},
    {ZYDIS_MNEMONIC_PEXTRQ, Extract<ExtractLane, u64>},
    {ZYDIS_MNEMONIC_MOVNTDQA, WholeMove<true>},
    {ZYDIS_MNEMONIC_PACKUSDW, Vector<Packed<PackSaturated, u16>>},
    {ZYDIS_MNEMONIC_PMOVSXBW, Vector<Widen<s8, s16>, u64>},
    {ZYDIS_MNEMONIC_PMOVSXBD, Vector<Widen<s8, s32>, u32>},
    {ZYDIS_MNEMONIC_PMOVSXBQ, Vector<Widen<s8, s64>, u16>},
    {ZYDIS_MNEMONIC_PMOVSXWD, Vector<Widen<s16, s32>, u64>},
    {ZYDIS_MNEMONIC_PMOVSXWQ, Vector<Widen<s16, s64>, u32>},
    {ZYDIS_MNEMONIC_PMOVSXDQ, Vector<Widen<s32, s64>, u64>},
    {ZYDIS_MNEMONIC_PMOVZXBW, Vector<Widen<u8, u16>, u64>},
    {ZYDIS_MNEMONIC_PMOVZXBD, Vector<Widen<u8, u32>, u32>},
    {ZYDIS_MNEMONIC_PMOVZXBQ, Vector<Widen<u8, u64>, u16>},
    {ZYDIS_MNEMONIC_PMOVZXWD, Vector<Widen<u16, u32>, u64>},
    {ZYDIS_MNEMONIC_PMOVZXWQ, Vector<Widen<u16, u64>, u32>},
    {ZYDIS_MNEMONIC_PMOVZXDQ, Vector<Widen<u32, u64>, u64>},

    // SSE4.1: arithmetic.
    {ZYDIS_MNEMONIC_PMULLD, Vector<Packed<PackedMultiplyLow, u32>>},
    {ZYDIS_MNEMONIC_PMULDQ, Vector<Packed<PackedMultiplyEven, s32>>},
    {ZYDIS_MNEMONIC_PMINSB, Vector<Packed<PackedMinimum, s8>>},
    {ZYDIS_MNEMONIC_PMINSD, Vector<Packed<PackedMinimum, s32>>},
    {ZYDIS_MNEMONIC_PMINUW, Vector<Packed<PackedMinimum, u16>>},
    {ZYDIS_MNEMONIC_PMINUD, Vector<Packed<PackedMinimum, u32>>},
    {ZYDIS_MNEMONIC_PMAXSB, Vector<Packed<PackedMaximum, s8>>},
    {ZYDIS_MNEMONIC_PMAXSD, Vector<Packed<PackedMaximum, s32>>},
    {ZYDIS_MNEMONIC_PMAXUW, Vector<Packed<PackedMaximum, u16>>},
    {ZYDIS_MNEMONIC_PMAXUD, Vector<Packed<PackedMaximum, u32>>},
    {ZYDIS_MNEMONIC_PHMINPOSUW, Vector<HorizontalMinimum>},
    {ZYDIS_MNEMONIC_MPSADBW, VectorImmediate<SumsOfDifferences>},
    {ZYDIS_MNEMONIC_PCMPEQQ, Vector<Packed<PackedEqual, u64>>},
    {ZYDIS_MNEMONIC_PTEST, Test<TestBits>},
    {ZYDIS_MNEMONIC_DPPS, VectorImmediate<DotPs>, kMayRaise},
    {ZYDIS_MNEMONIC_DPPD, VectorImmediate<DotPd>, kMayRaise},
    {ZYDIS_MNEMONIC_ROUNDPS, VectorImmediate<RoundPs>, kMayRaise},
    {ZYDIS_MNEMONIC_ROUNDPD, VectorImmediate<RoundPd>, kMayRaise},
    {ZYDIS_MNEMONIC_ROUNDSS, VectorImmediate<RoundSs, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_ROUNDSD, VectorImmediate<RoundSd, u64>, kMayRaise},

    // SSE4.2. CRC32 is an integer instruction.
    {ZYDIS_MNEMONIC_PCMPGTQ, Vector<Packed<PackedGreater, s64>>},
    {ZYDIS_MNEMONIC_PCMPESTRI, ExplicitStringCompare<false>},
    {ZYDIS_MNEMONIC_PCMPESTRM, ExplicitStringCompare<true>},
    {ZYDIS_MNEMONIC_PCMPISTRI, ImplicitStringCompare<false>},
    {ZYDIS_MNEMONIC_PCMPISTRM, ImplicitStringCompare<true>},
};

}  // namespace

std::span<const InstructionRow> Sse4Rows() { return kRows; }

}  // namespace glovebox::engine::x86
