// RFLAGS as a whole, as PUSHF, SYSCALL and the outside see it.
#pragma once

#include "engine/isa/x86/cpu_state.h"

namespace glovebox::engine::x86 {

// What user mode may change beside the status flags. Intel SDM vol. 2B, POPF: IF and IOPL stay as
// they are.
inline constexpr std::uint64_t kOtherUserFlags = kTf | kAc | kId;

inline std::uint64_t ReadRflags(const Cpu& cpu) {
  return cpu.lazy.Materialise() | kReservedOne | kIf | std::uint64_t{cpu.direction} * kDf |
         cpu.other_flags;
}
inline void WriteRflags(Cpu& cpu, std::uint64_t rflags) {
  cpu.lazy.Set(rflags);
  cpu.direction = (rflags & kDf) != 0 ? 1 : 0;
  cpu.other_flags = rflags & kOtherUserFlags;
}

}  // namespace glovebox::engine::x86
