// Random bytes of one instruction of a mnemonic: operands and prefixes through Zydis' encoder, and
// what no encoder would make by changing those bytes.
#pragma once

#include <Zydis/Zydis.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tests/instructions/x86/instruction_forms.h"
#include "tests/instructions/x86/random.h"

namespace glovebox::engine::x86 {

using MemoryChooser = ZydisEncoderOperand (*)(CpuMode mode, const KindRow& kind, Random& random);
// Any base, index, scale, displacement, of any address size; RIP-relative and absolute too.
ZydisEncoderOperand RandomMemory(CpuMode mode, const KindRow& kind, Random& random);
// At the registers that a sequence leaves alone, or absolute.
ZydisEncoderOperand SequenceMemory(CpuMode mode, const KindRow& kind, Random& random);

// The registers that the instructions of a sequence leave alone: two that point into memory, and
// the counter of its loop.
struct ReservedRegisters {
  int near_border;
  int inside;
  int counter;
};
ReservedRegisters Reserved(CpuMode mode);

// Empty where the encoder refuses the combination that was drawn.
std::optional<std::vector<std::uint8_t>> EncodeRandom(CpuMode mode, ZydisMnemonic mnemonic,
                                                      const Form& form, MemoryChooser memory,
                                                      Random& random);

// Adds prefixes that may or may not mean something there (segments, sizes, LOCK, REP, REX), or
// changes a bit. At least 15 bytes long, so that whatever it has become is whole.
std::vector<std::uint8_t> Mutate(CpuMode mode, std::span<const std::uint8_t> code, Random& random);

}  // namespace glovebox::engine::x86
