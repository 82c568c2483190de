// Instructions that raise instead of happening.
#pragma once

#include "engine/isa/x86/cpu_state.h"

namespace glovebox::engine::x86 {

template <ExceptionKind kind>
struct RaiseBody {
  [[gnu::always_inline]] static const Uop* Run(Context& c) { return c.Raise(kind); }
};

}  // namespace glovebox::engine::x86
