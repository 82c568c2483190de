#include "tests/instructions/x86/differential.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <sstream>

#include "engine/base/check.h"
#include "engine/isa/x86/instruction_table.h"
#include "tests/instructions/x86/comparison.h"
#include "tests/instructions/x86/exceptions.h"
#include "tests/instructions/x86/host_features.h"
#include "tests/instructions/x86/random_state.h"

namespace glovebox::engine::x86 {
namespace {

using Clock = std::chrono::steady_clock;

constexpr CpuMode kModes[] = {CpuMode::kLong64, CpuMode::kProtected32};
constexpr std::size_t IndexOf(CpuMode mode) { return mode == CpuMode::kLong64 ? 0 : 1; }
constexpr const char* kModeNames[] = {"64-bit", "32-bit"};

// Cases of so many seeds in a row share what memory holds before them.
constexpr std::uint64_t kSeedsPerImage = 512;

// The instruction set that the first form of `mnemonic` belongs to.
ZydisISASet SetOf(ZydisMnemonic mnemonic, const FormTable& forms) {
  Random random(1);
  const Repertoire one{{mnemonic}};
  for (const CpuMode mode : kModes) {
    CaseGenerator generator(mode, one, forms, false);
    const auto test = generator.Single(mnemonic, 0, random);
    if (test) return test->instructions.front().info.meta.isa_set;
  }
  return ZYDIS_ISA_SET_INVALID;
}

std::vector<ZydisMnemonic> AllMnemonics() {
  std::vector<ZydisMnemonic> all;
  for (const auto& rows : AllRows()) {
    for (const InstructionRow& row : rows) all.push_back(row.mnemonic);
  }
  std::ranges::sort(all);
  const auto repeated = std::ranges::unique(all);
  all.erase(repeated.begin(), repeated.end());
  return all;
}

// The rows that this host can be asked about, by mode.
class Plan {
 public:
  explicit Plan(const DifferentialOptions& options) : all_(AllMnemonics()), forms_(all_) {
    std::map<std::string, unsigned> lacking;
    for (const ZydisMnemonic mnemonic : all_) {
      const std::string_view missing = MissingOnHost(SetOf(mnemonic, forms_));
      if (!missing.empty()) {
        ++lacking[std::string(missing)];
        continue;
      }
      const bool is_compared = !IsUncompared(mnemonic, CpuMode::kLong64) ||
                               !IsUncompared(mnemonic, CpuMode::kProtected32);
      const bool has_form = std::ranges::any_of(
          kModes, [&](CpuMode mode) { return !forms_.Of(mnemonic, mode).empty(); });
      if (is_compared && !has_form) without_form_.push_back(mnemonic);
      const bool is_wanted =
          options.mnemonic.empty() || options.mnemonic == ZydisMnemonicGetString(mnemonic);
      for (const CpuMode mode : kModes) {
        if (IsUncompared(mnemonic, mode) || forms_.Of(mnemonic, mode).empty()) continue;
        repertoires_[IndexOf(mode)].mnemonics.push_back(mnemonic);
        if (is_wanted) wanted_[IndexOf(mode)].push_back(mnemonic);
      }
    }
    for (const auto& [name, count] : lacking) {
      fmt::print("SKIPPED: {} instructions of {}: the host's CPU lacks it\n", count, name);
    }
  }
  const std::vector<ZydisMnemonic>& all() const { return all_; }
  const FormTable& forms() const { return forms_; }
  // Rows that should be compared, but nobody knows how to write their operands.
  const std::vector<ZydisMnemonic>& without_form() const { return without_form_; }
  // What a mutation may turn into, and what sequences are made of.
  const Repertoire& repertoire(CpuMode mode) const { return repertoires_[IndexOf(mode)]; }
  const std::vector<ZydisMnemonic>& wanted(CpuMode mode) const { return wanted_[IndexOf(mode)]; }

 private:
  std::vector<ZydisMnemonic> all_;
  FormTable forms_;
  std::vector<ZydisMnemonic> without_form_;
  std::array<Repertoire, 2> repertoires_;
  std::array<std::vector<ZydisMnemonic>, 2> wanted_;
};

// One process' share of the cases.
class Worker {
 public:
  Worker(const DifferentialOptions& options, const Plan& plan, std::span<const CpuMode> modes)
      : options_(options), plan_(plan), modes_(modes) {
    const bool exact = HostIsReferenceFamily();
    for (const CpuMode mode : kModes) {
      generators_.emplace_back(mode, plan.repertoire(mode), plan.forms(), exact);
      comparisons_.push_back(std::make_unique<Comparison>(mode));
    }
  }

  Tally Run(unsigned job) {
    const auto end = Clock::now() + std::chrono::duration<double>(options_.seconds);
    for (std::uint64_t k = job; tally_.failed < options_.failures; k += options_.jobs) {
      if (options_.seconds == 0 && k >= options_.count) break;
      if (options_.seconds != 0 && k % 256 < options_.jobs && Clock::now() >= end) break;
      RunCase(options_.seed + k);
    }
    return tally_;
  }

 private:
  void SetImage(std::uint64_t number) {
    Random random(number ^ 0x1234567);
    around_.emplace(random);
    image_number_ = number;
    for (const auto& comparison : comparisons_) comparison->SetImage(native_, around_->image);
  }

  void RunCase(std::uint64_t seed) {
    if (seed / kSeedsPerImage != image_number_) SetImage(seed / kSeedsPerImage);
    Random random(seed);
    random.Next();
    const CpuMode mode = modes_[seed % modes_.size()];
    const auto& wanted = plan_.wanted(mode);
    if (wanted.empty()) return;
    CaseGenerator& generator = generators_[IndexOf(mode)];
    const ZydisMnemonic mnemonic = wanted[seed / modes_.size() % wanted.size()];
    const auto test = random.Chance(options_.sequences)
                          ? generator.Sequence(random)
                          : generator.Single(mnemonic, options_.mutations, random);
    if (!test) return;
    ++tally_.cases;
    if (!test->is_sequence) ++tally_.single_cases;
    Comparison& comparison = *comparisons_[IndexOf(mode)];
    comparison.Begin(*test);
    const bool is_single = !test->is_sequence && !test->instructions.empty();
    std::uint64_t* const form_count =
        is_single ? &tally_.forms[FormName(test->instructions.front())][IndexOf(mode)] : nullptr;
    for (unsigned i = 0; i < options_.states; ++i) {
      const auto start = generator.StateFor(*test, *around_, random);
      if (!start) continue;
      const Outcome outcome = comparison.Run(*start, i % 2 != 0, i + 1 == options_.states);
      if (outcome == Outcome::kNotImplemented) {
        ++tally_.not_implemented[comparison.missing().mnemonic];
        return;
      }
      Count(*test, comparison);
      if (form_count != nullptr) ++*form_count;
      if (outcome == Outcome::kDifferent) {
        Fail(seed, *test, comparison);
        return;
      }
    }
  }

  void Count(const TestCase& test, const Comparison& comparison) {
    ++tally_.comparisons;
    const std::size_t mode = IndexOf(test.mode);
    ++tally_.endings[static_cast<std::size_t>(comparison.native_ending())];
    if (test.instructions.empty()) ++tally_.invalid;
    if (test.is_sequence) {
      ++tally_.sequences;
      for (const auto& one : test.instructions) {
        ++tally_.rows[one.info.mnemonic].in_sequences[mode];
      }
    } else if (!test.instructions.empty()) {
      ++tally_.rows[test.instructions.front().info.mnemonic].single[mode];
    }
  }

  // Of the single instructions of one mnemonic the first is told.
  void Fail(std::uint64_t seed, const TestCase& test, Comparison& comparison) {
    ++tally_.differences;
    const bool is_single = !test.is_sequence && !test.instructions.empty();
    if (is_single && !told_.insert(test.instructions.front().info.mnemonic).second) return;
    ++tally_.failed;
    const std::string first = comparison.Describe();
    fmt::print("seed {}:\n{}shrunk, with what the host leaves:\n{}\n", seed, first,
               comparison.ShrinkToVector());
    std::fflush(stdout);
    SetImage(image_number_);
  }

  const DifferentialOptions& options_;
  const Plan& plan_;
  std::span<const CpuMode> modes_;
  NativeMachine native_;
  std::vector<CaseGenerator> generators_;                 // by mode
  std::vector<std::unique_ptr<Comparison>> comparisons_;  // by mode
  std::optional<Surroundings> around_;
  std::uint64_t image_number_ = ~std::uint64_t{0};
  Tally tally_;
  std::set<ZydisMnemonic> told_;
};

// Every job in a process of its own: a native machine owns addresses and signals. Their tallies
// come back through pipes. Empty where one of them did not end well.
std::optional<Tally> RunJobs(const DifferentialOptions& options, const Plan& plan,
                             std::span<const CpuMode> modes) {
  if (options.jobs <= 1) return Worker(options, plan, modes).Run(0);
  struct Job {
    pid_t pid;
    int pipe;
  };
  std::vector<Job> jobs;
  std::fflush(stdout);
  for (unsigned i = 0; i < options.jobs; ++i) {
    std::array<int, 2> ends{};
    GB_CHECK(::pipe(ends.data()) == 0);
    const pid_t pid = ::fork();
    GB_CHECK(pid >= 0);
    if (pid == 0) {
      const std::string text = Worker(options, plan, modes).Run(i).Write();
      GB_CHECK(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
      std::fflush(stdout);
      ::_exit(0);
    }
    ::close(ends[1]);
    jobs.push_back({pid, ends[0]});
  }
  Tally sum;
  bool well = true;
  for (const Job& job : jobs) {
    std::string text;
    std::array<char, 4096> buffer;
    for (ssize_t got = 0; (got = ::read(job.pipe, buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    ::close(job.pipe);
    int status = 0;
    ::waitpid(job.pid, &status, 0);
    if (status != 0) {
      fmt::print("a job ended with status {:x}\n", status);
      well = false;
    }
    sum.Add(Tally::Read(text));
  }
  if (!well) return std::nullopt;
  return sum;
}

void PrintCoverage(const Tally& tally, const Plan& plan) {
  fmt::print("{:20} {:>12} {:>12} {:>14} {:>14}\n", "mnemonic", "64-bit", "32-bit", "64 sequences",
             "32 sequences");
  for (const ZydisMnemonic mnemonic : plan.all()) {
    const auto found = tally.rows.find(mnemonic);
    const Tally::Row row = found == tally.rows.end() ? Tally::Row{} : found->second;
    fmt::print("{:20} {:>12} {:>12} {:>14} {:>14}\n", ZydisMnemonicGetString(mnemonic),
               row.single[0], row.single[1], row.in_sequences[0], row.in_sequences[1]);
  }
  fmt::print("{:48} {:>12} {:>12}\n", "form", "64-bit", "32-bit");
  for (const auto& [name, counts] : tally.forms) {
    fmt::print("{:48} {:>12} {:>12}\n", name, counts[0], counts[1]);
  }
  for (const UncomparedRow& row : UncomparedRows()) {
    fmt::print("{:20} not compared: {}\n", ZydisMnemonicGetString(row.mnemonic), row.reason);
  }
}

// Says how often the least compared form was, and names those that should have been and were not.
bool FormsAreWhole(const Tally& tally, const Plan& plan, std::span<const CpuMode> modes) {
  bool whole = true;
  for (const CpuMode mode : modes) {
    const CaseGenerator generator(mode, plan.repertoire(mode), plan.forms(), false);
    const std::set<std::string> known = generator.KnownForms(plan.wanted(mode));
    // Rows are drawn alike, and some have as many forms as this; operands that are refused are
    // drawn again.
    constexpr std::uint64_t kLeastCases = 400;
    const bool is_long = tally.single_cases / modes.size() >= kLeastCases * known.size();
    std::uint64_t least = ~std::uint64_t{0};
    std::string least_name;
    for (const std::string& name : known) {
      const auto found = tally.forms.find(name);
      const std::uint64_t count = found == tally.forms.end() ? 0 : found->second[IndexOf(mode)];
      if (count < least) {
        least = count;
        least_name = name;
      }
      if (count != 0 || !is_long) continue;
      fmt::print("never compared in {} code: {}\n", kModeNames[IndexOf(mode)], name);
      whole = false;
    }
    fmt::print("{} forms in {} code, each compared at least {} times ({})\n", known.size(),
               kModeNames[IndexOf(mode)], least, least_name);
  }
  return whole;
}

// Short runs, as replays, cannot reach every row.
bool CoverageIsWhole(const Tally& tally, const Plan& plan, std::span<const CpuMode> modes) {
  std::size_t rows = 0;
  for (const CpuMode mode : modes) rows = std::max(rows, plan.wanted(mode).size());
  if (tally.single_cases < 8 * rows * modes.size()) return true;
  bool whole = true;
  for (const ZydisMnemonic mnemonic : plan.without_form()) {
    fmt::print("no form of it is known: {}\n", ZydisMnemonicGetString(mnemonic));
    whole = false;
  }
  for (const CpuMode mode : modes) {
    for (const ZydisMnemonic mnemonic : plan.wanted(mode)) {
      const auto found = tally.rows.find(mnemonic);
      if (found != tally.rows.end() && found->second.single[IndexOf(mode)] != 0) continue;
      fmt::print("never compared in {} code: {}\n", kModeNames[IndexOf(mode)],
                 ZydisMnemonicGetString(mnemonic));
      whole = false;
    }
  }
  return whole && FormsAreWhole(tally, plan, modes);
}

}  // namespace

void Tally::Add(const Tally& other) {
  for (const auto& [mnemonic, row] : other.rows) {
    Row& sum = rows[mnemonic];
    for (const std::size_t mode : {0U, 1U}) {
      sum.single[mode] += row.single[mode];
      sum.in_sequences[mode] += row.in_sequences[mode];
    }
  }
  for (const auto& [name, counts] : other.forms) {
    for (const std::size_t mode : {0U, 1U}) forms[name][mode] += counts[mode];
  }
  for (const auto& [mnemonic, count] : other.not_implemented) not_implemented[mnemonic] += count;
  comparisons += other.comparisons;
  sequences += other.sequences;
  for (std::size_t i = 0; i < kEndings; ++i) endings[i] += other.endings[i];
  invalid += other.invalid;
  cases += other.cases;
  single_cases += other.single_cases;
  differences += other.differences;
  failed += other.failed;
}

std::string Tally::Write() const {
  std::string text =
      fmt::format("{} {} {} {} {} {} {}\n{}\n{}\n", comparisons, sequences, invalid, cases,
                  single_cases, differences, failed, fmt::join(endings, " "), rows.size());
  for (const auto& [mnemonic, row] : rows) {
    text += fmt::format("{} {} {} {} {}\n", static_cast<int>(mnemonic), row.single[0],
                        row.single[1], row.in_sequences[0], row.in_sequences[1]);
  }
  text += fmt::format("{}\n", forms.size());
  for (const auto& [name, counts] : forms) {
    text += fmt::format("{} {} {}\n", counts[0], counts[1], name);
  }
  for (const auto& [mnemonic, count] : not_implemented) {
    text += fmt::format("{} {}\n", mnemonic, count);
  }
  return text;
}

Tally Tally::Read(const std::string& text) {
  Tally tally;
  std::istringstream in(text);
  std::size_t rows = 0;
  in >> tally.comparisons >> tally.sequences >> tally.invalid >> tally.cases >>
      tally.single_cases >> tally.differences >> tally.failed;
  for (std::uint64_t& ending : tally.endings) in >> ending;
  in >> rows;
  for (; rows > 0 && in; --rows) {
    int mnemonic = 0;
    Row row;
    in >> mnemonic >> row.single[0] >> row.single[1] >> row.in_sequences[0] >> row.in_sequences[1];
    tally.rows[static_cast<ZydisMnemonic>(mnemonic)] = row;
  }
  std::size_t forms = 0;
  in >> forms;
  for (; forms > 0 && in; --forms) {
    std::array<std::uint64_t, 2> counts{};
    std::string name;
    in >> counts[0] >> counts[1] >> std::ws;
    std::getline(in, name);
    tally.forms[name] = counts;
  }
  std::string mnemonic;
  std::uint64_t cases = 0;
  while (in >> mnemonic >> cases) tally.not_implemented[mnemonic] += cases;
  return tally;
}

int RunDifferential(const DifferentialOptions& options) {
  const bool exact = HostIsReferenceFamily();
  fmt::print("oracle: {}: {}\n", HostCpuName(),
             exact ? "the reference family, compared bit for bit"
                   : "undefined bits and approximations compared under the table's masks");
  std::vector<CpuMode> modes;
  if (options.mode != "32") modes.push_back(CpuMode::kLong64);
  if (options.mode != "64") {
    if (NativeMachine().can_run_32bit()) {
      modes.push_back(CpuMode::kProtected32);
    } else {
      fmt::print("SKIPPED: all 32-bit code: the host's kernel does not run it\n");
    }
  }
  const Plan plan(options);
  std::size_t wanted = 0;
  for (const CpuMode mode : modes) wanted += plan.wanted(mode).size();
  if (wanted == 0) {
    fmt::print(stderr, "no such instruction\n");
    return 2;
  }
  const auto begin = Clock::now();
  const std::optional<Tally> tally = RunJobs(options, plan, modes);
  if (!tally) return 1;
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (options.coverage) PrintCoverage(*tally, plan);
  for (const auto& [mnemonic, forms] : tally->not_implemented) {
    fmt::print("{} cases with a form of {} that is not implemented\n", forms, mnemonic);
  }
  fmt::print("endings:");
  for (std::size_t i = 0; i < kEndings; ++i) {
    if (tally->endings[i] != 0) {
      fmt::print(" {} {}", NameOf(static_cast<Ending>(i)), tally->endings[i]);
    }
  }
  fmt::print(
      "\n{} comparisons ({} of sequences, {} of invalid bytes) of {} rows, {} differ; seed {}, {} "
      "cases, {:.1f} s, {:.0f} comparisons a second\n",
      tally->comparisons, tally->sequences, tally->invalid, plan.all().size(), tally->differences,
      options.seed, tally->cases, seconds, static_cast<double>(tally->comparisons) / seconds);
  const bool whole = CoverageIsWhole(*tally, plan, modes);
  return tally->differences == 0 && tally->not_implemented.empty() && whole ? 0 : 1;
}

}  // namespace glovebox::engine::x86
