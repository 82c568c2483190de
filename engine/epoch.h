// What a result belongs to: raised whenever a change alters what any guest can observe. A header of
// its own, so that few sources know it. tests/golden holds what belongs to it.
#pragma once

#include <cstdint>

namespace glovebox::engine {

inline constexpr std::uint32_t kEpoch = 5;

}  // namespace glovebox::engine
