// What of an instruction's results CPUs may differ in: from the instruction table, and from what
// hosts do when they fault.
#pragma once

#include "tests/instructions/x86/decoding.h"
#include "tests/instructions/x86/machine_state.h"

namespace glovebox::engine::x86 {

// `exact`: the host is of the reference family (native_machine.h), so nothing is undefined.
Tolerance ToleranceFor(const DecodedInstruction& instruction, bool exact);

}  // namespace glovebox::engine::x86
