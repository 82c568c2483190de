#include "tests/instructions/x86/instruction_forms.h"

#include <array>
#include <span>
#include <string_view>

#include "engine/base/check.h"

namespace glovebox::engine::x86 {
namespace {

using enum OperandKind;

constexpr auto kReg = ZYDIS_OPERAND_TYPE_REGISTER;
constexpr auto kMem = ZYDIS_OPERAND_TYPE_MEMORY;
constexpr auto kImm = ZYDIS_OPERAND_TYPE_IMMEDIATE;

// In the order of the enumeration.
constexpr KindRow kKinds[] = {
    // AL to BL, AH to BH; SPL to DIL, R8B to R15B behind them.
    {kGpr8, kReg, 1, ZYDIS_REGISTER_AL, 8, 20},
    {kGpr16, kReg, 2, ZYDIS_REGISTER_AX, 8, 16},
    {kGpr32, kReg, 4, ZYDIS_REGISTER_EAX, 8, 16},
    {kGpr64, kReg, 8, ZYDIS_REGISTER_RAX, 0, 16},
    {kXmm, kReg, 16, ZYDIS_REGISTER_XMM0, 8, 16},
    {kYmm, kReg, 32, ZYDIS_REGISTER_YMM0, 8, 16},
    {kMmx, kReg, 8, ZYDIS_REGISTER_MM0, 8, 8},
    {kSt, kReg, 10, ZYDIS_REGISTER_ST0, 8, 8},
    {kSt0, kReg, 10, ZYDIS_REGISTER_ST0, 1, 1},
    {kSegment, kReg, 2, ZYDIS_REGISTER_ES, 6, 6},
    {kCl, kReg, 1, ZYDIS_REGISTER_CL, 1, 1},
    {kAl, kReg, 1, ZYDIS_REGISTER_AL, 1, 1},
    {kAx, kReg, 2, ZYDIS_REGISTER_AX, 1, 1},
    {kEax, kReg, 4, ZYDIS_REGISTER_EAX, 1, 1},
    {kRax, kReg, 8, ZYDIS_REGISTER_RAX, 0, 1},
    {kDx, kReg, 2, ZYDIS_REGISTER_DX, 1, 1},
    {kXmm0, kReg, 16, ZYDIS_REGISTER_XMM0, 1, 1},
    {kImmediate8, kImm, 1},
    {kImmediate16, kImm, 2},
    {kImmediate32, kImm, 4},
    {kImmediate64, kImm, 8},
    {kMemory1, kMem, 1},
    {kMemory2, kMem, 2},
    {kMemory4, kMem, 4},
    {kMemory6, kMem, 6},
    {kMemory8, kMem, 8},
    {kMemory10, kMem, 10},
    {kMemory14, kMem, 14},
    {kMemory16, kMem, 16},
    {kMemory28, kMem, 28},
    {kMemory32, kMem, 32},
    {kMemory64, kMem, 64},
    {kMemory94, kMem, 94},
    {kMemory108, kMem, 108},
    {kMemory512, kMem, 512},
    {kMemory576, kMem, 576},
    {kVsibXmm4, kMem, 4, ZYDIS_REGISTER_XMM0, 8, 16},
    {kVsibXmm8, kMem, 8, ZYDIS_REGISTER_XMM0, 8, 16},
    {kVsibYmm4, kMem, 4, ZYDIS_REGISTER_YMM0, 8, 16},
    {kVsibYmm8, kMem, 8, ZYDIS_REGISTER_YMM0, 8, 16},
};
static_assert([] {
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    if (static_cast<std::size_t>(kKinds[i].kind) != i) return false;
  }
  return true;
}());

// Kinds by the operand's place, for instructions without VEX and (their names begin with V) with.
struct Places {
  std::span<const OperandKind> first, second, third, fourth;
};
constexpr std::array kFirst = {
    kGpr8,       kGpr16,       kGpr32,       kGpr64,    kXmm,      kMmx,      kSt,
    kSt0,        kSegment,     kAl,          kAx,       kEax,      kRax,      kDx,
    kImmediate8, kImmediate16, kImmediate32, kMemory1,  kMemory2,  kMemory4,  kMemory6,
    kMemory8,    kMemory10,    kMemory14,    kMemory16, kMemory28, kMemory64, kMemory94,
    kMemory108,  kMemory512,   kMemory576};
constexpr std::array kSecond = {
    kGpr8,        kGpr16,       kGpr32,       kGpr64,   kXmm,     kMmx,     kSt,      kSt0,
    kSegment,     kCl,          kAl,          kAx,      kEax,     kRax,     kDx,      kImmediate8,
    kImmediate16, kImmediate32, kImmediate64, kMemory1, kMemory2, kMemory4, kMemory8, kMemory16};
constexpr std::array kThird = {kImmediate8, kImmediate16, kImmediate32, kCl,     kXmm0,
                               kGpr32,      kGpr64,       kMemory4,     kMemory8};
constexpr Places kPlain = {kFirst, kSecond, kThird, {}};

constexpr std::array kVexFirst = {kXmm,     kYmm,     kGpr32,   kGpr64,    kMemory1,
                                  kMemory2, kMemory4, kMemory8, kMemory16, kMemory32};
constexpr std::array kVexSecond = {kXmm,      kYmm,      kGpr32,    kGpr64,    kMemory1,
                                   kMemory2,  kMemory4,  kMemory8,  kMemory16, kMemory32,
                                   kVsibXmm4, kVsibXmm8, kVsibYmm4, kVsibYmm8, kImmediate8};
constexpr std::array kVexThird = {kXmm,     kYmm,     kGpr32,    kGpr64,    kMemory1,   kMemory2,
                                  kMemory4, kMemory8, kMemory16, kMemory32, kImmediate8};
constexpr std::array kVexFourth = {kXmm, kYmm, kImmediate8};
constexpr Places kVex = {kVexFirst, kVexSecond, kVexThird, kVexFourth};

// Vector registers by the operand's place: those of a gather must be three.
ZydisEncoderOperand Example(OperandKind kind, std::size_t place) {
  const KindRow& row = RowOf(kind);
  ZydisEncoderOperand operand{};
  operand.type = row.type;
  // Neither an accumulator nor the top of the stack, which have encodings of their own; nor a
  // segment register that 64-bit mode does not push.
  const bool is_vector = kind == kXmm || kind == kYmm || IsVsib(row);
  const int number = row.count64 == 1   ? 0
                     : kind == kSegment ? 5
                     : is_vector        ? 3 + static_cast<int>(place)
                                        : 3;
  const auto example = static_cast<ZydisRegister>(row.first + number);
  if (row.type == kReg) {
    operand.reg.value = example;
    operand.reg.is4 = IsInImmediate(place);
  } else if (row.type == kImm) {
    operand.imm.u = 0x1111111111111111 >> (64 - 8 * row.size_bytes);
  } else {
    operand.mem.base = ZYDIS_REGISTER_EBX;
    operand.mem.size = row.size_bytes;
    if (IsVsib(row)) {
      operand.mem.index = example;
      operand.mem.scale = 1;
    }
  }
  return operand;
}

bool CanBeEncoded(ZydisMnemonic mnemonic, CpuMode mode, std::span<const OperandKind> form) {
  ZydisEncoderRequest request{};
  request.machine_mode = ZydisMode(mode);
  request.allowed_encodings = static_cast<ZydisEncodableEncoding>(ZYDIS_ENCODABLE_ENCODING_LEGACY |
                                                                  ZYDIS_ENCODABLE_ENCODING_VEX);
  request.mnemonic = mnemonic;
  request.operand_count = static_cast<ZyanU8>(form.size());
  for (std::size_t i = 0; i < form.size(); ++i) request.operands[i] = Example(form[i], i);
  std::array<ZyanU8, ZYDIS_MAX_INSTRUCTION_LENGTH> bytes;
  ZyanUSize length = bytes.size();
  return ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&request, bytes.data(), &length));
}

}  // namespace

const KindRow& RowOf(OperandKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

ZydisMachineMode ZydisMode(CpuMode mode) {
  return mode == CpuMode::kLong64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32;
}

std::vector<Form> FormsOf(ZydisMnemonic mnemonic, CpuMode mode) {
  std::vector<Form> forms;
  const auto try_form = [&](const Form& form) {
    if (CanBeEncoded(mnemonic, mode, form)) forms.push_back(form);
  };
  const std::string_view name = ZydisMnemonicGetString(mnemonic);
  const Places& places = name.starts_with("v") ? kVex : kPlain;
  try_form({});
  for (const OperandKind first : places.first) {
    try_form({first});
    for (const OperandKind second : places.second) {
      try_form({first, second});
      for (const OperandKind third : places.third) {
        try_form({first, second, third});
        for (const OperandKind fourth : places.fourth) try_form({first, second, third, fourth});
      }
    }
  }
  return forms;
}

FormTable::FormTable(std::span<const ZydisMnemonic> mnemonics) {
  for (auto& of_mode : forms_) of_mode.resize(ZYDIS_MNEMONIC_MAX_VALUE + 1);
  for (const ZydisMnemonic mnemonic : mnemonics) {
    const auto index = static_cast<std::size_t>(mnemonic);
    forms_[0][index] = FormsOf(mnemonic, CpuMode::kLong64);
    forms_[1][index] = FormsOf(mnemonic, CpuMode::kProtected32);
  }
}

}  // namespace glovebox::engine::x86
