#include "tests/instructions/x86/test_case.h"

#include <algorithm>

#include "tests/instructions/x86/encoding.h"
#include "tests/instructions/x86/form_coverage.h"
#include "tests/instructions/x86/sequence.h"
#include "tests/instructions/x86/tolerance.h"

namespace glovebox::engine::x86 {
namespace {

constexpr int kTries = 20;

// A near branch with an operand size of 16 bits (Intel's CPUs ignore the prefix in 64-bit mode,
// AMD's cut RIP), or a far one.
bool IsOddBranch(CpuMode mode, const DecodedInstruction& instruction) {
  const auto type = instruction.info.meta.branch_type;
  return type == ZYDIS_BRANCH_TYPE_FAR ||
         (mode == CpuMode::kLong64 && type != ZYDIS_BRANCH_TYPE_NONE &&
          instruction.Has(ZYDIS_ATTRIB_HAS_OPERANDSIZE));
}

// Encodings that we do not offer raise #UD with us, whatever the host makes of them; of AES and
// PCLMULQDQ on 256 bits Zydis gives the mnemonics that we have.
bool IsOfferedEncoding(const DecodedInstruction& instruction) {
  const ZydisISASet set = instruction.info.meta.isa_set;
  if (set == ZYDIS_ISA_SET_VAES || set == ZYDIS_ISA_SET_VPCLMULQDQ) return false;
  return instruction.info.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
         instruction.info.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
}

// To a place where natively the jump to the gate stands, or into itself.
bool LeadsIntoExit(const DecodedInstruction& instruction) {
  const ZydisDecodedOperand& first = instruction.operands[0];
  if (first.type != ZYDIS_OPERAND_TYPE_IMMEDIATE || first.imm.is_relative == 0) return false;
  return first.imm.value.s > -16 && first.imm.value.s < 16 && first.imm.value.s != 0;
}

// VMCALL and its kin leave for the host's hypervisor, also where a prefix makes them invalid.
bool CallsHypervisor(std::span<const std::uint8_t> code) {
  constexpr std::array<std::uint8_t, 2> kGroup = {0x0F, 0x01};
  const auto found = std::ranges::search(code, kGroup);
  if (found.size() < kGroup.size() || found.end() == code.end()) return false;
  const std::uint8_t modrm = *found.end();
  return modrm >= 0xC1 && modrm <= 0xC4;
}

}  // namespace

bool Repertoire::Contains(ZydisMnemonic mnemonic) const {
  return std::ranges::binary_search(mnemonics, mnemonic);
}

bool CaseGenerator::MayRun(const DecodedInstruction& instruction) const {
  return repertoire_.Contains(instruction.info.mnemonic) && IsOfferedEncoding(instruction) &&
         !IsOddBranch(mode_, instruction);
}

std::optional<TestCase> CaseGenerator::Single(ZydisMnemonic mnemonic, unsigned mutate_percent,
                                              Random& random) {
  const std::vector<Form>& forms = forms_.Of(mnemonic, mode_);
  for (int i = 0; i < kTries && !forms.empty(); ++i) {
    auto code = EncodeRandom(mode_, mnemonic, random.Pick(forms), RandomMemory, random);
    if (!code) continue;
    const bool mutated = random.Chance(mutate_percent);
    if (mutated) code = Mutate(mode_, *code, random);
    const auto decoded = Decode(mode_, *code);
    if (!decoded && CallsHypervisor(*code)) continue;
    if (decoded) {
      code->resize(decoded->info.length);
      if (!MayRun(*decoded) || LeadsIntoExit(*decoded)) continue;
      if (!mutated && decoded->info.mnemonic != mnemonic) continue;
    }
    TestCase test;
    test.mode = mode_;
    test.rip = RandomCodeAddress(random);
    test.code = std::move(*code);
    if (decoded) {
      test.instructions.push_back(*decoded);
      test.tolerance = ToleranceFor(*decoded, exact_);
    }
    return test;
  }
  return {};
}

std::set<std::string> CaseGenerator::KnownForms(std::span<const ZydisMnemonic> mnemonics) const {
  // Prefixes that may stand before a form are drawn, so each is encoded so often.
  constexpr int kTriesPerForm = 24;
  Random random(1);
  std::set<std::string> names;
  for (const ZydisMnemonic mnemonic : mnemonics) {
    for (const Form& form : forms_.Of(mnemonic, mode_)) {
      for (int i = 0; i < kTriesPerForm; ++i) {
        const auto code = EncodeRandom(mode_, mnemonic, form, RandomMemory, random);
        const auto decoded = code ? Decode(mode_, *code) : std::nullopt;
        const bool is_drawn = decoded && decoded->info.mnemonic == mnemonic && MayRun(*decoded) &&
                              !LeadsIntoExit(*decoded);
        if (is_drawn) names.insert(FormName(*decoded));
      }
    }
  }
  return names;
}

std::optional<TestCase> CaseGenerator::Sequence(Random& random) {
  SequenceBuilder builder(mode_, exact_);
  const std::uint64_t length = 2 + random.Below(29);
  builder.Begin(length, random);
  for (int i = 0; i < 400 && !builder.IsComplete(); ++i) {
    const ZydisMnemonic mnemonic = random.Pick(repertoire_.mnemonics);
    const std::vector<Form>& forms = forms_.Of(mnemonic, mode_);
    if (forms.empty()) continue;
    const auto code = EncodeRandom(mode_, mnemonic, random.Pick(forms), SequenceMemory, random);
    if (!code) continue;
    const auto decoded = Decode(mode_, *code);
    if (decoded && MayRun(*decoded)) builder.Offer(*code, *decoded, random);
  }
  TestCase test = builder.Finish();
  if (test.code.empty()) return {};
  test.rip = RandomCodeAddress(random);
  return test;
}

std::optional<Start> CaseGenerator::StateFor(const TestCase& test, const Surroundings& around,
                                             Random& random) const {
  for (int i = 0; i < kTries; ++i) {
    Start start;
    start.state = RandomState(mode_, test.rip, around, random);
    if (test.is_sequence) {
      AimSequence(mode_, start.state, random);
      return start;
    }
    if (test.instructions.empty()) return start;
    const DecodedInstruction& instruction = test.instructions.front();
    AimAddresses(mode_, instruction, start, random);
    Tame(mode_, instruction, around.image, start, random);
    if (AreInside(mode_, instruction, start.state)) return start;
  }
  return {};
}

}  // namespace glovebox::engine::x86
