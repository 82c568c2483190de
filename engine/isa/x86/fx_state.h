// The guest's x87, MXCSR and XMM state in the layout of FXSAVE64: Intel SDM vol. 1, table 10-2. The
// pointers and the opcode of the last x87 instruction are not kept (CPUs differ in them) and read
// as 0.
#pragma once

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/registers.h"

namespace glovebox::engine::x86 {

// What FXSAVE writes; the area's last bytes belong to software.
inline constexpr std::size_t kFxImageBytes = 416;

// Writes kFxImageBytes at `image`. cpu.mxcsr must hold all flags raised so far.
void SaveFxImage(const Cpu& cpu, std::byte* image);

// False, with nothing changed, where reserved MXCSR bits are set.
bool RestoreFxImage(Cpu& cpu, const std::byte* image);

}  // namespace glovebox::engine::x86
