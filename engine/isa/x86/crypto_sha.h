// SHA1RNDS4 SHA1NEXTE SHA1MSG1 SHA1MSG2 SHA256RNDS2 SHA256MSG1 SHA256MSG2. Intel SDM vol. 2B; the
// names are those of FIPS 180-4. The host's instructions and their software twins: see
// crypto_aes.h.
#pragma once

#include <emmintrin.h>

#include <array>
#include <bit>
#include <cstdint>

#include "engine/isa/x86/packed.h"

namespace glovebox::engine::x86 {

// dst = dst `mnemonic` src
#define GB_HOST_SHA(Semantic, mnemonic)                         \
  struct Semantic {                                             \
    [[gnu::always_inline]] static Xmm Apply(Xmm dst, Xmm src) { \
      asm(mnemonic " %1, %0" : "+x"(dst) : "x"(src));           \
      return dst;                                               \
    }                                                           \
  }
GB_HOST_SHA(HostSha1NextE, "sha1nexte");
GB_HOST_SHA(HostSha1Message1, "sha1msg1");
GB_HOST_SHA(HostSha1Message2, "sha1msg2");
GB_HOST_SHA(HostSha256Message1, "sha256msg1");
GB_HOST_SHA(HostSha256Message2, "sha256msg2");
#undef GB_HOST_SHA

struct HostSha1Rounds {
  [[gnu::always_inline]] static Xmm Apply(Xmm dst, Xmm src, std::uint8_t function) {
    switch (function & 3) {
      case 0:
        asm("sha1rnds4 $0, %1, %0" : "+x"(dst) : "x"(src));
        break;
      case 1:
        asm("sha1rnds4 $1, %1, %0" : "+x"(dst) : "x"(src));
        break;
      case 2:
        asm("sha1rnds4 $2, %1, %0" : "+x"(dst) : "x"(src));
        break;
      default:
        asm("sha1rnds4 $3, %1, %0" : "+x"(dst) : "x"(src));
    }
    return dst;
  }
};
struct HostSha256Rounds {
  [[gnu::always_inline]] static Xmm Apply(Xmm dst, Xmm src, Xmm message) {
    asm("sha256rnds2 %2, %1, %0" : "+x"(dst) : "x"(src), "Yz"(message));
    return dst;
  }
};

// The instructions keep the first word in the highest lane: the lanes from the highest down.
using ShaWords = std::array<std::uint32_t, 4>;
inline ShaWords FromHighest(Xmm value) {
  const auto lanes = AsLanes<std::uint32_t>(value);
  return {lanes[3], lanes[2], lanes[1], lanes[0]};
}
inline Xmm ToHighest(const ShaWords& words) {
  return AsXmm(Lanes<std::uint32_t>{words[3], words[2], words[1], words[0]});
}

constexpr std::uint32_t ShaChoose(std::uint32_t x, std::uint32_t y, std::uint32_t z) {
  return (x & y) ^ (~x & z);
}
constexpr std::uint32_t ShaMajority(std::uint32_t x, std::uint32_t y, std::uint32_t z) {
  return (x & y) ^ (x & z) ^ (y & z);
}

// FIPS 180-4, 4.1.1 and 4.2.1: rounds 0-19, 20-39, 40-59, 60-79
constexpr std::uint32_t Sha1Function(unsigned which, std::uint32_t b, std::uint32_t c,
                                     std::uint32_t d) {
  if (which == 0) return ShaChoose(b, c, d);
  return which == 2 ? ShaMajority(b, c, d) : b ^ c ^ d;
}
inline constexpr std::array<std::uint32_t, 4> kSha1Constants = {0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC,
                                                                0xCA62C1D6};

// Four rounds. The variable E of the first stands in the message's first word already.
struct SoftwareSha1Rounds {
  static Xmm Apply(Xmm dst, Xmm src, std::uint8_t function) {
    auto [a, b, c, d] = FromHighest(dst);
    std::uint32_t e = 0;
    for (const std::uint32_t message : FromHighest(src)) {
      const std::uint32_t next = Sha1Function(function & 3, b, c, d) + std::rotl(a, 5) + message +
                                 e + kSha1Constants[function & 3];
      e = d;
      d = c;
      c = std::rotl(b, 30);
      b = a;
      a = next;
    }
    return ToHighest({a, b, c, d});
  }
};
struct SoftwareSha1NextE {
  static Xmm Apply(Xmm dst, Xmm src) {
    ShaWords words = FromHighest(src);
    words[0] += std::rotl(FromHighest(dst)[0], 30);
    return ToHighest(words);
  }
};
struct SoftwareSha1Message1 {
  static Xmm Apply(Xmm dst, Xmm src) {
    const ShaWords w = FromHighest(dst);
    const ShaWords next = FromHighest(src);
    return ToHighest({w[2] ^ w[0], w[3] ^ w[1], next[0] ^ w[2], next[1] ^ w[3]});
  }
};
struct SoftwareSha1Message2 {
  static Xmm Apply(Xmm dst, Xmm src) {
    const ShaWords w = FromHighest(dst);
    const ShaWords before = FromHighest(src);
    const std::uint32_t first = std::rotl(w[0] ^ before[1], 1);
    return ToHighest({first, std::rotl(w[1] ^ before[2], 1), std::rotl(w[2] ^ before[3], 1),
                      std::rotl(w[3] ^ first, 1)});
  }
};

// FIPS 180-4, 4.1.2
constexpr std::uint32_t Sha256Sum0(std::uint32_t x) {
  return std::rotr(x, 2) ^ std::rotr(x, 13) ^ std::rotr(x, 22);
}
constexpr std::uint32_t Sha256Sum1(std::uint32_t x) {
  return std::rotr(x, 6) ^ std::rotr(x, 11) ^ std::rotr(x, 25);
}
constexpr std::uint32_t Sha256Sigma0(std::uint32_t x) {
  return std::rotr(x, 7) ^ std::rotr(x, 18) ^ x >> 3;
}
constexpr std::uint32_t Sha256Sigma1(std::uint32_t x) {
  return std::rotr(x, 17) ^ std::rotr(x, 19) ^ x >> 10;
}

// Two rounds: src holds A B E F, dst C D G H, the low words of `message` their words and constants.
struct SoftwareSha256Rounds {
  static Xmm Apply(Xmm dst, Xmm src, Xmm message) {
    auto [a, b, e, f] = FromHighest(src);
    auto [c, d, g, h] = FromHighest(dst);
    for (unsigned i = 0; i < 2; ++i) {
      const std::uint32_t sum =
          ShaChoose(e, f, g) + Sha256Sum1(e) + AsLanes<std::uint32_t>(message)[i] + h;
      const std::uint32_t next = sum + ShaMajority(a, b, c) + Sha256Sum0(a);
      h = g;
      g = f;
      f = e;
      e = sum + d;
      d = c;
      c = b;
      b = a;
      a = next;
    }
    return ToHighest({a, b, e, f});
  }
};
// In the message schedule the first word is the lowest lane.
struct SoftwareSha256Message1 {
  static Xmm Apply(Xmm dst, Xmm src) {
    auto w = AsLanes<std::uint32_t>(dst);
    const std::uint32_t next = AsLanes<std::uint32_t>(src)[0];
    for (unsigned i = 0; i < 4; ++i) w[i] += Sha256Sigma0(i < 3 ? w[i + 1] : next);
    return AsXmm(w);
  }
};
struct SoftwareSha256Message2 {
  static Xmm Apply(Xmm dst, Xmm src) {
    auto w = AsLanes<std::uint32_t>(dst);
    const auto before = AsLanes<std::uint32_t>(src);
    for (unsigned i = 0; i < 4; ++i) w[i] += Sha256Sigma1(i < 2 ? before[i + 2] : w[i - 2]);
    return AsXmm(w);
  }
};

}  // namespace glovebox::engine::x86
