// Registers, flags, floating point state and memory at random, with a liking for borders.
#pragma once

#include "tests/instructions/x86/machine_state.h"
#include "tests/instructions/x86/random.h"

namespace glovebox::engine::x86 {

MachineState RandomState(CpuMode mode, std::uint64_t rip, Random& random);
DataImage RandomImage(Random& random);
// Leaves room for code before and behind it.
std::uint64_t RandomCodeAddress(Random& random);

}  // namespace glovebox::engine::x86
