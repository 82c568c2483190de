// RFLAGS as a whole, as PUSHF, SYSCALL and the outside see it.
#pragma once

#include "engine/isa/x86/cpu_state.h"

namespace glovebox::engine::x86 {

// What user mode may change beside the status flags. Intel SDM vol. 2B, POPF: IF and IOPL stay as
// they are.
inline constexpr std::uint64_t kOtherUserFlags = kTf | kNt | kAc | kId;

// While one of these is set, instructions run one at a time (vcpu.cc): a trap comes behind each, or
// the alignment of what each touches is looked at before it.
inline constexpr std::uint64_t kSteppedFlags = kTf | kAc;

inline std::uint64_t ReadRflags(const Cpu& cpu) {
  return cpu.lazy.Materialise() | kReservedOne | kIf | std::uint64_t{cpu.direction} * kDf |
         cpu.other_flags;
}
inline void WriteRflags(Cpu& cpu, std::uint64_t rflags) {
  cpu.lazy.Set(rflags);
  cpu.direction = (rflags & kDf) != 0 ? 1 : 0;
  cpu.other_flags = rflags & kOtherUserFlags;
}

// As POPF and IRET write them from an image of W. 16 bits leave AC and ID as they are.
template <typename W>
inline void WriteFlagsImage(Cpu& cpu, W image) {
  const std::uint64_t kept = sizeof(W) == 2 ? ReadRflags(cpu) & ~std::uint64_t{0xffff} : 0;
  WriteRflags(cpu, image | kept);
}

}  // namespace glovebox::engine::x86
