// Registers, flags, floating point state and memory at random, with a liking for borders.
#pragma once

#include "tests/instructions/x86/machine_state.h"
#include "tests/instructions/x86/random.h"

namespace glovebox::engine::x86 {

// What many cases share: memory, and values to draw registers from.
struct Surroundings {
  explicit Surroundings(Random& random);
  DataImage image;
  std::array<std::array<std::uint64_t, 2>, 1024> vectors;
  std::array<std::array<std::uint64_t, 2>, 512> extended;
};

MachineState RandomState(CpuMode mode, std::uint64_t rip, const Surroundings& around,
                         Random& random);
// Leaves room for code before and behind it.
std::uint64_t RandomCodeAddress(Random& random);

}  // namespace glovebox::engine::x86
