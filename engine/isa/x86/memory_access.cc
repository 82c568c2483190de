#include "engine/isa/x86/memory_access.h"

#include <algorithm>
#include <span>

#include "engine/isa/x86/emitter.h"
#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/repeat.h"

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

constexpr std::uint32_t kLeastArea = 512;  // of FXSAVE, XSAVE and their kin

bool IsSegment(const ZydisDecodedOperand& operand) {
  return IsRegister(operand) && ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_SEGMENT;
}

// Intel SDM vol. 3A, table 6-7, and what CPUs do with other sizes.
std::uint32_t AlignmentOf(const Instruction& in, std::uint32_t size_bytes) {
  switch (in.decoded.mnemonic) {
    case ZYDIS_MNEMONIC_BOUND:
      return size_bytes / 2;
    case ZYDIS_MNEMONIC_MASKMOVDQU:
    case ZYDIS_MNEMONIC_VMASKMOVDQU:
      return 8;
    case ZYDIS_MNEMONIC_PUSHA:
    case ZYDIS_MNEMONIC_PUSHAD:
    case ZYDIS_MNEMONIC_POPA:
    case ZYDIS_MNEMONIC_POPAD:
      return in.decoded.operand_width / 8;
    case ZYDIS_MNEMONIC_LDS:
    case ZYDIS_MNEMONIC_LES:
    case ZYDIS_MNEMONIC_LFS:
    case ZYDIS_MNEMONIC_LGS:
    case ZYDIS_MNEMONIC_LSS:
      if (size_bytes == 4) return 2;
      break;
    // 16 bits of a selector, whatever the stack pointer moves by (instructions_segment.cc).
    case ZYDIS_MNEMONIC_POP:
      if (IsSegment(in.operands[0])) return 2;
      break;
    case ZYDIS_MNEMONIC_PUSH:
      if (IsSegment(in.operands[0]) && Is32BitCode(in)) return 2;
      break;
    default:
      break;
  }
  struct Row {
    std::uint32_t size_bytes;
    std::uint32_t alignment;
  };
  // Pseudo-descriptors and far pointers of 6 and 10 bytes, x87 environments by their words.
  constexpr Row kRows[] = {{2, 2},  {4, 4},  {6, 4},  {8, 8},  {10, 8},
                           {14, 2}, {28, 4}, {94, 2}, {108, 4}};
  // FXSAVE, XSAVE and their kin: where alignment is not even this, #AC instead of #GP.
  constexpr std::uint32_t kAreaAlignment = 4;
  if (size_bytes >= kLeastArea) return kAreaAlignment;
  const auto* const row = std::ranges::find(kRows, size_bytes, &Row::size_bytes);
  return row == std::end(kRows) ? 1 : row->alignment;
}

// Of a segment of 4 GiB that begins at 0, CPUs need not notice the end (Intel SDM vol. 3A, 5.3).
constexpr std::uint64_t kSegmentBytes = std::uint64_t{1} << 32;

MemoryAccess AccessOf(const Cpu& cpu, const Instruction& in, const ZydisDecodedOperand& operand) {
  const ZydisDecodedOperandMem& mem = operand.mem;
  // MOVSXD r16, m16: Zydis calls the source 32 bits wide.
  const bool is_narrow =
      in.decoded.mnemonic == ZYDIS_MNEMONIC_MOVSXD && in.decoded.operand_width == 16;
  const std::uint32_t size_bytes = is_narrow ? 2 : operand.size / 8;
  std::uint64_t offset = ValueOf(cpu, in, mem.base) + ValueOf(cpu, in, mem.index) * mem.scale +
                         static_cast<std::uint64_t>(mem.disp.value) +
                         static_cast<std::uint64_t>(BitDistance(cpu, in));
  const bool writes = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
  const bool implied = operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
  const bool is_stack = implied && mem.segment == ZYDIS_REGISTER_SS;
  if (is_stack && writes) offset -= size_bytes;
  // The stack pointer is as wide as the mode, whatever the address size.
  const int width = is_stack ? in.decoded.stack_width : in.decoded.address_width;
  if (width < 64) offset &= (std::uint64_t{1} << width) - 1;
  const std::size_t segment = mem.segment == ZYDIS_REGISTER_FS   ? 1
                              : mem.segment == ZYDIS_REGISTER_GS ? 2
                                                                 : 0;
  return {
      .address = (offset + cpu.segment[segment].base) & cpu.segment[segment].mask,
      .size_bytes = size_bytes,
      .alignment = AlignmentOf(in, size_bytes),
      .access = writes ? Access::kWrite : Access::kRead,
      .on_stack = mem.segment == ZYDIS_REGISTER_SS,
      .beyond_limit = (Is32BitCode(in) && cpu.segment[segment].base != 0 &&
                       offset + size_bytes > kSegmentBytes) ||
                      (WritesToCode(in, operand) && in.decoded.mnemonic != ZYDIS_MNEMONIC_ARPL)};
}

// ENTER: the frame pointer, those of the levels above, the new one's own; and a look at where the
// stack pointer will be. Intel SDM vol. 2A, ENTER.
std::vector<MemoryAccess> AccessesOfEnter(const Cpu& cpu, const Instruction& in) {
  const std::uint64_t mask = Is32BitCode(in) ? 0xffff'ffff : ~std::uint64_t{0};
  const std::uint32_t size_bytes = in.decoded.operand_width / 8;
  const std::uint64_t levels = in.operands[1].imm.value.u & 31;
  std::vector<MemoryAccess> accesses;
  const auto add = [&](std::uint64_t address, Access access) {
    address &= mask;
    accesses.push_back({.address = address,
                        .size_bytes = size_bytes,
                        .alignment = size_bytes,
                        .access = access,
                        .on_stack = true});
  };
  std::uint64_t top = cpu.gpr[kRsp];
  const auto push = [&] { add(top -= size_bytes, Access::kWrite); };
  push();
  for (std::uint64_t i = 1; i < levels; ++i) {
    add(cpu.gpr[kRbp] - i * size_bytes, Access::kRead);
    push();
  }
  if (levels != 0) push();
  add(top - in.operands[0].imm.value.u, Access::kWrite);
  return accesses;
}

// Do its operands in memory not count: hints, what is refused before it touches them, what CPUs
// never check? And stores that an unmasked exception may keep from being done, which look at their
// alignment themselves (x87_shapes.h).
bool IsNeverChecked(const Instruction& in) {
  switch (in.decoded.meta.category) {
    case ZYDIS_CATEGORY_NOP:
    case ZYDIS_CATEGORY_WIDENOP:
    case ZYDIS_CATEGORY_PREFETCH:
    case ZYDIS_CATEGORY_IOSTRINGOP:
      return true;
    default:
      break;
  }
  switch (in.decoded.mnemonic) {
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_LGDT:
    case ZYDIS_MNEMONIC_LIDT:
    case ZYDIS_MNEMONIC_FST:
    case ZYDIS_MNEMONIC_FSTP:
    case ZYDIS_MNEMONIC_FIST:
    case ZYDIS_MNEMONIC_FISTP:
    case ZYDIS_MNEMONIC_FISTTP:
    case ZYDIS_MNEMONIC_FBSTP:
      return true;
    default:
      return in.decoded.meta.isa_set == ZYDIS_ISA_SET_F16C ||
             (in.decoded.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED) != 0;
  }
}

// REP with nothing to do.
bool RepeatsNever(const Cpu& cpu, const Instruction& in) {
  if (!IsRepeatedString(in.decoded)) return false;
  const int unused = 64 - in.decoded.address_width;
  return cpu.gpr[kRcx] << unused == 0;
}

// Takes it an x87 exception that waits before it touches memory?
bool WaitsForX87(const Instruction& instruction) {
  switch (instruction.decoded.mnemonic) {
    case ZYDIS_MNEMONIC_FNSTCW:
    case ZYDIS_MNEMONIC_FNSTSW:
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FNSAVE:
      return false;
    default:
      break;
  }
  const ZydisISASet set = instruction.decoded.meta.isa_set;
  if (set == ZYDIS_ISA_SET_X87 || set == ZYDIS_ISA_SET_SSE3X87) return true;
  const auto operands = std::span(instruction.operands).first(instruction.decoded.operand_count);
  return std::ranges::any_of(operands, [](const ZydisDecodedOperand& operand) {
    return IsRegister(operand) && ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_MMX;
  });
}

}  // namespace

std::vector<MemoryAccess> AccessesOf(const Cpu& cpu, const Instruction& instruction) {
  if (instruction.decoded.mnemonic == ZYDIS_MNEMONIC_ENTER)
    return AccessesOfEnter(cpu, instruction);
  std::vector<MemoryAccess> reads;
  std::vector<MemoryAccess> writes;
  for (std::size_t i = 0; i < instruction.decoded.operand_count; ++i) {
    const ZydisDecodedOperand& operand = instruction.operands[i];
    const bool touches =
        IsMemory(operand) && operand.mem.type == ZYDIS_MEMOP_TYPE_MEM && operand.actions != 0;
    if (!touches) continue;
    const MemoryAccess access = AccessOf(cpu, instruction, operand);
    (access.access == Access::kRead ? reads : writes).push_back(access);
  }
  // Of CMPS the destination goes first, which Zydis names last.
  std::ranges::reverse(reads);
  reads.insert(reads.end(), writes.begin(), writes.end());
  return reads;
}

bool ChecksAlignmentInVain(const Cpu& cpu, AddressSpace& memory, const Instruction& instruction) {
  const bool error_waits = (cpu.x87.status & kX87ErrorSummary) != 0;
  if (IsNeverChecked(instruction) || RepeatsNever(cpu, instruction)) return false;
  if (error_waits && WaitsForX87(instruction)) return false;
  for (const MemoryAccess& access : AccessesOf(cpu, instruction)) {
    // FXSAVE, XSAVE and their kin look at alignment first.
    const bool is_refused = access.beyond_limit && access.size_bytes < kLeastArea;
    if (!IsCanonical(access.address) || is_refused) return false;
    if (access.address % access.alignment != 0) return true;
    if (memory.Resolve(access.address, access.size_bytes, access.access)) return false;
  }
  return false;
}

void StoreBeforeFault(const Cpu& cpu, AddressSpace& memory, const Instruction& instruction) {
  if (instruction.decoded.mnemonic != ZYDIS_MNEMONIC_ENTER) return;
  std::vector<MemoryAccess> accesses = AccessesOfEnter(cpu, instruction);
  accesses.pop_back();  // where nothing is written
  const std::uint64_t frame = accesses.front().address;
  std::uint64_t value = cpu.gpr[kRbp];
  for (std::size_t i = 0; i < accesses.size(); ++i) {
    const MemoryAccess& access = accesses[i];
    const bool is_misaligned =
        (cpu.other_flags & kAc) != 0 && access.address % access.alignment != 0;
    if (!IsCanonical(access.address) || access.beyond_limit || is_misaligned ||
        memory.Resolve(access.address, access.size_bytes, access.access)) {
      return;
    }
    if (i != 0 && i + 1 == accesses.size()) value = frame;
    const auto bytes = std::as_writable_bytes(std::span(&value, 1)).first(access.size_bytes);
    if (access.access == Access::kRead) {
      memory.CopyIn(bytes, access.address);
    } else {
      memory.CopyOut(access.address, bytes);
    }
  }
}

}  // namespace glovebox::engine::x86
