// How long an encoding is that means nothing. CPUs find the length of an instruction by its opcode
// map alone, before they know whether there is such an instruction: one of more than 15 bytes is
// #GP, a shorter one #UD (Intel SDM vol. 3A, 6.15). Zydis stops at the first byte that is wrong.
#pragma once

#include <cstdint>
#include <span>

namespace glovebox::engine::x86 {

inline constexpr std::size_t kMaxInstructionBytes = 15;

// Is the instruction at the start of `bytes` (as many as can be fetched, 15 at most) longer than
// 15 bytes? What would follow behind them does not matter.
bool IsOverlong(std::span<const std::uint8_t> bytes, bool is_64bit);

}  // namespace glovebox::engine::x86
