// Random instructions from the instruction table, each with states that suit it.
#pragma once

#include <Zydis/Zydis.h>

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "tests/instructions/x86/addresses.h"
#include "tests/instructions/x86/decoding.h"
#include "tests/instructions/x86/instruction_forms.h"
#include "tests/instructions/x86/machine_state.h"
#include "tests/instructions/x86/random.h"
#include "tests/instructions/x86/random_state.h"

namespace glovebox::engine::x86 {

// Code to be run from several states.
struct TestCase {
  CpuMode mode = CpuMode::kLong64;
  std::uint64_t rip = kCodeAddress;
  std::vector<std::uint8_t> code;
  std::vector<DecodedInstruction> instructions;  // empty where Zydis calls the bytes invalid
  Tolerance tolerance;
  bool is_sequence = false;
};

// What may be drawn in one mode: the mnemonics of the table that the host has and that do no harm.
struct Repertoire {
  std::vector<ZydisMnemonic> mnemonics;  // sorted
  bool Contains(ZydisMnemonic mnemonic) const;
};

class CaseGenerator {
 public:
  // `exact`: see ToleranceFor.
  CaseGenerator(CpuMode mode, const Repertoire& repertoire, const FormTable& forms, bool exact)
      : mode_(mode), repertoire_(repertoire), forms_(forms), exact_(exact) {}

  // One instruction of `mnemonic`, or what changing some of its bits has made of it. Empty where it
  // has no form that can be tried.
  std::optional<TestCase> Single(ZydisMnemonic mnemonic, unsigned mutate_percent, Random& random);
  // The forms of `mnemonics` that Single may draw without a mutation (form_coverage.h).
  std::set<std::string> KnownForms(std::span<const ZydisMnemonic> mnemonics) const;
  // Several instructions in a row, for what one leaves to the next: lazy flags, fusion, chaining,
  // faults in the middle of a block. Branches lead forwards; a loop is counted.
  std::optional<TestCase> Sequence(Random& random);

  // A state to run `test` from. Empty where its addresses cannot be made harmless.
  std::optional<Start> StateFor(const TestCase& test, const Surroundings& around,
                                Random& random) const;

 private:
  bool MayRun(const DecodedInstruction& instruction) const;

  CpuMode mode_;
  const Repertoire& repertoire_;
  const FormTable& forms_;
  bool exact_;
};

}  // namespace glovebox::engine::x86
