#include "engine/isa/x86/cpuid.h"

#include <array>
#include <bit>
#include <cstddef>
#include <string_view>

namespace glovebox::engine::x86 {
namespace {

// Features, by the register that shows them. Offered is what has instruction rows, and nothing
// else. Intel SDM vol. 2A, CPUID, tables 3-10 and 3-11.
enum Leaf1Edx : std::uint32_t {
  kFpu = 1u << 0,
  kTsc = 1u << 4,
  kCx8 = 1u << 8,
  kCmov = 1u << 15,
  kClfsh = 1u << 19,
  kMmx = 1u << 23,
  kFxsr = 1u << 24,
  kSse = 1u << 25,
  kSse2 = 1u << 26,
};
enum Leaf1Ecx : std::uint32_t {
  kSse3 = 1u << 0,
  kPclmulqdq = 1u << 1,
  kSsse3 = 1u << 9,
  kCx16 = 1u << 13,
  kSse41 = 1u << 19,
  kSse42 = 1u << 20,
  kMovbe = 1u << 22,
  kPopcnt = 1u << 23,
  kAes = 1u << 25,
};
constexpr std::uint32_t kOfferedLeaf1Ecx =
    kSse3 | kPclmulqdq | kSsse3 | kCx16 | kSse41 | kSse42 | kMovbe | kPopcnt | kAes;
enum Leaf7Ebx : std::uint32_t {
  kBmi1 = 1u << 3,
  kBmi2 = 1u << 8,
  kAdx = 1u << 19,
  kSha = 1u << 29,
};
constexpr std::uint32_t kOfferedLeaf7Ebx = kBmi1 | kBmi2 | kAdx | kSha;
enum ExtendedEdx : std::uint32_t {
  kSyscall = 1u << 11,
  kNx = 1u << 20,
  kRdtscp = 1u << 27,
  kLongMode = 1u << 29,
};
enum ExtendedEcx : std::uint32_t { kLahf = 1u << 0, kLzcnt = 1u << 5 };

// Family 6, model 15, stepping 11: a Core 2, which had about these features.
constexpr std::uint32_t kSignature = 0x000006fb;
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

CpuidResult BrandPart(std::uint32_t part) {
  const std::size_t at = part * 16;
  return {FourBytes(kBrand, at), FourBytes(kBrand, at + 4), FourBytes(kBrand, at + 8),
          FourBytes(kBrand, at + 12)};
}

}  // namespace

CpuidResult Cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
  switch (leaf) {
    case 0:
      return {7, FourBytes(kVendor, 0), FourBytes(kVendor, 8), FourBytes(kVendor, 4)};
    case 1:
      return {kSignature, (kCacheLine / 8) << 8 | 1u << 16, kOfferedLeaf1Ecx,
              kFpu | kTsc | kCx8 | kCmov | kClfsh | kMmx | kFxsr | kSse | kSse2};
    case 2:
      return {0x00feff01, 0, 0, 0};  // "see leaf 4" (0xff), no TLB information (0xfe)
    case 4:
      return CacheParameters(subleaf);
    case 7:  // structured extended features; no further subleaf
      return subleaf == 0 ? CpuidResult{0, kOfferedLeaf7Ebx, 0, 0} : CpuidResult{};
    case 0x80000000:
      return {0x80000008, 0, 0, 0};
    case 0x80000001:
      return {kSignature, 0, kLahf | kLzcnt, kSyscall | kNx | kRdtscp | kLongMode};
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
