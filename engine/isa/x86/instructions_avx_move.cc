// Rows of AVX and AVX2: moves, broadcasts, gathers, state.
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/sse_control.h"
#include "engine/isa/x86/vex_gather.h"
#include "engine/isa/x86/vex_move.h"
#include "engine/isa/x86/vex_permute.h"

namespace glovebox::engine::x86 {
namespace {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s32 = std::int32_t;
using s64 = std::int64_t;

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_VMOVAPS, VexWholeMove<true>},
    {ZYDIS_MNEMONIC_VMOVAPD, VexWholeMove<true>},
    {ZYDIS_MNEMONIC_VMOVDQA, VexWholeMove<true>},
    {ZYDIS_MNEMONIC_VMOVUPS, VexWholeMove<false>},
    {ZYDIS_MNEMONIC_VMOVUPD, VexWholeMove<false>},
    {ZYDIS_MNEMONIC_VMOVDQU, VexWholeMove<false>},
    {ZYDIS_MNEMONIC_VLDDQU, VexWholeMove<false>},
    {ZYDIS_MNEMONIC_VMOVNTPS, VexWholeMove<true>},
    {ZYDIS_MNEMONIC_VMOVNTPD, VexWholeMove<true>},
    {ZYDIS_MNEMONIC_VMOVNTDQ, VexWholeMove<true>},
    {ZYDIS_MNEMONIC_VMOVNTDQA, VexWholeMove<true>},
    {ZYDIS_MNEMONIC_VMOVSS, VexPartMove<Packed<MergeLow, u32>, TakeSource, u32>},
    {ZYDIS_MNEMONIC_VMOVSD, VexPartMove<Packed<MergeLow, u64>, TakeSource, u64>},
    {ZYDIS_MNEMONIC_VMOVLPS, VexPartMove<ReplaceLowQuad, ReplaceLowQuad, u64>},
    {ZYDIS_MNEMONIC_VMOVLPD, VexPartMove<ReplaceLowQuad, ReplaceLowQuad, u64>},
    {ZYDIS_MNEMONIC_VMOVHPS, VexPartMove<ReplaceHighQuad, ReplaceHighQuad, u64, 1>},
    {ZYDIS_MNEMONIC_VMOVHPD, VexPartMove<ReplaceHighQuad, ReplaceHighQuad, u64, 1>},
    {ZYDIS_MNEMONIC_VMOVHLPS, Vex<OneLane<MoveHighToLow>>},
    {ZYDIS_MNEMONIC_VMOVLHPS, Vex<OneLane<MoveLowToHigh>>},
    {ZYDIS_MNEMONIC_VMOVD, VexWordMove<u32>},
    {ZYDIS_MNEMONIC_VMOVQ, VexWordMove<u64>},
    {ZYDIS_MNEMONIC_VMASKMOVDQU, &MaskedStoreShape::Lower},
    {ZYDIS_MNEMONIC_VMOVMSKPS, VexSigns<u32>},
    {ZYDIS_MNEMONIC_VMOVMSKPD, VexSigns<u64>},

    {ZYDIS_MNEMONIC_VBROADCASTSS, Vex<Broadcast<u32>>},
    {ZYDIS_MNEMONIC_VBROADCASTSD, Vex<Broadcast<u64>>},
    {ZYDIS_MNEMONIC_VBROADCASTF128, Vex<Broadcast<Xmm>>},
    {ZYDIS_MNEMONIC_VBROADCASTI128, Vex<Broadcast<Xmm>>},
    {ZYDIS_MNEMONIC_VPBROADCASTB, Vex<Broadcast<u8>>},
    {ZYDIS_MNEMONIC_VPBROADCASTW, Vex<Broadcast<u16>>},
    {ZYDIS_MNEMONIC_VPBROADCASTD, Vex<Broadcast<u32>>},
    {ZYDIS_MNEMONIC_VPBROADCASTQ, Vex<Broadcast<u64>>},
    {ZYDIS_MNEMONIC_VINSERTF128, VexImmediate<InsertHalf>},
    {ZYDIS_MNEMONIC_VINSERTI128, VexImmediate<InsertHalf>},
    {ZYDIS_MNEMONIC_VEXTRACTF128, &ExtractHalf::Lower},
    {ZYDIS_MNEMONIC_VEXTRACTI128, &ExtractHalf::Lower},

    {ZYDIS_MNEMONIC_VMASKMOVPS, VexMaskedMove<u32>},
    {ZYDIS_MNEMONIC_VMASKMOVPD, VexMaskedMove<u64>},
    {ZYDIS_MNEMONIC_VPMASKMOVD, VexMaskedMove<u32>},
    {ZYDIS_MNEMONIC_VPMASKMOVQ, VexMaskedMove<u64>},
    {ZYDIS_MNEMONIC_VGATHERDPS, VexGather<s32, u32>},
    {ZYDIS_MNEMONIC_VGATHERDPD, VexGather<s32, u64>},
    {ZYDIS_MNEMONIC_VGATHERQPS, VexGather<s64, u32>},
    {ZYDIS_MNEMONIC_VGATHERQPD, VexGather<s64, u64>},
    {ZYDIS_MNEMONIC_VPGATHERDD, VexGather<s32, u32>},
    {ZYDIS_MNEMONIC_VPGATHERDQ, VexGather<s32, u64>},
    {ZYDIS_MNEMONIC_VPGATHERQD, VexGather<s64, u32>},
    {ZYDIS_MNEMONIC_VPGATHERQQ, VexGather<s64, u64>},

    {ZYDIS_MNEMONIC_VZEROALL, ZeroVectors<true>},
    {ZYDIS_MNEMONIC_VZEROUPPER, ZeroVectors<false>},
    {ZYDIS_MNEMONIC_VLDMXCSR, InMemory<LoadMxcsr>},
    {ZYDIS_MNEMONIC_VSTMXCSR, InMemory<StoreMxcsr>},
};

}  // namespace

std::span<const InstructionRow> AvxMoveRows() { return kRows; }

}  // namespace glovebox::engine::x86
