#include "tests/instructions/x86/addresses.h"

#include <algorithm>
#include <cstring>

namespace glovebox::engine::x86 {
namespace {

constexpr std::uint64_t kDataEnd = kDataAddress + kDataBytes;
// Where nothing of ours lies in 64-bit mode; a margin for elements of a gather and long operands.
constexpr std::uint64_t kLowEnd = 0xF0000000;
constexpr std::uint64_t k4GiB = std::uint64_t{1} << 32;

std::uint64_t Cut(std::uint64_t value, unsigned width) {
  return width >= 64 ? value : value & ((std::uint64_t{1} << width) - 1);
}

std::uint64_t ValueOf(ZydisRegister reg, const MachineState& state, std::uint64_t next_rip) {
  if (reg == ZYDIS_REGISTER_NONE) return 0;
  if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP) return next_rip;
  const int number = GprNumber(reg);
  if (number < 0) return 0;
  return Cut(state.gpr[static_cast<std::size_t>(number)],
             ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, reg));
}

std::uint64_t SegmentBase(const ZydisDecodedOperand& operand, const MachineState& state) {
  if (operand.mem.segment == ZYDIS_REGISTER_FS) return state.fs_base;
  if (operand.mem.segment == ZYDIS_REGISTER_GS) return state.gs_base;
  return 0;
}

bool IsVsibOperand(const ZydisDecodedOperand& operand) {
  return operand.mem.type == ZYDIS_MEMOP_TYPE_VSIB;
}

// Element `i` of a vector register as a signed index.
std::int64_t IndexElement(const MachineState& state, int number, unsigned element_bytes,
                          std::size_t i) {
  std::array<std::uint64_t, 4> whole{};
  const auto n = static_cast<std::size_t>(number);
  whole = {state.fx.xmm[n][0], state.fx.xmm[n][1], state.ymm_high[n][0], state.ymm_high[n][1]};
  if (element_bytes == 8) return static_cast<std::int64_t>(whole[i]);
  return static_cast<std::int32_t>(whole[i / 2] >> (32 * (i % 2)));
}

void SetIndexElement(MachineState& state, int number, unsigned element_bytes, std::size_t i,
                     std::int64_t value) {
  const auto n = static_cast<std::size_t>(number);
  const std::size_t word = element_bytes == 8 ? i : i / 2;
  std::uint64_t& at = word < 2 ? state.fx.xmm[n][word] : state.ymm_high[n][word - 2];
  if (element_bytes == 8) {
    at = static_cast<std::uint64_t>(value);
    return;
  }
  const unsigned shift = 32 * (i % 2);
  at = (at & ~(std::uint64_t{0xFFFFFFFF} << shift)) |
       std::uint64_t{static_cast<std::uint32_t>(value)} << shift;
}

// VPGATHERDD and its kin have doublewords as indices, VPGATHERQD quadwords.
unsigned IndexBytes(const DecodedInstruction& instruction) {
  switch (instruction.info.mnemonic) {
    case ZYDIS_MNEMONIC_VGATHERQPD:
    case ZYDIS_MNEMONIC_VGATHERQPS:
    case ZYDIS_MNEMONIC_VPGATHERQD:
    case ZYDIS_MNEMONIC_VPGATHERQQ:
      return 8;
    default:
      return 4;
  }
}

std::size_t IndexCount(const DecodedInstruction& instruction, const ZydisDecodedOperand& operand) {
  const bool is_ymm = ZydisRegisterGetClass(operand.mem.index) == ZYDIS_REGCLASS_YMM;
  return (is_ymm ? 32 : 16) / IndexBytes(instruction);
}

std::uint64_t ElementAddress(CpuMode mode, const DecodedInstruction& instruction,
                             const ZydisDecodedOperand& operand, const MachineState& state,
                             std::size_t element) {
  const std::uint64_t next_rip = state.rip + instruction.info.length;
  std::uint64_t index = 0;
  if (IsVsibOperand(operand)) {
    index = static_cast<std::uint64_t>(IndexElement(state, ZydisRegisterGetId(operand.mem.index),
                                                    IndexBytes(instruction), element));
  } else {
    index = ValueOf(operand.mem.index, state, next_rip);
  }
  std::uint64_t address =
      ValueOf(operand.mem.base, state, next_rip) + index * std::max<unsigned>(operand.mem.scale, 1);
  if (operand.mem.disp.has_displacement) {
    address += static_cast<std::uint64_t>(operand.mem.disp.value);
  }
  const bool is_long = mode == CpuMode::kLong64;
  if (IsHiddenStack(operand)) return is_long ? address : Cut(address, 32);
  address = Cut(address, instruction.info.address_width) + SegmentBase(operand, state);
  return is_long ? address : Cut(address, 32);
}

// Where no memory of a user can be: between the canonical halves, or in the kernel's.
bool IsOutOfUsersReach(std::uint64_t address) {
  return address >= std::uint64_t{1} << 56 && address < ~std::uint64_t{0} - (1 << 20);
}

bool IsPrefetch(const DecodedInstruction& instruction) {
  return instruction.info.meta.category == ZYDIS_CATEGORY_PREFETCH ||
         instruction.info.meta.category == ZYDIS_CATEGORY_NOP ||
         instruction.info.meta.category == ZYDIS_CATEGORY_WIDENOP;
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

// Does it access more than its operands say?
bool GoesOn(const DecodedInstruction& instruction) {
  return instruction.Has(kRepeated) || instruction.info.meta.category == ZYDIS_CATEGORY_BITBYTE ||
         instruction.info.meta.category == ZYDIS_CATEGORY_XSAVE ||
         instruction.info.meta.category == ZYDIS_CATEGORY_XSAVEOPT;
}
// How far behind its address an instruction may access memory.
std::uint64_t ReachOf(const DecodedInstruction& instruction, const ZydisDecodedOperand& operand) {
  constexpr std::uint64_t kFar = 8192;
  return GoesOn(instruction) ? kFar : std::max<std::uint64_t>(operand.size / 8, 1);
}

// --- Tame: memory and registers of a case that is about to start ---

class Scene {
 public:
  Scene(CpuMode mode, const DecodedInstruction& instruction, const DataImage& image, Start& start)
      : mode_(mode), image_(image), start_(start), memory_(instruction.FirstMemory()) {
    if (memory_ != nullptr) address_ = AddressOf(mode, instruction, *memory_, start.state);
  }
  bool has_memory() const { return memory_ != nullptr; }
  // Of the first operand in memory.
  std::uint64_t address() const { return address_; }
  std::uint64_t rip() const { return start_.state.rip; }
  std::uint8_t pointer_bytes() const { return mode_ == CpuMode::kLong64 ? 8 : 4; }

  MachineState& state() { return start_.state; }
  std::uint64_t& gpr(int number) { return start_.state.gpr[static_cast<std::size_t>(number)]; }
  void Store(std::uint64_t address, std::uint64_t value, std::uint8_t size_bytes) {
    if (address - kDataAddress < kWritableBytes) {
      start_.patches.push_back({address, value, size_bytes});
    }
  }
  std::uint64_t Load(std::uint64_t address, std::size_t size_bytes) const {
    std::uint64_t value = 0;
    const std::uint64_t offset = address - kDataAddress;
    if (offset <= kDataBytes - sizeof(value)) {
      std::memcpy(&value, image_.data() + offset, size_bytes);
    }
    return value;
  }

 private:
  CpuMode mode_;
  const DataImage& image_;
  Start& start_;
  const ZydisDecodedOperand* memory_;
  std::uint64_t address_ = 0;
};

void TameBitOffset(const DecodedInstruction& instruction, Scene& scene, Random& random) {
  // The offset reaches over the whole register; 16 and 32-bit registers are sign-extended.
  if (!scene.has_memory() || instruction.operands[1].type != ZYDIS_OPERAND_TYPE_REGISTER) return;
  scene.gpr(GprNumber(instruction.operands[1].reg.value)) = random.Below(20000) - 10000;
}

void TameJump(const DecodedInstruction& instruction, Scene& scene, Random& random) {
  const ZydisDecodedOperand& target = instruction.operands[0];
  if (target.type == ZYDIS_OPERAND_TYPE_MEMORY) {
    scene.Store(scene.address(), RandomTarget(scene.rip(), random), scene.pointer_bytes());
  } else if (target.type == ZYDIS_OPERAND_TYPE_REGISTER) {
    const int number = GprNumber(target.reg.value);
    if (number != kRsp) scene.gpr(number) = RandomTarget(scene.rip(), random);
  }
}

void TameCompareExchange(const DecodedInstruction& instruction, Scene& scene, Random& random) {
  if (!scene.has_memory() || random.Chance(50)) return;
  switch (instruction.info.mnemonic) {
    case ZYDIS_MNEMONIC_CMPXCHG8B:
      scene.gpr(kRax) = scene.Load(scene.address(), 4);
      scene.gpr(kRdx) = scene.Load(scene.address() + 4, 4);
      break;
    case ZYDIS_MNEMONIC_CMPXCHG16B:
      scene.gpr(kRax) = scene.Load(scene.address(), 8);
      scene.gpr(kRdx) = scene.Load(scene.address() + 8, 8);
      break;
    default:
      scene.gpr(kRax) = scene.Load(scene.address(), scene.pointer_bytes());
      break;
  }
}

// Frames of up to 31 links: within memory, over each other, or so that a link or a push half way is
// beyond a border.
void TameEnter(Scene& scene, Random& random) {
  constexpr std::uint64_t kFrame = 32 * 8;
  const auto near_border = [&](std::uint64_t border) {
    return border - kFrame / 2 + random.Below(kFrame);
  };
  const auto draw = [&] {
    switch (random.Below(8)) {
      case 0:
        return near_border(kDataAddress + kFrame);
      case 1:
        return near_border(kDataAddress + kWritableBytes + kFrame / 2);
      case 2:
        return near_border(kDataEnd + kFrame / 2);
      default:
        return kDataAddress + 4096 + random.Below(512) * 8;
    }
  };
  scene.gpr(kRbp) = draw();
  if (random.Chance(50)) scene.gpr(kRsp) = draw();
  if (random.Chance(25)) scene.gpr(kRbp) = scene.gpr(kRsp) - random.Below(kFrame);
}

// Which components an instruction is about; the upper half of RAX means nothing. Drawn one after
// the other: compilers differ in which operand of an expression they evaluate first.
void SetComponents(Scene& scene, Random& random) {
  const std::uint64_t wanted = random.Next() & 7;
  scene.gpr(kRax) = random.Next() << 32 | wanted;
  scene.gpr(kRdx) = 0;
}

// The components that the guest's CPU has, none of them in its initial state: CPUs may take such a
// one for used (Intel SDM vol. 1, 13.6).
void TameXsave(Scene& scene, Random& random) {
  SetComponents(scene, random);
  MachineState& state = scene.state();
  if (state.fx.control == 0x037F) state.fx.control = 0x027F;
  state.fx.xmm[3][1] |= 1;
  state.ymm_high[5][0] |= 1;
}

// A header that may be wrong in one place.
void TameXrstor(Scene& scene, Random& random) {
  SetComponents(scene, random);
  const std::uint64_t area = scene.address();
  const std::uint64_t header = area + 512;
  const std::uint64_t compacted = random.Chance(50) ? std::uint64_t{1} << 63 | random.Below(8) : 0;
  std::uint64_t present = random.Below(8);
  if (compacted != 0 && random.Chance(80)) present &= compacted;
  // Hosts load registers of the compacted format before they look at MXCSR; ours is precise.
  if (compacted != 0 || random.Chance(90)) scene.Store(area + 24, random.Next() & 0xFFFF, 4);
  scene.Store(header, present, 8);
  scene.Store(header + 8, compacted, 8);
  for (std::uint64_t at = 16; at < 64; at += 8) scene.Store(header + at, 0, 8);
  // Components that the host may have and the guest has not are between.
  constexpr std::uint64_t kNobodysComponent = std::uint64_t{1} << 62;
  switch (random.Below(16)) {
    case 0:
      scene.Store(header, present | kNobodysComponent, 8);
      break;
    case 1:
      scene.Store(header + 8, compacted | kNobodysComponent, 8);
      break;
    case 2: {
      const std::uint64_t at = header + 16 + random.Below(48);
      scene.Store(at, std::uint64_t{1} << random.Below(8), 1);
      break;
    }
    default:
      break;
  }
}

// Selectors: null, those of user code and data (Linux' GDT), others. Those with a base only for FS
// and GS in 32-bit code, where ours refuse them elsewhere (engine/isa/x86/segments.h).
std::uint64_t RandomSelector(CpuMode mode, ZydisRegister reg, Random& random) {
  constexpr std::uint64_t kSelectors[] = {0, 3, 0x2B, 0x2B, 0x2B, 0x28, 0x23, 0x33, 0x10, 0x73};
  const bool is_flat = reg != ZYDIS_REGISTER_FS && reg != ZYDIS_REGISTER_GS;
  if ((mode == CpuMode::kProtected32 && is_flat) || random.Chance(70)) {
    return random.Pick(kSelectors);
  }
  return random.Pick(kTlsSelectors);
}

// LDS and its kin.
bool LoadsFarPointer(const DecodedInstruction& instruction) {
  switch (instruction.info.mnemonic) {
    case ZYDIS_MNEMONIC_LDS:
    case ZYDIS_MNEMONIC_LES:
    case ZYDIS_MNEMONIC_LFS:
    case ZYDIS_MNEMONIC_LGS:
    case ZYDIS_MNEMONIC_LSS:
      return true;
    default:
      return false;
  }
}

void TameFarPointer(CpuMode mode, const DecodedInstruction& instruction, Scene& scene,
                    Random& random) {
  if (!LoadsFarPointer(instruction)) return;
  const bool to_fs_or_gs = instruction.info.mnemonic == ZYDIS_MNEMONIC_LFS ||
                           instruction.info.mnemonic == ZYDIS_MNEMONIC_LGS;
  const std::uint64_t offset_bytes = instruction.operands[0].size / 8;
  const ZydisRegister segment = to_fs_or_gs ? ZYDIS_REGISTER_FS : ZYDIS_REGISTER_ES;
  scene.Store(scene.address() + offset_bytes, RandomSelector(mode, segment, random), 2);
}

// MOV and POP to a segment register.
void TameSegmentLoad(CpuMode mode, const DecodedInstruction& instruction, Scene& scene,
                     Random& random) {
  const ZydisDecodedOperand& segment = instruction.operands[0];
  if (segment.type != ZYDIS_OPERAND_TYPE_REGISTER ||
      ZydisRegisterGetClass(segment.reg.value) != ZYDIS_REGCLASS_SEGMENT ||
      (segment.actions & ZYDIS_OPERAND_ACTION_WRITE) == 0) {
    return;
  }
  const std::uint64_t selector = RandomSelector(mode, segment.reg.value, random);
  if (scene.has_memory()) {
    scene.Store(scene.address(), selector, 2);
    return;
  }
  const int from = GprNumber(instruction.operands[1].reg.value);
  if (from >= 0) scene.gpr(from) = selector | random.Next() << 16;
}

// LAR, LSL, VERR, VERW: descriptors that a guest may see, and that say the same on every host. The
// limit of entry 15 is the number of the host's CPU.
bool InspectsDescriptor(const DecodedInstruction& instruction) {
  switch (instruction.info.mnemonic) {
    case ZYDIS_MNEMONIC_LAR:
    case ZYDIS_MNEMONIC_LSL:
    case ZYDIS_MNEMONIC_VERR:
    case ZYDIS_MNEMONIC_VERW:
      return true;
    default:
      return false;
  }
}
void TameInspection(CpuMode mode, const DecodedInstruction& instruction, Scene& scene,
                    Random& random) {
  if (!InspectsDescriptor(instruction)) return;
  constexpr std::uint64_t kCpuNumberEntry = 15;
  std::uint64_t selector =
      random.Chance(50) ? RandomSelector(mode, ZYDIS_REGISTER_FS, random) : random.Below(0x10000);
  if (selector >> 3 == kCpuNumberEntry) selector = 0;
  if (scene.has_memory()) {
    scene.Store(scene.address(), selector, 2);
    return;
  }
  const auto operands = instruction.All();
  for (const ZydisDecodedOperand& operand : operands) {
    const bool reads = operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
                       operand.visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT &&
                       (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
    if (reads) scene.gpr(GprNumber(operand.reg.value)) = selector | random.Next() << 16;
  }
}

// Behind these a trap waits for the next instruction, which natively is another one.
bool DefersTraps(const DecodedInstruction& instruction) {
  const ZydisDecodedOperand& first = instruction.operands[0];
  return instruction.info.mnemonic == ZYDIS_MNEMONIC_LSS ||
         (first.type == ZYDIS_OPERAND_TYPE_REGISTER && first.reg.value == ZYDIS_REGISTER_SS);
}

}  // namespace

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
      return kDataAddress + (random.Below(room) & ~std::uint64_t{31});
  }
}

std::uint64_t RandomTarget(std::uint64_t rip, Random& random) {
  std::uint64_t target = 0;
  do {
    target = kCodeAddress + 64 + random.Below(kCodeBytes - 128);
  } while (target - (rip - 64) < 128);
  return target;
}

std::uint64_t AddressOf(CpuMode mode, const DecodedInstruction& instruction,
                        const ZydisDecodedOperand& operand, const MachineState& state) {
  return ElementAddress(mode, instruction, operand, state, 0);
}

void AimAt(CpuMode mode, const DecodedInstruction& instruction, const ZydisDecodedOperand& operand,
           std::uint64_t target, MachineState& state, Random& random) {
  const int base = GprNumber(operand.mem.base);
  const int index = GprNumber(operand.mem.index);
  if (IsVsibOperand(operand)) {
    const int number = ZydisRegisterGetId(operand.mem.index);
    const std::size_t count = IndexCount(instruction, operand);
    for (std::size_t i = 0; i < count; ++i) {
      const auto spread = static_cast<std::int64_t>(random.Below(random.Chance(80) ? 200 : 4000));
      SetIndexElement(state, number, IndexBytes(instruction), i, spread - 100);
    }
    if (base < 0) return;
  } else if (index >= 0 && base >= 0) {
    state.gpr[static_cast<std::size_t>(index)] = random.Below(129) - 64;
    if (index == base) return;  // AreInside decides
  }
  const std::uint64_t off = target - ElementAddress(mode, instruction, operand, state, 0);
  if (base >= 0) {
    state.gpr[static_cast<std::size_t>(base)] += off;
  } else if (index >= 0) {
    const std::uint64_t scale = std::max<unsigned>(operand.mem.scale, 1);
    state.gpr[static_cast<std::size_t>(index)] += off / scale;
  }
  if (mode == CpuMode::kProtected32) {
    for (std::uint64_t& gpr : state.gpr) gpr = Cut(gpr, 32);
  }
}

void AimAddresses(CpuMode mode, const DecodedInstruction& instruction, Start& start,
                  Random& random) {
  for (const ZydisDecodedOperand& operand : instruction.All()) {
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
    std::uint64_t target = RandomAddress(std::max<std::uint64_t>(operand.size / 8, 1), random);
    if (IsHiddenStack(operand) && random.Chance(95)) {
      target = kDataAddress + 2048 + random.Below(1024) * 8;
    } else if (mode == CpuMode::kLong64 && random.Below(64) == 0) {
      target = random.Next() | std::uint64_t{1} << 63;  // mostly not canonical
    } else if (mode == CpuMode::kProtected32 && random.Below(64) == 0) {
      target = k4GiB - random.Below(operand.size / 8 + 16);
    }
    AimAt(mode, instruction, operand, target, start.state, random);
  }
}

void Tame(CpuMode mode, const DecodedInstruction& instruction, const DataImage& image, Start& start,
          Random& random) {
  Scene scene(mode, instruction, image, start);
  switch (instruction.info.mnemonic) {
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
      TameBitOffset(instruction, scene, random);
      break;
    case ZYDIS_MNEMONIC_JMP:
    case ZYDIS_MNEMONIC_CALL:
      TameJump(instruction, scene, random);
      break;
    case ZYDIS_MNEMONIC_ENTER:
      TameEnter(scene, random);
      break;
    case ZYDIS_MNEMONIC_RET:
      scene.Store(scene.gpr(kRsp), RandomTarget(scene.rip(), random), scene.pointer_bytes());
      break;
    case ZYDIS_MNEMONIC_POPF:
    case ZYDIS_MNEMONIC_POPFD:
    case ZYDIS_MNEMONIC_POPFQ:
      // TF shows only behind the next instruction, which is another one natively.
      scene.gpr(kRsp) = kDataAddress + random.Below(kWritableBytes - 8);
      scene.Store(scene.gpr(kRsp), (random.Next() & ~std::uint64_t{kTf}) | 2, 8);
      break;
    case ZYDIS_MNEMONIC_LDMXCSR:
    case ZYDIS_MNEMONIC_VLDMXCSR:
      if (random.Chance(80)) scene.Store(scene.address(), random.Next() & 0xFFFF, 4);
      break;
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
      if (random.Chance(90)) scene.Store(scene.address() + 24, random.Next() & 0xFFFF, 4);
      break;
    case ZYDIS_MNEMONIC_CMPXCHG:
    case ZYDIS_MNEMONIC_CMPXCHG8B:
    case ZYDIS_MNEMONIC_CMPXCHG16B:
      TameCompareExchange(instruction, scene, random);
      break;
    case ZYDIS_MNEMONIC_BOUND:
      if (random.Chance(70)) {
        scene.Store(scene.address(), random.Below(2) - 1, 4);
        scene.Store(scene.address() + 4, InterestingInteger(random), 4);
      }
      break;
    case ZYDIS_MNEMONIC_XSAVE:
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEC:
    case ZYDIS_MNEMONIC_XSAVEC64:
    case ZYDIS_MNEMONIC_XSAVEOPT:
    case ZYDIS_MNEMONIC_XSAVEOPT64:
      TameXsave(scene, random);
      break;
    case ZYDIS_MNEMONIC_XRSTOR:
    case ZYDIS_MNEMONIC_XRSTOR64:
      TameXrstor(scene, random);
      break;
    case ZYDIS_MNEMONIC_DIV:
    case ZYDIS_MNEMONIC_IDIV:
      if (random.Chance(70)) scene.gpr(kRdx) = random.Below(3) - 1;
      if (random.Chance(50)) scene.gpr(kRax) = random.Next() >> random.Below(64);
      break;
    default:
      break;
  }
  TameSegmentLoad(mode, instruction, scene, random);
  TameInspection(mode, instruction, scene, random);
  if (DefersTraps(instruction)) start.state.rflags &= ~std::uint64_t{kTf};
  TameFarPointer(mode, instruction, scene, random);
  // Few enough iterations to stay inside; the last ones sometimes reach a border.
  if (instruction.Has(kRepeated) && instruction.info.meta.category == ZYDIS_CATEGORY_STRINGOP) {
    scene.gpr(kRcx) = random.Chance(80) ? random.Below(40) : random.Below(700);
  }
  if (mode == CpuMode::kProtected32) {
    for (std::uint64_t& gpr : start.state.gpr) gpr = Cut(gpr, 32);
  }
}

bool AreInside(CpuMode mode, const DecodedInstruction& instruction, const MachineState& state) {
  if (HasBitOffsetInAddress(instruction)) return false;
  for (const ZydisDecodedOperand& operand : instruction.All()) {
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.type == ZYDIS_MEMOP_TYPE_AGEN) {
      continue;
    }
    if (IsPrefetch(instruction)) continue;
    // A selector that was not chosen here could be one of those that ours refuse, or the host's
    // own.
    if ((LoadsFarPointer(instruction) || InspectsDescriptor(instruction)) &&
        AddressOf(mode, instruction, operand, state) - kDataAddress > kWritableBytes - 16) {
      return false;
    }
    const std::size_t count = IsVsibOperand(operand) ? IndexCount(instruction, operand) : 1;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t address = ElementAddress(mode, instruction, operand, state, i);
      // All of the lower 4 GiB is the test's, and nothing is behind them. What reaches over the end
      // of a segment whose base is not 0 is for the segment's limit, which ours do not have.
      if (mode == CpuMode::kProtected32) {
        const std::uint64_t base = SegmentBase(operand, state);
        const std::uint64_t end = Cut(address - base, 32) + ReachOf(instruction, operand);
        if (end > k4GiB && (base != 0 || GoesOn(instruction))) return false;
      } else if (address >= kLowEnd && !IsOutOfUsersReach(address)) {
        return false;
      }
      // The gate's two pages, and what reaches into them: by its size, or by an offset in bits.
      if (address - (kGateAddress - 4096) < 4 * 4096) return false;
      // Code is not the same on both sides: ours ends in INT3, the host's in a jump to the gate.
      if (address - (kCodeAddress - 4096) < kCodeBytes + 8192) return false;
    }
  }
  return true;
}

}  // namespace glovebox::engine::x86
