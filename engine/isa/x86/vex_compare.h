// VCMPPS VCMPPD VCMPSS VCMPSD: 32 predicates (Intel SDM vol. 2A, CMPPD, table 3-1). As in
// sse_float.h the third bit negates the comparison and changes nothing about exceptions; the other
// four choose one of sixteen host instructions.
#pragma once

#include <cstdint>

#include "engine/isa/x86/sse_float.h"

namespace glovebox::engine::x86 {

#define GB_HOST_VEX_COMPARE_CASE(mnemonic, number)                                               \
  case number:                                                                                   \
    asm volatile(mnemonic " $" #number ", %2, %1, %0" : "=x"(result) : "x"(first), "x"(second)); \
    break

#define GB_HOST_VEX_COMPARE(Semantic, mnemonic, low, high)                                   \
  struct Semantic : RaisesFloat {                                                            \
    [[gnu::always_inline]] static Xmm Apply(Xmm first, Xmm second, std::uint8_t predicate) { \
      Xmm result;                                                                            \
      switch (predicate & 0x1B) {                                                            \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 0);                                               \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 1);                                               \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 2);                                               \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 3);                                               \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 8);                                               \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 9);                                               \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 10);                                              \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 11);                                              \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 16);                                              \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 17);                                              \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 18);                                              \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 19);                                              \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 24);                                              \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 25);                                              \
        GB_HOST_VEX_COMPARE_CASE(mnemonic, 26);                                              \
        default:                                                                             \
          GB_HOST_VEX_COMPARE_CASE(mnemonic, 27);                                            \
      }                                                                                      \
      constexpr Lanes<std::uint64_t> kCompared = {low, high};                                \
      return (predicate & 4) != 0 ? _mm_xor_si128(result, AsXmm(kCompared)) : result;        \
    }                                                                                        \
  }

GB_HOST_VEX_COMPARE(VexComparePs, "vcmpps", ~0ULL, ~0ULL);
GB_HOST_VEX_COMPARE(VexComparePd, "vcmppd", ~0ULL, ~0ULL);
GB_HOST_VEX_COMPARE(VexCompareSs, "vcmpss", 0xFFFFFFFFULL, 0);
GB_HOST_VEX_COMPARE(VexCompareSd, "vcmpsd", ~0ULL, 0);

#undef GB_HOST_VEX_COMPARE
#undef GB_HOST_VEX_COMPARE_CASE

}  // namespace glovebox::engine::x86
