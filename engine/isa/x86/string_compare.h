// PCMPESTRI PCMPESTRM PCMPISTRI PCMPISTRM. Intel SDM vol. 1, 10.7 (SSE4.2), and vol. 2B, 4.1.
//
// Everything follows from the two fragments, how much of each is valid, and the bits of IntRes2,
// which the host's PCMPESTRM computes (integers: the same on every host). The implicit forms are
// the explicit ones with lengths up to the first zero.
#pragma once

#include <nmmintrin.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "engine/isa/x86/packed.h"

namespace glovebox::engine::x86 {

struct StringComparison {
  std::uint32_t bits = 0;  // IntRes2: one a lane
  std::uint32_t lanes = 16;
  bool ends_src = false;  // fewer than `lanes` of src (ZF) or of dst (SF) are valid
  bool ends_dst = false;

  // ECX: the least or greatest set bit, or the number of lanes
  std::uint32_t Index(std::uint8_t control) const {
    if (bits == 0) return lanes;
    const bool greatest = (control & 0x40) != 0;
    return static_cast<std::uint32_t>(greatest ? 31 - std::countl_zero(bits)
                                               : std::countr_zero(bits));
  }
  // XMM0: the bits, or all ones in each lane whose bit is set
  Xmm Mask(std::uint8_t control) const {
    if ((control & 0x40) == 0) return _mm_cvtsi32_si128(static_cast<int>(bits));
    const Xmm both = _mm_set1_epi16(static_cast<std::int16_t>(bits));
    if (lanes == 8) {
      const Xmm select = _mm_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128);
      return _mm_cmpeq_epi16(_mm_and_si128(both, select), select);
    }
    const Xmm spread =
        _mm_shuffle_epi8(both, _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
    const Xmm select = _mm_set1_epi64x(static_cast<long long>(0x8040201008040201));
    return _mm_cmpeq_epi8(_mm_and_si128(spread, select), select);
  }
};

// IntRes2 under the control bits that it depends on: what lanes are, how they are compared, and
// polarity.
inline constexpr unsigned kStringControls = 64;
using StringBits = Xmm (*)(Xmm dst, int dst_length, Xmm src, int src_length);
template <std::size_t... kControl>
constexpr std::array<StringBits, kStringControls> MakeStringBits(std::index_sequence<kControl...>) {
  return {[](Xmm dst, int dst_length, Xmm src, int src_length) {
    return _mm_cmpestrm(dst, dst_length, src, src_length, static_cast<int>(kControl));
  }...};
}
inline constexpr auto kStringBits = MakeStringBits(std::make_index_sequence<kStringControls>());

inline std::uint32_t StringLanes(std::uint8_t control) { return (control & 1) != 0 ? 8 : 16; }

// The absolute value of a length, cut to the number of lanes.
template <typename Length>
std::uint32_t CutLength(Length length, std::uint32_t lanes) {
  using Unsigned = std::make_unsigned_t<Length>;
  const auto magnitude = static_cast<Unsigned>(length < 0 ? 0 - static_cast<Unsigned>(length)
                                                          : static_cast<Unsigned>(length));
  return magnitude < lanes ? static_cast<std::uint32_t>(magnitude) : lanes;
}

// How many lanes stand before the first that is zero.
inline std::uint32_t ImplicitLength(Xmm text, std::uint8_t control) {
  const Xmm zero = _mm_setzero_si128();
  const bool words = (control & 1) != 0;
  const Xmm zeros = words ? _mm_cmpeq_epi16(text, zero) : _mm_cmpeq_epi8(text, zero);
  const auto found = static_cast<std::uint32_t>(_mm_movemask_epi8(zeros)) | 0x10000;
  const auto bytes = static_cast<std::uint32_t>(std::countr_zero(found));
  return words ? bytes / 2 : bytes;
}

inline StringComparison CompareStrings(Xmm dst, std::uint32_t dst_length, Xmm src,
                                       std::uint32_t src_length, std::uint8_t control) {
  const std::uint32_t lanes = StringLanes(control);
  const Xmm bits = kStringBits[control % kStringControls](dst, static_cast<int>(dst_length), src,
                                                          static_cast<int>(src_length));
  return {.bits = static_cast<std::uint32_t>(_mm_cvtsi128_si32(bits)),
          .lanes = lanes,
          .ends_src = src_length < lanes,
          .ends_dst = dst_length < lanes};
}

}  // namespace glovebox::engine::x86
