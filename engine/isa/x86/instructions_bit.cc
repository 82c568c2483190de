// Bit tests, scans, counts, fields, byte order, checksums.
#include "engine/isa/x86/bit.h"
#include "engine/isa/x86/bmi.h"
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
    {ZYDIS_MNEMONIC_MOVBE, LowerMovbe},
    {ZYDIS_MNEMONIC_ANDN, Ternary<AndNot>},
    {ZYDIS_MNEMONIC_BEXTR, Ternary<ExtractField>},
    {ZYDIS_MNEMONIC_BLSI, Scan<Blsi>},
    {ZYDIS_MNEMONIC_BLSR, Scan<Blsr>},
    {ZYDIS_MNEMONIC_BLSMSK, Scan<Blsmsk>},
    {ZYDIS_MNEMONIC_BZHI, Ternary<ZeroHighBits>},
    {ZYDIS_MNEMONIC_MULX, LowerMulx},
    {ZYDIS_MNEMONIC_PDEP, Ternary<Deposit>},
    {ZYDIS_MNEMONIC_PEXT, Ternary<Extract>},
    {ZYDIS_MNEMONIC_RORX, Ternary<Rorx>},
    {ZYDIS_MNEMONIC_SARX, Ternary<Sarx>},
    {ZYDIS_MNEMONIC_SHLX, Ternary<Shlx>},
    {ZYDIS_MNEMONIC_SHRX, Ternary<Shrx>},
    {ZYDIS_MNEMONIC_ADCX, Binary<AddWithOneFlag<false>>},
    {ZYDIS_MNEMONIC_ADOX, Binary<AddWithOneFlag<true>>},
    {ZYDIS_MNEMONIC_CRC32, LowerCrc32},
};

}  // namespace

std::span<const InstructionRow> BitRows() { return kRows; }

}  // namespace glovebox::engine::x86
