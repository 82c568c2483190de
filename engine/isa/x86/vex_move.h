// VEX moves: whole registers, parts of them, words, broadcasts, halves of 128 bits, moves under a
// mask. Intel SDM vol. 2A to 2D. Forms that write no vector register are those of sse_move.h and
// sse_shapes.h.
#pragma once

#include <immintrin.h>

#include <array>

#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/sse_move.h"
#include "engine/isa/x86/vex_shapes.h"

namespace glovebox::engine::x86 {

// --- Whole registers ---

template <typename V, bool kAligned>
struct WholeBodies {
  [[gnu::always_inline]] static bool Misaligned(GuestAddr address) {
    return kAligned && (address & (sizeof(V) - 1)) != 0;
  }
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      WriteWhole(c.cpu, c.uop->a, ReadVector<V>(c.cpu, c.uop->b));
      return c.Next();
    }
  };
  template <typename Address>
  struct Load {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr address = Address::Of(c);
      if (Misaligned(address)) [[unlikely]]
        return c.Raise(ExceptionKind::kGeneralProtection);
      V value;
      if (!c.Load(address, value)) [[unlikely]]
        return c.Missed();
      WriteWhole(c.cpu, c.uop->a, value);
      return c.template Next<Address::kUnits>();
    }
  };
  template <typename Address>
  struct Store {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr address = Address::Of(c);
      if (Misaligned(address)) [[unlikely]]
        return c.Raise(ExceptionKind::kGeneralProtection);
      if (!c.Store(address, ReadVector<V>(c.cpu, c.uop->a))) [[unlikely]]
        return c.Missed();
      return c.template Next<Address::kUnits>();
    }
  };
};

// VMOVAPS, VMOVDQA and streaming moves (aligned), VMOVUPS, VMOVDQU, VLDDQU (not)
template <bool kAligned>
inline constexpr Lower VexWholeMove = [](Emitter& emitter, const Instruction& instruction) {
  const auto& [dst, src] = std::tie(instruction.operands[0], instruction.operands[1]);
  return ForVector(instruction, [&]<typename V>(TypeOf<V>) {
    using Bodies = WholeBodies<V, kAligned>;
    if (IsMemory(dst)) {
      emitter.EmitMemory(kVexHandlers<Bodies::template Store>, instruction, dst,
                         VectorIndex(src.reg.value));
    } else if (IsMemory(src)) {
      emitter.EmitMemory(kVexHandlers<Bodies::template Load>, instruction, src,
                         VectorIndex(dst.reg.value));
    } else {
      emitter.Emit(kHandler<typename Bodies::Register>,
                   {.a = VectorIndex(dst.reg.value), .b = VectorIndex(src.reg.value)});
    }
    return true;
  });
};

// --- Parts: VMOVSS VMOVSD VMOVLPS VMOVHPS ... as VectorMove (sse_move.h) ---

template <typename Register, typename Load, typename Memory, unsigned kLane = 0>
inline constexpr Lower VexPartMove = [](Emitter& emitter, const Instruction& instruction) {
  if (IsMemory(instruction.operands[0])) {
    return StoreShape<Memory, kLane, false>::Lower(emitter, instruction);
  }
  const ZydisDecodedOperand& src =
      instruction.operands[instruction.decoded.operand_count_visible - 1u];
  return IsMemory(src) ? Vex<Scalar<Load, Memory>>(emitter, instruction)
                       : Vex<Scalar<Register, Memory>>(emitter, instruction);
};

// --- Words: from general registers and memory ---

// xmm, [xmm,] r/m32 or r/m64 [, imm8]: Semantic::Apply(first, word[, immediate]). Memory is what is
// read; registers are 32 bits wide, or 64.
template <typename Semantic, typename Word, typename Memory, bool kImmediate>
struct VexWordBodies {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, Word word, std::uint8_t immediate,
                                                  const Uop* next) {
    const Xmm first = ReadVector<Xmm>(c.cpu, FirstSourceOf(*c.uop));
    Xmm result;
    const auto compute = [&] {
      if constexpr (kImmediate) {
        result = Semantic::Apply(first, static_cast<Memory>(word), immediate);
      } else {
        result = Semantic::Apply(first, word);
      }
    };
    if (!Guarded<Semantic>(c.cpu, compute)) [[unlikely]]
      return c.Raise(ExceptionKind::kFloatingPoint);
    WriteWhole(c.cpu, DestinationOf(*c.uop), result);
    return next;
  }
  using Forms = GprSource<VexWordBodies, Word, Memory, kImmediate>;
};

template <typename Semantic, typename Word, typename Memory, bool kImmediate>
bool LowerVexWord(Emitter& emitter, const Instruction& instruction) {
  const VexOperands operands = VexOperandsOf(instruction, kImmediate);
  using Bodies = VexWordBodies<Semantic, Word, Memory, kImmediate>;
  const std::uint8_t immediate = kImmediate ? ImmediateExtra::Of(*operands.last) : std::uint8_t{0};
  if (IsGpr(operands.second)) {
    emitter.Emit(
        kHandler<typename Bodies::Forms::FromRegister>,
        {.imm = immediate, .a = operands.Registers(), .b = GprSlot(operands.second.reg.value)});
    return true;
  }
  if (!IsMemory(operands.second)) return false;
  emitter.EmitMemory(kGeneralHandler<Bodies::Forms::template FromMemory>, instruction,
                     operands.second, operands.Registers(), immediate);
  return true;
}

// VCVTSI2SS VCVTSI2SD, VMOVD, VMOVQ
template <typename Semantic>
inline constexpr Lower VexFromGpr = [](Emitter& emitter, const Instruction& instruction) {
  const int size = VexOperandsOf(instruction, false).second.size;
  return size == 64
             ? LowerVexWord<Semantic, std::uint64_t, std::uint64_t, false>(emitter, instruction)
             : LowerVexWord<Semantic, std::uint32_t, std::uint32_t, false>(emitter, instruction);
};
// VPINSRB VPINSRW VPINSRD VPINSRQ
template <typename Semantic, typename Lane>
inline constexpr Lower VexInsert =
    &LowerVexWord<Semantic, std::conditional_t<sizeof(Lane) == 8, std::uint64_t, std::uint32_t>,
                  Lane, true>;

// VMOVD, VMOVQ
template <typename Word>
inline constexpr Lower VexWordMove = [](Emitter& emitter, const Instruction& instruction) {
  const auto& [dst, src] = std::tie(instruction.operands[0], instruction.operands[1]);
  if (IsXmm(dst) && IsXmm(src)) return Vex<Scalar<TakeLowQuad, Word>>(emitter, instruction);
  if (IsXmm(dst)) return VexFromGpr<FromWord>(emitter, instruction);
  return WordMove<Word>(emitter, instruction);
};

// --- Masks to general registers: VMOVMSKPS VMOVMSKPD VPMOVMSKB ---

template <typename Lane>
struct VexSignsShape {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const Ymm src = ReadVector<Ymm>(c.cpu, c.uop->b);
    constexpr int kLanes = sizeof(Xmm) / sizeof(Lane);
    const auto low = SignMask<Lane>::template Apply<std::uint32_t>(src.low);
    const auto high = SignMask<Lane>::template Apply<std::uint32_t>(src.high);
    WriteGpr<std::uint32_t>(c.cpu, c.uop->a, low | high << kLanes);
    return c.Next();
  }
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    if (!Is256(instruction)) return ToGpr<SignMask<Lane>>(emitter, instruction);
    emitter.Emit(kHandler<VexSignsShape>, {.a = GprSlot(instruction.operands[0].reg.value),
                                           .b = VectorIndex(instruction.operands[1].reg.value)});
    return true;
  }
};
template <typename Lane>
inline constexpr Lower VexSigns = &VexSignsShape<Lane>::Lower;

// --- Broadcasts: VBROADCASTSS VBROADCASTSD VBROADCASTF128, VPBROADCASTB ... VBROADCASTI128 ---

template <typename Lane>
struct Broadcast {
  template <typename V>
  using Memory = Lane;
  [[gnu::always_inline]] static Xmm Apply(Xmm, Xmm second) {
    if constexpr (sizeof(Lane) == 1) return _mm_broadcastb_epi8(second);
    if constexpr (sizeof(Lane) == 2) return _mm_broadcastw_epi16(second);
    if constexpr (sizeof(Lane) == 4) return _mm_broadcastd_epi32(second);
    if constexpr (sizeof(Lane) == 8) return _mm_broadcastq_epi64(second);
    if constexpr (sizeof(Lane) == 16) return second;
  }
  [[gnu::always_inline]] static Ymm Apply(Ymm, Ymm second) {
    const Xmm lane = Apply(second.low, second.low);
    return {lane, lane};
  }
};

// --- Halves: VINSERTF128 VINSERTI128, VEXTRACTF128 VEXTRACTI128 ---

struct InsertHalf {
  template <typename V>
  using Memory = Xmm;
  [[gnu::always_inline]] static Ymm Apply(Ymm first, Ymm second, std::uint8_t which) {
    return (which & 1) != 0 ? Ymm{first.low, second.low} : Ymm{second.low, first.high};
  }
};

// xmm/m128, ymm, imm8
struct ExtractHalf {
  [[gnu::always_inline]] static Xmm Half(Ymm value, std::uint8_t which) {
    return (which & 1) != 0 ? value.high : value.low;
  }
  struct ToRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      WriteWhole(c.cpu, c.uop->a, Half(ReadVector<Ymm>(c.cpu, c.uop->b), c.uop->c));
      return c.Next();
    }
  };
  template <typename Address>
  struct ToMemory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const auto which = static_cast<std::uint8_t>(c.template Second<Wide>().immediate);
      if (!c.Store(Address::Of(c), Half(ReadVector<Ymm>(c.cpu, c.uop->a), which))) [[unlikely]]
        return c.Missed();
      return c.template Next<Address::kUnits>();
    }
  };
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const auto& [dst, src, last] =
        std::tie(instruction.operands[0], instruction.operands[1], instruction.operands[2]);
    const std::uint8_t which = ImmediateExtra::Of(last);
    if (IsMemory(dst)) {
      emitter.EmitMemory(kGeneralHandler<ToMemory>, instruction, dst, VectorIndex(src.reg.value),
                         which);
    } else {
      emitter.Emit(kHandler<ToRegister>,
                   {.a = VectorIndex(dst.reg.value), .b = VectorIndex(src.reg.value), .c = which});
    }
    return true;
  }
};

// --- Under a mask: VMASKMOVPS VMASKMOVPD, VPMASKMOVD VPMASKMOVQ ---
// Elements whose mask has no sign are neither read nor written, and cannot fault.

template <typename V, typename Lane>
struct MaskedBodies {
  static constexpr unsigned kLanes = sizeof(V) / sizeof(Lane);
  using Elements = std::array<Lane, kLanes>;
  using Signed = std::make_signed_t<Lane>;

  static Elements ElementsOf(const Cpu& cpu, std::uint8_t index) {
    return std::bit_cast<Elements>(ReadVector<V>(cpu, index));
  }
  // May all elements that the mask names be accessed? The first that may not is noted.
  template <Access kAccess>
  [[gnu::noinline]] static bool Accessible(Context& c, GuestAddr address, const Elements& mask) {
    for (unsigned i = 0; i < kLanes; ++i) {
      if (static_cast<Signed>(mask[i]) >= 0) continue;
      const GuestAddr at = address + i * sizeof(Lane);
      const bool ok =
          kAccess == Access::kWrite ? c.Writable(at, sizeof(Lane)) : c.Readable(at, sizeof(Lane));
      if (!ok) return false;
    }
    return true;
  }

  template <typename Address>
  struct Load {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr address = Address::Of(c);
      const Elements mask = ElementsOf(c.cpu, FirstSourceOf(*c.uop));
      if (!Accessible<Access::kRead>(c, address, mask)) [[unlikely]]
        return c.Missed();
      Elements result{};
      for (unsigned i = 0; i < kLanes; ++i) {
        if (static_cast<Signed>(mask[i]) < 0) {
          result[i] = c.template At<Lane>(address + i * sizeof(Lane));
        }
      }
      WriteWhole(c.cpu, DestinationOf(*c.uop), std::bit_cast<V>(result));
      return c.template Next<Address::kUnits>();
    }
  };
  // `a` is the source, and four bits higher the mask.
  template <typename Address>
  struct Store {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr address = Address::Of(c);
      const Elements mask = ElementsOf(c.cpu, FirstSourceOf(*c.uop));
      if (!Accessible<Access::kWrite>(c, address, mask)) [[unlikely]]
        return c.Missed();
      const Elements source = ElementsOf(c.cpu, DestinationOf(*c.uop));
      for (unsigned i = 0; i < kLanes; ++i) {
        if (static_cast<Signed>(mask[i]) < 0) c.Commit(address + i * sizeof(Lane), source[i]);
      }
      return c.template Next<Address::kUnits>();
    }
  };
};

template <typename Lane>
inline constexpr Lower VexMaskedMove = [](Emitter& emitter, const Instruction& instruction) {
  const auto& [dst, mask, last] =
      std::tie(instruction.operands[0], instruction.operands[1], instruction.operands[2]);
  return ForVector(instruction, [&]<typename V>(TypeOf<V>) {
    using Bodies = MaskedBodies<V, Lane>;
    const std::uint8_t first = VectorIndex(mask.reg.value);
    if (IsMemory(dst)) {
      emitter.EmitMemory(kGeneralHandler<Bodies::template Store>, instruction, dst,
                         PackRegisters(VectorIndex(last.reg.value), first));
    } else {
      emitter.EmitMemory(kGeneralHandler<Bodies::template Load>, instruction, last,
                         PackRegisters(VectorIndex(dst.reg.value), first));
    }
    return true;
  });
};

}  // namespace glovebox::engine::x86
