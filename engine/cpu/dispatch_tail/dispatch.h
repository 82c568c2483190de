// Dispatch by guaranteed tail calls (Clang): every handler jumps to the next one.
//
// The other choice is dispatch_loop/dispatch.h; handlers are written once and know of neither.
#pragma once

#include "engine/cpu/context.h"

// Of a function that handlers call on a path that is seldom taken: it keeps every register, so that
// the rest of the handler needs no stack frame.
#define GB_KEEPS_REGISTERS [[clang::preserve_all]]

namespace glovebox::engine {

inline constexpr bool kTailDispatch = true;

template <typename CpuType, typename Body>
__attribute__((preserve_none)) void RunHandler(CoreState* core, const Uop* uop, std::byte* memory,
                                               const std::uint8_t* flags) {
  BasicContext<CpuType> context{static_cast<CpuType&>(*core), uop, memory, flags};
  const Uop* const next = Body::Run(context);
  [[clang::musttail]] return next->handler(core, next, memory, flags);
}

// Back to whoever called Enter.
inline __attribute__((preserve_none)) void LeaveHandler(CoreState*, const Uop*, std::byte*,
                                                        const std::uint8_t*) {}

// Runs from `uop` until a handler leaves.
inline void Enter(CoreState& core, const Uop* uop) {
  uop->handler(&core, uop, core.memory, core.flags);
}

}  // namespace glovebox::engine
