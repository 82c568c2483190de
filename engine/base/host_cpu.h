// What the engine's code asks of the host's CPU. Compiled for any x86-64, so that it can say no.
#pragma once

#include "engine/base/result.h"

namespace glovebox {

// An error that names every feature of x86-64-v3 that the host lacks (System V ABI x86-64, table
// 3.1: micro-architecture levels). Handlers are compiled for that level.
Result<void, Error> CheckHostCpu();

}  // namespace glovebox
