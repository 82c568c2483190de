#include "engine/isa/x86/cpuid.h"

#include <array>
#include <bit>
#include <cstddef>
#include <string_view>

#include "engine/isa/x86/cpu_features.h"
#include "engine/isa/x86/xsave.h"

namespace glovebox::engine::x86 {
namespace {

// Family 17h, model 31h, stepping 0: a Zen 2, of whose family undefined flags are. AMD APM vol. 3,
// E.3.2; leaves that are not here are reserved there too. Who asks for the vendor chooses code that
// suits: glibc takes Haswells for CPUs on which the `sse2_unaligned` string functions, which are
// long detours for an interpreter, pay.
constexpr std::uint32_t kSignature = 0x00830f10;
constexpr std::string_view kVendor = "AuthenticAMD";
constexpr std::string_view kBrand = "Glovebox virtual CPU";
constexpr std::uint32_t kCacheLine = 64;

constexpr std::uint32_t FourBytes(std::string_view text, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto byte = at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
    value |= byte << (8 * i);
  }
  return value;
}

// The caches of a Zen 2. AMD APM vol. 3, E.4.5, E.4.6 and E.4.15.
struct Cache {
  std::uint32_t type;  // 1 data, 2 instruction, 3 unified
  std::uint32_t level;
  std::uint32_t ways;
  std::uint32_t sets;
  bool is_inclusive;

  constexpr std::uint32_t bytes() const { return ways * sets * kCacheLine; }
};
constexpr Cache kData1{1, 1, 8, 64, false};       // 32 KiB
constexpr Cache kCode1{2, 1, 8, 64, false};       // 32 KiB
constexpr Cache kLevel2{3, 2, 8, 1024, true};     // 512 KiB
constexpr Cache kLevel3{3, 3, 16, 16384, false};  // 16 MiB
constexpr std::array<Cache, 4> kCaches = {kData1, kCode1, kLevel2, kLevel3};

// Leaf 8000_001Dh.
CpuidResult CacheProperties(std::uint32_t subleaf) {
  if (subleaf >= kCaches.size()) return {};
  const Cache& cache = kCaches[subleaf];
  constexpr std::uint32_t kSelfInitialising = 1 << 8;
  return {.eax = cache.type | cache.level << 5 | kSelfInitialising,
          .ebx = (cache.ways - 1) << 22 | (kCacheLine - 1),
          .ecx = cache.sets - 1,
          .edx = cache.is_inclusive ? 2u : 0u};
}

constexpr std::uint32_t kOneLinePerTag = 1 << 8;
// Leaf 8000_0005h: in KiB, ways as a number. The TLBs have 64 entries, fully associative.
constexpr std::uint32_t Level1(const Cache& cache) {
  return cache.bytes() / 1024 << 24 | cache.ways << 16 | kOneLinePerTag | kCacheLine;
}
constexpr std::uint32_t kLevel1Tlb = 0xff40'ff40;
// Leaf 8000_0006h: ways by a code.
constexpr std::uint32_t kEightWays = 6 << 12, kSixteenWays = 8 << 12;
constexpr std::uint32_t kLevel2Ecx =
    kLevel2.bytes() / 1024 << 16 | kEightWays | kOneLinePerTag | kCacheLine;
constexpr std::uint32_t kLevel3Edx =
    kLevel3.bytes() / (512 * 1024) << 18 | kSixteenWays | kOneLinePerTag | kCacheLine;

// Features of leaf 1 that leaf 8000_0001h shows once more.
constexpr std::uint32_t kShownTwice = 0x0183'f3ff;

// Leaf 0xd: Intel SDM vol. 1, 13.2.
CpuidResult ExtendedState(std::uint32_t subleaf) {
  constexpr std::uint32_t kAvxComponent = 2;
  switch (subleaf) {
    case 0:  // what XCR0 may hold; the bytes of an area with what is enabled, and with everything
      return {kXcr0, kXsaveBytes, kXsaveBytes, 0};
    case 1:  // the bytes of a compacted area with what is enabled
      return {FeatureBits(FeatureWord::kD1Eax), kXsaveBytes, 0, 0};
    case kAvxComponent:
      return {kXAvxBytes, kXAvxAt, 0, 0};
    default:
      return {};
  }
}

CpuidResult BrandPart(std::uint32_t part) {
  const std::size_t at = part * 16;
  return {FourBytes(kBrand, at), FourBytes(kBrand, at + 4), FourBytes(kBrand, at + 8),
          FourBytes(kBrand, at + 12)};
}

}  // namespace

CpuidResult Cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
  switch (leaf) {
    case 0:
      return {0xd, FourBytes(kVendor, 0), FourBytes(kVendor, 8), FourBytes(kVendor, 4)};
    case 1:
      return {kSignature, (kCacheLine / 8) << 8 | 1u << 16, FeatureBits(FeatureWord::k1Ecx),
              FeatureBits(FeatureWord::k1Edx)};
    case 7:  // structured extended features; no further subleaf
      if (subleaf != 0) return {};
      return {0, FeatureBits(FeatureWord::k7Ebx), FeatureBits(FeatureWord::k7Ecx), 0};
    case 0xd:
      return ExtendedState(subleaf);
    case 0x80000000:
      return {0x8000001e, FourBytes(kVendor, 0), FourBytes(kVendor, 8), FourBytes(kVendor, 4)};
    case 0x80000001:
      return {
          kSignature, 0, FeatureBits(FeatureWord::k80000001Ecx),
          FeatureBits(FeatureWord::k80000001Edx) | (FeatureBits(FeatureWord::k1Edx) & kShownTwice)};
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
      return BrandPart(leaf - 0x80000002);
    case 0x80000005:
      return {kLevel1Tlb, kLevel1Tlb, Level1(kData1), Level1(kCode1)};
    case 0x80000006:
      return {0, 0, kLevel2Ecx, kLevel3Edx};
    case 0x80000008:  // bits of virtual and physical addresses; one core
      return {48u << 8 | 48u, 0, 0, 0};
    case 0x8000001a:
      return {3u << 1, 0, 0, 0};  // unaligned moves are as fast, the data path is 256 bits wide
    case 0x8000001d:
      return CacheProperties(subleaf);
    case 0x8000001e:
      return {};  // APIC, core and node have the number 0; a thread per core, a node
    default:
      return {};
  }
}

}  // namespace glovebox::engine::x86
