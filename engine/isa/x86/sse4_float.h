// Floating point of SSE3 and SSE4.1 that is more than one instruction of the host's without an
// immediate: values in, values out, as sse_float.h.
#pragma once

#include <smmintrin.h>

#include <cstdint>

#include "engine/isa/x86/packed_sse4.h"
#include "engine/isa/x86/sse_float.h"

namespace glovebox::engine::x86 {

// HADDPS HADDPD HSUBPS HSUBPD: Operation on the even and the odd lanes of dst, then of src. Made of
// the lane-wise operation, so that which of two NaNs wins does not depend on the host.
template <typename Operation>
struct HorizontalPs : RaisesFloat {
  static Xmm Apply(Xmm dst, Xmm src) {
    const __m128 a = _mm_castsi128_ps(dst);
    const __m128 b = _mm_castsi128_ps(src);
    return Operation::Apply(_mm_castps_si128(_mm_shuffle_ps(a, b, 0x88)),
                            _mm_castps_si128(_mm_shuffle_ps(a, b, 0xDD)));
  }
};
template <typename Operation>
struct HorizontalPd : RaisesFloat {
  static Xmm Apply(Xmm dst, Xmm src) {
    return Operation::Apply(_mm_unpacklo_epi64(dst, src), _mm_unpackhi_epi64(dst, src));
  }
};

// DPPS DPPD: bits 4 and up choose which products are summed up, bits 0 and up which lanes take the
// sum; the others become 0. A product that is not chosen is 0 * 0, which raises nothing. The sums
// are those of the manual (DP_primitive), made in each lane for itself; it leaves open which of two
// NaNs wins, and the order of operands here is that of Intel's CPUs.
// An unmasked exception of one stage, even an inexact result, keeps the next from happening.
struct DotPs : RaisesFloat {
  template <typename Stage>
  static bool ApplyInStages(Stage&& stage, Xmm& result, Xmm dst, Xmm src, std::uint8_t control) {
    const Xmm chosen = LanesOfBits<std::uint32_t>(control >> 4);
    const Xmm a = _mm_and_si128(dst, chosen);
    const Xmm b = _mm_and_si128(src, chosen);
    Xmm value;
    const bool raised_nothing =
        stage([&] { value = MulPs::Apply(a, b); }) &&
        stage([&] { value = AddPs::Apply(_mm_shuffle_epi32(value, 0xB1), value); }) &&
        stage([&] { value = AddPs::Apply(value, _mm_shuffle_epi32(value, 0x4E)); });
    result = _mm_and_si128(value, LanesOfBits<std::uint32_t>(control & 15));
    return raised_nothing;
  }
};
struct DotPd : RaisesFloat {
  template <typename Stage>
  static bool ApplyInStages(Stage&& stage, Xmm& result, Xmm dst, Xmm src, std::uint8_t control) {
    const Xmm chosen = LanesOfBits<std::uint64_t>(control >> 4 & 3);
    const Xmm a = _mm_and_si128(dst, chosen);
    const Xmm b = _mm_and_si128(src, chosen);
    Xmm value;
    const bool raised_nothing = stage([&] { value = MulPd::Apply(a, b); }) && stage([&] {
                                  value = AddPd::Apply(value, _mm_shuffle_epi32(value, 0x4E));
                                });
    result = _mm_and_si128(value, LanesOfBits<std::uint64_t>(control & 3));
    return raised_nothing;
  }
};

// ROUNDPS ROUNDPD ROUNDSS ROUNDSD. Bit 2: as MXCSR says, and bits 0 and 1 mean nothing; bit 3:
// inexact results raise nothing (Intel SDM vol. 2B, ROUNDPD, table 4-18).
#define GB_HOST_SSE_ROUND_CASE(mnemonic, control)                           \
  case control:                                                             \
    asm volatile(mnemonic " $" #control ", %1, %0" : "+x"(dst) : "x"(src)); \
    break
#define GB_HOST_SSE_ROUND(Semantic, mnemonic)                                         \
  struct Semantic : RaisesFloat {                                                     \
    [[gnu::always_inline]] static Xmm Apply(Xmm dst, Xmm src, std::uint8_t control) { \
      switch ((control & 4) != 0 ? control & 12 : control & 15) {                     \
        GB_HOST_SSE_ROUND_CASE(mnemonic, 0);                                          \
        GB_HOST_SSE_ROUND_CASE(mnemonic, 1);                                          \
        GB_HOST_SSE_ROUND_CASE(mnemonic, 2);                                          \
        GB_HOST_SSE_ROUND_CASE(mnemonic, 3);                                          \
        GB_HOST_SSE_ROUND_CASE(mnemonic, 4);                                          \
        GB_HOST_SSE_ROUND_CASE(mnemonic, 8);                                          \
        GB_HOST_SSE_ROUND_CASE(mnemonic, 9);                                          \
        GB_HOST_SSE_ROUND_CASE(mnemonic, 10);                                         \
        GB_HOST_SSE_ROUND_CASE(mnemonic, 11);                                         \
        default:                                                                      \
          asm volatile(mnemonic " $12, %1, %0" : "+x"(dst) : "x"(src));               \
      }                                                                               \
      return dst;                                                                     \
    }                                                                                 \
  }

GB_HOST_SSE_ROUND(RoundPs, "roundps");
GB_HOST_SSE_ROUND(RoundPd, "roundpd");
GB_HOST_SSE_ROUND(RoundSs, "roundss");
GB_HOST_SSE_ROUND(RoundSd, "roundsd");

#undef GB_HOST_SSE_ROUND
#undef GB_HOST_SSE_ROUND_CASE

}  // namespace glovebox::engine::x86
