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
    const Xmm chosen = LanesOfBits<std::uint32_t>(control >> 4);
    const Xmm taking = LanesOfBits<std::uint32_t>(control & 15);
    Xmm low = _mm_and_si128(first.low, chosen);
    Xmm high = _mm_and_si128(first.high, chosen);
    const bool raised_nothing = stage([&] {
                                  low = MulPs::Apply(low, _mm_and_si128(second.low, chosen));
                                  high = MulPs::Apply(high, _mm_and_si128(second.high, chosen));
                                }) &&
                                stage([&] {
                                  low = AddPs::Apply(_mm_shuffle_epi32(low, 0xB1), low);
                                  high = AddPs::Apply(_mm_shuffle_epi32(high, 0xB1), high);
                                }) &&
                                stage([&] {
                                  low = AddPs::Apply(low, _mm_shuffle_epi32(low, 0x4E));
                                  high = AddPs::Apply(high, _mm_shuffle_epi32(high, 0x4E));
                                });
    result = {_mm_and_si128(low, taking), _mm_and_si128(high, taking)};
    return raised_nothing;
  }
};

// VDPPD has no form of 256 bits.
struct VexDotPd : DotPd {
  static Xmm Apply(Xmm first, Xmm second, std::uint8_t control);
};

}  // namespace glovebox::engine::x86
