// Random instructions from the instruction table, each with a state that suits it.
#pragma once

#include <Zydis/Zydis.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tests/instructions/x86/instruction_forms.h"
#include "tests/instructions/x86/machine_state.h"
#include "tests/instructions/x86/random.h"

namespace glovebox::engine::x86 {

// A decoded instruction with all its operands, hidden ones too.
struct DecodedInstruction {
  ZydisDecodedInstruction info{};
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands{};

  std::span<const ZydisDecodedOperand> All() const { return {operands.data(), info.operand_count}; }
};

std::optional<DecodedInstruction> Decode(std::span<const std::uint8_t> bytes);
// In Intel's syntax, as at `rip`.
std::string Disassemble(std::span<const std::uint8_t> bytes, std::uint64_t rip);

struct TestCase {
  std::vector<std::uint8_t> code;
  MachineState start;
  Tolerance tolerance;
  bool in_blocks = false;  // ours runs it as blocks instead of one instruction at a time
};

class CaseGenerator {
 public:
  // One instruction of `mnemonic`. Empty where it has no form that can be tried (see SkippedForms).
  std::optional<TestCase> Single(ZydisMnemonic mnemonic, Random& random);
  // Several instructions of `mnemonics` in a row, for what one instruction leaves to the next: lazy
  // flags, fusion, faults in the middle of a block.
  std::optional<TestCase> Sequence(std::span<const ZydisMnemonic> mnemonics, Random& random);

 private:
  const std::vector<Form>& Forms(ZydisMnemonic mnemonic);

  std::map<ZydisMnemonic, std::vector<Form>> forms_;
};

}  // namespace glovebox::engine::x86
