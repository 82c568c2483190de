// Far transfers and IRET. User mode has one code segment for each mode, so they work as far as they
// stay in the one that runs; those that would switch between 64-bit and 32-bit code are #GP
// (ARCHITECTURE.md, "Instructions"). Intel SDM vol. 2: JMP, CALL, RET, IRET.
#pragma once

#include "engine/isa/x86/instruction_table.h"

namespace glovebox::engine::x86 {

bool LowerFarJump(Emitter& emitter, const Instruction& in);
bool LowerFarCall(Emitter& emitter, const Instruction& in);
bool LowerFarReturn(Emitter& emitter, const Instruction& in);
bool LowerInterruptReturn(Emitter& emitter, const Instruction& in);

}  // namespace glovebox::engine::x86
