// The software forms of AES, PCLMULQDQ and SHA: known answers, and equal to the host's instructions
// where it has them (it may not; then the known answers stand alone).

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#include "engine/isa/x86/crypto_aes.h"
#include "engine/isa/x86/crypto_multiply.h"
#include "engine/isa/x86/crypto_sha.h"
#include "engine/isa/x86/host_features.h"

namespace glovebox::engine::x86 {
namespace {

using Quads = std::array<std::uint64_t, 2>;  // the low one first
Xmm Make(std::uint64_t high, std::uint64_t low) { return std::bit_cast<Xmm>(Quads{low, high}); }
Quads Bits(Xmm value) { return std::bit_cast<Quads>(value); }

class Sequence {  // xorshift64 (Marsaglia, 2003)
 public:
  std::uint64_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  Xmm NextXmm() {
    const std::uint64_t high = Next();
    return Make(high, Next());
  }

 private:
  std::uint64_t state_ = 0x9E3779B97F4A7C15;
};
constexpr int kRounds = 2000;

template <typename Host, typename Software, typename... More>
void ExpectTwins(const char* name, More... more) {
  Sequence sequence;
  for (int i = 0; i < kRounds; ++i) {
    const Xmm dst = sequence.NextXmm();
    const Xmm src = sequence.NextXmm();
    ASSERT_EQ(Bits(Host::Apply(dst, src, more...)), Bits(Software::Apply(dst, src, more...)))
        << name;
  }
}

TEST(Crypto, SoftwareAesIsTheHosts) {
  if (!ThisHost().aes) GTEST_SKIP() << "this host has no AES";
  ExpectTwins<HostAesEncrypt, SoftwareAesEncrypt>("aesenc");
  ExpectTwins<HostAesEncryptLast, SoftwareAesEncryptLast>("aesenclast");
  ExpectTwins<HostAesDecrypt, SoftwareAesDecrypt>("aesdec");
  ExpectTwins<HostAesDecryptLast, SoftwareAesDecryptLast>("aesdeclast");
  ExpectTwins<HostAesInverseMix, SoftwareAesInverseMix>("aesimc");
  for (const unsigned constant : {0x00, 0x01, 0x1B, 0x80, 0xFF}) {
    ExpectTwins<HostAesKeyAssist, SoftwareAesKeyAssist>("aeskeygenassist",
                                                        static_cast<std::uint8_t>(constant));
  }
}

TEST(Crypto, SoftwareCarrylessMultiplyIsTheHosts) {
  if (!ThisHost().pclmul) GTEST_SKIP() << "this host has no PCLMULQDQ";
  for (const unsigned which : {0x00, 0x01, 0x10, 0x11, 0xEE, 0xFF}) {
    ExpectTwins<HostCarrylessMultiply, SoftwareCarrylessMultiply>("pclmulqdq",
                                                                  static_cast<std::uint8_t>(which));
  }
}

TEST(Crypto, SoftwareShaIsTheHosts) {
  if (!ThisHost().sha) GTEST_SKIP() << "this host has no SHA";
  for (unsigned function = 0; function < 256; function += 51) {
    ExpectTwins<HostSha1Rounds, SoftwareSha1Rounds>("sha1rnds4",
                                                    static_cast<std::uint8_t>(function));
  }
  ExpectTwins<HostSha1NextE, SoftwareSha1NextE>("sha1nexte");
  ExpectTwins<HostSha1Message1, SoftwareSha1Message1>("sha1msg1");
  ExpectTwins<HostSha1Message2, SoftwareSha1Message2>("sha1msg2");
  ExpectTwins<HostSha256Rounds, SoftwareSha256Rounds>("sha256rnds2", Make(0, 0x428A2F98'D728AE22));
  ExpectTwins<HostSha256Message1, SoftwareSha256Message1>("sha256msg1");
  ExpectTwins<HostSha256Message2, SoftwareSha256Message2>("sha256msg2");
}

// FIPS 197, appendix B: the first round.
TEST(Crypto, AesRoundIsThatOfTheStandard) {
  const Xmm start = Make(0x0848f8e92a8dc69a, 0x2be2f4a0bee33d19);
  const Xmm key = Make(0x05766c2a3939a323, 0xb12c548817fefaa0);
  const Quads end = {0x2b359f68f27f9ca4, 0x49506a0243ea5b6b};
  EXPECT_EQ(Bits(SoftwareAesEncrypt::Apply(start, key)), end);
  // Back: the equivalent inverse cipher (FIPS 197, 5.3.5) of the round.
  const Xmm unkeyed = std::bit_cast<Xmm>(end) ^ key;
  const Xmm unmixed = SoftwareAesInverseMix::Apply(unkeyed, unkeyed);
  EXPECT_EQ(Bits(SoftwareAesDecryptLast::Apply(unmixed, _mm_setzero_si128())), Bits(start));
}

// Gueron, Kounavis: "Intel Carry-Less Multiplication Instruction and its Usage for Computing the
// GCM Mode", 2010, figure 3.
TEST(Crypto, CarrylessProductIsThatOfThePaper) {
  const Xmm a = Make(0x7b5b546573745665, 0x63746f725d53475d);
  const Xmm b = Make(0x4869285368617929, 0x5b477565726f6e5d);
  const auto product = [&](std::uint8_t which) {
    return Bits(SoftwareCarrylessMultiply::Apply(a, b, which));
  };
  EXPECT_EQ(product(0x00), (Quads{0x929633d5d36f0451, 0x1d4d84c85c3440c0}));
  EXPECT_EQ(product(0x10), (Quads{0x7fa540ac2a281315, 0x1bd17c8d556ab5a1}));
  EXPECT_EQ(product(0x01), (Quads{0xbabf262df4b7d5c9, 0x1a2bf6db3a30862f}));
  EXPECT_EQ(product(0x11), (Quads{0xd66ee03e410fd4ed, 0x1d1e1f2c592e7c45}));
}

// One block with the message "abc": FIPS 180-4, and its examples.
constexpr std::array<std::uint32_t, 16> kBlock = {0x61626380, 0, 0, 0, 0, 0, 0, 0,
                                                  0,          0, 0, 0, 0, 0, 0, 24};

TEST(Crypto, Sha256OfAbcIsThatOfTheStandard) {
  constexpr std::array<std::uint32_t, 64> kConstants = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
      0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
      0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
      0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
      0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
      0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
      0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
      0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
      0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
      0xc67178f2};
  std::array<Lanes<std::uint32_t>, 16> words{};
  for (unsigned i = 0; i < 64; ++i) words[i / 4][i % 4] = i < 16 ? kBlock[i] : 0;
  for (unsigned i = 4; i < 16; ++i) {
    const Lanes<std::uint32_t> seven_back = {words[i - 2][1], words[i - 2][2], words[i - 2][3],
                                             words[i - 1][0]};
    const Xmm sum = SoftwareSha256Message1::Apply(AsXmm(words[i - 4]), AsXmm(words[i - 3]));
    words[i] = AsLanes<std::uint32_t>(SoftwareSha256Message2::Apply(
        AsXmm(AsLanes<std::uint32_t>(sum) + seven_back), AsXmm(words[i - 1])));
  }
  const Xmm abef_start = ToHighest({0x6a09e667, 0xbb67ae85, 0x510e527f, 0x9b05688c});
  const Xmm cdgh_start = ToHighest({0x3c6ef372, 0xa54ff53a, 0x1f83d9ab, 0x5be0cd19});
  Xmm abef = abef_start;
  Xmm cdgh = cdgh_start;
  for (unsigned i = 0; i < 64; i += 2) {
    const Xmm message =
        _mm_setr_epi32(static_cast<int>(words[i / 4][i % 4] + kConstants[i]),
                       static_cast<int>(words[i / 4][i % 4 + 1] + kConstants[i + 1]), 0, 0);
    cdgh = SoftwareSha256Rounds::Apply(cdgh, abef, message);
    std::swap(abef, cdgh);
  }
  EXPECT_EQ(FromHighest(_mm_add_epi32(abef, abef_start)),
            (ShaWords{0xba7816bf, 0x8f01cfea, 0xb00361a3, 0x96177a9c}));
  EXPECT_EQ(FromHighest(_mm_add_epi32(cdgh, cdgh_start)),
            (ShaWords{0x414140de, 0x5dae2223, 0xb410ff61, 0xf20015ad}));
}

TEST(Crypto, Sha1OfAbcIsThatOfTheStandard) {
  std::array<Xmm, 20> words{};
  for (unsigned i = 0; i < 4; ++i) {
    words[i] = ToHighest({kBlock[4 * i], kBlock[4 * i + 1], kBlock[4 * i + 2], kBlock[4 * i + 3]});
  }
  for (unsigned i = 4; i < 20; ++i) {
    const Xmm sum = SoftwareSha1Message1::Apply(words[i - 4], words[i - 3]) ^ words[i - 2];
    words[i] = SoftwareSha1Message2::Apply(sum, words[i - 1]);
  }
  const Xmm start = ToHighest({0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476});
  Xmm abcd = start;
  Xmm message = _mm_add_epi32(words[0], ToHighest({0xc3d2e1f0, 0, 0, 0}));  // with E
  Xmm before = abcd;
  for (unsigned i = 0; i < 20; ++i) {
    if (i > 0) message = SoftwareSha1NextE::Apply(before, words[i]);
    before = abcd;
    abcd = SoftwareSha1Rounds::Apply(abcd, message, static_cast<std::uint8_t>(i / 5));
  }
  EXPECT_EQ(FromHighest(_mm_add_epi32(abcd, start)),
            (ShaWords{0xa9993e36, 0x4706816a, 0xba3e2571, 0x7850c26c}));
}

}  // namespace
}  // namespace glovebox::engine::x86
