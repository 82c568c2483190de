// Puts a random program together: instructions that leave the reserved registers alone, branches
// that lead forwards, and at most one loop around a part of it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tests/instructions/x86/decoding.h"
#include "tests/instructions/x86/machine_state.h"
#include "tests/instructions/x86/program.h"
#include "tests/instructions/x86/random.h"

namespace glovebox::engine::x86 {

struct TestCase;

class SequenceBuilder {
 public:
  SequenceBuilder(CpuMode mode, bool exact) : mode_(mode), exact_(exact) {}

  void Begin(std::uint64_t length, Random& random);
  // Adds the instruction where it suits, with others before and behind it where it needs them.
  void Offer(std::span<const std::uint8_t> code, const DecodedInstruction& decoded, Random& random);
  bool IsComplete() const { return program_.pieces.size() >= length_; }
  TestCase Finish();

 private:
  void Add(std::span<const std::uint8_t> code, const DecodedInstruction& decoded);
  void AddPlain(std::span<const std::uint8_t> code);
  void CloseLoop();
  // Instructions that belong together: nothing jumps between them.
  void AddGroup(std::span<const std::vector<std::uint8_t>> pieces);
  bool OfferWithSetup(std::span<const std::uint8_t> code, const DecodedInstruction& decoded,
                      Random& random);
  bool ReadsUndefinedFlag(const DecodedInstruction& decoded) const;
  void FollowFlags(const DecodedInstruction& decoded, const Tolerance& tolerance);

  CpuMode mode_;
  bool exact_;
  std::size_t length_ = 0;
  // [loop_begin_, loop_end_) is run several times; none where both are 0.
  std::size_t loop_begin_ = 0;
  std::size_t loop_end_ = 0;
  Program program_;
  struct Group {
    std::size_t begin;
    std::size_t end;
  };
  std::vector<Group> groups_;
  // Up to here instructions may be skipped.
  std::size_t skipped_until_ = 0;
  std::uint64_t undefined_flags_ = 0;
  Tolerance tolerance_;
};

// Does taking it away let another instruction of the program loose?
bool IsSetup(const DecodedInstruction& instruction);

// Points the reserved registers and the stack into memory.
void AimSequence(CpuMode mode, MachineState& state, Random& random);

}  // namespace glovebox::engine::x86
