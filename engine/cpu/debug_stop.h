// What a run that yields has met for a debugger. Nobody else has to know of it: see Vcpu::Run.
#pragma once

#include <cstdint>

#include "engine/base/types.h"
#include "engine/memory/watch.h"

namespace glovebox::engine {

struct DebugStop {
  enum class Kind : std::uint8_t {
    kBreakpoint,  // rip is at a breakpoint, whose instruction has not happened
    kWatchpoint,  // the last instruction touched what is watched: `hit`. It has retired
  };
  Kind kind = Kind::kBreakpoint;
  WatchHit hit;
  GuestAddr instruction = 0;  // kWatchpoint: where the one is that did it
};

}  // namespace glovebox::engine
