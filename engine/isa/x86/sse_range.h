// SSE and AVX arithmetic with overflow or underflow unmasked. The host's instructions run masked
// (sse_float.h), and raise then a little less and a little more than the guest is to hear of: an
// underflow that is exact is none, and an overflow is always inexact. Which of OE, UE and PE there
// are follows from the exact result, which is made here, of integers; seldom. Intel SDM vol. 1,
// 11.5.2.4 to 11.5.2.6, and 4.9.1.5.
#pragma once

#include <concepts>
#include <cstdint>

#include "dispatch.h"  // of dispatch_tail or dispatch_loop
#include "engine/isa/x86/packed.h"

namespace glovebox::engine::x86 {

enum class RangeOperation : std::uint8_t {
  kAdd,
  kSubtract,
  kSubtractAdd,  // the even lanes are subtracted
  kMultiply,
  kDivide,
  kNarrow,  // doubles to singles
};

// OE, UE and PE of the operation on the lowest `lanes` lanes, which are doubles or singles. Where
// an exception of an operand keeps a lane from a result, or there is no finite one, it has none.
GB_KEEPS_REGISTERS [[gnu::cold]] std::uint32_t RangeFlags(RangeOperation operation, bool doubles,
                                                          unsigned lanes, std::uint32_t mxcsr,
                                                          Xmm dst, Xmm src);

// Of a * b + c with one rounding.
struct FusedSigns {
  bool negate_product = false;
  bool negate_addend = false;
  bool alternate = false;  // negate_addend is of the even lanes, the odd ones do the opposite
};
GB_KEEPS_REGISTERS [[gnu::cold]] std::uint32_t FusedRangeFlags(FusedSigns signs, bool doubles,
                                                               unsigned lanes, std::uint32_t mxcsr,
                                                               Xmm a, Xmm b, Xmm c);

// Of four singles made halves under `rounding` (MXCSR's two bits).
GB_KEEPS_REGISTERS [[gnu::cold]] std::uint32_t HalfRangeFlags(std::uint32_t mxcsr,
                                                              unsigned rounding, Xmm src);

// What a semantic derives from whose results may be out of range.
template <RangeOperation kOperation, bool kDoubles, unsigned kLanes>
struct Ranges {
  static std::uint32_t RangeFlags(std::uint32_t mxcsr, Xmm dst, Xmm src) {
    return x86::RangeFlags(kOperation, kDoubles, kLanes, mxcsr, dst, src);
  }
};
template <typename Semantic, typename... Arguments>
concept HasRange = requires(std::uint32_t mxcsr, Arguments... arguments) {
  { Semantic::RangeFlags(mxcsr, arguments...) } -> std::same_as<std::uint32_t>;
};

}  // namespace glovebox::engine::x86
