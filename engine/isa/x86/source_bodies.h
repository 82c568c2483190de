// The bodies of instructions with a source in a register or in memory: Work::Finish(context,
// source) does all the rest.
#pragma once

#include "engine/isa/x86/cpu_state.h"

namespace glovebox::engine::x86 {

// b: the register. kUnits: of the instruction where it has no operand in memory.
template <typename Work, typename W, int kUnits = 1>
struct SourceBodies {
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      Work::Finish(c, ReadGpr<W>(c.cpu, c.uop->b));
      return c.template Next<kUnits>();
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
