// Semantics that move lanes about: pack, unpack, shuffle, insert, extract, masks. Values in, values
// out. Intel SDM vol. 2A and 2B under the names in the comments.
#pragma once

#include <smmintrin.h>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>

#include "engine/isa/x86/packed.h"

namespace glovebox::engine::x86 {

// PACKSSWB PACKUSWB PACKSSDW; PACKUSDW: saturates the lanes of dst, then of src, to `Narrow`
struct PackSaturated {
  template <typename Narrow>
  static Xmm Apply(Xmm dst, Xmm src) {
    if constexpr (std::same_as<Narrow, std::int8_t>) return _mm_packs_epi16(dst, src);
    if constexpr (std::same_as<Narrow, std::uint8_t>) return _mm_packus_epi16(dst, src);
    if constexpr (std::same_as<Narrow, std::int16_t>) return _mm_packs_epi32(dst, src);
    if constexpr (std::same_as<Narrow, std::uint16_t>) return _mm_packus_epi32(dst, src);
  }
  template <typename Narrow>
  static Xmm ApplyMmx(Xmm dst, Xmm src) {
    const Xmm both = _mm_unpacklo_epi64(dst, src);
    return Apply<Narrow>(both, both);
  }
};

// PUNPCKLBW PUNPCKLWD PUNPCKLDQ PUNPCKLQDQ, UNPCKLPS UNPCKLPD: interleaves the low halves
struct UnpackLow {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    if constexpr (sizeof(Lane) == 1) return _mm_unpacklo_epi8(dst, src);
    if constexpr (sizeof(Lane) == 2) return _mm_unpacklo_epi16(dst, src);
    if constexpr (sizeof(Lane) == 4) return _mm_unpacklo_epi32(dst, src);
    if constexpr (sizeof(Lane) == 8) return _mm_unpacklo_epi64(dst, src);
  }
};

// PUNPCKHBW PUNPCKHWD PUNPCKHDQ PUNPCKHQDQ, UNPCKHPS UNPCKHPD: interleaves the high halves
struct UnpackHigh {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    if constexpr (sizeof(Lane) == 1) return _mm_unpackhi_epi8(dst, src);
    if constexpr (sizeof(Lane) == 2) return _mm_unpackhi_epi16(dst, src);
    if constexpr (sizeof(Lane) == 4) return _mm_unpackhi_epi32(dst, src);
    if constexpr (sizeof(Lane) == 8) return _mm_unpackhi_epi64(dst, src);
  }
  template <typename Lane>
  static Xmm ApplyMmx(Xmm dst, Xmm src) {
    return _mm_srli_si128(UnpackLow::Apply<Lane>(dst, src), 8);
  }
};

// PSHUFD: two bits of the immediate choose each doubleword
struct ShuffleDwords {
  static Xmm Apply(Xmm, Xmm src, std::uint8_t order) {
    const auto from = AsLanes<std::uint32_t>(src);
    return AsXmm(Lanes<std::uint32_t>{from[order & 3], from[order >> 2 & 3], from[order >> 4 & 3],
                                      from[order >> 6]});
  }
};

// PSHUFLW, PSHUFHW: the words of one quadword, the other is copied from src
template <unsigned kFirst>
struct ShuffleWords {
  static Xmm Apply(Xmm, Xmm src, std::uint8_t order) {
    const auto from = AsLanes<std::uint16_t>(src);
    auto to = from;
    for (unsigned i = 0; i < 4; ++i) to[kFirst + i] = from[kFirst + (order >> 2 * i & 3)];
    return AsXmm(to);
  }
};

// SHUFPS: the low two from dst, the high two from src
struct ShufflePs {
  static Xmm Apply(Xmm dst, Xmm src, std::uint8_t order) {
    const auto a = AsLanes<std::uint32_t>(dst);
    const auto b = AsLanes<std::uint32_t>(src);
    return AsXmm(
        Lanes<std::uint32_t>{a[order & 3], a[order >> 2 & 3], b[order >> 4 & 3], b[order >> 6]});
  }
};

// SHUFPD
struct ShufflePd {
  static Xmm Apply(Xmm dst, Xmm src, std::uint8_t order) {
    const auto a = AsLanes<std::uint64_t>(dst);
    const auto b = AsLanes<std::uint64_t>(src);
    return AsXmm(Lanes<std::uint64_t>{a[order & 1], b[order >> 1 & 1]});
  }
};

// MOVSS MOVSD between registers: the low lane of src, the rest of dst
struct MergeLow {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    auto to = AsLanes<Lane>(dst);
    to[0] = AsLanes<Lane>(src)[0];
    return AsXmm(to);
  }
};

// MOVSLDUP, MOVSHDUP: every even, or every odd, doubleword of src twice
struct DuplicateEven {
  static Xmm Apply(Xmm, Xmm src) { return _mm_shuffle_epi32(src, 0xA0); }
};
struct DuplicateOdd {
  static Xmm Apply(Xmm, Xmm src) { return _mm_shuffle_epi32(src, 0xF5); }
};
// MOVDDUP
struct DuplicateLowQuad {
  static Xmm Apply(Xmm, Xmm src) { return _mm_unpacklo_epi64(src, src); }
};

// MOVHLPS, MOVLHPS
struct MoveHighToLow {
  static Xmm Apply(Xmm dst, Xmm src) { return _mm_unpackhi_epi64(src, dst); }
};
struct MoveLowToHigh {
  static Xmm Apply(Xmm dst, Xmm src) { return _mm_unpacklo_epi64(dst, src); }
};

// PMOVMSKB MOVMSKPS MOVMSKPD: the sign of each lane
template <typename Lane>
struct SignMask {
  template <typename Word>
  static Word Apply(Xmm src) {
    int mask = 0;
    if constexpr (sizeof(Lane) == 1) mask = _mm_movemask_epi8(src);
    if constexpr (sizeof(Lane) == 4) mask = _mm_movemask_ps(_mm_castsi128_ps(src));
    if constexpr (sizeof(Lane) == 8) mask = _mm_movemask_pd(_mm_castsi128_pd(src));
    return static_cast<Word>(mask);
  }
};

// PEXTRW; PEXTRB PEXTRD PEXTRQ EXTRACTPS: lane `index` modulo their number
struct ExtractLane {
  template <typename Lane>
  static Lane Apply(Xmm src, std::uint8_t index) {
    return AsLanes<Lane>(src)[index % (sizeof(Xmm) / sizeof(Lane))];
  }
};

// PINSRW; PINSRB PINSRD PINSRQ
struct InsertLane {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Lane value, std::uint8_t index) {
    auto to = AsLanes<Lane>(dst);
    to[index % (sizeof(Xmm) / sizeof(Lane))] = value;
    return AsXmm(to);
  }
};

}  // namespace glovebox::engine::x86
