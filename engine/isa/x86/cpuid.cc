#include "engine/isa/x86/cpuid.h"

#include <array>
#include <bit>
#include <cstddef>
#include <string_view>

#include "engine/isa/x86/cpu_features.h"
#include "engine/isa/x86/xsave.h"

namespace glovebox::engine::x86 {
namespace {

// Family 6, model 0x3c, stepping 3: a Haswell, the first with x86-64-v3. Intel SDM vol. 2A, CPUID,
// figure 3-6.
constexpr std::uint32_t kSignature = 0x000306c3;
constexpr std::string_view kVendor = "GenuineIntel";
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

// Leaf 4, deterministic cache parameters: type and level, ways, sets.
struct Cache {
  std::uint32_t type;  // 1 data, 2 instruction, 3 unified
  std::uint32_t level;
  std::uint32_t ways;
  std::uint32_t sets;
};
constexpr std::array<Cache, 4> kCaches = {{
    {1, 1, 8, 64},     // 32 KiB
    {2, 1, 8, 64},     // 32 KiB
    {3, 2, 16, 1024},  // 1 MiB
    {3, 3, 16, 8192},  // 8 MiB
}};

CpuidResult CacheParameters(std::uint32_t subleaf) {
  if (subleaf >= kCaches.size()) return {};
  const Cache& cache = kCaches[subleaf];
  constexpr std::uint32_t kSelfInitialising = 1 << 8;
  return {.eax = cache.type | cache.level << 5 | kSelfInitialising,
          .ebx = (cache.ways - 1) << 22 | (kCacheLine - 1),
          .ecx = cache.sets - 1,
          .edx = 0};
}

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
    case 2:
      return {0x00feff01, 0, 0, 0};  // "see leaf 4" (0xff), no TLB information (0xfe)
    case 4:
      return CacheParameters(subleaf);
    case 7:  // structured extended features; no further subleaf
      if (subleaf != 0) return {};
      return {0, FeatureBits(FeatureWord::k7Ebx), FeatureBits(FeatureWord::k7Ecx), 0};
    case 0xd:
      return ExtendedState(subleaf);
    case 0x80000000:
      return {0x80000008, 0, 0, 0};
    case 0x80000001:
      return {kSignature, 0, FeatureBits(FeatureWord::k80000001Ecx),
              FeatureBits(FeatureWord::k80000001Edx)};
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
      return BrandPart(leaf - 0x80000002);
    case 0x80000006:
      return {0, 0, 1024u << 16 | 8u << 12 | kCacheLine, 0};  // L2: 1 MiB
    case 0x80000008:
      return {48u << 8 | 46u, 0, 0, 0};  // bits of virtual and physical addresses
    default:
      return {};
  }
}

}  // namespace glovebox::engine::x86
