// Dispatch by a loop (GCC, sanitizers, -O0): the type of a handler. See dispatch.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glovebox::engine {

struct CoreState;
struct Uop;

// Returns the uop to go on with; null to leave.
using Handler = const Uop* (*)(CoreState*, const Uop*, std::byte* memory,
                               const std::uint8_t* flags);

}  // namespace glovebox::engine
