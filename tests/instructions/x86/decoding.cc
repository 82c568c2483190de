#include "tests/instructions/x86/decoding.h"

#include <algorithm>

#include "engine/isa/x86/zydis_decode.h"
#include "tests/instructions/x86/instruction_forms.h"

namespace glovebox::engine::x86 {
namespace {

constexpr std::array kGpr64 = {
    ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_RCX, ZYDIS_REGISTER_RDX, ZYDIS_REGISTER_RBX,
    ZYDIS_REGISTER_RSP, ZYDIS_REGISTER_RBP, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_RDI,
    ZYDIS_REGISTER_R8,  ZYDIS_REGISTER_R9,  ZYDIS_REGISTER_R10, ZYDIS_REGISTER_R11,
    ZYDIS_REGISTER_R12, ZYDIS_REGISTER_R13, ZYDIS_REGISTER_R14, ZYDIS_REGISTER_R15};

const ZydisDecoder& DecoderOf(CpuMode mode) {
  static const auto kMake = [](CpuMode for_mode) {
    ZydisDecoder decoder;
    InitDecoder(decoder, for_mode == CpuMode::kLong64);
    return decoder;
  };
  static const ZydisDecoder kLong = kMake(CpuMode::kLong64);
  static const ZydisDecoder kProtected = kMake(CpuMode::kProtected32);
  return mode == CpuMode::kLong64 ? kLong : kProtected;
}

}  // namespace

const ZydisDecodedOperand* DecodedInstruction::FirstMemory() const {
  for (const ZydisDecodedOperand& operand : All()) {
    if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) return &operand;
  }
  return nullptr;
}

std::optional<DecodedInstruction> Decode(CpuMode mode, std::span<const std::uint8_t> bytes) {
  DecodedInstruction result;
  if (!ZYAN_SUCCESS(DecodeInstruction(DecoderOf(mode), bytes.data(), bytes.size(), result.info,
                                      result.operands))) {
    return {};
  }
  return result;
}

std::string Disassemble(CpuMode mode, std::span<const std::uint8_t> bytes, std::uint64_t rip) {
  ZydisFormatter formatter;
  ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
  std::string all;
  while (!bytes.empty()) {
    if (!all.empty()) all += "; ";
    const auto decoded = Decode(mode, bytes);
    if (!decoded) return all + "(bad)";
    std::array<char, 128> text{};
    ZydisFormatterFormatInstruction(&formatter, &decoded->info, decoded->operands.data(),
                                    decoded->info.operand_count_visible, text.data(), text.size(),
                                    rip, nullptr);
    all += text.data();
    rip += decoded->info.length;
    bytes = bytes.subspan(decoded->info.length);
  }
  return all;
}

int GprNumber(ZydisRegister reg) {
  const ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
  const auto found = std::find(kGpr64.begin(), kGpr64.end(), whole);
  return found == kGpr64.end() ? -1 : static_cast<int>(found - kGpr64.begin());
}

int VectorNumber(ZydisRegister reg) {
  const ZydisRegisterClass kind = ZydisRegisterGetClass(reg);
  const bool is_vector = kind == ZYDIS_REGCLASS_XMM || kind == ZYDIS_REGCLASS_YMM;
  return is_vector ? ZydisRegisterGetId(reg) : -1;
}

bool IsHiddenStack(const ZydisDecodedOperand& operand) {
  return GprNumber(operand.mem.base) == kRsp &&
         operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
}

}  // namespace glovebox::engine::x86
