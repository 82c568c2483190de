// SSE and AVX arithmetic with overflow or underflow unmasked. The host's instructions run masked
// (sse_float.h), and raise then a little less and a little more than the guest is to hear of: an
// underflow that is exact is none, and an overflow is always inexact. Which of OE, UE and PE there
// are follows from the exact result, which is made here, of integers; seldom. Intel SDM vol. 1,
// 11.5.2.4 to 11.5.2.6, and 4.9.1.5.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>

#include "dispatch.h"  // of dispatch_tail or dispatch_loop
#include "engine/isa/x86/packed.h"
#include "engine/isa/x86/range_question.h"

namespace glovebox::engine::x86 {

// OE, UE and PE of `operation` on two operands. Where an exception of an operand keeps a lane from
// a result, or there is no finite one, it has none.
GB_KEEPS_REGISTERS [[gnu::cold]] std::uint32_t AnswerRange(RangeQuestion& question);
// Of the first times the second plus the third operand, under `signs`.
GB_KEEPS_REGISTERS [[gnu::cold]] std::uint32_t AnswerFusedRange(RangeQuestion& question);
// Of four singles made halves under `rounding`.
GB_KEEPS_REGISTERS [[gnu::cold]] std::uint32_t AnswerHalfRange(RangeQuestion& question);

// What a semantic derives from whose results may be out of range. `question` holds the MXCSR.
template <RangeOperation kOperation, bool kDoubles, unsigned kLanes>
struct Ranges {
  [[gnu::always_inline]] static std::uint32_t RangeFlags(RangeQuestion& question, Xmm dst,
                                                         Xmm src) {
    question.operation = kOperation;
    question.doubles = kDoubles;
    question.lanes = kLanes;
    question.operands[0] = std::bit_cast<RangeQuestion::Vector>(dst);
    question.operands[1] = std::bit_cast<RangeQuestion::Vector>(src);
    return CallAside(AnswerRange, question);
  }
};
template <typename Semantic, typename... Arguments>
concept HasRange = requires(RangeQuestion& question, Arguments... arguments) {
  { Semantic::RangeFlags(question, arguments...) } -> std::same_as<std::uint32_t>;
};

}  // namespace glovebox::engine::x86
