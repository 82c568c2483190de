// Runs random instructions on the host's CPU and on ours and compares everything that they leave.
//
// Case k of a run has the seed N + k, printed where it fails: `--seed THAT --count 1` (with the
// same --mode, --mnemonic, --sequences, --mutations and --states) replays it. Every row of the
// instruction table must have been compared, except for those of exceptions.cc.

#include <CLI/CLI.hpp>

#include "tests/instructions/x86/differential.h"

int main(int argc, char** argv) {
  glovebox::engine::x86::DifferentialOptions options;
  CLI::App app{"Compares Glovebox's x86 instructions with the host's."};
  app.add_option("--seed", options.seed, "seed of the first case");
  app.add_option("--count", options.count, "cases, each run from several states");
  app.add_option("--seconds", options.seconds, "run so long instead of --count cases");
  app.add_option("--jobs", options.jobs, "processes")->check(CLI::Range(1, 256));
  app.add_option("--mode", options.mode, "64, 32, or both in turn")
      ->check(CLI::IsMember({"64", "32", "both"}));
  app.add_option("--mnemonic", options.mnemonic, "only this instruction, as Zydis spells it");
  app.add_option("--sequences", options.sequences, "percent of cases with several instructions")
      ->check(CLI::Range(0, 100));
  app.add_option("--mutations", options.mutations, "percent of the others with changed bytes")
      ->check(CLI::Range(0, 100));
  app.add_option("--states", options.states, "states that each case is run from")
      ->check(CLI::Range(1, 1000));
  app.add_option("--failures", options.failures, "differences after which a job stops");
  app.add_flag("--coverage", options.coverage, "print comparisons per instruction and form");
  CLI11_PARSE(app, argc, argv);
  return glovebox::engine::x86::RunDifferential(options);
}
