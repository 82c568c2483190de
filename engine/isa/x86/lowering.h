// How lower functions choose among the specialisations of a semantic.
#pragma once

#include <cstdint>
#include <type_traits>

#include "engine/isa/x86/emitter.h"

namespace glovebox::engine::x86 {

// Calls `visit` with a value of the unsigned type of the width. False for other widths.
template <typename Visit>
bool ForWidth(int bits, Visit&& visit) {
  switch (bits) {
    case 8:
      return visit(std::uint8_t{});
    case 16:
      return visit(std::uint16_t{});
    case 32:
      return visit(std::uint32_t{});
    case 64:
      return visit(std::uint64_t{});
    default:
      return false;
  }
}

// Without 8 bits: what has no byte form.
template <typename Visit>
bool ForWideWidth(int bits, Visit&& visit) {
  switch (bits) {
    case 16:
      return visit(std::uint16_t{});
    case 32:
      return visit(std::uint32_t{});
    case 64:
      return visit(std::uint64_t{});
    default:
      return false;
  }
}

// Calls `visit` with std::true_type or std::false_type.
template <typename Visit>
bool ForBool(bool value, Visit&& visit) {
  return value ? visit(std::true_type{}) : visit(std::false_type{});
}

// An immediate as the operand's type has it, sign-extended to 64 bits.
inline std::uint64_t ImmediateOf(const ZydisDecodedOperand& operand) {
  return operand.imm.is_signed ? static_cast<std::uint64_t>(operand.imm.value.s)
                               : operand.imm.value.u;
}

// The target of a direct branch.
inline GuestAddr BranchTarget(const Instruction& in) {
  return in.next_rip + ImmediateOf(in.operands[0]);
}

}  // namespace glovebox::engine::x86
