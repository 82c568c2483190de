#include "engine/isa/x86/emitter.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace glovebox::engine::x86 {
namespace {

std::uint8_t SegmentOf(const Instruction& instruction, const ZydisDecodedOperand& memory) {
  // The bases of ES, CS, SS and DS are 0 in 64-bit mode (Intel SDM vol. 1, 3.4.2.1) and in the flat
  // segments of 32-bit code (segments.h).
  if (memory.mem.segment == ZYDIS_REGISTER_FS) return 1;
  if (memory.mem.segment == ZYDIS_REGISTER_GS) return 2;
  return WritesToCode(instruction, memory) ? kReadOnlySegment : 0;
}

std::uint8_t ScaleShift(std::uint8_t scale) {
  return scale <= 1 ? 0 : static_cast<std::uint8_t>(std::countr_zero(scale));
}

}  // namespace

std::uint8_t GprSlot(ZydisRegister reg) {
  if (reg == ZYDIS_REGISTER_NONE) return kNoRegister;
  // In the order in which Zydis numbers them: AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8B ... R15B,
  // AX ... R15W, EAX ... R15D, RAX ... R15.
  struct Range {
    ZydisRegister first, last;
    int slot;  // of `first`; the others follow in steps of 8
  };
  static constexpr Range kRanges[] = {{ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_R15, 0},
                                      {ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_R15D, 0},
                                      {ZYDIS_REGISTER_AX, ZYDIS_REGISTER_R15W, 0},
                                      {ZYDIS_REGISTER_AL, ZYDIS_REGISTER_BL, 0},
                                      {ZYDIS_REGISTER_AH, ZYDIS_REGISTER_BH, 1},
                                      {ZYDIS_REGISTER_SPL, ZYDIS_REGISTER_R15B, 4 * 8}};
  const auto* const range = std::ranges::find_if(
      kRanges, [reg](const Range& known) { return reg >= known.first && reg <= known.last; });
  if (range != std::end(kRanges)) {
    return static_cast<std::uint8_t>((reg - range->first) * 8 + range->slot);
  }
  // The index of a gather.
  return static_cast<std::uint8_t>(
      ZydisRegisterGetId(ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg)) * 8);
}

std::uint8_t VectorIndex(ZydisRegister reg) {
  return static_cast<std::uint8_t>(ZydisRegisterGetId(reg));
}

bool WritesToCode(const Instruction& instruction, const ZydisDecodedOperand& memory) {
  return instruction.decoded.machine_mode == ZYDIS_MACHINE_MODE_LEGACY_32 &&
         memory.mem.segment == ZYDIS_REGISTER_CS &&
         (memory.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
}

void Emitter::EmitExit(Handler handler, Uop fields, const Instruction& instruction, GuestAddr rip) {
  fields.d = static_cast<std::uint8_t>(instruction.number + 1);
  Emit(handler, fields);
  jumps_.push_back(static_cast<std::uint32_t>(uops_.size()));
  uops_.push_back(std::bit_cast<Uop>(Jump{nullptr, rip}));
}

void Emitter::EmitMemory(const AddressHandlers& handlers, const Instruction& instruction,
                         const ZydisDecodedOperand& memory, std::uint8_t a,
                         std::optional<std::uint64_t> immediate) {
  EmitAddressed(handlers, instruction, memory, a, immediate.value_or(0), !immediate, false);
}

void Emitter::EmitMemoryImmediate(const AddressHandlers& handlers, const Instruction& instruction,
                                  const ZydisDecodedOperand& memory, std::uint8_t a,
                                  std::uint64_t immediate) {
  EmitAddressed(handlers, instruction, memory, a, immediate, true, true);
}

void Emitter::EmitAddressed(const AddressHandlers& handlers, const Instruction& instruction,
                            const ZydisDecodedOperand& memory, std::uint8_t a,
                            std::uint64_t immediate, bool short_forms, bool second_unit) {
  const ZydisDecodedOperandMem& mem = memory.mem;
  const bool rip_relative = mem.base == ZYDIS_REGISTER_RIP || mem.base == ZYDIS_REGISTER_EIP;
  const int width = instruction.decoded.address_width;
  std::uint64_t displacement = static_cast<std::uint64_t>(mem.disp.value);
  if (rip_relative) displacement += instruction.next_rip;
  Uop fields;
  fields.a = a;
  fields.b = rip_relative ? kNoRegister : GprSlot(mem.base);
  fields.c = GprSlot(mem.index);
  fields.d = ScaleShift(mem.scale);
  const std::uint8_t segment = SegmentOf(instruction, memory);
  // A displacement that `imm` holds: of narrower addresses only the low bits count.
  const auto narrow = static_cast<std::int32_t>(displacement);
  const bool fits = width == 32 || displacement == static_cast<std::uint64_t>(std::int64_t{narrow});
  const bool is_flat = short_forms && segment == 0 && width != 16;

  Handler handler = nullptr;
  if (is_flat && fields.b == kNoRegister && fields.c == kNoRegister) {
    handler = handlers.absolute;
    if (handler != nullptr) {
      second_unit = true;
      if (width == 32) displacement = static_cast<std::uint32_t>(displacement);
    }
  } else if (is_flat && fits && fields.c == kNoRegister) {
    handler = width == 32 ? handlers.base32 : handlers.base;
    fields.imm = narrow;
  } else if (is_flat && fits) {
    handler = width == 32 ? handlers.base_index32 : handlers.base_index;
    fields.imm = narrow;
  }
  if (handler == nullptr) {
    handler = handlers.general;
    second_unit = true;
    const std::uint8_t cut = width == 32   ? AddressGeneral::kAddress32
                             : width == 16 ? AddressGeneral::kAddress16
                                           : 0;
    fields.imm = 0;
    fields.d = static_cast<std::uint8_t>(fields.d | segment << 2 | cut);
  }
  Emit(handler, fields);
  if (second_unit) uops_.push_back(std::bit_cast<Uop>(Wide{displacement, immediate}));
}

}  // namespace glovebox::engine::x86
