// Bit tests, scans, counts, byte order.
#include "engine/isa/x86/bit.h"
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/shapes.h"

namespace glovebox::engine::x86 {
namespace {

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_BT, BitTest<BitKeep>, kMayKeepFlags},
    {ZYDIS_MNEMONIC_BTS, BitTest<BitSet>, kMayKeepFlags},
    {ZYDIS_MNEMONIC_BTR, BitTest<BitReset>, kMayKeepFlags},
    {ZYDIS_MNEMONIC_BTC, BitTest<BitComplement>, kMayKeepFlags},
    {ZYDIS_MNEMONIC_BSF, Scan<BitScan<true>>},
    {ZYDIS_MNEMONIC_BSR, Scan<BitScan<false>>},
    {ZYDIS_MNEMONIC_TZCNT, Scan<ZeroCount<true>>},
    {ZYDIS_MNEMONIC_LZCNT, Scan<ZeroCount<false>>},
    {ZYDIS_MNEMONIC_POPCNT, Scan<PopulationCount>},
    {ZYDIS_MNEMONIC_BSWAP, Unary<ByteSwap>},
};

}  // namespace

std::span<const InstructionRow> BitRows() { return kRows; }

}  // namespace glovebox::engine::x86
