// VDPPS: as DotPs (sse4_float.h) on each lane of 128 bits, with both lanes in each stage, because
// an unmasked exception in one of them keeps the other from its next stage too.
#pragma once

#include <cstdint>

#include "engine/isa/x86/sse4_float.h"
#include "engine/isa/x86/vex_shapes.h"

namespace glovebox::engine::x86 {

struct VexDotPs : RaisesFloat {
  static Xmm Apply(Xmm first, Xmm second, std::uint8_t control);
  static Ymm Apply(Ymm first, Ymm second, std::uint8_t control);

  template <typename Stage>
  static bool ApplyInStages(Stage&& stage, Xmm& result, Xmm first, Xmm second,
                            std::uint8_t control) {
    return DotPs::ApplyInStages(stage, result, first, second, control);
  }
  template <typename Stage>
  static bool ApplyInStages(Stage&& stage, Ymm& result, Ymm first, Ymm second,
                            std::uint8_t control) {
    std::array<Xmm, 2> sums;
    if (!DotPs::Sum<2>(stage, sums, {first.low, first.high}, {second.low, second.high}, control)) {
      return false;
    }
    result = {sums[0], sums[1]};
    return true;
  }
};

// VDPPD has no form of 256 bits.
struct VexDotPd : DotPd {
  static Xmm Apply(Xmm first, Xmm second, std::uint8_t control);
};

}  // namespace glovebox::engine::x86
