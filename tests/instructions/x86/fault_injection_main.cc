// Walks the instruction table and injects a fault at every memory access of every row and form.
//
//   glovebox_fault_injection [--mnemonic NAME] [--check FILE | --record FILE]
//
// The file holds a digest per row and mode over all states that were seen: it must be the same for
// every compiler and build of an epoch. A row that the file does not have fails too.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <map>
#include <string>

#include "engine/isa/x86/instruction_table.h"
#include "tests/instructions/x86/encoding.h"
#include "tests/instructions/x86/fault_injection.h"

namespace glovebox::engine::x86 {
namespace {

constexpr int kTriesPerForm = 12;
constexpr int kSamplesPerForm = 4;
constexpr std::size_t kMistakesShown = 20;

struct Options {
  std::string mnemonic;
  std::string check;
  std::string record;
};

bool TouchesMemory(const DecodedInstruction& instruction) {
  return std::ranges::any_of(instruction.All(), [](const ZydisDecodedOperand& operand) {
    return operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.type != ZYDIS_MEMOP_TYPE_AGEN;
  });
}

InjectionReport TryRow(FaultInjector& injector, ZydisMnemonic mnemonic, CpuMode mode,
                       const std::vector<Form>& forms) {
  InjectionReport report;
  Random random(static_cast<std::uint64_t>(mnemonic) * 2 + (mode == CpuMode::kLong64 ? 0 : 1));
  for (const Form& form : forms) {
    int samples = 0;
    for (int i = 0; i < kTriesPerForm && samples < kSamplesPerForm; ++i) {
      const auto code = EncodeRandom(mode, mnemonic, form, RandomMemory, random);
      if (!code) continue;
      const auto decoded = Decode(mode, *code);
      if (!decoded || !TouchesMemory(*decoded)) continue;
      if (injector.Try(*decoded, *code, random, report)) ++samples;
    }
  }
  return report;
}

std::map<std::string, std::string> ReadDigests(const std::string& path) {
  std::map<std::string, std::string> digests;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t split = line.rfind(' ');
    if (!line.empty() && line[0] != '#' && split != std::string::npos) {
      digests[line.substr(0, split)] = line.substr(split + 1);
    }
  }
  return digests;
}

int Run(const Options& options) {
  std::map<std::string, std::string> digests;
  std::uint64_t injections = 0;
  std::size_t mistakes = 0;
  for (const CpuMode mode : {CpuMode::kLong64, CpuMode::kProtected32}) {
    FaultInjector injector(mode);
    for (const auto& rows : AllRows()) {
      for (const InstructionRow& row : rows) {
        const std::string name = ZydisMnemonicGetString(row.mnemonic);
        const std::string key = fmt::format("{} {}", mode == CpuMode::kLong64 ? 64 : 32, name);
        if (!options.mnemonic.empty() && options.mnemonic != name) continue;
        if (digests.contains(key)) continue;  // MOVSD and CMPSD stand in two families
        const InjectionReport report =
            TryRow(injector, row.mnemonic, mode, FormsOf(row.mnemonic, mode));
        injections += report.injections;
        if (report.injections != 0) digests[key] = fmt::format("{:016x}", report.digest);
        for (const std::string& mistake : report.mistakes) {
          if (++mistakes <= kMistakesShown) fmt::print("{}", mistake);
        }
      }
    }
  }
  fmt::print("{} injections into {} rows, {} mistakes\n", injections, digests.size(), mistakes);
  if (!options.record.empty()) {
    std::ofstream file(options.record);
    file << "# Digests of glovebox_fault_injection, by mode and mnemonic.\n";
    for (const auto& [key, digest] : digests) file << key << ' ' << digest << '\n';
  }
  std::size_t unlike = 0;
  if (!options.check.empty()) {
    const auto wanted = ReadDigests(options.check);
    for (const auto& [key, digest] : digests) {
      const auto found = wanted.find(key);
      if (found != wanted.end() && found->second == digest) continue;
      if (++unlike <= kMistakesShown) {
        fmt::print("{}: {} here, {} in {}\n", key, digest,
                   found == wanted.end() ? "nothing" : found->second, options.check);
      }
    }
    for (const auto& [key, digest] : wanted) {
      if (digests.contains(key) || !options.mnemonic.empty()) continue;
      if (++unlike <= kMistakesShown) fmt::print("{}: not seen here\n", key);
    }
    fmt::print("{} rows unlike {}\n", unlike, options.check);
  }
  return mistakes == 0 && unlike == 0 ? 0 : 1;
}

}  // namespace
}  // namespace glovebox::engine::x86

int main(int argc, char** argv) {
  glovebox::engine::x86::Options options;
  CLI::App app{"Injects a fault at every memory access of every instruction."};
  app.add_option("--mnemonic", options.mnemonic, "only this instruction, as Zydis spells it");
  app.add_option("--check", options.check, "digests to compare with");
  app.add_option("--record", options.record, "where to write digests");
  CLI11_PARSE(app, argc, argv);
  return glovebox::engine::x86::Run(options);
}
