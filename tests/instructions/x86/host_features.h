// Which extensions the host's CPU has, so that what it lacks is skipped aloud.
#pragma once

#include <Zydis/Zydis.h>

#include <string_view>

namespace glovebox::engine::x86 {

// Empty where the host runs instructions of the set; else what it lacks.
std::string_view MissingOnHost(ZydisISASet set);

// Does the host keep the x87's pointers to the last instruction and operand as ours does
// (X87State)? Other CPUs do in ways of their own.
bool HostKeepsX87PointersAsWe();

}  // namespace glovebox::engine::x86
