// The shapes of SSE instructions: how operands reach a semantic and its result goes back. Legacy
// encodings only: the destination is the first operand, and an operand of 16 bytes in memory must
// be aligned (Intel SDM vol. 1, 11.4.1.1) unless the shape says otherwise.
//
// In the uops, `a` is the destination, or the register of a form with memory; `b` the source.
#pragma once

#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include "engine/isa/x86/emitter.h"
#include "engine/isa/x86/sse_float.h"

namespace glovebox::engine::x86 {

inline bool IsOfClass(const ZydisDecodedOperand& operand, ZydisRegisterClass kind) {
  return IsRegister(operand) && ZydisRegisterGetClass(operand.reg.value) == kind;
}
inline bool IsXmm(const ZydisDecodedOperand& operand) {
  return IsOfClass(operand, ZYDIS_REGCLASS_XMM);
}
inline bool IsGpr(const ZydisDecodedOperand& operand) {
  return IsOfClass(operand, ZYDIS_REGCLASS_GPR32) || IsOfClass(operand, ZYDIS_REGCLASS_GPR64);
}

// What a memory operand of 2, 4, 8 or 16 bytes is as the low part of a register.
[[gnu::always_inline]] inline Xmm ZeroExtended(std::uint16_t value) {
  return _mm_cvtsi32_si128(value);
}
[[gnu::always_inline]] inline Xmm ZeroExtended(std::uint32_t value) {
  return _mm_cvtsi32_si128(static_cast<int>(value));
}
[[gnu::always_inline]] inline Xmm ZeroExtended(std::uint64_t value) {
  return _mm_cvtsi64_si128(static_cast<long long>(value));
}
[[gnu::always_inline]] inline Xmm ZeroExtended(Xmm value) { return value; }

// Computes; false where #XM is due. `range`, if any: see RaisesNothingUnmasked.
template <typename Semantic, typename Compute, typename... Range>
[[gnu::always_inline]] inline bool Guarded(Cpu& cpu, Compute&& compute, Range&&... range) {
  if constexpr (kRaisesFloat<Semantic>) {
    return RaisesNothingUnmasked(cpu, std::forward<Compute>(compute),
                                 std::forward<Range>(range)...);
  } else {
    compute();
    return true;
  }
}

// result = Semantic::Apply(arguments...); false where #XM is due. A semantic of several roundings
// (DPPS) has stages, each of which may be the last.
template <typename Semantic, typename Result, typename... Arguments>
[[gnu::always_inline]] inline bool Computes(Cpu& cpu, Result& result, Arguments... arguments) {
  // Inlined everywhere: a closure whose address is taken would keep its vectors on a stack.
  const auto guarded = [&] [[gnu::always_inline]] (auto&& compute, auto&&... range) {
    return Guarded<Semantic>(cpu, compute, range...);
  };
  if constexpr (requires { Semantic::ApplyInStages(guarded, result, arguments...); }) {
    return Semantic::ApplyInStages(guarded, result, arguments...);
  } else if constexpr (HasRange<Semantic, Arguments...>) {
    return guarded([&] [[gnu::always_inline]] () { result = Semantic::Apply(arguments...); },
                   [&] [[gnu::always_inline]] (RangeQuestion & question) {
                     return Semantic::RangeFlags(question, arguments...);
                   });
  } else {
    return guarded([&] [[gnu::always_inline]] () { result = Semantic::Apply(arguments...); });
  }
}

// The forms of an instruction whose second operand is xmm or memory. Body::Finish(c, src,
// immediate, next) does the rest; the immediate is 0 where the instruction has none.
template <typename Body, typename Memory, bool kImmediate = false,
          bool kAligned = sizeof(Memory) == 16>
struct XmmSource {
  struct FromRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return Body::Finish(c, ReadVector<Xmm>(c.cpu, c.uop->b),
                          static_cast<std::uint8_t>(c.uop->imm), c.Next());
    }
  };
  template <typename Address>
  struct FromMemory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr address = Address::Of(c);
      if (kAligned && (address & 15) != 0) [[unlikely]] {
        return c.Raise(ExceptionKind::kGeneralProtection);
      }
      Memory src;
      if (!c.Load(address, src)) [[unlikely]]
        return c.Missed();
      std::uint8_t immediate = 0;
      if constexpr (kImmediate) {
        immediate = static_cast<std::uint8_t>(c.template Second<Wide>().immediate);
      }
      return Body::Finish(c, ZeroExtended(src), immediate, c.template Next<Address::kUnits>());
    }
  };
  static bool Lower(Emitter& emitter, const Instruction& instruction, std::uint8_t a) {
    const ZydisDecodedOperand& src = instruction.operands[1];
    std::uint8_t immediate = 0;
    if constexpr (kImmediate) {
      immediate = static_cast<std::uint8_t>(instruction.operands[2].imm.value.u);
    }
    if (IsXmm(src)) {
      emitter.Emit(kHandler<FromRegister>,
                   {.imm = immediate, .a = a, .b = VectorIndex(src.reg.value)});
      return true;
    }
    if (!IsMemory(src)) return false;
    if constexpr (kImmediate) {
      emitter.EmitMemory(kGeneralHandler<FromMemory>, instruction, src, a, immediate);
    } else {
      emitter.EmitMemory(kAddressHandlers<FromMemory>, instruction, src, a);
    }
    return true;
  }
};

// The forms of an instruction whose second operand is a general register of type Word, or memory.
// As XmmSource.
template <typename Body, typename Word, typename Memory, bool kImmediate = false>
struct GprSource {
  struct FromRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return Body::Finish(c, ReadGpr<Word>(c.cpu, c.uop->b), static_cast<std::uint8_t>(c.uop->imm),
                          c.Next());
    }
  };
  template <typename Address>
  struct FromMemory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      Memory src;
      if (!c.Load(Address::Of(c), src)) [[unlikely]]
        return c.Missed();
      return Body::Finish(c, static_cast<Word>(src),
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
    if (IsGpr(src)) {
      emitter.Emit(kHandler<FromRegister>, {.imm = immediate, .a = a, .b = GprSlot(src.reg.value)});
      return true;
    }
    if (!IsMemory(src)) return false;
    emitter.EmitMemory(kGeneralHandler<FromMemory>, instruction, src, a, immediate);
    return true;
  }
};

// What Semantic::Apply(arguments...) gives, into the vector register `a`.
template <typename Semantic, typename... Arguments>
[[gnu::always_inline]] inline const Uop* ApplyToVector(Context& c, const Uop* next,
                                                       Arguments... arguments) {
  Xmm result;
  const Xmm dst = ReadVector<Xmm>(c.cpu, c.uop->a);
  if (!Computes<Semantic>(c.cpu, result, dst, arguments...)) [[unlikely]] {
    return c.Raise(ExceptionKind::kFloatingPoint);
  }
  WriteVector(c.cpu, c.uop->a, result);
  return next;
}

// xmm, xmm/m: Semantic::Apply(dst, src).
template <typename Semantic, typename Memory, bool kAligned>
struct VectorShape {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, Xmm src, std::uint8_t,
                                                  const Uop* next) {
    return ApplyToVector<Semantic>(c, next, src);
  }
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const ZydisDecodedOperand& dst = instruction.operands[0];
    return IsXmm(dst) && XmmSource<VectorShape, Memory, false, kAligned>::Lower(
                             emitter, instruction, VectorIndex(dst.reg.value));
  }
};
template <typename Semantic, typename Memory = Xmm>
inline constexpr Lower Vector = &VectorShape<Semantic, Memory, sizeof(Memory) == 16>::Lower;

// xmm, xmm/m, imm8: Semantic::Apply(dst, src, immediate).
template <typename Semantic, typename Memory>
struct VectorImmediateShape {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, Xmm src, std::uint8_t immediate,
                                                  const Uop* next) {
    return ApplyToVector<Semantic>(c, next, src, immediate);
  }
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const ZydisDecodedOperand& dst = instruction.operands[0];
    return IsXmm(dst) && XmmSource<VectorImmediateShape, Memory, true>::Lower(
                             emitter, instruction, VectorIndex(dst.reg.value));
  }
};
template <typename Semantic, typename Memory = Xmm>
inline constexpr Lower VectorImmediate = &VectorImmediateShape<Semantic, Memory>::Lower;

// xmm, imm8: Semantic::Apply(dst, immediate).
template <typename Semantic>
struct ByImmediateShape {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    return ApplyToVector<Semantic>(c, c.Next(), static_cast<std::uint8_t>(c.uop->imm));
  }
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const auto& [dst, immediate] = std::tie(instruction.operands[0], instruction.operands[1]);
    if (!IsXmm(dst)) return false;
    emitter.Emit(
        kHandler<ByImmediateShape>,
        {.imm = static_cast<std::uint8_t>(immediate.imm.value.u), .a = VectorIndex(dst.reg.value)});
    return true;
  }
};
template <typename Semantic>
inline constexpr Lower ByImmediate = &ByImmediateShape<Semantic>::Lower;

// A shift by lanes: xmm, xmm/m128 or xmm, imm8. The count is a vector in either case.
template <typename Semantic>
struct VectorShiftShape {
  static Xmm Apply(Xmm dst, std::uint8_t count) {
    return Semantic::Apply(dst, ZeroExtended(std::uint32_t{count}));
  }
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    if (IsImmediate(instruction.operands[1])) {
      return ByImmediateShape<VectorShiftShape>::Lower(emitter, instruction);
    }
    return VectorShape<Semantic, Xmm, true>::Lower(emitter, instruction);
  }
};
template <typename Semantic>
inline constexpr Lower VectorShift = &VectorShiftShape<Semantic>::Lower;

// r32 or r64, xmm/m: Semantic::Apply<Word>(src).
template <typename Semantic, typename Memory>
struct ToGprShape {
  template <typename Word>
  struct Sized {
    [[gnu::always_inline]] static const Uop* Finish(Context& c, Xmm src, std::uint8_t,
                                                    const Uop* next) {
      Word result;
      if (!Guarded<Semantic>(c.cpu, [&] { result = Semantic::template Apply<Word>(src); }))
          [[unlikely]] {
        return c.Raise(ExceptionKind::kFloatingPoint);
      }
      WriteGpr(c.cpu, c.uop->a, result);
      return next;
    }
    using Forms = XmmSource<Sized, Memory>;
  };
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const ZydisDecodedOperand& dst = instruction.operands[0];
    const auto lower =
        dst.size == 64 ? &Sized<std::uint64_t>::Forms::Lower : &Sized<std::uint32_t>::Forms::Lower;
    return IsGpr(dst) && lower(emitter, instruction, GprSlot(dst.reg.value));
  }
};
template <typename Semantic, typename Memory = Xmm>
inline constexpr Lower ToGpr = &ToGprShape<Semantic, Memory>::Lower;

// xmm, r/m32 or r/m64: Semantic::Apply(dst, word).
template <typename Semantic>
struct FromGprShape {
  template <typename Word>
  struct Sized {
    [[gnu::always_inline]] static const Uop* Finish(Context& c, Word src, std::uint8_t,
                                                    const Uop* next) {
      return ApplyToVector<Semantic>(c, next, src);
    }
    using Forms = GprSource<Sized, Word, Word>;
  };
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const auto& [dst, src] = std::tie(instruction.operands[0], instruction.operands[1]);
    const auto lower =
        src.size == 64 ? &Sized<std::uint64_t>::Forms::Lower : &Sized<std::uint32_t>::Forms::Lower;
    return IsXmm(dst) && lower(emitter, instruction, VectorIndex(dst.reg.value));
  }
};
template <typename Semantic>
inline constexpr Lower FromGpr = &FromGprShape<Semantic>::Lower;

// xmm, r32/m, imm8: Semantic::Apply(dst, lane, immediate); Memory is the lane's type.
template <typename Semantic, typename Memory>
struct InsertShape {
  using Word = std::conditional_t<sizeof(Memory) == 8, std::uint64_t, std::uint32_t>;
  [[gnu::always_inline]] static const Uop* Finish(Context& c, Word src, std::uint8_t immediate,
                                                  const Uop* next) {
    return ApplyToVector<Semantic>(c, next, static_cast<Memory>(src), immediate);
  }
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const ZydisDecodedOperand& dst = instruction.operands[0];
    return IsXmm(dst) && GprSource<InsertShape, Word, Memory, true>::Lower(
                             emitter, instruction, VectorIndex(dst.reg.value));
  }
};
template <typename Semantic, typename Memory>
inline constexpr Lower Insert = &InsertShape<Semantic, Memory>::Lower;

// r32 or r64, xmm, imm8: Semantic::Apply<Lane>(src, immediate), zero-extended.
template <typename Semantic, typename Lane>
struct ExtractShape {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const Lane lane = Semantic::template Apply<Lane>(ReadVector<Xmm>(c.cpu, c.uop->b),
                                                     static_cast<std::uint8_t>(c.uop->imm));
    WriteGpr<std::uint64_t>(c.cpu, c.uop->a, lane);
    return c.Next();
  }
  template <typename Address>
  struct ToMemory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const auto index = static_cast<std::uint8_t>(c.template Second<Wide>().immediate);
      const Lane lane = Semantic::template Apply<Lane>(ReadVector<Xmm>(c.cpu, c.uop->a), index);
      if (!c.Store(Address::Of(c), lane)) [[unlikely]]
        return c.Missed();
      return c.template Next<Address::kUnits>();
    }
  };
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const auto& [dst, src, index] =
        std::tie(instruction.operands[0], instruction.operands[1], instruction.operands[2]);
    if (!IsXmm(src)) return false;
    const auto immediate = static_cast<std::uint8_t>(index.imm.value.u);
    if (IsGpr(dst)) {
      emitter.Emit(
          kHandler<ExtractShape>,
          {.imm = immediate, .a = GprSlot(dst.reg.value), .b = VectorIndex(src.reg.value)});
    } else {
      emitter.EmitMemory(kGeneralHandler<ToMemory>, instruction, dst, VectorIndex(src.reg.value),
                         immediate);
    }
    return true;
  }
};
template <typename Semantic, typename Lane>
inline constexpr Lower Extract = &ExtractShape<Semantic, Lane>::Lower;

// xmm, xmm/m32 or m64: ZF PF CF from Semantic::Apply(dst, src); OF SF AF become 0.
template <typename Semantic, typename Memory>
struct OrderShape {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, Xmm src, std::uint8_t,
                                                  const Uop* next) {
    FloatOrder order;
    const Xmm dst = ReadVector<Xmm>(c.cpu, c.uop->a);
    if (!RaisesNothingUnmasked(c.cpu, [&] { order = Semantic::Apply(dst, src); })) [[unlikely]] {
      return c.Raise(ExceptionKind::kFloatingPoint);
    }
    c.cpu.lazy.Set(order.zero * kZf | order.parity * kPf | order.carry * kCf);
    return next;
  }
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    return XmmSource<OrderShape, Memory>::Lower(emitter, instruction,
                                                VectorIndex(instruction.operands[0].reg.value));
  }
};
template <typename Semantic, typename Memory>
inline constexpr Lower Order = &OrderShape<Semantic, Memory>::Lower;

}  // namespace glovebox::engine::x86
