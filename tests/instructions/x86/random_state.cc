#include "tests/instructions/x86/random_state.h"

#include <cstring>

namespace glovebox::engine::x86 {
namespace {

FloatState RandomFloatState(const Surroundings& around, Random& random) {
  FloatState fx;
  fx.control = static_cast<std::uint16_t>(0x40 | random.Below(4) << 10);  // rounding
  fx.control |= random.Chance(60) ? 0x300 : random.Below(4) << 8;         // precision
  fx.control |= random.Chance(95) ? 0x3F : random.Below(0x40);            // masks
  const std::uint64_t top = random.Below(8) << 11;
  fx.status = static_cast<std::uint16_t>(top | (random.Next() & 0x4700));
  if (random.Chance(20)) fx.status |= random.Below(0x80);
  // An unmasked exception that is already there would fault at once; that is kept for now and then.
  if ((fx.status & ~fx.control & 0x3F) != 0) {
    if (random.Chance(80)) {
      fx.control |= 0x3F;
    } else {
      fx.status |= 0x8080;
    }
  }
  fx.valid = static_cast<std::uint8_t>(random.Chance(70) ? 0xFF : random.Next());
  if (random.Chance(30)) fx.valid = 0x3F & static_cast<std::uint8_t>(random.Next());
  fx.opcode = static_cast<std::uint16_t>(random.Below(0x800));
  fx.instruction_pointer = random.Next() >> 17;
  fx.data_pointer = random.Next() >> 17;
  for (auto& st : fx.st) st = random.Pick(around.extended);
  fx.mxcsr = static_cast<std::uint32_t>(random.Below(4) << 13 | random.Below(0x40));
  fx.mxcsr |= random.Chance(97) ? 0x1F80 : random.Below(0x40) << 7;
  if (random.Chance(15)) fx.mxcsr |= random.Chance(50) ? 0x8000 : 0x8040;
  for (auto& xmm : fx.xmm) xmm = random.Pick(around.vectors);
  return fx;
}

// Of FS and GS: mostly none, sometimes so small that displacements make up for it.
std::uint64_t RandomSegmentBase(Random& random) {
  if (random.Chance(50)) return 0;
  return random.Chance(50) ? random.Below(4096) : kDataAddress - random.Below(0x8000);
}

void ChooseSegments(CpuMode mode, MachineState& state, Random& random) {
  state.selectors[kCs] = mode == CpuMode::kLong64 ? kCode64Selector : kCode32Selector;
  state.selectors[kSs] = kDataSelector;
  if (mode == CpuMode::kLong64) {  // as Linux starts a program
    state.fs_base = RandomSegmentBase(random);
    state.gs_base = RandomSegmentBase(random);
    return;
  }
  state.selectors[kDs] = state.selectors[kEs] = kDataSelector;
  const auto choose = [&](SegmentRegister reg, std::uint64_t& base) {
    const std::size_t choice = random.Below(4);
    if (choice < std::size(kTlsSelectors)) {
      state.selectors[reg] = kTlsSelectors[choice];
      base = kTlsBases[choice];
    } else if (choice == 2) {
      state.selectors[reg] = kDataSelector;
    }
  };
  choose(kFs, state.fs_base);
  choose(kGs, state.gs_base);
}

}  // namespace

MachineState RandomState(CpuMode mode, std::uint64_t rip, const Surroundings& around,
                         Random& random) {
  MachineState state;
  state.rip = rip;
  const std::size_t registers = mode == CpuMode::kLong64 ? 16 : 8;
  for (std::size_t i = 0; i < registers; ++i) {
    state.gpr[i] = InterestingInteger(random);
    if (mode == CpuMode::kProtected32) state.gpr[i] &= 0xFFFFFFFF;
  }
  state.rflags = 0x202 | (random.Next() & (kStatusFlags | kDf));
  if (random.Below(32) == 0) state.rflags |= random.Chance(50) ? kTf : kAc;
  ChooseSegments(mode, state, random);
  state.fx = RandomFloatState(around, random);
  for (auto& high : state.ymm_high) high = random.Pick(around.vectors);
  return state;
}

Surroundings::Surroundings(Random& random) {
  for (std::size_t i = 0; i < image.size(); i += 16) {
    const auto value = random.Chance(20) ? InterestingExtended(random) : InterestingVector(random);
    std::memcpy(&image[i], value.data(), 16);
  }
  for (auto& value : vectors) value = InterestingVector(random);
  for (auto& value : extended) value = InterestingExtended(random);
}

std::uint64_t RandomCodeAddress(Random& random) {
  return kCodeAddress + 4096 + random.Below(kCodeBytes - 3 * 4096);
}

}  // namespace glovebox::engine::x86
