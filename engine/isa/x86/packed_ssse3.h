// Packed integer semantics of SSSE3, most of them on mm registers too (ApplyMmx: see packed.h).
// Intel SDM vol. 2A and 2B under the names in the comments.
#pragma once

#include <tmmintrin.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>

#include "engine/isa/x86/packed.h"

namespace glovebox::engine::x86 {

// An operation on the lanes of dst and then of src, on half registers: both halves make one whole.
template <typename Whole>
[[gnu::always_inline]] inline Xmm OnJoinedHalves(Xmm dst, Xmm src, Whole whole) {
  const Xmm both = _mm_unpacklo_epi64(dst, src);
  return whole(both, both);
}

// PABSB PABSW PABSD
struct PackedAbsolute {
  template <std::signed_integral Lane>
  static Xmm Apply(Xmm, Xmm src) {
    if constexpr (sizeof(Lane) == 1) return _mm_abs_epi8(src);
    if constexpr (sizeof(Lane) == 2) return _mm_abs_epi16(src);
    if constexpr (sizeof(Lane) == 4) return _mm_abs_epi32(src);
  }
};

// PSIGNB PSIGNW PSIGND: dst negated, kept or cleared by the sign of src
struct PackedSign {
  template <std::signed_integral Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    if constexpr (sizeof(Lane) == 1) return _mm_sign_epi8(dst, src);
    if constexpr (sizeof(Lane) == 2) return _mm_sign_epi16(dst, src);
    if constexpr (sizeof(Lane) == 4) return _mm_sign_epi32(dst, src);
  }
};

// PHADDW PHADDD: sums of neighbours
struct PackedHorizontalAdd {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    return sizeof(Lane) == 2 ? _mm_hadd_epi16(dst, src) : _mm_hadd_epi32(dst, src);
  }
  template <typename Lane>
  static Xmm ApplyMmx(Xmm dst, Xmm src) {
    return OnJoinedHalves(dst, src, Apply<Lane>);
  }
};

// PHSUBW PHSUBD: the even neighbour less the odd one
struct PackedHorizontalSubtract {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    return sizeof(Lane) == 2 ? _mm_hsub_epi16(dst, src) : _mm_hsub_epi32(dst, src);
  }
  template <typename Lane>
  static Xmm ApplyMmx(Xmm dst, Xmm src) {
    return OnJoinedHalves(dst, src, Apply<Lane>);
  }
};

// PHADDSW, PHSUBSW
struct PackedHorizontalAddSaturated {
  static Xmm Apply(Xmm dst, Xmm src) { return _mm_hadds_epi16(dst, src); }
  static Xmm ApplyMmx(Xmm dst, Xmm src) { return OnJoinedHalves(dst, src, Apply); }
};
struct PackedHorizontalSubtractSaturated {
  static Xmm Apply(Xmm dst, Xmm src) { return _mm_hsubs_epi16(dst, src); }
  static Xmm ApplyMmx(Xmm dst, Xmm src) { return OnJoinedHalves(dst, src, Apply); }
};

// PMADDUBSW: unsigned bytes of dst by signed bytes of src
struct PackedMultiplyAddBytes {
  static Xmm Apply(Xmm dst, Xmm src) { return _mm_maddubs_epi16(dst, src); }
};

// PMULHRSW: the high half, rounded
struct PackedMultiplyHighRounded {
  static Xmm Apply(Xmm dst, Xmm src) { return _mm_mulhrs_epi16(dst, src); }
};

// PSHUFB: each byte of src chooses one of dst, or zero
struct ShuffleBytes {
  static Xmm Apply(Xmm dst, Xmm src) { return _mm_shuffle_epi8(dst, src); }
  static Xmm ApplyMmx(Xmm dst, Xmm src) {  // one bit less to choose with
    return _mm_shuffle_epi8(dst, _mm_and_si128(src, _mm_set1_epi8(static_cast<char>(0x87))));
  }
};

// PALIGNR: 16 bytes of dst:src from byte `from` on, zeros behind its end
struct AlignRight {
  static Xmm Apply(Xmm dst, Xmm src, std::uint8_t from) {
    const unsigned at = std::min<unsigned>(from, 32);
    const unsigned src_at = std::min(at, 16u);
    return _mm_or_si128(_mm_shuffle_epi8(src, Order(16 + src_at)),
                        _mm_shuffle_epi8(dst, Order(at)));
  }
  static Xmm ApplyMmx(Xmm dst, Xmm src, std::uint8_t from) {
    return Apply(_mm_setzero_si128(), _mm_unpacklo_epi64(src, dst), from);
  }

 private:
  // What _mm_shuffle_epi8 makes zero bytes of, 0 to 15, and zeros again: from each offset on it is
  // a shift by bytes.
  static constexpr std::array<std::uint8_t, 48> kOrders = [] {
    std::array<std::uint8_t, 48> orders{};
    orders.fill(0x80);
    for (unsigned i = 0; i < 16; ++i) orders[16 + i] = static_cast<std::uint8_t>(i);
    return orders;
  }();
  static Xmm Order(unsigned offset) {
    return _mm_loadu_si128(reinterpret_cast<const Xmm*>(kOrders.data() + offset));
  }
};

}  // namespace glovebox::engine::x86
