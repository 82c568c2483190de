// The options of prctl(2) about capabilities: capabilities(7).
#pragma once

#include <cstdint>

#include "engine/linux/call.h"
#include "engine/linux/task.h"

namespace glovebox::engine {

// PR_[GS]ET_KEEPCAPS, PR_CAPBSET_*, PR_[GS]ET_SECUREBITS.
SyscallResult ControlCapabilities(Task& task, int option, std::uint64_t argument);
// PR_CAP_AMBIENT.
SyscallResult ControlAmbient(Task& task, std::uint64_t operation, std::uint64_t number,
                             std::uint64_t fourth, std::uint64_t fifth);

}  // namespace glovebox::engine
