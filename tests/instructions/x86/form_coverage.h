// Forms of instructions as coverage counts them: what the engine has a specialisation of its own
// for.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "tests/instructions/x86/decoding.h"

namespace glovebox::engine::x86 {

// Mnemonic, prefixes that repeat or lock, vector length of VEX, and kind and width of each operand
// that is written out: "lock add m32 r32", "vaddps.256 ymm ymm m256".
std::string FormName(const DecodedInstruction& instruction);

// Comparisons by the name of the form.
using FormCounts = std::map<std::string, std::array<std::uint64_t, 2>>;  // by CpuMode

}  // namespace glovebox::engine::x86
