// Segment registers, and what user mode may ask about segments.
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/move.h"
#include "engine/isa/x86/segments.h"
#include "engine/isa/x86/selector.h"
#include "engine/isa/x86/stack.h"

namespace glovebox::engine::x86 {
namespace {

SegmentRegister SegmentRegisterOf(const ZydisDecodedOperand& operand) {
  return static_cast<SegmentRegister>(operand.reg.value - ZYDIS_REGISTER_ES);
}

// Loads the segment register of operand byte `reg` and goes on at `next`, or raises. Last of what
// an instruction does that may fault.
[[gnu::always_inline]] inline const Uop* LoadOrRaise(Context& c, std::uint8_t reg,
                                                     std::uint16_t selector, const Uop* next) {
  if (const auto fault = LoadSegment(c.cpu, static_cast<SegmentRegister>(reg), selector)) {
    return c.Raise(fault->kind, fault->error_code);
  }
  if (reg == kSs) c.cpu.stack_segment_loaded = true;
  return next;
}

// --- MOV r/m, Sreg: memory is 16 bits whatever the operand size ---

template <typename W>
struct ReadToRegister {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    WriteGpr<W>(c.cpu, c.uop->a, c.cpu.selector[c.uop->b]);
    return c.Next();
  }
};
template <typename Address>
struct ReadToMemory {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    if (!c.Store(Address::Of(c), c.cpu.selector[c.uop->a])) [[unlikely]]
      return c.Missed();
    return c.template Next<Address::kUnits>();
  }
};

// --- MOV Sreg, r/m ---

struct LoadFromRegister {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    return LoadOrRaise(c, c.uop->a, ReadGpr<std::uint16_t>(c.cpu, c.uop->b), c.Next());
  }
};
template <typename Address>
struct LoadFromMemory {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    std::uint16_t selector;
    if (!c.Load(Address::Of(c), selector)) [[unlikely]]
      return c.Missed();
    return LoadOrRaise(c, c.uop->a, selector, c.template Next<Address::kUnits>());
  }
};

// --- PUSH, POP: with an operand of 32 or 64 bits PUSH writes 16 of them in 32-bit code on Intel's
// CPUs since the Core 2 (Intel SDM vol. 2B, PUSH), and all of them in 64-bit mode ---

template <typename W, typename S>
struct PushSelector {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const S top = StackTop<S>(c.cpu) - sizeof(W);
    using Stored = std::conditional_t<sizeof(S) == 4, std::uint16_t, W>;
    if (!c.Store(top, static_cast<Stored>(c.cpu.selector[c.uop->a]))) [[unlikely]]
      return c.Missed();
    SetStackTop<S>(c.cpu, top);
    return c.Next();
  }
};
template <typename W, typename S>
struct PopSelector {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const S top = StackTop<S>(c.cpu);
    std::uint16_t selector;
    if (!c.Load(top, selector)) [[unlikely]]
      return c.Missed();
    const Uop* const next = LoadOrRaise(c, c.uop->a, selector, c.Next());
    if (next == c.Next()) SetStackTop<S>(c.cpu, top + sizeof(W));
    return next;
  }
};

// --- LDS, LES, LFS, LGS, LSS: an offset and a selector behind it ---

template <SegmentRegister segment>
struct LoadFarPointer {
  template <typename W>
  struct Sized {
    template <typename Address>
    struct Memory {
      [[gnu::always_inline]] static const Uop* Run(Context& c) {
        const GuestAddr pointer = Address::Of(c);
        W offset;
        std::uint16_t selector;
        if (!c.Load(pointer, offset) || !c.Load(pointer + sizeof(W), selector)) [[unlikely]]
          return c.Missed();
        const Uop* const next =
            LoadOrRaise(c, segment, selector, c.template Next<Address::kUnits>());
        if (next == c.template Next<Address::kUnits>()) WriteGpr<W>(c.cpu, c.uop->a, offset);
        return next;
      }
    };
  };
};
template <SegmentRegister segment>
bool LowerLoadFarPointer(Emitter& emitter, const Instruction& in) {
  return ForWideWidth(in.operands[0].size, [&]<typename W>(W) {
    using Body = typename LoadFarPointer<segment>::template Sized<W>;
    emitter.EmitMemory(kGeneralHandler<Body::template Memory>, in, in.operands[1],
                       GprSlot(in.operands[0].reg.value));
    return true;
  });
}

// --- ARPL: the destination's privilege raised to the source's; ZF says whether it was ---

[[gnu::always_inline]] inline void SetZf(LazyFlags& flags, bool zf) {
  flags.Set((flags.Materialise() & ~std::uint64_t{kZf}) | FlagIf(zf, kZf));
}

struct AdjustPrivilegeBodies {
  // The destination's new value; empty where it stays.
  [[gnu::always_inline]] static std::optional<std::uint16_t> Apply(std::uint16_t to,
                                                                   std::uint16_t from) {
    if ((to & 3) >= (from & 3)) return std::nullopt;
    return static_cast<std::uint16_t>((to & ~3) | (from & 3));
  }
  struct Registers {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const auto raised =
          Apply(ReadGpr<std::uint16_t>(c.cpu, c.uop->a), ReadGpr<std::uint16_t>(c.cpu, c.uop->b));
      if (raised) WriteGpr(c.cpu, c.uop->a, *raised);
      SetZf(c.cpu.lazy, raised.has_value());
      return c.Next();
    }
  };
  template <bool kInCode>  // which may be read, but not written
  struct Written {
    template <typename Address>
    struct Memory {  // written only where it changes
      [[gnu::always_inline]] static const Uop* Run(Context& c) {
        const GuestAddr address = Address::Of(c);
        std::uint16_t old;
        if (!c.Load(address, old)) [[unlikely]]
          return c.Missed();
        const auto raised = Apply(old, ReadGpr<std::uint16_t>(c.cpu, c.uop->a));
        if (kInCode && raised) return c.Raise(ExceptionKind::kGeneralProtection);
        if (raised && !c.Store(address, *raised)) [[unlikely]]
          return c.Missed();
        SetZf(c.cpu.lazy, raised.has_value());
        return c.template Next<Address::kUnits>();
      }
    };
  };
};
bool LowerAdjustPrivilege(Emitter& emitter, const Instruction& in) {
  const std::uint8_t from = GprSlot(in.operands[1].reg.value);
  if (IsMemory(in.operands[0])) {
    ZydisDecodedOperand to = in.operands[0];
    const bool in_code = WritesToCode(in, to);
    if (in_code) to.mem.segment = ZYDIS_REGISTER_DS;  // as flat as CS
    ForBool(in_code, [&](auto code) {
      using Bodies = AdjustPrivilegeBodies::Written<code.value>;
      emitter.EmitMemory(kGeneralHandler<Bodies::template Memory>, in, to, from);
      return true;
    });
  } else {
    emitter.Emit(kHandler<AdjustPrivilegeBodies::Registers>,
                 {.a = GprSlot(in.operands[0].reg.value), .b = from});
  }
  return true;
}

// --- LAR, LSL, VERR, VERW: what the descriptor of a selector says, for whom may see it. Of the
// flags ZF alone changes: may it? ---

std::optional<std::uint32_t> RightsOf(const Cpu& cpu, std::uint16_t selector) {
  const auto entry = FindVisible(cpu, selector);
  if (!entry) return std::nullopt;
  return entry->rights();
}
std::optional<std::uint32_t> LimitOf(const Cpu& cpu, std::uint16_t selector) {
  const auto entry = FindVisible(cpu, selector);
  if (!entry) return std::nullopt;
  return entry->limit();
}
std::optional<std::uint32_t> ReadabilityOf(const Cpu& cpu, std::uint16_t selector) {
  const auto entry = FindVisible(cpu, selector);
  if (!entry || !entry->is_readable()) return std::nullopt;
  return 0;
}
std::optional<std::uint32_t> WritabilityOf(const Cpu& cpu, std::uint16_t selector) {
  const auto entry = FindVisible(cpu, selector);
  if (!entry || !entry->is_writable()) return std::nullopt;
  return 0;
}

using Inspect = std::optional<std::uint32_t> (*)(const Cpu& cpu, std::uint16_t selector);

// W: the register that gets what was found; void where there is none.
template <Inspect inspect, typename W>
struct InspectBodies {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, std::uint16_t selector,
                                                  const Uop* next) {
    const auto found = inspect(c.cpu, selector);
    if constexpr (!std::is_void_v<W>) {
      if (found) WriteGpr<W>(c.cpu, c.uop->a, static_cast<W>(*found));
    }
    SetZf(c.cpu.lazy, found.has_value());
    return next;
  }
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return Finish(c, ReadGpr<std::uint16_t>(c.cpu, c.uop->b), c.Next());
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      std::uint16_t selector;
      if (!c.Load(Address::Of(c), selector)) [[unlikely]]
        return c.Missed();
      return Finish(c, selector, c.template Next<Address::kUnits>());
    }
  };
};
template <typename Bodies>
bool EmitInspect(Emitter& emitter, const Instruction& in, const ZydisDecodedOperand& selector,
                 std::uint8_t to) {
  if (IsMemory(selector)) {
    emitter.EmitMemory(kGeneralHandler<Bodies::template Memory>, in, selector, to);
  } else {
    emitter.Emit(kHandler<typename Bodies::Register>, {.a = to, .b = GprSlot(selector.reg.value)});
  }
  return true;
}
template <Inspect inspect>
bool InspectToRegister(Emitter& emitter, const Instruction& in) {
  return ForWideWidth(in.operands[0].size, [&]<typename W>(W) {
    return EmitInspect<InspectBodies<inspect, W>>(emitter, in, in.operands[1],
                                                  GprSlot(in.operands[0].reg.value));
  });
}
template <Inspect inspect>
bool InspectOnly(Emitter& emitter, const Instruction& in) {
  return EmitInspect<InspectBodies<inspect, void>>(emitter, in, in.operands[0], 0);
}

// --- SGDT, SIDT, SLDT, STR, SMSW. What these would show is the kernel's. Linux forbids them where
// the CPU can (UMIP) and gives the guest made-up values instead: arch/x86/kernel/umip.c. The same
// values here, without the detour ---

constexpr std::uint64_t kDummyGdtBase = 0xffff'ffff'fffe'0000;
constexpr std::uint64_t kDummyIdtBase = 0xffff'ffff'ffff'0000;
constexpr std::int32_t kTaskSelector = 0x40;                               // GDT_ENTRY_TSS
constexpr auto kControlRegister0 = static_cast<std::int32_t>(0x80050033);  // PE MP ET NE WP AM PG

// A limit of 0 and a base as wide as the mode.
template <std::uint64_t kBase, typename W>
struct StoreTable {
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr address = Address::Of(c);
      if (!c.Writable(address, 2 + sizeof(W))) [[unlikely]]
        return c.Missed();
      c.Commit(address, std::uint16_t{0});
      c.Commit(address + 2, static_cast<W>(kBase));
      return c.template Next<Address::kUnits>();
    }
  };
};
template <std::uint64_t kBase>
bool LowerStoreTable(Emitter& emitter, const Instruction& in) {
  const AddressHandlers& handlers =
      Is32BitCode(in) ? kGeneralHandler<StoreTable<kBase, std::uint32_t>::template Memory>
                      : kGeneralHandler<StoreTable<kBase, std::uint64_t>::template Memory>;
  emitter.EmitMemory(handlers, in, in.operands[0], 0);
  return true;
}
// Memory is 16 bits whatever the operand size.
template <std::int32_t kValue>
bool LowerStoreWord(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& to = in.operands[0];
  if (IsMemory(to)) {
    emitter.EmitMemoryImmediate(
        kImmediateHandlers<MoveBodies<std::uint16_t>::template MemoryImmediate>, in, to, 0,
        static_cast<std::uint32_t>(kValue));
    return true;
  }
  return ForWideWidth(to.size, [&]<typename W>(W) {
    emitter.Emit(kHandler<typename MoveBodies<W>::RegisterWide>, {.a = GprSlot(to.reg.value)},
                 Wide{0, static_cast<std::uint32_t>(kValue)});
    return true;
  });
}

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_LDS, LowerLoadFarPointer<kDs>, kMayRaise},
    {ZYDIS_MNEMONIC_LES, LowerLoadFarPointer<kEs>, kMayRaise},
    {ZYDIS_MNEMONIC_LFS, LowerLoadFarPointer<kFs>, kMayRaise},
    {ZYDIS_MNEMONIC_LGS, LowerLoadFarPointer<kGs>, kMayRaise},
    {ZYDIS_MNEMONIC_LSS, LowerLoadFarPointer<kSs>, kMayRaise},
    {ZYDIS_MNEMONIC_ARPL, LowerAdjustPrivilege},
    {ZYDIS_MNEMONIC_LAR, InspectToRegister<RightsOf>},
    {ZYDIS_MNEMONIC_LSL, InspectToRegister<LimitOf>},
    {ZYDIS_MNEMONIC_VERR, InspectOnly<ReadabilityOf>},
    {ZYDIS_MNEMONIC_VERW, InspectOnly<WritabilityOf>},
    {ZYDIS_MNEMONIC_SGDT, LowerStoreTable<kDummyGdtBase>},
    {ZYDIS_MNEMONIC_SIDT, LowerStoreTable<kDummyIdtBase>},
    {ZYDIS_MNEMONIC_SLDT, LowerStoreWord<0>},
    {ZYDIS_MNEMONIC_STR, LowerStoreWord<kTaskSelector>},
    {ZYDIS_MNEMONIC_SMSW, LowerStoreWord<kControlRegister0>},
};

}  // namespace

std::span<const InstructionRow> SegmentRows() { return kRows; }

bool LowerReadSelector(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& to = in.operands[0];
  const std::uint8_t reg = SegmentRegisterOf(in.operands[1]);
  if (IsMemory(to)) {
    emitter.EmitMemory(kGeneralHandler<ReadToMemory>, in, to, reg);
    return true;
  }
  return ForWideWidth(to.size, [&]<typename W>(W) {
    emitter.Emit(kHandler<ReadToRegister<W>>, {.a = GprSlot(to.reg.value), .b = reg});
    return true;
  });
}

bool LowerLoadSelector(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& from = in.operands[1];
  const std::uint8_t reg = SegmentRegisterOf(in.operands[0]);
  if (IsMemory(from)) {
    emitter.EmitMemory(kGeneralHandler<LoadFromMemory>, in, from, reg);
  } else {
    emitter.Emit(kHandler<LoadFromRegister>, {.a = reg, .b = GprSlot(from.reg.value)});
  }
  return true;
}

bool LowerPushSelector(Emitter& emitter, const Instruction& in) {
  return ForStack(in, [&]<typename W, typename S>(W, S) {
    emitter.Emit(kHandler<PushSelector<W, S>>, {.a = SegmentRegisterOf(in.operands[0])});
    return true;
  });
}

bool LowerPopSelector(Emitter& emitter, const Instruction& in) {
  return ForStack(in, [&]<typename W, typename S>(W, S) {
    emitter.Emit(kHandler<PopSelector<W, S>>, {.a = SegmentRegisterOf(in.operands[0])});
    return true;
  });
}

}  // namespace glovebox::engine::x86
