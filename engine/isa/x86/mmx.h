// MMX: the semantics of packed.h and sse_shuffle.h on the low quadwords, and the registers that
// they share with the x87. Intel SDM vol. 1, 9.5: every MMX instruction but EMMS makes the top 0
// and all registers not empty; one that writes a register fills its sign and exponent with ones.
#pragma once

#include <cstdint>
#include <tuple>

#include "engine/isa/x86/sse_shapes.h"
#include "engine/isa/x86/sse_shuffle.h"
#include "engine/isa/x86/x87_shapes.h"

namespace glovebox::engine::x86 {

inline bool IsMm(const ZydisDecodedOperand& operand) {
  return IsOfClass(operand, ZYDIS_REGCLASS_MMX);
}

[[gnu::always_inline]] inline void EnterMmx(X87State& state) {
  state.top = 0;
  state.valid = 0xFF;
}
[[gnu::always_inline]] inline std::uint64_t ReadMm(const Cpu& cpu, std::uint8_t index) {
  return cpu.x87.physical[index].significand;
}
[[gnu::always_inline]] inline void WriteMm(Cpu& cpu, std::uint8_t index, std::uint64_t value) {
  cpu.x87.physical[index].significand = value;
  cpu.x87.physical[index].sign_exponent = 0xFFFF;
}
[[gnu::always_inline]] inline std::uint64_t LowQuad(Xmm value) {
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(value));
}

// What a semantic of whole registers is on half of them. Lanes that do not meet another lane need
// nothing; an operation that moves lanes between halves says how with ApplyMmx.
template <typename Semantic>
[[gnu::always_inline]] inline Xmm ApplyHalf(Xmm dst, Xmm src) {
  if constexpr (requires { Semantic::ApplyMmx(dst, src); }) {
    return Semantic::ApplyMmx(dst, src);
  } else {
    return Semantic::Apply(dst, src);
  }
}

// mm, mm/m: the forms of Work::Finish(c, src, immediate, next), as XmmSource's.
template <typename Work, typename Memory, bool kImmediate = false,
          X87Wait kMemoryWaits = X87Wait::kYes>
struct MmSource {
  struct FromRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      if (ErrorWaits<X87Wait::kYes>(c)) [[unlikely]]
        return c.Raise(ExceptionKind::kFloatingPoint);
      return Work::Finish(c, ReadMm(c.cpu, c.uop->b), static_cast<std::uint8_t>(c.uop->imm),
                          c.Next());
    }
  };
  template <typename Address>
  struct FromMemory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      if (ErrorWaits<kMemoryWaits>(c)) [[unlikely]]
        return c.Raise(ExceptionKind::kFloatingPoint);
      Memory src;
      if (!c.Load(Address::Of(c), src)) [[unlikely]]
        return c.Missed();
      return Work::Finish(c, std::uint64_t{src},
                          static_cast<std::uint8_t>(c.template Second<Wide>().immediate),
                          c.template Next<Address::kUnits>());
    }
  };
  static bool Lower(Emitter& emitter, const Instruction& instruction, std::uint8_t a) {
    const ZydisDecodedOperand& src = instruction.operands[1];
    std::uint8_t immediate = 0;
    if constexpr (kImmediate) {
      immediate = static_cast<std::uint8_t>(instruction.operands[2].imm.value.u);
    }
    if (IsMm(src)) {
      emitter.Emit(kHandler<FromRegister>,
                   {.imm = immediate, .a = a, .b = VectorIndex(src.reg.value)});
      return true;
    }
    if (!IsMemory(src)) return false;
    emitter.EmitMemory(kGeneralHandler<FromMemory>, instruction, src, a, immediate);
    return true;
  }
};

// mm, mm/m: Semantic::Apply(dst, src) on the low quadwords.
template <typename Semantic, typename Memory>
struct MmxShape {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, std::uint64_t src, std::uint8_t,
                                                  const Uop* next) {
    EnterMmx(c.cpu.x87);
    const Xmm dst = ZeroExtended(ReadMm(c.cpu, c.uop->a));
    WriteMm(c.cpu, c.uop->a, LowQuad(ApplyHalf<Semantic>(dst, ZeroExtended(src))));
    return next;
  }
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    return MmSource<MmxShape, Memory>::Lower(emitter, instruction,
                                             VectorIndex(instruction.operands[0].reg.value));
  }
};

// An instruction that has both forms, on mm and on xmm.
template <typename Semantic, typename MmMemory = std::uint64_t>
inline constexpr Lower VectorOrMmx = [](Emitter& emitter, const Instruction& instruction) {
  return IsMm(instruction.operands[0]) ? MmxShape<Semantic, MmMemory>::Lower(emitter, instruction)
                                       : Vector<Semantic>(emitter, instruction);
};

// mm, mm/m64, imm8: Semantic::ApplyMmx(dst, src, immediate) on the low quadwords.
template <typename Semantic>
struct MmxImmediateShape {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, std::uint64_t src,
                                                  std::uint8_t immediate, const Uop* next) {
    EnterMmx(c.cpu.x87);
    const Xmm dst = ZeroExtended(ReadMm(c.cpu, c.uop->a));
    WriteMm(c.cpu, c.uop->a, LowQuad(Semantic::ApplyMmx(dst, ZeroExtended(src), immediate)));
    return next;
  }
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const ZydisDecodedOperand& dst = instruction.operands[0];
    if (!IsMm(dst)) return VectorImmediate<Semantic>(emitter, instruction);
    return MmSource<MmxImmediateShape, std::uint64_t, true>::Lower(emitter, instruction,
                                                                   VectorIndex(dst.reg.value));
  }
};
template <typename Semantic>
inline constexpr Lower ImmediateOrMmx = &MmxImmediateShape<Semantic>::Lower;

// A shift by lanes on mm or xmm, by a register, memory or an immediate.
template <typename Semantic>
struct MmxShiftShape {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    if (ErrorWaits<X87Wait::kYes>(c)) [[unlikely]]
      return c.Raise(ExceptionKind::kFloatingPoint);
    return MmxShape<Semantic, std::uint64_t>::Finish(c, static_cast<std::uint8_t>(c.uop->imm), 0,
                                                     c.Next());
  }
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const auto& [dst, count] = std::tie(instruction.operands[0], instruction.operands[1]);
    if (!IsMm(dst)) return VectorShiftShape<Semantic>::Lower(emitter, instruction);
    if (!IsImmediate(count)) return MmxShape<Semantic, std::uint64_t>::Lower(emitter, instruction);
    emitter.Emit(kHandler<MmxShiftShape>, {.imm = static_cast<std::uint8_t>(count.imm.value.u),
                                           .a = VectorIndex(dst.reg.value)});
    return true;
  }
};
template <typename Semantic>
inline constexpr Lower ShiftOrMmx = &MmxShiftShape<Semantic>::Lower;

// PSHUFW mm, mm/m64, imm8
struct MmxShuffleShape {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, std::uint64_t src, std::uint8_t order,
                                                  const Uop* next) {
    EnterMmx(c.cpu.x87);
    WriteMm(c.cpu, c.uop->a,
            LowQuad(ShuffleWords<0>::Apply(_mm_setzero_si128(), ZeroExtended(src), order)));
    return next;
  }
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    return MmSource<MmxShuffleShape, std::uint64_t, true>::Lower(
        emitter, instruction, VectorIndex(instruction.operands[0].reg.value));
  }
};

// A move with no memory that touches mm registers: kWork(cpu, uop).
template <void (*kWork)(Cpu& cpu, const Uop& uop)>
struct MmxMove {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    if (ErrorWaits<X87Wait::kYes>(c)) [[unlikely]]
      return c.Raise(ExceptionKind::kFloatingPoint);
    EnterMmx(c.cpu.x87);
    kWork(c.cpu, *c.uop);
    return c.Next();
  }
};
inline void MmToMm(Cpu& cpu, const Uop& uop) { WriteMm(cpu, uop.a, ReadMm(cpu, uop.b)); }
template <typename Word>
void GprToMm(Cpu& cpu, const Uop& uop) {
  WriteMm(cpu, uop.a, ReadGpr<Word>(cpu, uop.b));
}
template <typename Word>
void MmToGpr(Cpu& cpu, const Uop& uop) {
  WriteGpr<Word>(cpu, uop.a, static_cast<Word>(ReadMm(cpu, uop.b)));
}
inline void XmmToMm(Cpu& cpu, const Uop& uop) {
  WriteMm(cpu, uop.a, ReadVector<std::uint64_t>(cpu, uop.b));
}
inline void MmToXmm(Cpu& cpu, const Uop& uop) {
  WriteVector(cpu, uop.a, ZeroExtended(ReadMm(cpu, uop.b)));
}
inline void MmSigns(Cpu& cpu, const Uop& uop) {
  WriteGpr<std::uint32_t>(
      cpu, uop.a, SignMask<std::uint8_t>::Apply<std::uint32_t>(ZeroExtended(ReadMm(cpu, uop.b))));
}
inline void MmInsertWord(Cpu& cpu, const Uop& uop) {
  const Xmm dst = ZeroExtended(ReadMm(cpu, uop.a));
  WriteMm(cpu, uop.a,
          LowQuad(InsertLane::Apply(dst, ReadGpr<std::uint16_t>(cpu, uop.b),
                                    static_cast<std::uint8_t>(uop.imm & 3))));
}
inline void MmExtractWord(Cpu& cpu, const Uop& uop) {
  const Xmm src = ZeroExtended(ReadMm(cpu, uop.b));
  WriteGpr<std::uint32_t>(
      cpu, uop.a, ExtractLane::Apply<std::uint16_t>(src, static_cast<std::uint8_t>(uop.imm & 3)));
}

inline std::uint8_t AnyRegister(const ZydisDecodedOperand& operand) {
  return IsGpr(operand) ? GprSlot(operand.reg.value) : VectorIndex(operand.reg.value);
}
// Registers only; an immediate where there is one.
template <void (*kWork)(Cpu& cpu, const Uop& uop)>
bool LowerMmxMove(Emitter& emitter, const Instruction& instruction) {
  const auto& [dst, src, third] =
      std::tie(instruction.operands[0], instruction.operands[1], instruction.operands[2]);
  emitter.Emit(kHandler<MmxMove<kWork>>,
               {.imm = IsImmediate(third) ? static_cast<std::int32_t>(third.imm.value.u) : 0,
                .a = AnyRegister(dst),
                .b = AnyRegister(src)});
  return true;
}

// MOVD, MOVQ, PINSRW from memory: Semantic(dst, loaded, immediate) is the new register.
template <typename Memory,
          std::uint64_t (*kMerge)(std::uint64_t dst, Memory src, std::uint8_t immediate)>
struct MmxLoad {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, std::uint64_t src,
                                                  std::uint8_t immediate, const Uop* next) {
    EnterMmx(c.cpu.x87);
    WriteMm(c.cpu, c.uop->a, kMerge(ReadMm(c.cpu, c.uop->a), static_cast<Memory>(src), immediate));
    return next;
  }
};
template <typename Memory>
std::uint64_t TakeLoaded(std::uint64_t, Memory src, std::uint8_t) {
  return src;
}
inline std::uint64_t InsertLoaded(std::uint64_t dst, std::uint16_t src, std::uint8_t index) {
  return LowQuad(InsertLane::Apply(ZeroExtended(dst), src, index & 3));
}

// MOVD, MOVQ, MOVNTQ to memory
template <typename Memory>
struct MmxStore {
  template <typename Address>
  struct Body {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      if (ErrorWaits<X87Wait::kYes>(c)) [[unlikely]]
        return c.Raise(ExceptionKind::kFloatingPoint);
      if (!c.Store(Address::Of(c), static_cast<Memory>(ReadMm(c.cpu, c.uop->a)))) [[unlikely]]
        return c.Missed();
      EnterMmx(c.cpu.x87);
      return c.template Next<Address::kUnits>();
    }
  };
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const auto& [dst, src] = std::tie(instruction.operands[0], instruction.operands[1]);
    emitter.EmitMemory(kGeneralHandler<Body>, instruction, dst, VectorIndex(src.reg.value));
    return true;
  }
};

// MASKMOVQ: as MASKMOVDQU (sse_move.h) on 8 bytes.
template <typename Address>
struct MmxMaskedStore {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    if (ErrorWaits<X87Wait::kYes>(c)) [[unlikely]]
      return c.Raise(ExceptionKind::kFloatingPoint);
    const GuestAddr address = Address::Of(c);
    if (!c.Writable(address, sizeof(std::uint64_t))) [[unlikely]]
      return c.Missed();
    EnterMmx(c.cpu.x87);
    const auto index = static_cast<std::uint8_t>(c.template Second<Wide>().immediate);
    const auto selected = AsLanes<std::int8_t>(ZeroExtended(ReadMm(c.cpu, index))) < 0;
    const auto old = AsLanes<std::int8_t>(ZeroExtended(c.template At<std::uint64_t>(address)));
    const auto src = AsLanes<std::int8_t>(ZeroExtended(ReadMm(c.cpu, c.uop->a)));
    c.Commit(address, LowQuad(AsXmm(selected ? src : old)));
    return c.template Next<Address::kUnits>();
  }
};

// CVTPI2PS, CVTPI2PD: xmm, mm/m64. kKeepsHigh: only the low quadword of xmm is replaced. With an
// operand in memory they leave the x87 alone.
template <typename Semantic, bool kKeepsHigh>
struct FromMmxShape {
  template <bool kMemory>
  struct Work {
    [[gnu::always_inline]] static const Uop* Finish(Context& c, std::uint64_t src, std::uint8_t,
                                                    const Uop* next) {
      Xmm result;
      const Xmm dst = ReadVector<Xmm>(c.cpu, c.uop->a);
      if (!Guarded<Semantic>(c.cpu, [&] { result = Semantic::Apply(dst, ZeroExtended(src)); }))
          [[unlikely]] {
        return c.Raise(ExceptionKind::kFloatingPoint);
      }
      if (!kMemory) EnterMmx(c.cpu.x87);
      WriteVector(c.cpu, c.uop->a,
                  kKeepsHigh ? MergeLow::Apply<std::uint64_t>(dst, result) : result);
      return next;
    }
  };
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const auto lower = IsMemory(instruction.operands[1])
                           ? &MmSource<Work<true>, std::uint64_t, false, X87Wait::kNo>::Lower
                           : &MmSource<Work<false>, std::uint64_t>::Lower;
    return lower(emitter, instruction, VectorIndex(instruction.operands[0].reg.value));
  }
};

// CVTPS2PI CVTTPS2PI CVTPD2PI CVTTPD2PI: mm, xmm/m
template <typename Semantic, typename Memory>
struct ToMmxShape {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, Xmm src, std::uint8_t,
                                                  const Uop* next) {
    Xmm result;
    const Xmm low = sizeof(Memory) == 8 ? _mm_move_epi64(src) : src;
    if (!Guarded<Semantic>(c.cpu, [&] { result = Semantic::Apply(low, low); })) [[unlikely]] {
      return c.Raise(ExceptionKind::kFloatingPoint);
    }
    EnterMmx(c.cpu.x87);
    WriteMm(c.cpu, c.uop->a, LowQuad(result));
    return next;
  }
  using Forms = XmmSource<ToMmxShape, Memory>;
  // What waits comes before what is wrong with the operand.
  template <typename Form>
  struct Waiting {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      if (ErrorWaits<X87Wait::kYes>(c)) [[unlikely]]
        return c.Raise(ExceptionKind::kFloatingPoint);
      return Form::Run(c);
    }
  };
  template <typename Address>
  struct FromMemory : Waiting<typename Forms::template FromMemory<Address>> {};
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const auto& [dst, src] = std::tie(instruction.operands[0], instruction.operands[1]);
    const std::uint8_t a = VectorIndex(dst.reg.value);
    if (IsXmm(src)) {
      emitter.Emit(kHandler<Waiting<typename Forms::FromRegister>>,
                   {.a = a, .b = VectorIndex(src.reg.value)});
    } else {
      emitter.EmitMemory(kGeneralHandler<FromMemory>, instruction, src, a);
    }
    return true;
  }
};

}  // namespace glovebox::engine::x86
