// Dispatch by a loop (GCC, sanitizers, -O0): every handler returns the next uop.
//
// The other choice is dispatch_tail/dispatch.h; handlers are written once and know of neither.
#pragma once

#include "engine/cpu/context.h"

// See dispatch_tail/dispatch.h; here handlers have frames.
#define GB_KEEPS_REGISTERS

namespace glovebox::engine {

inline constexpr bool kTailDispatch = false;

template <typename CpuType, typename Body>
const Uop* RunHandler(CoreState* core, const Uop* uop, std::byte* memory,
                      const std::uint8_t* flags) {
  BasicContext<CpuType> context{static_cast<CpuType&>(*core), uop, memory, flags};
  return Body::Run(context);
}

template <typename Function, typename T>
[[gnu::always_inline]] inline std::uint32_t CallAside(Function* function, T& argument) {
  return function(argument);
}

inline const Uop* LeaveHandler(CoreState*, const Uop*, std::byte*, const std::uint8_t*) {
  return nullptr;
}

// Runs from `uop` until a handler leaves.
inline void Enter(CoreState& core, const Uop* uop) {
  while (uop != nullptr) uop = uop->handler(&core, uop, core.memory, core.flags);
}

}  // namespace glovebox::engine
