// The bodies of instructions with a source in a register or in memory: Work::Finish(context,
// source) does all the rest.
#pragma once

#include "engine/isa/x86/cpu_state.h"

namespace glovebox::engine::x86 {

// b: the register.
template <typename Work, typename W>
struct SourceBodies {
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      Work::Finish(c, ReadGpr<W>(c.cpu, c.uop->b));
      return c.Next();
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W source;
      if (!c.Load(Address::Of(c), source)) [[unlikely]]
        return c.Missed();
      Work::Finish(c, source);
      return c.template Next<Address::kUnits>();
    }
  };
};

}  // namespace glovebox::engine::x86
