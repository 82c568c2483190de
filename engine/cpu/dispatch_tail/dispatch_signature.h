// Dispatch by guaranteed tail calls (Clang): the type of a handler. See dispatch.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glovebox::engine {

struct CoreState;
struct Uop;

// preserve_none puts the arguments into registers that C functions preserve, and frees all others
// for the handler.
using Handler = __attribute__((preserve_none)) void (*)(CoreState*, const Uop*, std::byte* memory,
                                                        const std::uint8_t* flags);

}  // namespace glovebox::engine
