// Packed integer semantics of SSE4.1 that packed.h does not already have for other widths. Intel
// SDM vol. 2A and 2B under the names in the comments.
#pragma once

#include <immintrin.h>

#include <concepts>
#include <cstdint>

#include "engine/isa/x86/packed.h"
#include "engine/isa/x86/sse_shuffle.h"

namespace glovebox::engine::x86 {

// PMOVSXBW and the like with signed lanes, PMOVZXBW and the like with unsigned ones: the low lanes
// of type From, widened to To
template <typename From, typename To>
struct Widen {
  static Xmm Apply(Xmm, Xmm src) {
    if constexpr (std::signed_integral<From>) {
      if constexpr (sizeof(From) == 1 && sizeof(To) == 2) return _mm_cvtepi8_epi16(src);
      if constexpr (sizeof(From) == 1 && sizeof(To) == 4) return _mm_cvtepi8_epi32(src);
      if constexpr (sizeof(From) == 1 && sizeof(To) == 8) return _mm_cvtepi8_epi64(src);
      if constexpr (sizeof(From) == 2 && sizeof(To) == 4) return _mm_cvtepi16_epi32(src);
      if constexpr (sizeof(From) == 2 && sizeof(To) == 8) return _mm_cvtepi16_epi64(src);
      if constexpr (sizeof(From) == 4 && sizeof(To) == 8) return _mm_cvtepi32_epi64(src);
    } else {
      if constexpr (sizeof(From) == 1 && sizeof(To) == 2) return _mm_cvtepu8_epi16(src);
      if constexpr (sizeof(From) == 1 && sizeof(To) == 4) return _mm_cvtepu8_epi32(src);
      if constexpr (sizeof(From) == 1 && sizeof(To) == 8) return _mm_cvtepu8_epi64(src);
      if constexpr (sizeof(From) == 2 && sizeof(To) == 4) return _mm_cvtepu16_epi32(src);
      if constexpr (sizeof(From) == 2 && sizeof(To) == 8) return _mm_cvtepu16_epi64(src);
      if constexpr (sizeof(From) == 4 && sizeof(To) == 8) return _mm_cvtepu32_epi64(src);
    }
  }
};

// PHMINPOSUW: the least word and its place
struct HorizontalMinimum {
  static Xmm Apply(Xmm, Xmm src) { return _mm_minpos_epu16(src); }
};

// MPSADBW: sums of differences of the four bytes of src that bits 0 and 1 choose with each four
// bytes of dst, beginning at byte 0 or, with bit 2, at byte 4
struct SumsOfDifferences {
  static Xmm Apply(Xmm dst, Xmm src, std::uint8_t which) {
    const Xmm from = (which & 4) != 0 ? _mm_srli_si128(dst, 4) : dst;
    const int dword = which & 3;
    return _mm_mpsadbw_epu8(from, AsXmm(PermuteDwords(src, _mm_set1_epi32(dword))), 0);
  }

 private:
  static __m128 PermuteDwords(Xmm src, Xmm order) {
    return _mm_permutevar_ps(_mm_castsi128_ps(src), order);
  }
};

// Bit i of `mask` as all ones in lane i.
template <typename Lane>
[[gnu::always_inline]] inline Xmm LanesOfBits(std::uint8_t mask) {
  const Lanes<Lane> bits = [] {
    Lanes<Lane> lanes{};
    for (unsigned i = 0; i < sizeof(Xmm) / sizeof(Lane); ++i) lanes[i] = Lane{1} << i;
    return lanes;
  }();
  return AsXmm(((bits & static_cast<Lane>(mask)) != Lane{0}));
}

// PBLENDW BLENDPS BLENDPD: the lanes of src whose bit is set, the others of dst
template <std::unsigned_integral Lane>
struct BlendByImmediate {
  static Xmm Apply(Xmm dst, Xmm src, std::uint8_t mask) {
    return _mm_blendv_epi8(dst, src, LanesOfBits<Lane>(mask));
  }
};

// PBLENDVB BLENDVPS BLENDVPD: the lanes of src whose lane of `mask` is negative
template <std::unsigned_integral Lane>
struct BlendByMask {
  static Xmm Apply(Xmm dst, Xmm src, Xmm mask) {
    if constexpr (sizeof(Lane) == 1) return _mm_blendv_epi8(dst, src, mask);
    if constexpr (sizeof(Lane) == 4) {
      return _mm_castps_si128(
          _mm_blendv_ps(_mm_castsi128_ps(dst), _mm_castsi128_ps(src), _mm_castsi128_ps(mask)));
    }
    if constexpr (sizeof(Lane) == 8) {
      return _mm_castpd_si128(
          _mm_blendv_pd(_mm_castsi128_pd(dst), _mm_castsi128_pd(src), _mm_castsi128_pd(mask)));
    }
  }
};

// INSERTPS: bits 6 and 7 choose of src, bits 4 and 5 where in dst, bits 0 to 3 what becomes zero
struct InsertPs {
  static Xmm Apply(Xmm dst, Xmm src, std::uint8_t control) {
    const auto chosen = ExtractLane::Apply<std::uint32_t>(src, control >> 6);
    const Xmm all = _mm_set1_epi32(static_cast<int>(chosen));
    const auto place = static_cast<std::uint8_t>(1 << (control >> 4 & 3));
    const Xmm inserted = BlendByImmediate<std::uint32_t>::Apply(dst, all, place);
    return _mm_andnot_si128(LanesOfBits<std::uint32_t>(control & 15), inserted);
  }
};

// ZF CF of PTEST (VTESTPS VTESTPD with lanes whose signs alone count)
struct TestFlags {
  bool zero;
  bool carry;
};
struct TestBits {
  static TestFlags Apply(Xmm dst, Xmm src) {
    return {_mm_testz_si128(dst, src) != 0, _mm_testc_si128(dst, src) != 0};
  }
};

}  // namespace glovebox::engine::x86
