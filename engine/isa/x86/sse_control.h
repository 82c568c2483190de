// LDMXCSR STMXCSR FXSAVE FXRSTOR CLFLUSH. Intel SDM vol. 2A.
#pragma once

#include "engine/isa/x86/emitter.h"
#include "engine/isa/x86/fx_state.h"
#include "engine/isa/x86/sse_float.h"

namespace glovebox::engine::x86 {

// While dispatch runs the host's MXCSR has flags that cpu.mxcsr lacks.
[[gnu::always_inline]] inline void CollectMxcsrFlags(Cpu& cpu) {
  cpu.mxcsr |= ReadHostMxcsr(cpu) & kMxcsrFlags;
}

template <typename Address>
struct LoadMxcsr {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    std::uint32_t value;
    if (!c.Load(Address::Of(c), value)) [[unlikely]]
      return c.Missed();
    if ((value & ~kMxcsrValid) != 0) return c.Raise(ExceptionKind::kGeneralProtection);
    c.cpu.mxcsr = value;
    WriteHostMxcsr(c.cpu, HostMxcsr(value));
    return c.template Next<Address::kUnits>();
  }
};

template <typename Address>
struct StoreMxcsr {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    CollectMxcsrFlags(c.cpu);
    if (!c.Store(Address::Of(c), c.cpu.mxcsr)) [[unlikely]]
      return c.Missed();
    return c.template Next<Address::kUnits>();
  }
};

inline constexpr std::uint32_t kFxsaveBytes = sizeof(FxsaveArea);

template <typename Address>
struct SaveFx {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const GuestAddr address = Address::Of(c);
    if (IsMisalignedArea(address, 16)) return c.Raise(ExceptionKind::kGeneralProtection);
    if (!c.Writable(address, kFxsaveBytes)) [[unlikely]]
      return c.Missed();
    CollectMxcsrFlags(c.cpu);
    SaveFxImage(c.cpu, c.memory + address, static_cast<FxFormat>(c.uop->a));
    return c.template Next<Address::kUnits>();
  }
};

template <typename Address>
struct RestoreFx {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const GuestAddr address = Address::Of(c);
    if (IsMisalignedArea(address, 16)) return c.Raise(ExceptionKind::kGeneralProtection);
    if (!c.Readable(address, kFxsaveBytes)) [[unlikely]]
      return c.Missed();
    if (!RestoreFxImage(c.cpu, c.memory + address, static_cast<FxFormat>(c.uop->a))) {
      return c.Raise(ExceptionKind::kGeneralProtection);
    }
    WriteHostMxcsr(c.cpu, HostMxcsr(c.cpu.mxcsr));
    return c.template Next<Address::kUnits>();
  }
};

// CLFLUSH: to the guest a load of a byte whose value nobody takes.
template <typename Address>
struct FlushLine {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    if (!c.Readable(Address::Of(c), 1)) [[unlikely]]
      return c.Missed();
    return c.template Next<Address::kUnits>();
  }
};

// An instruction with one operand, in memory, and seldom run.
template <template <typename Address> typename Body>
inline constexpr Lower InMemory = [](Emitter& emitter, const Instruction& instruction) {
  emitter.EmitMemory(kGeneralHandler<Body>, instruction, instruction.operands[0], 0);
  return true;
};

// FXSAVE, XSAVE and their kin; `a` is the format.
template <template <typename Address> typename Body>
inline constexpr Lower FxInMemory = [](Emitter& emitter, const Instruction& instruction) {
  FxFormat format = FxFormat::kProtected32;
  if (instruction.decoded.machine_mode == ZYDIS_MACHINE_MODE_LONG_64) {
    format = instruction.decoded.raw.rex.W != 0 ? FxFormat::kLong64 : FxFormat::kLong32;
  }
  emitter.EmitMemory(kGeneralHandler<Body>, instruction, instruction.operands[0],
                     static_cast<std::uint8_t>(format));
  return true;
};

}  // namespace glovebox::engine::x86
