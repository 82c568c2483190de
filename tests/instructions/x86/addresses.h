// Where instructions of a test reach: aiming them at the data area, and telling whether a stray one
// could hurt the tester.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/instructions/x86/decoding.h"
#include "tests/instructions/x86/machine_state.h"
#include "tests/instructions/x86/random.h"

namespace glovebox::engine::x86 {

// What a case starts from: registers, and what it changes of the data image.
struct Start {
  MachineState state;
  std::vector<Patch> patches;
};

// Mostly inside of the writable pages, aligned or not; sometimes across a border or beyond one.
std::uint64_t RandomAddress(std::uint64_t size_bytes, Random& random);
// Within the code area, away from the code at `rip`.
std::uint64_t RandomTarget(std::uint64_t rip, Random& random);

// The address of an operand (of its first element, for a gather).
std::uint64_t AddressOf(CpuMode mode, const DecodedInstruction& instruction,
                        const ZydisDecodedOperand& operand, const MachineState& state);

// Moves the base (or index) of one memory operand so that it points to `target`, as far as its form
// allows it.
void AimAt(CpuMode mode, const DecodedInstruction& instruction, const ZydisDecodedOperand& operand,
           std::uint64_t target, MachineState& state, Random& random);
// Moves the base (or index) of each memory operand so that it points to a random address. `image`
// and patches are what memory holds.
void AimAddresses(CpuMode mode, const DecodedInstruction& instruction, Start& start,
                  Random& random);

// Puts values where the instruction would otherwise leave the test (jumps into the wild, trap
// flags, bit strings of exabytes) or hardly ever show what it does. After AimAddresses.
void Tame(CpuMode mode, const DecodedInstruction& instruction, const DataImage& image, Start& start,
          Random& random);

// Does every access stay where a stray one harms nobody: below 4 GiB, where nothing else is, or
// where no user's memory can be?
bool AreInside(CpuMode mode, const DecodedInstruction& instruction, const MachineState& state);

}  // namespace glovebox::engine::x86
