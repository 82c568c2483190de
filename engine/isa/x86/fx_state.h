// The guest's x87, MXCSR and XMM state as FXSAVE stores it: Intel SDM vol. 1, table 10-2, and vol.
// 2A, FXSAVE.
#pragma once

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/registers.h"

namespace glovebox::engine::x86 {

// What FXSAVE writes at most; the area's last bytes belong to software.
inline constexpr std::size_t kFxImageBytes = 416;

// How wide the pointers to the last x87 instruction and operand are, and how many XMM registers
// there are.
enum class FxFormat : std::uint8_t {
  kLong64,       // with REX.W: 64 bits, 16 registers
  kLong32,       // in 64-bit code without: 32 bits, 16 registers
  kProtected32,  // in 32-bit code: 32 bits, 8 registers
};

// Writes kFxImageBytes at `image`, less the registers that the format lacks. cpu.mxcsr must hold
// all flags raised so far.
void SaveFxImage(const Cpu& cpu, std::byte* image, FxFormat format = FxFormat::kLong64);

// False, with nothing changed, where reserved MXCSR bits are set. Registers that the format lacks
// stay.
bool RestoreFxImage(Cpu& cpu, const std::byte* image, FxFormat format = FxFormat::kLong64);

}  // namespace glovebox::engine::x86
