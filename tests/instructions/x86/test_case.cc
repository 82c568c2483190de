#include "tests/instructions/x86/test_case.h"

#include <algorithm>
#include <cstring>

namespace glovebox::engine::x86 {
namespace {

constexpr int kTries = 20;
constexpr ZydisInstructionAttributes kRepeated =
    ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;
constexpr std::uint64_t kDataEnd = kDataAddress + kDataBytes;

constexpr std::array kGpr64 = {
    ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_RCX, ZYDIS_REGISTER_RDX, ZYDIS_REGISTER_RBX,
    ZYDIS_REGISTER_RSP, ZYDIS_REGISTER_RBP, ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_RDI,
    ZYDIS_REGISTER_R8,  ZYDIS_REGISTER_R9,  ZYDIS_REGISTER_R10, ZYDIS_REGISTER_R11,
    ZYDIS_REGISTER_R12, ZYDIS_REGISTER_R13, ZYDIS_REGISTER_R14, ZYDIS_REGISTER_R15};

ZydisRegister Register(ZydisRegister first, std::uint64_t index) {
  return static_cast<ZydisRegister>(first + static_cast<int>(index));
}

// 0 to 15 for any name of a general register, AH to BH too; -1 for others.
int GprNumber(ZydisRegister reg) {
  const ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
  const auto found = std::find(kGpr64.begin(), kGpr64.end(), whole);
  return found == kGpr64.end() ? -1 : static_cast<int>(found - kGpr64.begin());
}

// --- Choosing operands ---

ZydisRegister RandomRegister(OperandKind kind, Random& random) {
  using enum OperandKind;
  switch (kind) {
    // AL to BL, AH to BH, SPL to DIL, R8B to R15B
    case kGpr8:
      return Register(ZYDIS_REGISTER_AL, random.Below(20));
    case kGpr16:
      return Register(ZYDIS_REGISTER_AX, random.Below(16));
    case kGpr32:
      return Register(ZYDIS_REGISTER_EAX, random.Below(16));
    case kGpr64:
      return Register(ZYDIS_REGISTER_RAX, random.Below(16));
    case kXmm:
      return Register(ZYDIS_REGISTER_XMM0, random.Below(16));
    case kMmx:
      return Register(ZYDIS_REGISTER_MM0, random.Below(8));
    case kSt:
      return Register(ZYDIS_REGISTER_ST0, random.Below(8));
    case kSt0:
      return ZYDIS_REGISTER_ST0;
    case kCl:
      return ZYDIS_REGISTER_CL;
    case kAl:
      return ZYDIS_REGISTER_AL;
    case kAx:
      return ZYDIS_REGISTER_AX;
    case kEax:
      return ZYDIS_REGISTER_EAX;
    case kRax:
      return ZYDIS_REGISTER_RAX;
    case kDx:
      return ZYDIS_REGISTER_DX;
    default:
      return ZYDIS_REGISTER_XMM0;
  }
}

std::uint64_t RandomImmediate(OperandKind kind, Random& random) {
  const std::uint64_t value = InterestingInteger(random);
  switch (kind) {
    case OperandKind::kImmediate8:
      return static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int8_t>(value)));
    case OperandKind::kImmediate16:
      return static_cast<std::uint64_t>(
          static_cast<std::int64_t>(static_cast<std::int16_t>(value)));
    case OperandKind::kImmediate32:
      return static_cast<std::uint64_t>(
          static_cast<std::int64_t>(static_cast<std::int32_t>(value)));
    default:
      return value;
  }
}

// Mostly inside of the writable pages, aligned or not; sometimes across a border or beyond one.
std::uint64_t RandomAddress(std::uint64_t size_bytes, Random& random) {
  const std::uint64_t back = random.Below(size_bytes + 1);
  const std::uint64_t room = kWritableBytes - size_bytes;
  switch (random.Below(24)) {
    case 0:
      return kDataAddress + 4096 - back;  // between two writable pages
    case 1:
      return kDataAddress + kWritableBytes - back;  // into the read-only one
    case 2:
      return kDataAddress + kWritableBytes + random.Below(2048);
    case 3:
      return kDataEnd - back;  // into nothing
    case 4:
      return kDataAddress - back;  // out of nothing
    case 5:
    case 6:
    case 7:
    case 8:
      return kDataAddress + random.Below(room);
    default:
      return kDataAddress + (random.Below(room) & ~std::uint64_t{15});
  }
}

ZydisEncoderOperand RandomMemory(std::uint16_t size_bytes, Random& random) {
  ZydisEncoderOperand operand{};
  operand.type = ZYDIS_OPERAND_TYPE_MEMORY;
  operand.mem.size = size_bytes;
  const std::uint64_t form = random.Below(16);
  if (form == 0) {
    operand.mem.base = ZYDIS_REGISTER_RIP;
    operand.mem.displacement =
        static_cast<std::int64_t>(RandomAddress(size_bytes, random) - kCodeAddress - 8);
    return operand;
  }
  if (form == 1) {  // absolute
    operand.mem.displacement = static_cast<std::int64_t>(RandomAddress(size_bytes, random));
    return operand;
  }
  const ZydisRegister first = form == 2 ? ZYDIS_REGISTER_EAX : ZYDIS_REGISTER_RAX;
  if (form != 3) operand.mem.base = Register(first, random.Below(16));
  if (form <= 8) {
    const std::uint64_t index = random.Below(16);
    if (index != kRsp) {
      operand.mem.index = Register(first, index);
      operand.mem.scale = static_cast<ZyanU8>(1 << random.Below(4));
    }
  }
  if (operand.mem.base == ZYDIS_REGISTER_NONE && operand.mem.index == ZYDIS_REGISTER_NONE) {
    operand.mem.base = ZYDIS_REGISTER_RBX;
  }
  switch (random.Below(4)) {
    case 0:
      break;
    case 1:
      operand.mem.displacement = static_cast<std::int8_t>(random.Next());
      break;
    case 2:
      operand.mem.displacement = static_cast<std::int32_t>(random.Next());
      break;
    default:
      operand.mem.displacement = static_cast<std::int16_t>(random.Next());
      break;
  }
  return operand;
}

// Memory at [R14 + displacement] or [R15 + displacement], which the instructions of a sequence
// leave alone.
ZydisEncoderOperand SequenceMemory(std::uint16_t size_bytes, Random& random) {
  ZydisEncoderOperand operand{};
  operand.type = ZYDIS_OPERAND_TYPE_MEMORY;
  operand.mem.size = size_bytes;
  operand.mem.base = random.Chance(90) ? ZYDIS_REGISTER_R14 : ZYDIS_REGISTER_R15;
  operand.mem.displacement = static_cast<std::int64_t>(random.Below(64) * 8);
  return operand;
}

// Of a relative branch: forwards or far enough backwards not to meet itself, and within the code
// area.
std::uint64_t RandomDistance(OperandKind kind, Random& random) {
  const std::uint64_t far = kind == OperandKind::kImmediate8 ? 112 : 3000;
  const std::uint64_t distance = random.Below(far);
  return random.Chance(50) ? distance : 0 - distance - 16;
}

using MemoryChooser = ZydisEncoderOperand (*)(std::uint16_t size_bytes, Random& random);

// What may stand before an instruction, by what Zydis says that it accepts.
void AddPrefixes(ZydisEncoderRequest& request, ZydisInstructionAttributes accepted,
                 Random& random) {
  if ((accepted & ZYDIS_ATTRIB_ACCEPTS_LOCK) != 0 && random.Chance(30)) {
    request.prefixes |= ZYDIS_ATTRIB_HAS_LOCK;
  } else if ((accepted & ZYDIS_ATTRIB_ACCEPTS_REP) != 0 && random.Chance(50)) {
    request.prefixes |= ZYDIS_ATTRIB_HAS_REP;
  } else if ((accepted & ZYDIS_ATTRIB_ACCEPTS_REPE) != 0 && random.Chance(70)) {
    request.prefixes |= random.Chance(50) ? ZYDIS_ATTRIB_HAS_REPE : ZYDIS_ATTRIB_HAS_REPNE;
  }
}

std::optional<std::vector<std::uint8_t>> EncodeRequest(const ZydisEncoderRequest& request) {
  std::array<ZyanU8, ZYDIS_MAX_INSTRUCTION_LENGTH> bytes;
  ZyanUSize length = bytes.size();
  if (!ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&request, bytes.data(), &length))) return {};
  return std::vector<std::uint8_t>(bytes.begin(),
                                   bytes.begin() + static_cast<std::ptrdiff_t>(length));
}

// Has the mnemonic a form with a distance? Found out by what the encoder makes of one.
bool IsRelativeBranch(ZydisMnemonic mnemonic) {
  ZydisEncoderRequest request{};
  request.machine_mode = ZYDIS_MACHINE_MODE_LONG_64;
  request.mnemonic = mnemonic;
  request.operand_count = 1;
  request.operands[0].type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
  const auto bytes = EncodeRequest(request);
  if (!bytes) return false;
  const auto decoded = Decode(*bytes);
  return decoded && decoded->operands[0].imm.is_relative != 0;
}

std::optional<std::vector<std::uint8_t>> EncodeRandom(ZydisMnemonic mnemonic, const Form& form,
                                                      MemoryChooser memory, Random& random) {
  const bool is_branch = IsRelativeBranch(mnemonic);
  ZydisEncoderRequest request{};
  request.machine_mode = ZYDIS_MACHINE_MODE_LONG_64;
  request.allowed_encodings = static_cast<ZydisEncodableEncoding>(ZYDIS_ENCODABLE_ENCODING_LEGACY |
                                                                  ZYDIS_ENCODABLE_ENCODING_VEX);
  request.mnemonic = mnemonic;
  request.operand_count = static_cast<ZyanU8>(form.size());
  for (std::size_t i = 0; i < form.size(); ++i) {
    ZydisEncoderOperand& operand = request.operands[i];
    if (const std::uint16_t size_bytes = MemoryBytes(form[i])) {
      operand = memory(size_bytes, random);
    } else if (form[i] >= OperandKind::kImmediate8 && form[i] <= OperandKind::kImmediate64) {
      operand.type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
      operand.imm.u =
          is_branch ? RandomDistance(form[i], random) : RandomImmediate(form[i], random);
    } else {
      operand.type = ZYDIS_OPERAND_TYPE_REGISTER;
      operand.reg.value = RandomRegister(form[i], random);
    }
  }
  const auto plain = EncodeRequest(request);
  if (!plain) return {};
  const auto decoded = Decode(*plain);
  if (!decoded) return {};
  AddPrefixes(request, decoded->info.attributes, random);
  return request.prefixes == 0 ? plain : EncodeRequest(request);
}

// --- Choosing a state ---

FloatState RandomFloatState(Random& random) {
  FloatState fx;
  fx.control = static_cast<std::uint16_t>(0x40 | random.Below(4) << 10);  // rounding
  fx.control |= random.Chance(60) ? 0x300 : random.Below(4) << 8;         // precision
  fx.control |= random.Chance(95) ? 0x3F : (random.Below(0x40) | 0x18);   // masks, as MXCSR's
  fx.status = static_cast<std::uint16_t>(random.Below(8) << 11 | (random.Next() & 0x4700));
  if (random.Chance(20)) fx.status |= random.Below(0x80);
  // An unmasked exception that is already there would fault at once; that is kept for now and then.
  if ((fx.status & ~fx.control & 0x3F) != 0) {
    if (random.Chance(80))
      fx.control |= 0x3F;
    else
      fx.status |= 0x8080;
  }
  fx.valid = static_cast<std::uint8_t>(random.Chance(70) ? 0xFF : random.Next());
  if (random.Chance(30)) fx.valid = 0x3F & static_cast<std::uint8_t>(random.Next());
  for (auto& st : fx.st) st = InterestingExtended(random);
  fx.mxcsr = static_cast<std::uint32_t>(random.Below(4) << 13 | random.Below(0x40));
  // Overflow and underflow stay masked: sse_float.h says how their exact results differ.
  fx.mxcsr |= random.Chance(97) ? 0x1F80 : (random.Below(0x40) | 0x18) << 7;
  if (random.Chance(15)) fx.mxcsr |= random.Chance(50) ? 0x8000 : 0x8040;
  for (auto& xmm : fx.xmm) xmm = InterestingVector(random);
  return fx;
}

std::vector<std::uint8_t> RandomData(Random& random) {
  // The read-only page is the same for all cases: writing it natively is slow.
  static const std::vector<std::uint8_t> kPool = [] {
    Random fixed(1);
    std::vector<std::uint8_t> pool(4 * kDataBytes);
    for (std::size_t i = 0; i < pool.size(); i += 16) {
      const auto value = fixed.Chance(20) ? InterestingExtended(fixed) : InterestingVector(fixed);
      std::memcpy(&pool[i], value.data(), 16);
    }
    return pool;
  }();
  std::vector<std::uint8_t> data(kDataBytes);
  const std::size_t from = random.Below(kPool.size() - kDataBytes) & ~std::size_t{15};
  std::memcpy(data.data(), &kPool[from], kWritableBytes);
  std::memcpy(data.data() + kWritableBytes, kPool.data(), kDataBytes - kWritableBytes);
  return data;
}

MachineState RandomState(Random& random) {
  MachineState state;
  for (auto& gpr : state.gpr) gpr = InterestingInteger(random);
  state.rip = kCodeAddress + 4096 + random.Below(kCodeBytes - 2 * 4096);
  state.rflags = 0x202 | (random.Next() & kComparedFlags);
  state.fx = RandomFloatState(random);
  state.data = RandomData(random);
  return state;
}

std::uint64_t ValueOf(ZydisRegister reg, const MachineState& state, std::uint64_t next_rip) {
  if (reg == ZYDIS_REGISTER_RIP) return next_rip;
  const int number = GprNumber(reg);
  if (number < 0) return 0;
  const std::uint64_t value = state.gpr[static_cast<std::size_t>(number)];
  switch (ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, reg)) {
    case 8:
      return value & 0xFF;  // AL of XLAT
    case 32:
      return value & 0xFFFFFFFF;
    default:
      return value;
  }
}

std::uint64_t AddressOf(const DecodedInstruction& instruction, const ZydisDecodedOperand& operand,
                        const MachineState& state) {
  const std::uint64_t next_rip = state.rip + instruction.info.length;
  std::uint64_t address = ValueOf(operand.mem.base, state, next_rip) +
                          ValueOf(operand.mem.index, state, next_rip) * operand.mem.scale;
  if (operand.mem.disp.has_displacement)
    address += static_cast<std::uint64_t>(operand.mem.disp.value);
  const bool is_stack = operand.mem.base == ZYDIS_REGISTER_RSP &&
                        operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
  return instruction.info.address_width == 32 && !is_stack ? address & 0xFFFFFFFF : address;
}

bool IsPrefetch(const DecodedInstruction& instruction) {
  return instruction.info.meta.category == ZYDIS_CATEGORY_PREFETCH ||
         instruction.info.meta.category == ZYDIS_CATEGORY_NOP ||
         instruction.info.meta.category == ZYDIS_CATEGORY_WIDENOP;
}

// Moves the base (or index) of each memory operand so that it points into the data area.
void AimAddresses(const DecodedInstruction& instruction, MachineState& state, Random& random) {
  for (const ZydisDecodedOperand& operand : instruction.All()) {
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    const int base = GprNumber(operand.mem.base);
    const int index = GprNumber(operand.mem.index);
    const bool is_stack = operand.mem.base == ZYDIS_REGISTER_RSP &&
                          operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;
    std::uint64_t target = RandomAddress(std::max<std::uint64_t>(operand.size / 8, 1), random);
    if (is_stack && random.Chance(95)) target = kDataAddress + 2048 + random.Below(1024) * 8;
    if (index >= 0 && base >= 0) {
      state.gpr[static_cast<std::size_t>(index)] = random.Below(129) - 64;
      if (index == base) continue;  // AreInside decides
    }
    const std::uint64_t off = target - AddressOf(instruction, operand, state);
    if (base >= 0) {
      state.gpr[static_cast<std::size_t>(base)] += off;
    } else if (index >= 0) {
      const std::uint64_t scale = operand.mem.scale;
      state.gpr[static_cast<std::size_t>(index)] =
          (target - static_cast<std::uint64_t>(operand.mem.disp.value)) / scale;
    }
  }
}

// BT m, r and its kin reach as far as r says; where r is a part of the address too, nobody can aim.
bool HasBitOffsetInAddress(const DecodedInstruction& instruction) {
  const ZydisDecodedOperand& memory = instruction.operands[0];
  const ZydisDecodedOperand& offset = instruction.operands[1];
  if (instruction.info.meta.category != ZYDIS_CATEGORY_BITBYTE ||
      memory.type != ZYDIS_OPERAND_TYPE_MEMORY || offset.type != ZYDIS_OPERAND_TYPE_REGISTER) {
    return false;
  }
  const int number = GprNumber(offset.reg.value);
  return number == GprNumber(memory.mem.base) || number == GprNumber(memory.mem.index);
}

// Does every access stay where a stray one harms nobody?
bool AreInside(const DecodedInstruction& instruction, const MachineState& state) {
  if (HasBitOffsetInAddress(instruction)) return false;
  for (const ZydisDecodedOperand& operand : instruction.All()) {
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.type == ZYDIS_MEMOP_TYPE_AGEN) {
      continue;
    }
    if (IsPrefetch(instruction)) continue;
    const std::uint64_t address = AddressOf(instruction, operand, state);
    const std::uint64_t start = kDataAddress - kGuardBytes / 2;
    if (address < start || address >= kDataEnd + kGuardBytes / 2) return false;
  }
  return true;
}

// A near branch with an operand size of 16 bits (Intel's CPUs ignore the prefix, AMD's cut RIP), or
// a far one (#GP with us whatever its pointer).
bool IsOddBranch(const DecodedInstruction& instruction) {
  return instruction.info.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ||
         (instruction.info.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE &&
          (instruction.info.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0);
}

void Store(MachineState& state, std::uint64_t address, std::uint64_t value,
           std::size_t size_bytes) {
  const std::uint64_t offset = address - kDataAddress;
  if (offset <= kWritableBytes - size_bytes) {
    std::memcpy(&state.data[offset], &value, size_bytes);
  }
}
std::uint64_t Load(const MachineState& state, std::uint64_t address) {
  std::uint64_t value = 0;
  const std::uint64_t offset = address - kDataAddress;
  if (offset <= kDataBytes - sizeof(value)) std::memcpy(&value, &state.data[offset], sizeof(value));
  return value;
}

std::uint64_t RandomTarget(Random& random) {
  return kCodeAddress + 64 + random.Below(kCodeBytes - 128);
}

const ZydisDecodedOperand* FirstMemory(const DecodedInstruction& instruction) {
  for (const ZydisDecodedOperand& operand : instruction.All()) {
    if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) return &operand;
  }
  return nullptr;
}

// Values that the instruction would leave the test with: jumps into the wild, trap flags, bit
// strings of exabytes. After AimAddresses.
void Tame(const DecodedInstruction& instruction, MachineState& state, Random& random) {
  const ZydisMnemonic mnemonic = instruction.info.mnemonic;
  const ZydisDecodedOperand* const memory = FirstMemory(instruction);
  const std::uint64_t address = memory != nullptr ? AddressOf(instruction, *memory, state) : 0;
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
      // The offset reaches over the whole register; 16 and 32-bit registers are sign-extended.
      if (memory != nullptr && instruction.operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER) {
        const int number = GprNumber(instruction.operands[1].reg.value);
        state.gpr[static_cast<std::size_t>(number)] = random.Below(20000) - 10000;
      }
      break;
    case ZYDIS_MNEMONIC_JMP:
    case ZYDIS_MNEMONIC_CALL:
      if (memory != nullptr && instruction.operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY) {
        Store(state, address, RandomTarget(random), 8);
      } else if (instruction.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER) {
        const int number = GprNumber(instruction.operands[0].reg.value);
        if (number != kRsp) state.gpr[static_cast<std::size_t>(number)] = RandomTarget(random);
      }
      break;
    case ZYDIS_MNEMONIC_ENTER:
      state.gpr[kRbp] = kDataAddress + 4096 + random.Below(512) * 8;
      break;
    case ZYDIS_MNEMONIC_RET:
      Store(state, state.gpr[kRsp], RandomTarget(random), 8);
      break;
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFQ:
      Store(state, state.gpr[kRsp], (random.Next() & kComparedFlags) | 2, 8);
      break;
    case ZYDIS_MNEMONIC_LDMXCSR:
      if (random.Chance(80)) Store(state, address, random.Next() & 0xFFFF, 4);
      break;
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
      if (random.Chance(90)) Store(state, address + 24, random.Next() & 0xFFFF, 4);
      break;
    case ZYDIS_MNEMONIC_CMPXCHG:
      if (memory != nullptr && random.Chance(50)) state.gpr[kRax] = Load(state, address);
      break;
    case ZYDIS_MNEMONIC_CMPXCHG8B:
      if (random.Chance(50)) {
        state.gpr[kRax] = Load(state, address) & 0xFFFFFFFF;
        state.gpr[kRdx] = Load(state, address) >> 32;
      }
      break;
    case ZYDIS_MNEMONIC_CMPXCHG16B:
      if (random.Chance(50)) {
        state.gpr[kRax] = Load(state, address);
        state.gpr[kRdx] = Load(state, address + 8);
      }
      break;
    case ZYDIS_MNEMONIC_DIV:
    case ZYDIS_MNEMONIC_IDIV:
      if (random.Chance(70)) state.gpr[kRdx] = random.Below(3) - 1;
      if (random.Chance(50)) state.gpr[kRax] = random.Next() >> random.Below(64);
      break;
    default:
      break;
  }
  // Few enough iterations to stay inside; the last ones sometimes reach a border.
  if ((instruction.info.attributes & kRepeated) != 0 &&
      instruction.info.meta.category == ZYDIS_CATEGORY_STRINGOP) {
    state.gpr[kRcx] = random.Chance(80) ? random.Below(40) : random.Below(700);
  }
}

Tolerance ToleranceFor(const DecodedInstruction& instruction) {
  Tolerance tolerance;
  if (instruction.info.cpu_flags != nullptr) {
    tolerance.undefined_flags = instruction.info.cpu_flags->undefined;
  }
  int memory_operands = 0;
  for (const ZydisDecodedOperand& operand : instruction.All()) {
    if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
        ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_MMX) {
      tolerance.x87_at_fault = false;
    }
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    ++memory_operands;
    if (operand.size > 128) tolerance.ignore_fault_address = true;
  }
  if (memory_operands > 1)
    tolerance.ignore_fault_address = true;  // which is read first is the CPU's choice
  tolerance.flags_at_fault = (instruction.info.attributes & kRepeated) == 0;
  switch (instruction.info.mnemonic) {
    case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_MASKMOVDQU:
    case ZYDIS_MNEMONIC_MASKMOVQ:
    case ZYDIS_MNEMONIC_VMASKMOVDQU:
    case ZYDIS_MNEMONIC_VMASKMOVPS:
    case ZYDIS_MNEMONIC_VMASKMOVPD:
    case ZYDIS_MNEMONIC_VPMASKMOVD:
    case ZYDIS_MNEMONIC_VPMASKMOVQ:
      tolerance.ignore_fault_address = true;
      break;
    // The manuals disagree with one another and with CPUs about C1.
    case ZYDIS_MNEMONIC_FCMOVB:
    case ZYDIS_MNEMONIC_FCMOVE:
    case ZYDIS_MNEMONIC_FCMOVBE:
    case ZYDIS_MNEMONIC_FCMOVU:
    case ZYDIS_MNEMONIC_FCMOVNB:
    case ZYDIS_MNEMONIC_FCMOVNE:
    case ZYDIS_MNEMONIC_FCMOVNBE:
    case ZYDIS_MNEMONIC_FCMOVNU:
    case ZYDIS_MNEMONIC_FCOMI:
    case ZYDIS_MNEMONIC_FCOMIP:
    case ZYDIS_MNEMONIC_FUCOMI:
    case ZYDIS_MNEMONIC_FUCOMIP:
    case ZYDIS_MNEMONIC_FFREE:
    case ZYDIS_MNEMONIC_FFREEP:
      tolerance.undefined_x87_status = 1 << 9;
      break;
    default:
      break;
  }
  return tolerance;
}

bool Writes(const ZydisDecodedOperand& operand, int gpr) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && GprNumber(operand.reg.value) == gpr &&
         (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
}

// May it stand in a sequence: no jump, no undefined flag, no memory but where SequenceMemory or the
// stack is, and R14, R15 and (other than by 8) RSP left alone?
bool SuitsSequence(const DecodedInstruction& instruction) {
  if (ToleranceFor(instruction).undefined_x87_status != 0) return false;
  if (instruction.info.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE) return false;
  if (instruction.info.cpu_flags != nullptr && instruction.info.cpu_flags->undefined != 0) {
    return false;
  }
  switch (instruction.info.mnemonic) {
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFQ:
    case ZYDIS_MNEMONIC_ENTER:
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_FLDCW:  // may unmask overflow
    case ZYDIS_MNEMONIC_FLDENV:
    case ZYDIS_MNEMONIC_FRSTOR:
    case ZYDIS_MNEMONIC_FNSAVE:   // these store the pointers to the last instruction,
    case ZYDIS_MNEMONIC_FNSTENV:  // which we do not keep
      return false;
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
      if (FirstMemory(instruction) != nullptr) return false;
      break;
    default:
      break;
  }
  for (const ZydisDecodedOperand& operand : instruction.All()) {
    if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.type != ZYDIS_MEMOP_TYPE_AGEN) {
      const bool reserved =
          operand.mem.base == ZYDIS_REGISTER_R14 || operand.mem.base == ZYDIS_REGISTER_R15;
      const bool stack = operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
                         operand.mem.base == ZYDIS_REGISTER_RSP;
      if (!reserved && !stack) return false;
    }
    if (Writes(operand, kR14) || Writes(operand, kR15)) return false;
    if (Writes(operand, kRsp) && operand.visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN)
      return false;
  }
  return true;
}

// May it end a sequence: a conditional jump over what follows?
bool LeadsForward(const DecodedInstruction& instruction) {
  return instruction.info.meta.category == ZYDIS_CATEGORY_COND_BR &&
         instruction.operands[0].imm.value.s >= 0 && !IsOddBranch(instruction);
}

}  // namespace

std::optional<DecodedInstruction> Decode(std::span<const std::uint8_t> bytes) {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  DecodedInstruction result;
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &result.info,
                                           result.operands.data()))) {
    return {};
  }
  return result;
}

std::string Disassemble(std::span<const std::uint8_t> bytes, std::uint64_t rip) {
  const auto decoded = Decode(bytes);
  if (!decoded) return "(bad)";
  ZydisFormatter formatter;
  ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
  std::array<char, 128> text{};
  ZydisFormatterFormatInstruction(&formatter, &decoded->info, decoded->operands.data(),
                                  decoded->info.operand_count_visible, text.data(), text.size(),
                                  rip, nullptr);
  return text.data();
}

const std::vector<Form>& CaseGenerator::Forms(ZydisMnemonic mnemonic) {
  const auto [found, is_new] = forms_.try_emplace(mnemonic);
  if (is_new) found->second = FormsOf(mnemonic);
  return found->second;
}

std::optional<TestCase> CaseGenerator::Single(ZydisMnemonic mnemonic, Random& random) {
  const std::vector<Form>& forms = Forms(mnemonic);
  for (int i = 0; i < kTries && !forms.empty(); ++i) {
    const auto code = EncodeRandom(mnemonic, random.Pick(forms), RandomMemory, random);
    if (!code) continue;
    const auto decoded = Decode(*code);
    if (!decoded || decoded->info.mnemonic != mnemonic) continue;
    if (IsOddBranch(*decoded)) continue;
    TestCase test;
    test.code = *code;
    test.start = RandomState(random);
    AimAddresses(*decoded, test.start, random);
    Tame(*decoded, test.start, random);
    if (!AreInside(*decoded, test.start)) continue;
    test.tolerance = ToleranceFor(*decoded);
    return test;
  }
  return {};
}

std::optional<TestCase> CaseGenerator::Sequence(std::span<const ZydisMnemonic> mnemonics,
                                                Random& random) {
  TestCase test;
  test.in_blocks = true;
  test.start = RandomState(random);
  test.start.gpr[kRsp] = kDataAddress + 2048 + random.Below(1024) * 8;
  test.start.gpr[kR14] = kDataAddress + (random.Below(kWritableBytes - 1024) & ~std::uint64_t{15});
  test.start.gpr[kR15] = RandomAddress(8, random) - random.Below(64) * 8;
  const std::uint64_t length = 2 + random.Below(8);
  const bool ends_in_branch = random.Chance(40);
  for (int i = 0, added = 0; i < 200 && added < static_cast<int>(length); ++i) {
    const ZydisMnemonic mnemonic = random.Pick(mnemonics);
    const std::vector<Form>& forms = Forms(mnemonic);
    if (forms.empty()) continue;
    const auto code = EncodeRandom(mnemonic, random.Pick(forms), SequenceMemory, random);
    if (!code) continue;
    const auto decoded = Decode(*code);
    const bool is_last = added + 1 == static_cast<int>(length);
    if (!decoded) continue;
    if (is_last && ends_in_branch ? !LeadsForward(*decoded) : !SuitsSequence(*decoded)) continue;
    const Tolerance one = ToleranceFor(*decoded);
    if (one.ignore_fault_address) test.tolerance.ignore_fault_address = true;
    if (!one.x87_at_fault) test.tolerance.x87_at_fault = false;
    test.code.insert(test.code.end(), code->begin(), code->end());
    ++added;
  }
  if (test.code.empty()) return {};
  return test;
}

}  // namespace glovebox::engine::x86
