// MOV, PUSH and POP of segment registers (Intel SDM vol. 2B), and the instructions that load a
// segment register and a general one from memory (LDS, LES, LFS, LGS, LSS).
#pragma once

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/lowering.h"

namespace glovebox::engine::x86 {

inline bool IsSegmentRegister(const ZydisDecodedOperand& operand) {
  return IsRegister(operand) && ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_SEGMENT;
}

bool LowerReadSelector(Emitter& emitter, const Instruction& in);
bool LowerLoadSelector(Emitter& emitter, const Instruction& in);
bool LowerPushSelector(Emitter& emitter, const Instruction& in);
bool LowerPopSelector(Emitter& emitter, const Instruction& in);

}  // namespace glovebox::engine::x86
