// Zydis' decoder with its mistakes mended: the one way to decode, here and in the tests.
#pragma once

#include <Zydis/Zydis.h>

#include <array>
#include <span>

namespace glovebox::engine::x86 {

using ZydisOperands = std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT>;

// [disp32] and [index + disp32] with REX.B and a 32-bit address: a SIB whose base is 101b with mod
// 00 has no base register, whatever REX.B says (Intel SDM vol. 2A, table 2-3, note 1). Zydis 4.0
// sees R13D there and drops the displacement. Register operands and 64-bit addresses are right.
inline void MendAbsoluteBase(const ZydisDecodedInstruction& instruction, ZydisOperands& operands) {
  const auto& raw = instruction.raw;
  if (raw.sib.base != 5 || raw.modrm.mod != 0 || raw.modrm.rm != 4) return;
  for (ZydisDecodedOperand& operand : std::span(operands).first(instruction.operand_count)) {
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.base != ZYDIS_REGISTER_R13D) {
      continue;
    }
    operand.mem.base = ZYDIS_REGISTER_NONE;
    operand.mem.disp.has_displacement = ZYAN_TRUE;
    operand.mem.disp.value = raw.disp.value;
  }
}

inline ZyanStatus InitDecoder(ZydisDecoder& decoder, bool is_64bit) {
  const ZyanStatus status =
      is_64bit ? ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)
               : ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
  if (!ZYAN_SUCCESS(status)) return status;
  // 0F 1A and 0F 1B are NOPs on a CPU without MPX, as 0F 1C is without CLDEMOTE.
  ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
  return ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
}

inline ZyanStatus DecodeInstruction(const ZydisDecoder& decoder, const void* bytes,
                                    std::size_t size_bytes, ZydisDecodedInstruction& instruction,
                                    ZydisOperands& operands) {
  const ZyanStatus status =
      ZydisDecoderDecodeFull(&decoder, bytes, size_bytes, &instruction, operands.data());
  if (ZYAN_SUCCESS(status) && instruction.address_width == 32) {
    MendAbsoluteBase(instruction, operands);
  }
  return status;
}

}  // namespace glovebox::engine::x86
