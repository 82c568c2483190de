// Floating point of SSE3 and SSE4.1 that is more than one instruction of the host's without an
// immediate: values in, values out, as sse_float.h.
#pragma once

#include <smmintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/isa/x86/packed_sse4.h"
#include "engine/isa/x86/sse_float.h"

namespace glovebox::engine::x86 {

// HADDPS HADDPD HSUBPS HSUBPD: Operation on the even and the odd lanes of dst, then of src. Made of
// the lane-wise operation, so that which of two NaNs wins does not depend on the host.
template <typename Operation>
struct HorizontalPs : RaisesFloat {
  static Xmm Apply(Xmm dst, Xmm src) { return Operation::Apply(Even(dst, src), Odd(dst, src)); }
  [[gnu::always_inline]] static std::uint32_t RangeFlags(RangeQuestion& question, Xmm dst,
                                                         Xmm src) {
    return Operation::RangeFlags(question, Even(dst, src), Odd(dst, src));
  }

 private:
  static Xmm Even(Xmm dst, Xmm src) {
    return _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(dst), _mm_castsi128_ps(src), 0x88));
  }
  static Xmm Odd(Xmm dst, Xmm src) {
    return _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(dst), _mm_castsi128_ps(src), 0xDD));
  }
};
template <typename Operation>
struct HorizontalPd : RaisesFloat {
  static Xmm Apply(Xmm dst, Xmm src) {
    return Operation::Apply(_mm_unpacklo_epi64(dst, src), _mm_unpackhi_epi64(dst, src));
  }
  [[gnu::always_inline]] static std::uint32_t RangeFlags(RangeQuestion& question, Xmm dst,
                                                         Xmm src) {
    return Operation::RangeFlags(question, _mm_unpacklo_epi64(dst, src),
                                 _mm_unpackhi_epi64(dst, src));
  }
};

// DPPS DPPD: bits 4 and up choose which products are summed up, bits 0 and up which lanes take the
// sum; the others become 0. A product that is not chosen is 0 * 0, which raises nothing. The sums
// are those of the manual (DP_primitive), made in each lane for itself; it leaves open which of two
// NaNs wins, and the order of operands here is that of Intel's CPUs.
// An unmasked exception of one stage, even an inexact result, keeps the next from happening.
//
// One stage: to = Operation::Apply(a, b) in all of `count` vectors, a and b being swapped about by
// kOrderOfA and kOrderOfB (_mm_shuffle_epi32).
template <typename Operation, int kOrderOfA, int kOrderOfB, std::size_t kCount, typename Stage>
[[gnu::always_inline]] inline bool DotStage(Stage& stage, std::array<Xmm, kCount>& to,
                                            const std::array<Xmm, kCount>& a,
                                            const std::array<Xmm, kCount>& b) {
  const auto each = [&](auto&& use) {
    for (std::size_t i = 0; i < kCount; ++i) {
      use(i, _mm_shuffle_epi32(a[i], kOrderOfA), _mm_shuffle_epi32(b[i], kOrderOfB));
    }
  };
  const auto compute = [&] {
    each([&](std::size_t i, Xmm x, Xmm y) { to[i] = Operation::Apply(x, y); });
  };
  return stage(compute, [&](RangeQuestion& question) {
    std::uint32_t flags = 0;
    each([&](std::size_t, Xmm x, Xmm y) { flags |= Operation::RangeFlags(question, x, y); });
    return flags;
  });
}
inline constexpr int kInOrder = 0xE4;
inline constexpr int kHalvesSwapped = 0x4E;
inline constexpr int kNeighboursSwapped = 0xB1;

struct DotPs : RaisesFloat {
  template <std::size_t kCount, typename Stage>
  static bool Sum(Stage&& stage, std::array<Xmm, kCount>& sums, std::array<Xmm, kCount> dst,
                  std::array<Xmm, kCount> src, std::uint8_t control) {
    const Xmm chosen = LanesOfBits<std::uint32_t>(control >> 4);
    for (Xmm& value : dst) value = _mm_and_si128(value, chosen);
    for (Xmm& value : src) value = _mm_and_si128(value, chosen);
    std::array<Xmm, kCount> products;
    std::array<Xmm, kCount> pairs;
    if (!DotStage<MulPs, kInOrder, kInOrder>(stage, products, dst, src)) return false;
    if (!DotStage<AddPs, kNeighboursSwapped, kInOrder>(stage, pairs, products, products)) {
      return false;
    }
    if (!DotStage<AddPs, kInOrder, kHalvesSwapped>(stage, sums, pairs, pairs)) return false;
    for (Xmm& sum : sums) sum = _mm_and_si128(sum, LanesOfBits<std::uint32_t>(control & 15));
    return true;
  }
  template <typename Stage>
  static bool ApplyInStages(Stage&& stage, Xmm& result, Xmm dst, Xmm src, std::uint8_t control) {
    std::array<Xmm, 1> sums;
    if (!Sum<1>(stage, sums, {dst}, {src}, control)) return false;
    result = sums[0];
    return true;
  }
};
struct DotPd : RaisesFloat {
  template <typename Stage>
  static bool ApplyInStages(Stage&& stage, Xmm& result, Xmm dst, Xmm src, std::uint8_t control) {
    const Xmm chosen = LanesOfBits<std::uint64_t>(control >> 4 & 3);
    const std::array<Xmm, 1> a = {_mm_and_si128(dst, chosen)};
    const std::array<Xmm, 1> b = {_mm_and_si128(src, chosen)};
    std::array<Xmm, 1> products;
    std::array<Xmm, 1> sums;
    if (!DotStage<MulPd, kInOrder, kInOrder>(stage, products, a, b)) return false;
    if (!DotStage<AddPd, kInOrder, kHalvesSwapped>(stage, sums, products, products)) return false;
    result = _mm_and_si128(sums[0], LanesOfBits<std::uint64_t>(control & 3));
    return true;
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
