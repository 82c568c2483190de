// The way from the tester into the code under test and back, as a page of machine code below 4 GiB
// and a page of state behind it: so near that relative and 32-bit far jumps reach it.
//
// Enter loads the whole state (XRSTOR, the segment bases, the general registers) and leaves by
// IRET, which sets flags, stack, code segment and instruction pointer at once and serialises after
// the code was written. The code under test comes back by a jump to `kExitOffset`, or by a signal
// whose handler copies the state from its frame and goes on at `kResumeOffset`. So a case that does
// not fault costs no signal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tests/instructions/x86/machine_state.h"

namespace glovebox::engine::x86 {

// The legacy region, the XSAVE header and YMM: Intel SDM vol. 1, 13.4. Non-compacted format; YMM
// stands at 576 on every CPU that has it.
struct XsaveImage {
  FloatState fx;
  std::array<std::uint64_t, 12> unused{};
  std::uint64_t parts = 7;  // XSTATE_BV: x87, SSE, AVX
  std::array<std::uint64_t, 7> header{};
  std::array<std::array<std::uint64_t, 2>, 16> ymm_high{};
};
static_assert(offsetof(XsaveImage, parts) == 512 && offsetof(XsaveImage, ymm_high) == 576);

// native_gate.cc's assembly knows the offsets.
struct GateState {
  std::array<std::uint64_t, 16> gpr{};  // of the code under test, as are all but host_*
  // What IRET pops.
  std::uint64_t rip = 0;
  std::uint64_t cs = 0;
  std::uint64_t rflags = 0;
  std::uint64_t rsp = 0;
  std::uint64_t ss = 0;
  std::uint64_t fs_base = 0;
  std::uint64_t gs_base = 0;
  std::uint64_t host_fs_base = 0;
  std::uint64_t host_gs_base = 0;
  std::uint64_t host_rsp = 0;
  std::uint64_t host_rflags = 0;
  std::array<std::uint16_t, 4> selectors{};  // ES, DS, FS, GS
  std::uint64_t inside = 0;                  // 1 from Enter to the way back
  std::uint64_t exits = 0;                   // 1: came back by a jump, not by a signal
  std::uint64_t left_ss = 0;                 // selector, when it came back
  std::array<std::uint64_t, 17> stack{};
  alignas(64) XsaveImage xsave;
};
static_assert(offsetof(GateState, rip) == 128 && offsetof(GateState, fs_base) == 168 &&
              offsetof(GateState, inside) == 224 && offsetof(GateState, xsave) == 384);

inline constexpr std::size_t kGateCodeBytes = 4096;
inline constexpr std::uint64_t kGateStateAddress = kGateAddress + kGateCodeBytes;

// The code to be copied to kGateAddress, which runs there only.
struct GateCode {
  const std::byte* bytes;
  std::size_t size_bytes;
  std::size_t exit_offset;    // where the code under test jumps to
  std::size_t resume_offset;  // where a signal handler goes on
};
GateCode GetGateCode();

}  // namespace glovebox::engine::x86
