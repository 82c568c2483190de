// Rows of XSAVE XSAVEC XSAVEOPT XRSTOR XGETBV. Intel SDM vol. 1, chapter 13; vol. 2D.
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/sse_control.h"
#include "engine/isa/x86/xsave.h"

namespace glovebox::engine::x86 {
namespace {

constexpr GuestAddr kAlignment = 64;

// EDX:EAX of what is enabled.
std::uint64_t Wanted(const Cpu& cpu) {
  return (cpu.gpr[kRdx] << 32 | static_cast<std::uint32_t>(cpu.gpr[kRax])) & kXcr0;
}

template <XSaveKind kKind>
struct Save {
  template <typename Address>
  struct Body {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return SaveAt(c, Address::Of(c), c.template Next<Address::kUnits>());
    }
  };
  [[gnu::noinline]] static const Uop* SaveAt(Context& c, GuestAddr area, const Uop* next) {
    if (IsMisalignedArea(area, kAlignment)) return c.Raise(ExceptionKind::kGeneralProtection);
    CollectMxcsrFlags(c.cpu);
    const XSavePlan plan(c.cpu, kKind, Wanted(c.cpu));
    for (const XRange& range : plan.ranges()) {
      if (!c.Writable(area + range.at, range.size_bytes)) return c.Missed();
    }
    plan.Write(c.cpu, c.memory + area, static_cast<FxFormat>(c.uop->a));
    return next;
  }
};

template <typename Address>
struct Restore {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    return RestoreFrom(c, Address::Of(c), c.template Next<Address::kUnits>());
  }
  [[gnu::noinline]] static const Uop* RestoreFrom(Context& c, GuestAddr area, const Uop* next) {
    if (IsMisalignedArea(area, kAlignment)) return c.Raise(ExceptionKind::kGeneralProtection);
    XHeader header;
    if (!c.Load(area + kXHeaderAt, header)) return c.Missed();
    if (!header.HasKnownFormat()) return c.Raise(ExceptionKind::kGeneralProtection);
    const std::uint64_t wanted = Wanted(c.cpu);
    for (const XRange& range : XRestoreRanges(header, wanted)) {
      if (!c.Readable(area + range.at, range.size_bytes)) return c.Missed();
    }
    CollectMxcsrFlags(c.cpu);
    const auto format = static_cast<FxFormat>(c.uop->a);
    if (!header.IsValid() || !XRestore(c.cpu, header, wanted, c.memory + area, format)) {
      return c.Raise(ExceptionKind::kGeneralProtection);
    }
    WriteHostMxcsr(c.cpu, HostMxcsr(c.cpu.mxcsr));
    return next;
  }
};

// ECX 0: XCR0; 1: those of its components that are in use.
struct GetControl {
  [[gnu::always_inline]] static const Uop* Run(Context& c) { return Get(c); }
  [[gnu::noinline]] static const Uop* Get(Context& c) {
    const auto which = static_cast<std::uint32_t>(c.cpu.gpr[kRcx]);
    if (which > 1) return c.Raise(ExceptionKind::kGeneralProtection);
    c.cpu.gpr[kRax] = which == 0 ? kXcr0 : XComponentsInUse(c.cpu);
    c.cpu.gpr[kRdx] = 0;
    return c.Next();
  }
};
constexpr Lower kGetControl = [](Emitter& emitter, const Instruction&) {
  emitter.Emit(kHandler<GetControl>, {});
  return true;
};

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_XSAVE, FxInMemory<Save<XSaveKind::kStandard>::Body>},
    {ZYDIS_MNEMONIC_XSAVE64, FxInMemory<Save<XSaveKind::kStandard>::Body>},
    {ZYDIS_MNEMONIC_XSAVEC, FxInMemory<Save<XSaveKind::kCompacted>::Body>},
    {ZYDIS_MNEMONIC_XSAVEC64, FxInMemory<Save<XSaveKind::kCompacted>::Body>},
    {ZYDIS_MNEMONIC_XSAVEOPT, FxInMemory<Save<XSaveKind::kOptimised>::Body>},
    {ZYDIS_MNEMONIC_XSAVEOPT64, FxInMemory<Save<XSaveKind::kOptimised>::Body>},
    {ZYDIS_MNEMONIC_XRSTOR, FxInMemory<Restore>},
    {ZYDIS_MNEMONIC_XRSTOR64, FxInMemory<Restore>},
    {ZYDIS_MNEMONIC_XGETBV, kGetControl, kMayRaise},
};

}  // namespace

std::span<const InstructionRow> XsaveRows() { return kRows; }

}  // namespace glovebox::engine::x86
