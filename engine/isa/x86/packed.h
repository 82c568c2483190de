// Packed integer semantics: values in, values out, each operation written once for every width of
// lane. Intel SDM vol. 2A and 2B under the names in the comments. An operation is a type with
// `template <typename Lane> static Xmm Apply(Xmm dst, Xmm src)`; Packed<Operation, Lane> is what a
// row names.
#pragma once

#include <emmintrin.h>

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

namespace glovebox::engine::x86 {

// The 128 bits of an XMM register; what lanes they hold is the instruction's business.
using Xmm = __m128i;

// 16 bytes of lanes, on which both compilers know the C++ operators.
template <typename Lane>
struct LaneVector {
  typedef Lane Type __attribute__((vector_size(16)));
};
template <typename Lane>
using Lanes = typename LaneVector<Lane>::Type;

template <typename Lane>
[[gnu::always_inline]] inline Lanes<Lane> AsLanes(Xmm value) {
  return std::bit_cast<Lanes<Lane>>(value);
}
template <typename Vector>
[[gnu::always_inline]] inline Xmm AsXmm(Vector lanes) {
  return std::bit_cast<Xmm>(lanes);
}

template <typename Operation, typename Lane>
struct Packed {
  [[gnu::always_inline]] static Xmm Apply(Xmm dst, Xmm src) {
    return Operation::template Apply<Lane>(dst, src);
  }
  // On the low quadwords (mmx.h), where that is something else.
  [[gnu::always_inline]] static Xmm ApplyMmx(Xmm dst, Xmm src) {
    if constexpr (requires { Operation::template ApplyMmx<Lane>(dst, src); }) {
      return Operation::template ApplyMmx<Lane>(dst, src);
    } else {
      return Operation::template Apply<Lane>(dst, src);
    }
  }
};

// PADDB PADDW PADDD PADDQ. Lanes are unsigned: they wrap.
struct PackedAdd {
  template <std::unsigned_integral Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    return AsXmm(AsLanes<Lane>(dst) + AsLanes<Lane>(src));
  }
};

// PSUBB PSUBW PSUBD PSUBQ
struct PackedSubtract {
  template <std::unsigned_integral Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    return AsXmm(AsLanes<Lane>(dst) - AsLanes<Lane>(src));
  }
};

// PADDSB PADDSW PADDUSB PADDUSW
struct PackedAddSaturated {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    if constexpr (std::same_as<Lane, std::int8_t>) return _mm_adds_epi8(dst, src);
    if constexpr (std::same_as<Lane, std::int16_t>) return _mm_adds_epi16(dst, src);
    if constexpr (std::same_as<Lane, std::uint8_t>) return _mm_adds_epu8(dst, src);
    if constexpr (std::same_as<Lane, std::uint16_t>) return _mm_adds_epu16(dst, src);
  }
};

// PSUBSB PSUBSW PSUBUSB PSUBUSW
struct PackedSubtractSaturated {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    if constexpr (std::same_as<Lane, std::int8_t>) return _mm_subs_epi8(dst, src);
    if constexpr (std::same_as<Lane, std::int16_t>) return _mm_subs_epi16(dst, src);
    if constexpr (std::same_as<Lane, std::uint8_t>) return _mm_subs_epu8(dst, src);
    if constexpr (std::same_as<Lane, std::uint16_t>) return _mm_subs_epu16(dst, src);
  }
};

// PMULLW; PMULLD
struct PackedMultiplyLow {
  template <std::unsigned_integral Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    return AsXmm(AsLanes<Lane>(dst) * AsLanes<Lane>(src));
  }
};

// PMULHW PMULHUW: the high half of each product
struct PackedMultiplyHigh {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    if constexpr (std::same_as<Lane, std::int16_t>) return _mm_mulhi_epi16(dst, src);
    if constexpr (std::same_as<Lane, std::uint16_t>) return _mm_mulhi_epu16(dst, src);
  }
};

// PMULUDQ; PMULDQ: products of the even doublewords
struct PackedMultiplyEven {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    using Wide = std::conditional_t<std::signed_integral<Lane>, std::int64_t, std::uint64_t>;
    const auto a = AsLanes<Lane>(dst);
    const auto b = AsLanes<Lane>(src);
    return AsXmm(Lanes<Wide>{static_cast<Wide>(a[0]) * b[0], static_cast<Wide>(a[2]) * b[2]});
  }
};

// PMADDWD
struct PackedMultiplyAdd {
  static Xmm Apply(Xmm dst, Xmm src) { return _mm_madd_epi16(dst, src); }
};

// PSADBW
struct PackedSumOfDifferences {
  static Xmm Apply(Xmm dst, Xmm src) { return _mm_sad_epu8(dst, src); }
};

// PAVGB PAVGW: rounded up
struct PackedAverage {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    if constexpr (std::same_as<Lane, std::uint8_t>) return _mm_avg_epu8(dst, src);
    if constexpr (std::same_as<Lane, std::uint16_t>) return _mm_avg_epu16(dst, src);
  }
};

// PMINUB PMINSW; PMINSB PMINUW PMINSD PMINUD
struct PackedMinimum {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    const auto a = AsLanes<Lane>(dst);
    const auto b = AsLanes<Lane>(src);
    return AsXmm(a < b ? a : b);
  }
};

// PMAXUB PMAXSW; PMAXSB PMAXUW PMAXSD PMAXUD
struct PackedMaximum {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    const auto a = AsLanes<Lane>(dst);
    const auto b = AsLanes<Lane>(src);
    return AsXmm(a > b ? a : b);
  }
};

// PCMPEQB PCMPEQW PCMPEQD; PCMPEQQ
struct PackedEqual {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    return AsXmm(AsLanes<Lane>(dst) == AsLanes<Lane>(src));
  }
};

// PCMPGTB PCMPGTW PCMPGTD; PCMPGTQ
struct PackedGreater {
  template <std::signed_integral Lane>
  static Xmm Apply(Xmm dst, Xmm src) {
    return AsXmm(AsLanes<Lane>(dst) > AsLanes<Lane>(src));
  }
};

// PAND ANDPS ANDPD, PANDN ANDNPS ANDNPD, POR ORPS ORPD, PXOR XORPS XORPD
struct BitwiseAnd {
  static Xmm Apply(Xmm dst, Xmm src) { return _mm_and_si128(dst, src); }
};
struct BitwiseAndNot {
  static Xmm Apply(Xmm dst, Xmm src) { return _mm_andnot_si128(dst, src); }
};
struct BitwiseOr {
  static Xmm Apply(Xmm dst, Xmm src) { return _mm_or_si128(dst, src); }
};
struct BitwiseXor {
  static Xmm Apply(Xmm dst, Xmm src) { return _mm_xor_si128(dst, src); }
};

// Shifts count with the whole low quadword of `count`; beyond the width the result is 0 or all
// signs. PSLLW PSLLD PSLLQ
struct PackedShiftLeft {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm count) {
    if constexpr (sizeof(Lane) == 2) return _mm_sll_epi16(dst, count);
    if constexpr (sizeof(Lane) == 4) return _mm_sll_epi32(dst, count);
    if constexpr (sizeof(Lane) == 8) return _mm_sll_epi64(dst, count);
  }
};

// PSRLW PSRLD PSRLQ with unsigned lanes, PSRAW PSRAD with signed ones
struct PackedShiftRight {
  template <typename Lane>
  static Xmm Apply(Xmm dst, Xmm count) {
    if constexpr (std::same_as<Lane, std::uint16_t>) return _mm_srl_epi16(dst, count);
    if constexpr (std::same_as<Lane, std::uint32_t>) return _mm_srl_epi32(dst, count);
    if constexpr (std::same_as<Lane, std::uint64_t>) return _mm_srl_epi64(dst, count);
    if constexpr (std::same_as<Lane, std::int16_t>) return _mm_sra_epi16(dst, count);
    if constexpr (std::same_as<Lane, std::int32_t>) return _mm_sra_epi32(dst, count);
  }
};

// PSLLDQ, PSRLDQ: by bytes, 16 and more give 0
struct ShiftBytesLeft {
  static Xmm Apply(Xmm dst, std::uint8_t bytes) {
    __extension__ using Wide = unsigned __int128;
    return bytes > 15 ? _mm_setzero_si128() : AsXmm(std::bit_cast<Wide>(dst) << (8 * bytes));
  }
};
struct ShiftBytesRight {
  static Xmm Apply(Xmm dst, std::uint8_t bytes) {
    __extension__ using Wide = unsigned __int128;
    return bytes > 15 ? _mm_setzero_si128() : AsXmm(std::bit_cast<Wide>(dst) >> (8 * bytes));
  }
};

}  // namespace glovebox::engine::x86
