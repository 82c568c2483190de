#include "engine/isa/x86/memory_access.h"

#include <algorithm>

#include "engine/isa/x86/emitter.h"
#include "engine/isa/x86/lowering.h"

namespace glovebox::engine::x86 {
namespace {

std::uint64_t ValueOf(const Cpu& cpu, const Instruction& in, ZydisRegister reg) {
  if (reg == ZYDIS_REGISTER_NONE) return 0;
  if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP) return in.next_rip;
  const std::uint8_t slot = GprSlot(reg);
  switch (ZydisRegisterGetWidth(in.decoded.machine_mode, reg)) {
    case 8:
      return ReadGpr<std::uint8_t>(cpu, slot);
    case 16:
      return ReadGpr<std::uint16_t>(cpu, slot);
    case 32:
      return ReadGpr<std::uint32_t>(cpu, slot);
    default:
      return ReadGpr<std::uint64_t>(cpu, slot);
  }
}

// How far a bit test with its offset in a register reaches beyond its operand: bit.h.
std::int64_t BitDistance(const Cpu& cpu, const Instruction& in) {
  const ZydisDecodedOperand& offset = in.operands[1];
  if (in.decoded.meta.category != ZYDIS_CATEGORY_BITBYTE || !IsRegister(offset)) return 0;
  const int bits = in.operands[0].size;
  const std::uint64_t value = ValueOf(cpu, in, offset.reg.value);
  const auto extended = static_cast<std::int64_t>(value << (64 - bits)) >> (64 - bits);
  return (extended >> std::countr_zero(static_cast<unsigned>(bits))) * (bits / 8);
}

MemoryAccess AccessOf(const Cpu& cpu, const Instruction& in, const ZydisDecodedOperand& operand) {
  const ZydisDecodedOperandMem& mem = operand.mem;
  const std::uint32_t size_bytes = operand.size / 8;
  std::uint64_t offset = ValueOf(cpu, in, mem.base) + ValueOf(cpu, in, mem.index) * mem.scale +
                         static_cast<std::uint64_t>(mem.disp.value) +
                         static_cast<std::uint64_t>(BitDistance(cpu, in));
  const bool implied = operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
  const bool pushes = implied && mem.segment == ZYDIS_REGISTER_SS &&
                      (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
  if (pushes) offset -= size_bytes;
  // The stack pointer is as wide as the mode, whatever the address size.
  const int width = implied && mem.segment == ZYDIS_REGISTER_SS ? in.decoded.stack_width
                                                                : in.decoded.address_width;
  if (width < 64) offset &= (std::uint64_t{1} << width) - 1;
  const std::size_t segment = mem.segment == ZYDIS_REGISTER_FS   ? 1
                              : mem.segment == ZYDIS_REGISTER_GS ? 2
                                                                 : 0;
  return {(offset + cpu.segment[segment].base) & cpu.segment[segment].mask, size_bytes,
          mem.segment == ZYDIS_REGISTER_SS};
}

}  // namespace

MemoryAccesses::MemoryAccesses(const Cpu& cpu, const Instruction& instruction) {
  for (std::size_t i = 0; i < instruction.decoded.operand_count; ++i) {
    const ZydisDecodedOperand& operand = instruction.operands[i];
    const bool touches =
        IsMemory(operand) && operand.mem.type == ZYDIS_MEMOP_TYPE_MEM && operand.actions != 0;
    if (touches && count_ < accesses_.size())
      accesses_[count_++] = AccessOf(cpu, instruction, operand);
  }
}

bool IsMisaligned(const MemoryAccess& access) {
  struct Row {
    std::uint32_t size_bytes;
    std::uint32_t alignment;
  };
  // Far pointers and descriptor table registers are two operands with the larger one's alignment;
  // x87 environments go by their words.
  constexpr Row kRows[] = {{2, 2},  {4, 4},  {6, 4},  {8, 8},  {10, 8},
                           {14, 2}, {28, 4}, {94, 2}, {108, 4}};
  if (!IsCanonical(access.address)) return false;  // #GP or #SS goes first
  return std::ranges::any_of(kRows, [&](const Row& row) {
    return row.size_bytes == access.size_bytes && access.address % row.alignment != 0;
  });
}

}  // namespace glovebox::engine::x86
