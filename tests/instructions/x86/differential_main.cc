// Runs random instructions on the host's CPU and on ours and compares everything that they leave.
//
//   differential [--seed N] [--count N] [--mnemonic NAME] [--sequences PERCENT] [--failures N]
//   [--coverage]
//
// Case k of a run has the seed N + k, printed where it fails: `--seed THAT --count 1` (with the
// same other options) replays it. Every row of the instruction table must have been compared,
// except for those of kExceptions.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/isa/x86/instruction_table.h"
#include "tests/instructions/x86/guest_machine.h"
#include "tests/instructions/x86/native_machine.h"
#include "tests/instructions/x86/test_case.h"

namespace glovebox::engine::x86 {
namespace {

struct Exception {
  ZydisMnemonic mnemonic;
  std::string_view reason;
};
// Rows that are not compared with the host's CPU. This list only shrinks.
constexpr Exception kExceptions[] = {
    {ZYDIS_MNEMONIC_JCXZ, "32-bit code only"},
    {ZYDIS_MNEMONIC_PUSHFD, "32-bit code only"},
    {ZYDIS_MNEMONIC_POPFD, "32-bit code only"},
    {ZYDIS_MNEMONIC_CPUID, "the guest's CPU is another one"},
    {ZYDIS_MNEMONIC_SYSCALL, "leaves for the kernel"},
    {ZYDIS_MNEMONIC_SYSENTER, "leaves for the kernel"},
    {ZYDIS_MNEMONIC_INT, "leaves for the kernel"},
    {ZYDIS_MNEMONIC_INT3, "ends a test case"},
    {ZYDIS_MNEMONIC_INT1, "a debug trap"},
    {ZYDIS_MNEMONIC_RDTSC, "the guest's time is virtual"},
    {ZYDIS_MNEMONIC_RDTSCP, "the guest's time is virtual"},
    {ZYDIS_MNEMONIC_XGETBV, "the guest's CPU is another one"},
    {ZYDIS_MNEMONIC_FSIN, "hosts differ in the last bit: glovebox_x87_error"},
    {ZYDIS_MNEMONIC_FCOS, "hosts differ in the last bit: glovebox_x87_error"},
    {ZYDIS_MNEMONIC_FSINCOS, "hosts differ in the last bit: glovebox_x87_error"},
    {ZYDIS_MNEMONIC_FPTAN, "hosts differ in the last bit: glovebox_x87_error"},
    {ZYDIS_MNEMONIC_FPATAN, "hosts differ in the last bit: glovebox_x87_error"},
    {ZYDIS_MNEMONIC_F2XM1, "hosts differ in the last bit: glovebox_x87_error"},
    {ZYDIS_MNEMONIC_FYL2X, "hosts differ in the last bit: glovebox_x87_error"},
    {ZYDIS_MNEMONIC_FYL2XP1, "hosts differ in the last bit: glovebox_x87_error"},
    {ZYDIS_MNEMONIC_RCPPS, "hosts differ: unit tests check the bounds"},
    {ZYDIS_MNEMONIC_RCPSS, "hosts differ: unit tests check the bounds"},
    {ZYDIS_MNEMONIC_RSQRTPS, "hosts differ: unit tests check the bounds"},
    {ZYDIS_MNEMONIC_RSQRTSS, "hosts differ: unit tests check the bounds"},
    {ZYDIS_MNEMONIC_VRCPPS, "hosts differ: unit tests check the bounds"},
    {ZYDIS_MNEMONIC_VRCPSS, "hosts differ: unit tests check the bounds"},
    {ZYDIS_MNEMONIC_VRSQRTPS, "hosts differ: unit tests check the bounds"},
    {ZYDIS_MNEMONIC_VRSQRTSS, "hosts differ: unit tests check the bounds"},
};

bool IsException(ZydisMnemonic mnemonic) {
  return std::ranges::any_of(kExceptions,
                             [&](const Exception& row) { return row.mnemonic == mnemonic; });
}

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t count = 200'000;
  std::string mnemonic;
  unsigned sequences = 25;  // percent of the cases
  unsigned failures = 10;   // stop after so many
  bool coverage = false;
};

class Differential {
 public:
  explicit Differential(const Options& options) : options_(options) {
    for (const auto& rows : AllRows()) {
      for (const InstructionRow& row : rows) {
        const bool wanted =
            options.mnemonic.empty() || options.mnemonic == ZydisMnemonicGetString(row.mnemonic);
        if (wanted && !IsException(row.mnemonic)) mnemonics_.push_back(row.mnemonic);
      }
    }
    std::ranges::sort(mnemonics_);
    const auto repeated = std::ranges::unique(mnemonics_);
    mnemonics_.erase(repeated.begin(), repeated.end());
  }

  int Run() {
    if (mnemonics_.empty()) {
      fmt::print(stderr, "no such instruction\n");
      return 2;
    }
    for (std::uint64_t k = 0; k < options_.count && failed_ < options_.failures; ++k) {
      RunCase(options_.seed + k);
    }
    PrintCoverage();
    return failed_ == 0 && CoverageIsWhole() ? 0 : 1;
  }

 private:
  void RunCase(std::uint64_t seed) {
    Random random(seed);
    random.Next();
    const bool sequence = random.Chance(options_.sequences);
    const ZydisMnemonic mnemonic = mnemonics_[seed % mnemonics_.size()];
    const auto test =
        sequence ? generator_.Sequence(mnemonics_, random) : generator_.Single(mnemonic, random);
    if (!test) return;
    MachineState native = test->start;
    MachineState guest = test->start;
    native_.Run(test->code, native);
    guest_.Run(test->code, guest, test->in_blocks);
    if (guest.ending == Ending::kNotImplemented) {
      ++not_implemented_[guest_.missing().mnemonic];
      return;
    }
    ++compared_;
    if (!sequence) ++coverage_[mnemonic];

    Tolerance tolerance = test->tolerance;
    // A store that faults in its second page may have written the first, and a call to nowhere its
    // return address.
    tolerance.ignore_data = native.ending != Ending::kReachedInt3 && guest.ending == native.ending;
    const std::string differences = Differences(native, guest, tolerance);
    if (differences.empty()) return;
    ++failed_;
    fmt::print("seed {}: {}{}", seed, Describe(*test), differences);
  }

  static std::string Describe(const TestCase& test) {
    std::string text;
    std::span<const std::uint8_t> rest(test.code);
    std::uint64_t rip = test.start.rip;
    while (!rest.empty()) {
      const auto decoded = Decode(rest);
      const std::size_t length = decoded ? decoded->info.length : rest.size();
      text += fmt::format("[{:02x}] {}\n", fmt::join(rest.first(length), " "),
                          Disassemble(rest.first(length), rip));
      rest = rest.subspan(length);
      rip += length;
    }
    text +=
        fmt::format("  before: rflags={:x} mxcsr={:x} x87 control={:x} status={:x} tags={:x}\n ",
                    test.start.rflags, test.start.fx.mxcsr, test.start.fx.control,
                    test.start.fx.status, test.start.fx.valid);
    for (const std::uint64_t gpr : test.start.gpr) text += fmt::format(" {:x}", gpr);
    text += '\n';
    DescribeOperands(test, text);
    return text;
  }

  // The vector and x87 registers that the first instruction names.
  static void DescribeOperands(const TestCase& test, std::string& text) {
    const auto decoded = Decode(test.code);
    if (!decoded) return;
    for (const ZydisDecodedOperand& operand : decoded->All()) {
      if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER) continue;
      const ZydisRegister reg = operand.reg.value;
      const int id = ZydisRegisterGetId(reg);
      const ZydisRegisterClass kind = ZydisRegisterGetClass(reg);
      if (kind != ZYDIS_REGCLASS_XMM && kind != ZYDIS_REGCLASS_X87) continue;
      const auto& bits = kind == ZYDIS_REGCLASS_XMM
                             ? test.start.fx.xmm[static_cast<std::size_t>(id)]
                             : test.start.fx.st[static_cast<std::size_t>(id)];
      text += fmt::format("  {}={:016x}_{:016x}\n", ZydisRegisterGetString(reg), bits[1], bits[0]);
    }
  }

  void PrintCoverage() const {
    fmt::print("{} comparisons of {} instructions, {} differ; seed {}, count {}\n", compared_,
               mnemonics_.size(), failed_, options_.seed, options_.count);
    for (const auto& [mnemonic, cases] : not_implemented_) {
      fmt::print("{} cases with a form of {} that is not implemented\n", cases, mnemonic);
    }
    if (!options_.coverage) return;
    for (const ZydisMnemonic mnemonic : mnemonics_) {
      const auto found = coverage_.find(mnemonic);
      fmt::print("{:16} {}\n", ZydisMnemonicGetString(mnemonic),
                 found == coverage_.end() ? 0 : found->second);
    }
  }

  // Short runs, as replays, cannot reach every row.
  bool CoverageIsWhole() const {
    if (options_.count < 4 * mnemonics_.size()) return true;
    bool whole = true;
    for (const ZydisMnemonic mnemonic : mnemonics_) {
      if (coverage_.contains(mnemonic)) continue;
      fmt::print("never compared: {}\n", ZydisMnemonicGetString(mnemonic));
      whole = false;
    }
    return whole;
  }

  Options options_;
  std::vector<ZydisMnemonic> mnemonics_;
  CaseGenerator generator_;
  NativeMachine native_;
  GuestMachine guest_;
  std::map<ZydisMnemonic, std::uint64_t> coverage_;
  std::map<std::string, std::uint64_t> not_implemented_;
  std::uint64_t compared_ = 0;
  unsigned failed_ = 0;
};

}  // namespace
}  // namespace glovebox::engine::x86

int main(int argc, char** argv) {
  glovebox::engine::x86::Options options;
  CLI::App app{"Compares Glovebox's x86 instructions with the host's."};
  app.add_option("--seed", options.seed, "seed of the first case");
  app.add_option("--count", options.count, "cases");
  app.add_option("--mnemonic", options.mnemonic, "only this instruction, as Zydis spells it");
  app.add_option("--sequences", options.sequences, "percent of cases with several instructions");
  app.add_option("--failures", options.failures, "differences after which to stop");
  app.add_flag("--coverage", options.coverage, "print comparisons per instruction");
  CLI11_PARSE(app, argc, argv);
  return glovebox::engine::x86::Differential(options).Run();
}
