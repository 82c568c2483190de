// AESENC AESENCLAST AESDEC AESDECLAST AESIMC AESKEYGENASSIST. Intel SDM vol. 1, 12.13; FIPS 197.
//
// HostAes... are the host's own instructions, for hosts that have them (host_features.h);
// SoftwareAes... give the same bits on every other one. A unit test compares the twins.
#pragma once

#include <emmintrin.h>

#include <array>
#include <bit>
#include <cstdint>

#include "engine/isa/x86/packed.h"

namespace glovebox::engine::x86 {

// dst = dst `mnemonic` src
#define GB_HOST_AES(Semantic, mnemonic)                         \
  struct Semantic {                                             \
    [[gnu::always_inline]] static Xmm Apply(Xmm dst, Xmm src) { \
      asm(mnemonic " %1, %0" : "+x"(dst) : "x"(src));           \
      return dst;                                               \
    }                                                           \
  }
GB_HOST_AES(HostAesEncrypt, "aesenc");
GB_HOST_AES(HostAesEncryptLast, "aesenclast");
GB_HOST_AES(HostAesDecrypt, "aesdec");
GB_HOST_AES(HostAesDecryptLast, "aesdeclast");
GB_HOST_AES(HostAesInverseMix, "aesimc");
#undef GB_HOST_AES

struct HostAesKeyAssist {
  static Xmm Apply(Xmm, Xmm src, std::uint8_t round_constant) {
    Xmm words;
    asm("aeskeygenassist $0, %1, %0" : "=x"(words) : "x"(src));
    const int constant = round_constant;
    return _mm_xor_si128(words, _mm_setr_epi32(0, constant, 0, constant));
  }
};

// The field of AES: polynomials over GF(2) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, 4).
constexpr std::uint8_t AesTwice(std::uint8_t x) {
  return static_cast<std::uint8_t>(x << 1 ^ ((x & 0x80) != 0 ? 0x1B : 0));
}
constexpr std::uint8_t AesTimes(std::uint8_t x, std::uint8_t factor) {
  std::uint8_t product = 0;
  for (; factor != 0; factor >>= 1, x = AesTwice(x)) {
    if ((factor & 1) != 0) product ^= x;
  }
  return product;
}

using AesBytes = std::array<std::uint8_t, 256>;
// FIPS 197, 5.1.1: the inverse (0 for 0), then an affine map. 3 generates the field's units, so the
// inverse of 3^k is 3^(255 - k).
inline constexpr AesBytes kAesSubstitution = [] {
  AesBytes power{1};
  for (unsigned k = 1; k < 256; ++k) power[k] = AesTimes(power[k - 1], 3);
  AesBytes box{0x63};
  for (unsigned k = 0; k < 255; ++k) {
    const std::uint8_t inverse = power[255 - k];
    std::uint8_t mapped = 0x63 ^ inverse;
    for (int turn = 1; turn < 5; ++turn) mapped ^= std::rotl(inverse, turn);
    box[power[k]] = mapped;
  }
  return box;
}();
inline constexpr AesBytes kAesInverseSubstitution = [] {
  AesBytes inverse{};
  for (unsigned i = 0; i < 256; ++i) inverse[kAesSubstitution[i]] = static_cast<std::uint8_t>(i);
  return inverse;
}();

using AesState = std::array<std::uint8_t, 16>;  // by columns of four

// ShiftRows (FIPS 197, 5.1.2) and SubBytes: row r is taken from `direction` * r columns away.
inline AesState AesShiftAndSubstitute(Xmm value, unsigned direction, const AesBytes& box) {
  const auto from = std::bit_cast<AesState>(value);
  AesState to;
  for (unsigned i = 0; i < 16; ++i) to[i] = box[from[(i + direction * 4 * (i % 4)) % 16]];
  return to;
}

// MixColumns (FIPS 197, 5.1.3) by the matrix whose first row is `factors`.
inline Xmm AesMixColumns(const AesState& from, const std::array<std::uint8_t, 4>& factors) {
  AesState to{};
  for (unsigned i = 0; i < 16; ++i) {
    for (unsigned k = 0; k < 4; ++k) to[i] ^= AesTimes(from[i / 4 * 4 + (i + k) % 4], factors[k]);
  }
  return std::bit_cast<Xmm>(to);
}
inline constexpr std::array<std::uint8_t, 4> kAesMix = {2, 3, 1, 1};
inline constexpr std::array<std::uint8_t, 4> kAesInverseMix = {14, 11, 13, 9};

struct SoftwareAesEncrypt {
  static Xmm Apply(Xmm dst, Xmm src) {
    return AesMixColumns(AesShiftAndSubstitute(dst, 1, kAesSubstitution), kAesMix) ^ src;
  }
};
struct SoftwareAesEncryptLast {
  static Xmm Apply(Xmm dst, Xmm src) {
    return std::bit_cast<Xmm>(AesShiftAndSubstitute(dst, 1, kAesSubstitution)) ^ src;
  }
};
struct SoftwareAesDecrypt {
  static Xmm Apply(Xmm dst, Xmm src) {
    return AesMixColumns(AesShiftAndSubstitute(dst, 3, kAesInverseSubstitution), kAesInverseMix) ^
           src;
  }
};
struct SoftwareAesDecryptLast {
  static Xmm Apply(Xmm dst, Xmm src) {
    return std::bit_cast<Xmm>(AesShiftAndSubstitute(dst, 3, kAesInverseSubstitution)) ^ src;
  }
};
struct SoftwareAesInverseMix {
  static Xmm Apply(Xmm, Xmm src) {
    return AesMixColumns(std::bit_cast<AesState>(src), kAesInverseMix);
  }
};
struct SoftwareAesKeyAssist {
  static Xmm Apply(Xmm, Xmm src, std::uint8_t round_constant) {
    auto words = AsLanes<std::uint32_t>(src);
    for (unsigned i = 0; i < 4; i += 2) {
      std::uint32_t substituted = 0;
      for (unsigned k = 0; k < 32; k += 8) {
        substituted |= std::uint32_t{kAesSubstitution[words[i + 1] >> k & 0xFF]} << k;
      }
      words[i] = substituted;
      words[i + 1] = std::rotr(substituted, 8) ^ round_constant;
    }
    return AsXmm(words);
  }
};

}  // namespace glovebox::engine::x86
