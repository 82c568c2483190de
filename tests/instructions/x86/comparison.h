// Runs one case on the host's CPU and on ours and says where they differ; makes a failing case
// smaller.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "tests/instructions/x86/guest_machine.h"
#include "tests/instructions/x86/native_machine.h"
#include "tests/instructions/x86/test_case.h"

namespace glovebox::engine::x86 {

enum class Outcome : std::uint8_t { kSame, kDifferent, kNotImplemented };

class Comparison {
 public:
  explicit Comparison(CpuMode mode) : guest_(mode) {}

  // One native machine serves the comparisons of both modes. What memory holds before each run; to
  // be set again after ShrinkToVector.
  void SetImage(NativeMachine& native, const DataImage& image);
  // `test` outlives its runs.
  void Begin(const TestCase& test);
  // From one state, after Begin. A sequence is run in blocks and in steps; another case in either
  // as `in_blocks` says. Memory of instructions that have no operand there is compared after the
  // last state only.
  Outcome Run(const Start& start, bool in_blocks, bool is_last);

  // The last run, when it was kDifferent.
  std::string Describe() const;
  // The last run, made as small as it can be while it still differs, as a line of a vector file
  // that the host satisfies.
  std::string ShrinkToVector();
  const InstructionReport& missing() const { return guest_.missing(); }
  Ending native_ending() const { return native_left_.ending; }

 private:
  bool DiffersFrom(const MachineState& state, const DataImage& image);
  bool TryState(const MachineState& state);
  bool TryImage(const DataImage& image);
  void ShrinkState();
  void ShrinkImage(std::size_t begin, std::size_t end);
  void ShrinkCode();
  bool DataDiffers() const;
  void MarkDataChanged();

  GuestMachine guest_;
  NativeMachine* native_ = nullptr;
  const TestCase* test_ = nullptr;
  TestCase shrunk_;
  DataImage image_{};
  Start start_;
  bool in_blocks_ = false;
  bool touches_memory_ = false;  // the instructions of the test
  MachineState native_left_;
  MachineState guest_left_;
  std::string why_;  // beyond the states
  std::chrono::steady_clock::time_point shrink_until_;
};

}  // namespace glovebox::engine::x86
