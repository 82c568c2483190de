// Walks the instruction table: random cases of every row, compared until a count or a time is
// reached, in as many processes as asked for.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/isa/x86/registers.h"
#include "tests/instructions/x86/form_coverage.h"
#include "tests/instructions/x86/test_case.h"

namespace glovebox::engine::x86 {

struct DifferentialOptions {
  std::uint64_t seed = 1;
  std::uint64_t count = 200'000;  // cases, each of several states
  double seconds = 0;             // if not 0: so long, whatever `count` says
  unsigned jobs = 1;
  std::string mode = "both";  // 64, 32
  std::string mnemonic;       // only this one
  unsigned sequences = 25;    // percent of the cases
  unsigned mutations = 15;    // percent of the others
  unsigned states = 8;        // that each case is run from
  unsigned failures = 10;     // stop after so many
  bool coverage = false;
};

// Comparisons, by what was compared.
struct Tally {
  struct Row {
    std::uint64_t single[2] = {};  // by CpuMode
    std::uint64_t in_sequences[2] = {};
  };
  std::map<ZydisMnemonic, Row> rows;
  FormCounts forms;                                      // of single instructions
  std::map<std::string, std::uint64_t> not_implemented;  // forms, by mnemonic
  std::uint64_t comparisons = 0;
  std::uint64_t sequences = 0;
  std::array<std::uint64_t, kEndings> endings{};  // of the host's runs, by Ending
  std::uint64_t invalid = 0;                      // of bytes that Zydis calls invalid
  std::uint64_t cases = 0;
  std::uint64_t single_cases = 0;
  std::uint64_t differences = 0;
  unsigned failed = 0;  // that were told

  void Add(const Tally& other);
  std::string Write() const;
  static Tally Read(const std::string& text);
};

// Prints as it goes. 0: no difference, and every row was compared.
int RunDifferential(const DifferentialOptions& options);

}  // namespace glovebox::engine::x86
