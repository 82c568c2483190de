// The architectural state of an x86 guest thread as the rest of the engine sees it: everything
// materialised. The running CPU keeps some of it in other forms (lazy flags); see cpu_state.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/base/types.h"

namespace glovebox::engine::x86 {

// Encoding order: Intel SDM vol. 2A, table 2-2.
enum Gpr : std::uint8_t {
  kRax,
  kRcx,
  kRdx,
  kRbx,
  kRsp,
  kRbp,
  kRsi,
  kRdi,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15,
};

// Encoding order: Intel SDM vol. 2A, table 3-1 (Sreg).
enum SegmentRegister : std::uint8_t { kEs, kCs, kSs, kDs, kFs, kGs };

// What a process' instructions mean. Fixed for the life of a Vcpu: execve makes a new one.
enum class CpuMode : std::uint8_t {
  kLong64,       // 64-bit mode
  kProtected32,  // 32-bit code in flat segments, as compatibility mode has it
};

enum RflagsBit : std::uint64_t {
  kCf = 1 << 0,
  kReservedOne = 1 << 1,
  kPf = 1 << 2,
  kAf = 1 << 4,
  kZf = 1 << 6,
  kSf = 1 << 7,
  kTf = 1 << 8,
  kIf = 1 << 9,
  kDf = 1 << 10,
  kOf = 1 << 11,
  kNt = 1 << 14,
  kRf = 1 << 16,
  kAc = 1 << 18,
  kId = 1 << 21,
};
constexpr std::uint64_t FlagIf(bool condition, RflagsBit flag) {
  return condition ? std::uint64_t{flag} : 0;
}
inline constexpr std::uint64_t kStatusFlags = kCf | kPf | kAf | kZf | kSf | kOf;

struct Registers {
  std::array<std::uint64_t, 16> gpr{};
  std::uint64_t rip = 0;
  std::uint64_t rflags = kReservedOne | kIf;
  std::uint64_t fs_base = 0;
  std::uint64_t gs_base = 0;
};

// YMM0 to YMM15, the low quadword first.
using VectorRegisters = std::array<std::array<std::uint64_t, 4>, 16>;

// The legacy region of FXSAVE64 (Intel SDM vol. 1, table 10-2): x87, MXCSR, XMM0 to XMM15.
using FxsaveArea = std::array<std::byte, 512>;

// The same, a header, and the upper halves of the vector registers: all that XSAVE keeps, in the
// standard format (Intel SDM vol. 1, 13.4).
inline constexpr std::size_t kXsaveBytes = 832;
using XsaveArea = std::array<std::byte, kXsaveBytes>;

}  // namespace glovebox::engine::x86
