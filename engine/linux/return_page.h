// A page of code that every i386 program finds in its memory, in the place of Linux' vDSO: where
// handlers without a restorer return to, and where `sysenter` and `syscall` come back. It is no ELF
// file, and no entry of the auxiliary vector leads to it, so C libraries call by `int 0x80`.
// Source: arch/x86/entry/vdso/vdso32/sigreturn.S, system_call.S of Linux 6.1.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace glovebox::engine {

enum class ReturnCode : std::uint8_t { kSigreturn, kRtSigreturn, kFastCall };

inline constexpr std::array<std::uint8_t, 32> kReturnCode = {
    // kSigreturn at 0: pop eax; mov eax, 119; int 0x80
    0x58, 0xb8, 119, 0, 0, 0, 0xcd, 0x80,
    // kRtSigreturn at 8: mov eax, 173; int 0x80; (one byte of nothing)
    0xb8, 173, 0, 0, 0, 0xcd, 0x80, 0x00,
    // at 16: int 0x80, which an interrupted call is made again by; kFastCall, behind it: pop ebp;
    // pop edx; pop ecx; ret
    0xcd, 0x80, 0x5d, 0x5a, 0x59, 0xc3, 0x90, 0x90,
    // not reached
    0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4, 0xf4};

constexpr std::uint64_t OffsetOf(ReturnCode code) {
  constexpr std::uint64_t kOffsets[] = {0, 8, 18};
  return kOffsets[static_cast<std::size_t>(code)];
}
// The eight bytes of a sigreturn.
constexpr std::span<const std::uint8_t, 8> BytesOf(ReturnCode code) {
  return std::span<const std::uint8_t, 8>(kReturnCode.data() + OffsetOf(code), 8);
}

}  // namespace glovebox::engine
