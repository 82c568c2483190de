#include "tests/instructions/x86/encoding.h"

#include <algorithm>
#include <array>

#include "tests/instructions/x86/addresses.h"
#include "tests/instructions/x86/decoding.h"

namespace glovebox::engine::x86 {
namespace {

ZydisRegister Register(ZydisRegister first, std::uint64_t index) {
  return static_cast<ZydisRegister>(first + static_cast<int>(index));
}

std::uint8_t CountOf(CpuMode mode, const KindRow& kind) {
  return mode == CpuMode::kLong64 ? kind.count64 : kind.count32;
}

// Immediates are given to the encoder with the sign of their width.
std::uint64_t RandomImmediate(std::uint16_t size_bytes, Random& random) {
  const std::uint64_t value = InterestingInteger(random);
  const unsigned unused = 64 - 8 * size_bytes;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused);
}

// Of a relative branch: forwards or far enough backwards not to meet itself, and within the code
// area.
std::uint64_t RandomDistance(std::uint16_t size_bytes, Random& random) {
  const std::uint64_t far = size_bytes == 1 ? 112 : 3000;
  const std::uint64_t distance = 16 + random.Below(far - 16);
  return random.Chance(50) ? distance : 0 - distance - 16;
}

std::int64_t RandomDisplacement(Random& random) {
  switch (random.Below(4)) {
    case 0:
      return 0;
    case 1:
      return static_cast<std::int8_t>(random.Next());
    case 2:
      return static_cast<std::int32_t>(random.Next());
    default:
      return static_cast<std::int16_t>(random.Next());
  }
}

// BX or BP, and SI or DI: Intel SDM vol. 2A, table 2-1.
void Choose16BitAddress(ZydisEncoderOperand& operand, Random& random) {
  constexpr std::array kBases = {ZYDIS_REGISTER_BX, ZYDIS_REGISTER_BP};
  constexpr std::array kIndices = {ZYDIS_REGISTER_SI, ZYDIS_REGISTER_DI};
  operand.mem.base = random.Pick(kBases);
  if (random.Chance(50)) {
    operand.mem.index = random.Pick(kIndices);
    operand.mem.scale = 1;
  }
  operand.mem.displacement = static_cast<std::int16_t>(random.Next());
}

void ChooseVsib(CpuMode mode, const KindRow& kind, ZydisEncoderOperand& operand, Random& random) {
  operand.mem.index = Register(kind.first, random.Below(CountOf(mode, kind)));
  operand.mem.scale = static_cast<ZyanU8>(1 << random.Below(4));
}

// What may stand before an instruction, by what Zydis says that it accepts.
void AddAcceptedPrefixes(ZydisEncoderRequest& request, ZydisInstructionAttributes accepted,
                         Random& random) {
  if ((accepted & ZYDIS_ATTRIB_ACCEPTS_LOCK) != 0 && random.Chance(30)) {
    request.prefixes |= ZYDIS_ATTRIB_HAS_LOCK;
  } else if ((accepted & ZYDIS_ATTRIB_ACCEPTS_REP) != 0 && random.Chance(50)) {
    request.prefixes |= ZYDIS_ATTRIB_HAS_REP;
  } else if ((accepted & ZYDIS_ATTRIB_ACCEPTS_REPE) != 0 && random.Chance(70)) {
    request.prefixes |= random.Chance(50) ? ZYDIS_ATTRIB_HAS_REPE : ZYDIS_ATTRIB_HAS_REPNE;
  }
  if ((accepted & ZYDIS_ATTRIB_ACCEPTS_SEGMENT) != 0 && random.Chance(12)) {
    request.prefixes |=
        random.Chance(50) ? ZYDIS_ATTRIB_HAS_SEGMENT_FS : ZYDIS_ATTRIB_HAS_SEGMENT_GS;
  }
}

std::optional<std::vector<std::uint8_t>> EncodeRequest(const ZydisEncoderRequest& request) {
  std::array<ZyanU8, ZYDIS_MAX_INSTRUCTION_LENGTH> bytes;
  ZyanUSize length = bytes.size();
  if (!ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&request, bytes.data(), &length))) return {};
  return std::vector<std::uint8_t>(bytes.begin(),
                                   bytes.begin() + static_cast<std::ptrdiff_t>(length));
}

bool IsRelativeBranch(const DecodedInstruction& instruction) {
  const ZydisDecodedOperand& first = instruction.operands[0];
  return first.type == ZYDIS_OPERAND_TYPE_IMMEDIATE && first.imm.is_relative != 0;
}

}  // namespace

ReservedRegisters Reserved(CpuMode mode) {
  return mode == CpuMode::kLong64 ? ReservedRegisters{kR15, kR14, kR13}
                                  : ReservedRegisters{kRdi, kRbp, kRsi};
}

ZydisEncoderOperand RandomMemory(CpuMode mode, const KindRow& kind, Random& random) {
  ZydisEncoderOperand operand{};
  operand.type = ZYDIS_OPERAND_TYPE_MEMORY;
  operand.mem.size = kind.size_bytes;
  const bool is_long = mode == CpuMode::kLong64;
  const std::uint64_t form = random.Below(16);
  const std::uint64_t registers = is_long ? 16 : 8;
  if (form == 0 && is_long && !IsVsib(kind)) {
    operand.mem.base = ZYDIS_REGISTER_RIP;
    operand.mem.displacement =
        static_cast<std::int64_t>(RandomAddress(kind.size_bytes, random) - kCodeAddress - 8);
    return operand;
  }
  if (form == 1 && !IsVsib(kind)) {  // absolute
    operand.mem.displacement = static_cast<std::int64_t>(RandomAddress(kind.size_bytes, random));
    return operand;
  }
  if (form == 2 && !is_long && !IsVsib(kind)) {
    Choose16BitAddress(operand, random);
    return operand;
  }
  const ZydisRegister first = form == 2 || !is_long ? ZYDIS_REGISTER_EAX : ZYDIS_REGISTER_RAX;
  operand.mem.displacement = RandomDisplacement(random);
  if (IsVsib(kind)) {
    operand.mem.base = Register(first, random.Below(registers));
    ChooseVsib(mode, kind, operand, random);
    return operand;
  }
  if (form != 3) operand.mem.base = Register(first, random.Below(registers));
  if (form <= 8) {
    const std::uint64_t index = random.Below(registers);
    if (index != kRsp) {
      operand.mem.index = Register(first, index);
      operand.mem.scale = static_cast<ZyanU8>(1 << random.Below(4));
    }
  }
  if (operand.mem.base == ZYDIS_REGISTER_NONE && operand.mem.index == ZYDIS_REGISTER_NONE) {
    operand.mem.base = Register(first, kRbx);
  }
  return operand;
}

ZydisEncoderOperand SequenceMemory(CpuMode mode, const KindRow& kind, Random& random) {
  ZydisEncoderOperand operand{};
  operand.type = ZYDIS_OPERAND_TYPE_MEMORY;
  operand.mem.size = kind.size_bytes;
  const bool is_long = mode == CpuMode::kLong64;
  std::uint64_t offset = random.Below(64) * 8;
  if (random.Chance(95)) offset &= ~std::uint64_t{31};  // SSE wants it so
  if (random.Below(8) == 0 && !IsVsib(kind)) {
    operand.mem.displacement = static_cast<std::int64_t>(kDataAddress + offset);
    return operand;
  }
  const ReservedRegisters reserved = Reserved(mode);
  const int base = random.Chance(90) ? reserved.inside : reserved.near_border;
  operand.mem.base =
      Register(is_long ? ZYDIS_REGISTER_RAX : ZYDIS_REGISTER_EAX, static_cast<std::uint64_t>(base));
  operand.mem.displacement = static_cast<std::int64_t>(offset);
  if (IsVsib(kind)) ChooseVsib(mode, kind, operand, random);
  return operand;
}

std::optional<std::vector<std::uint8_t>> EncodeRandom(CpuMode mode, ZydisMnemonic mnemonic,
                                                      const Form& form, MemoryChooser memory,
                                                      Random& random) {
  ZydisEncoderRequest request{};
  request.machine_mode = ZydisMode(mode);
  request.allowed_encodings = static_cast<ZydisEncodableEncoding>(ZYDIS_ENCODABLE_ENCODING_LEGACY |
                                                                  ZYDIS_ENCODABLE_ENCODING_VEX);
  request.mnemonic = mnemonic;
  request.operand_count = static_cast<ZyanU8>(form.size());
  for (std::size_t i = 0; i < form.size(); ++i) {
    ZydisEncoderOperand& operand = request.operands[i];
    const KindRow& kind = RowOf(form[i]);
    if (kind.type == ZYDIS_OPERAND_TYPE_MEMORY) {
      operand = memory(mode, kind, random);
    } else if (kind.type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
      operand.type = kind.type;
      operand.imm.u = RandomImmediate(kind.size_bytes, random);
    } else {
      operand.type = kind.type;
      operand.reg.value = Register(kind.first, random.Below(CountOf(mode, kind)));
      operand.reg.is4 = IsInImmediate(i);
    }
  }
  auto plain = EncodeRequest(request);
  if (!plain) return {};
  auto decoded = Decode(mode, *plain);
  if (!decoded) return {};
  if (IsRelativeBranch(*decoded)) {
    // The encoder takes a distance from the instruction's start, of at least its own length.
    request.operands[0].imm.u = RandomDistance(RowOf(form[0]).size_bytes, random);
    plain = EncodeRequest(request);
    if (!plain) return {};
  }
  AddAcceptedPrefixes(request, decoded->info.attributes, random);
  return request.prefixes == 0 ? plain : EncodeRequest(request);
}

std::vector<std::uint8_t> Mutate(CpuMode mode, std::span<const std::uint8_t> code, Random& random) {
  constexpr std::array<std::uint8_t, 13> kPrefixes = {0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x2E, 0x36,
                                                      0x3E, 0x26, 0x64, 0x65, 0x66, 0x67};
  std::vector<std::uint8_t> bytes(code.begin(), code.end());
  const auto is_prefix = [&](std::uint8_t byte) {
    return std::ranges::find(kPrefixes, byte) != kPrefixes.end();
  };
  const auto opcode = [&] { return std::ranges::find_if_not(bytes, is_prefix); };
  const std::uint64_t kind = random.Below(10);
  if (kind < 5) {  // prefixes, now and then too many
    for (std::uint64_t i = random.Chance(95) ? 1 + random.Below(3) : 12; i > 0; --i) {
      bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(random.Below(2)),
                   random.Pick(kPrefixes));
    }
  } else if (kind < 8 && mode == CpuMode::kLong64) {
    const auto rex = static_cast<std::uint8_t>(0x40 | random.Below(16));
    const auto at = opcode();
    if (at != bytes.end() && (*at & 0xF0) == 0x40) {
      *at = rex;
    } else {
      bytes.insert(at, rex);
    }
    if (random.Chance(10)) bytes.insert(bytes.begin(), rex);  // before a prefix it means nothing
  } else {
    bytes[random.Below(bytes.size())] ^= static_cast<std::uint8_t>(1 << random.Below(8));
  }
  while (bytes.size() < 2 * ZYDIS_MAX_INSTRUCTION_LENGTH) {
    bytes.push_back(static_cast<std::uint8_t>(random.Below(128)));
  }
  return bytes;
}

}  // namespace glovebox::engine::x86
