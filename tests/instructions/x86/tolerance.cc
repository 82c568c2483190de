#include "tests/instructions/x86/tolerance.h"

#include "engine/isa/x86/instruction_table.h"

namespace glovebox::engine::x86 {
namespace {

// Of accesses that are wider than a register (an x87 register goes in two parts), or of several at
// places that the program chooses, the CPU decides which is done first.
bool HasManyAccesses(const DecodedInstruction& instruction) {
  int memory_operands = 0;
  for (const ZydisDecodedOperand& operand : instruction.All()) {
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    ++memory_operands;
    const bool is_x87 = instruction.info.meta.isa_set == ZYDIS_ISA_SET_X87;
    if (operand.size > (is_x87 ? 64 : 256) || operand.mem.type == ZYDIS_MEMOP_TYPE_VSIB)
      return true;
  }
  switch (instruction.info.mnemonic) {
    case ZYDIS_MNEMONIC_MASKMOVDQU:
    case ZYDIS_MNEMONIC_MASKMOVQ:
    case ZYDIS_MNEMONIC_VMASKMOVDQU:
    case ZYDIS_MNEMONIC_VMASKMOVPS:
    case ZYDIS_MNEMONIC_VMASKMOVPD:
    case ZYDIS_MNEMONIC_VPMASKMOVD:
    case ZYDIS_MNEMONIC_VPMASKMOVQ:
      return true;
    default:
      return memory_operands > 1;
  }
}

bool TouchesMmx(const DecodedInstruction& instruction) {
  for (const ZydisDecodedOperand& operand : instruction.All()) {
    if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
        ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_MMX) {
      return true;
    }
  }
  return false;
}

}  // namespace

Tolerance ToleranceFor(const DecodedInstruction& instruction, bool exact) {
  Tolerance tolerance;
  tolerance.ignore_fault_address = HasManyAccesses(instruction);
  if (exact) return tolerance;
  tolerance.x87_at_fault = !TouchesMmx(instruction);

  if (instruction.info.cpu_flags != nullptr) {
    tolerance.undefined_flags = instruction.info.cpu_flags->undefined;
  }
  const InstructionRow* const row =
      FindRow(instruction.info.mnemonic, instruction.info.meta.category);
  if (row != nullptr) {
    tolerance.undefined_flags |= row->latitude.flags;
    tolerance.undefined_x87_status = row->latitude.x87_status;
    tolerance.approximate_bits = row->latitude.approximate_bits;
  }
  return tolerance;
}

}  // namespace glovebox::engine::x86
