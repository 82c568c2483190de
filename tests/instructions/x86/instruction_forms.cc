#include "tests/instructions/x86/instruction_forms.h"

#include <array>
#include <span>

namespace glovebox::engine::x86 {
namespace {

using enum OperandKind;

constexpr std::array kFirst = {
    kGpr8,        kGpr16,       kGpr32,    kGpr64,     kXmm,      kMmx,     kSt,
    kSt0,         kAl,          kAx,       kEax,       kRax,      kDx,      kImmediate8,
    kImmediate16, kImmediate32, kMemory1,  kMemory2,   kMemory4,  kMemory8, kMemory10,
    kMemory16,    kMemory28,    kMemory64, kMemory108, kMemory512};
constexpr std::array kSecond = {
    kGpr8,        kGpr16,       kGpr32,   kGpr64,   kXmm,     kMmx,     kSt,         kSt0,
    kCl,          kAl,          kAx,      kEax,     kRax,     kDx,      kImmediate8, kImmediate16,
    kImmediate32, kImmediate64, kMemory1, kMemory2, kMemory4, kMemory8, kMemory16};
constexpr std::array kThird = {kImmediate8, kImmediate16, kImmediate32, kCl,     kXmm0,
                               kGpr32,      kGpr64,       kMemory4,     kMemory8};

ZydisEncoderOperand Example(OperandKind kind) {
  ZydisEncoderOperand operand{};
  const auto reg = [&](ZydisRegister value) {
    operand.type = ZYDIS_OPERAND_TYPE_REGISTER;
    operand.reg.value = value;
  };
  const auto imm = [&](std::uint64_t value) {
    operand.type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
    operand.imm.u = value;
  };
  switch (kind) {
    case kGpr8:
      reg(ZYDIS_REGISTER_BL);
      break;
    case kGpr16:
      reg(ZYDIS_REGISTER_BX);
      break;
    case kGpr32:
      reg(ZYDIS_REGISTER_EBX);
      break;
    case kGpr64:
      reg(ZYDIS_REGISTER_RBX);
      break;
    case kXmm:
      reg(ZYDIS_REGISTER_XMM3);
      break;
    case kMmx:
      reg(ZYDIS_REGISTER_MM3);
      break;
    case kSt:
      reg(ZYDIS_REGISTER_ST3);
      break;
    case kSt0:
      reg(ZYDIS_REGISTER_ST0);
      break;
    case kCl:
      reg(ZYDIS_REGISTER_CL);
      break;
    case kAl:
      reg(ZYDIS_REGISTER_AL);
      break;
    case kAx:
      reg(ZYDIS_REGISTER_AX);
      break;
    case kEax:
      reg(ZYDIS_REGISTER_EAX);
      break;
    case kRax:
      reg(ZYDIS_REGISTER_RAX);
      break;
    case kDx:
      reg(ZYDIS_REGISTER_DX);
      break;
    case kXmm0:
      reg(ZYDIS_REGISTER_XMM0);
      break;
    case kImmediate8:
      imm(0x11);
      break;
    case kImmediate16:
      imm(0x1111);
      break;
    case kImmediate32:
      imm(0x11111111);
      break;
    case kImmediate64:
      imm(0x1111111111111111);
      break;
    default:
      operand.type = ZYDIS_OPERAND_TYPE_MEMORY;
      operand.mem.base = ZYDIS_REGISTER_RBX;
      operand.mem.size = MemoryBytes(kind);
      break;
  }
  return operand;
}

bool CanBeEncoded(ZydisMnemonic mnemonic, std::span<const OperandKind> form) {
  ZydisEncoderRequest request{};
  request.machine_mode = ZYDIS_MACHINE_MODE_LONG_64;
  request.allowed_encodings = static_cast<ZydisEncodableEncoding>(ZYDIS_ENCODABLE_ENCODING_LEGACY |
                                                                  ZYDIS_ENCODABLE_ENCODING_VEX);
  request.mnemonic = mnemonic;
  request.operand_count = static_cast<ZyanU8>(form.size());
  for (std::size_t i = 0; i < form.size(); ++i) request.operands[i] = Example(form[i]);
  std::array<ZyanU8, ZYDIS_MAX_INSTRUCTION_LENGTH> bytes;
  ZyanUSize length = bytes.size();
  return ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&request, bytes.data(), &length));
}

}  // namespace

std::uint16_t MemoryBytes(OperandKind kind) {
  switch (kind) {
    case kMemory1:
      return 1;
    case kMemory2:
      return 2;
    case kMemory4:
      return 4;
    case kMemory8:
      return 8;
    case kMemory10:
      return 10;
    case kMemory16:
      return 16;
    case kMemory28:
      return 28;
    case kMemory64:
      return 64;
    case kMemory108:
      return 108;
    case kMemory512:
      return 512;
    default:
      return 0;
  }
}

std::vector<Form> FormsOf(ZydisMnemonic mnemonic) {
  std::vector<Form> forms;
  const auto try_form = [&](const Form& form) {
    if (CanBeEncoded(mnemonic, form)) forms.push_back(form);
  };
  try_form({});
  for (const OperandKind first : kFirst) {
    try_form({first});
    for (const OperandKind second : kSecond) {
      try_form({first, second});
      for (const OperandKind third : kThird) try_form({first, second, third});
    }
  }
  return forms;
}

}  // namespace glovebox::engine::x86
