// Which instructions the guest's CPU model has: what cpuid.cc offers, and what every such CPU has.
#pragma once

#include <Zydis/Zydis.h>

namespace glovebox::engine::x86 {

// False: the instruction is #UD, as on a CPU that has not got it. True of an instruction without a
// row: it is missing here.
bool IsOffered(const ZydisDecodedInstruction& instruction);

}  // namespace glovebox::engine::x86
