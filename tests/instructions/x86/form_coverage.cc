#include "tests/instructions/x86/form_coverage.h"

#include <fmt/format.h>

namespace glovebox::engine::x86 {
namespace {

std::string_view PrefixOf(const DecodedInstruction& instruction) {
  if (instruction.Has(ZYDIS_ATTRIB_HAS_LOCK)) return "lock ";
  if (instruction.Has(ZYDIS_ATTRIB_HAS_REP)) return "rep ";
  if (instruction.Has(ZYDIS_ATTRIB_HAS_REPE)) return "repe ";
  if (instruction.Has(ZYDIS_ATTRIB_HAS_REPNE)) return "repne ";
  return "";
}

std::string RegisterName(const ZydisDecodedOperand& operand) {
  switch (ZydisRegisterGetClass(operand.reg.value)) {
    case ZYDIS_REGCLASS_XMM:
      return "xmm";
    case ZYDIS_REGCLASS_YMM:
      return "ymm";
    case ZYDIS_REGCLASS_MMX:
      return "mm";
    case ZYDIS_REGCLASS_X87:
      return "st";
    case ZYDIS_REGCLASS_SEGMENT:
      return "sreg";
    default:
      return fmt::format("r{}", operand.size);
  }
}

std::string OperandName(const ZydisDecodedOperand& operand) {
  switch (operand.type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
      return RegisterName(operand);
    case ZYDIS_OPERAND_TYPE_MEMORY:
      return fmt::format("m{}", operand.size);
    default:
      return fmt::format("i{}", operand.size);
  }
}

}  // namespace

std::string FormName(const DecodedInstruction& instruction) {
  std::string name(PrefixOf(instruction));
  name += ZydisMnemonicGetString(instruction.info.mnemonic);
  if (instruction.info.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX) {
    name += fmt::format(".{}", instruction.info.avx.vector_length);
  }
  bool says_width = false;
  for (const ZydisDecodedOperand& operand : instruction.All()) {
    if (operand.visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT) continue;
    says_width |= operand.type != ZYDIS_OPERAND_TYPE_IMMEDIATE;
    name += " " + OperandName(operand);
  }
  if (!says_width) name += fmt::format(" /{}", instruction.info.operand_width);
  return name;
}

}  // namespace glovebox::engine::x86
