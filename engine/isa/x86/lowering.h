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

inline bool Is32BitCode(const Instruction& in) {
  return in.decoded.machine_mode == ZYDIS_MACHINE_MODE_LEGACY_32;
}

// The target of a direct branch. In 32-bit code the operand size cuts EIP, to 16 bits with its
// prefix; in 64-bit code Intel's CPUs ignore the prefix.
inline GuestAddr BranchTarget(const Instruction& in) {
  const GuestAddr target = in.next_rip + ImmediateOf(in.operands[0]);
  if (!Is32BitCode(in)) return target;
  return target & (in.decoded.operand_width == 16 ? 0xffff : 0xffff'ffff);
}

// Calls `visit` with the unsigned types of an instruction that pushes or pops: the operand's, and
// the stack pointer's.
template <typename Visit>
bool ForStack(const Instruction& in, Visit&& visit) {
  const bool narrow = in.decoded.operand_width == 16;
  if (Is32BitCode(in)) {
    return narrow ? visit(std::uint16_t{}, std::uint32_t{})
                  : visit(std::uint32_t{}, std::uint32_t{});
  }
  return narrow ? visit(std::uint16_t{}, std::uint64_t{}) : visit(std::uint64_t{}, std::uint64_t{});
}
// The same for near branches, whose operands are always 64 bits wide in 64-bit code.
template <typename Visit>
bool ForBranch(const Instruction& in, Visit&& visit) {
  if (!Is32BitCode(in)) return visit(std::uint64_t{}, std::uint64_t{});
  return ForStack(in, visit);
}

// An address width's type: 16, 32 or 64 bits.
template <typename Visit>
bool ForAddressWidth(const Instruction& in, Visit&& visit) {
  return ForWideWidth(in.decoded.address_width, visit);
}

}  // namespace glovebox::engine::x86
