// What handlers ask sse_range.cc: which of OE, UE and PE does an operation raise? It is put down in
// the CPU's state, so that asking takes a single argument and no stack (CallAside, dispatch.h).
#pragma once

#include <array>
#include <cstdint>

namespace glovebox::engine::x86 {

enum class RangeOperation : std::uint8_t {
  kAdd,
  kSubtract,
  kSubtractAdd,  // the even lanes are subtracted
  kMultiply,
  kDivide,
  kNarrow,  // doubles to singles
};

// Of a * b + c with one rounding.
struct FusedSigns {
  bool negate_product = false;
  bool negate_addend = false;
  bool alternate = false;  // negate_addend is of the even lanes, the odd ones do the opposite
};

struct RangeQuestion {
  using Vector = std::array<std::uint64_t, 2>;

  alignas(16) std::array<Vector, 3> operands{};
  std::uint32_t mxcsr = 0;
  std::uint8_t lanes = 0;  // the lowest ones, which are doubles or singles
  bool doubles = false;
  RangeOperation operation = RangeOperation::kAdd;
  FusedSigns signs;           // of fused operations
  std::uint8_t rounding = 0;  // of conversions to halves: MXCSR's two bits
};

}  // namespace glovebox::engine::x86
