// Zydis' view of the bytes of a test.
#pragma once

#include <Zydis/Zydis.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "engine/isa/x86/registers.h"

namespace glovebox::engine::x86 {

// A decoded instruction with all its operands, hidden ones too.
struct DecodedInstruction {
  ZydisDecodedInstruction info{};
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands{};

  std::span<const ZydisDecodedOperand> All() const { return {operands.data(), info.operand_count}; }
  bool Has(ZydisInstructionAttributes any_of) const { return (info.attributes & any_of) != 0; }
  // Null where it has no operand in memory.
  const ZydisDecodedOperand* FirstMemory() const;
};

inline constexpr ZydisInstructionAttributes kRepeated =
    ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;

std::optional<DecodedInstruction> Decode(CpuMode mode, std::span<const std::uint8_t> bytes);
// In Intel's syntax, as at `rip`; several instructions with "; " between them, "(bad)" for what is
// none.
std::string Disassemble(CpuMode mode, std::span<const std::uint8_t> bytes, std::uint64_t rip);

// 0 to 15 for any name of a general register, AH to BH too; -1 for others.
int GprNumber(ZydisRegister reg);
// 0 to 15 of XMM0 to XMM15 and YMM0 to YMM15; -1 for others.
int VectorNumber(ZydisRegister reg);
// Is it memory at the stack pointer that the instruction does not name: PUSH, CALL, RET?
bool IsHiddenStack(const ZydisDecodedOperand& operand);

}  // namespace glovebox::engine::x86
