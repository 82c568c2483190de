// PCLMULQDQ: the product of two quadwords as polynomials over GF(2). Intel SDM vol. 2B. The host's
// instruction and its software twin: see crypto_aes.h.
#pragma once

#include <emmintrin.h>

#include <bit>
#include <cstdint>

#include "engine/isa/x86/packed.h"

namespace glovebox::engine::x86 {

// Bit 0 chooses the quadword of dst, bit 4 that of src.
template <typename Product>
struct CarrylessMultiply {
  static Xmm Apply(Xmm dst, Xmm src, std::uint8_t which) {
    return Product::Apply((which & 1) != 0 ? _mm_unpackhi_epi64(dst, dst) : dst,
                          (which & 16) != 0 ? _mm_unpackhi_epi64(src, src) : src);
  }
};

struct HostProduct {
  [[gnu::always_inline]] static Xmm Apply(Xmm a, Xmm b) {
    asm("pclmulqdq $0, %1, %0" : "+x"(a) : "x"(b));
    return a;
  }
};
struct SoftwareProduct {
  static Xmm Apply(Xmm a, Xmm b) {
    __extension__ using Wide = unsigned __int128;
    const Wide factor = AsLanes<std::uint64_t>(a)[0];
    Wide product = 0;
    for (std::uint64_t bits = AsLanes<std::uint64_t>(b)[0]; bits != 0; bits &= bits - 1) {
      product ^= factor << std::countr_zero(bits);
    }
    return std::bit_cast<Xmm>(product);
  }
};

using HostCarrylessMultiply = CarrylessMultiply<HostProduct>;
using SoftwareCarrylessMultiply = CarrylessMultiply<SoftwareProduct>;

}  // namespace glovebox::engine::x86
