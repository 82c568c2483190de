// The guest's x87, MXCSR and XMM state in the layout of FXSAVE64: Intel SDM vol. 1, table 10-2. The
// pointers and the opcode of the last x87 instruction are not kept (CPUs differ in them) and read
// as 0.
#pragma once

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/registers.h"

namespace glovebox::engine::x86 {

// What FXSAVE writes; the area's last bytes belong to software.
inline constexpr std::size_t kFxImageBytes = 416;

inline constexpr std::uint8_t kAllXmm = 16;
// 32-bit code has half of the XMM registers, and leaves the others' places alone (Intel SDM vol.
// 2A, FXSAVE).
inline std::uint8_t VisibleXmm(const Cpu& cpu) {
  return cpu.mode == CpuMode::kLong64 ? kAllXmm : kAllXmm / 2;
}

// Writes kFxImageBytes at `image`, or fewer where not all of XMM goes with it. cpu.mxcsr must hold
// all flags raised so far.
void SaveFxImage(const Cpu& cpu, std::byte* image, std::uint8_t xmm_count = kAllXmm);

// False, with nothing changed, where reserved MXCSR bits are set.
bool RestoreFxImage(Cpu& cpu, const std::byte* image, std::uint8_t xmm_count = kAllXmm);

}  // namespace glovebox::engine::x86
