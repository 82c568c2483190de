// SSE moves: whole registers, parts of them, streaming and masked stores. Intel SDM vol. 2A and 2B.
#pragma once

#include "engine/isa/x86/sse_shapes.h"
#include "engine/isa/x86/sse_shuffle.h"

namespace glovebox::engine::x86 {

// MOVUPS and the like between registers: all of src.
struct TakeSource {
  static Xmm Apply(Xmm, Xmm src) { return src; }
};
// MOVQ between registers: the low quadword, zero-extended.
struct TakeLowQuad {
  static Xmm Apply(Xmm, Xmm src) { return _mm_move_epi64(src); }
};
// MOVLPS MOVLPD and MOVHPS MOVHPD from memory: one quadword of dst is replaced. MOVHLPS, MOVLHPS
// are in sse_shuffle.h.
struct ReplaceLowQuad {
  static Xmm Apply(Xmm dst, Xmm src) { return MergeLow::Apply<std::uint64_t>(dst, src); }
};
struct ReplaceHighQuad {
  static Xmm Apply(Xmm dst, Xmm src) { return MoveLowToHigh::Apply(dst, src); }
};
// MOVD MOVQ from a general register
struct FromWord {
  static Xmm Apply(Xmm, std::uint32_t src) { return ZeroExtended(src); }
  static Xmm Apply(Xmm, std::uint64_t src) { return ZeroExtended(src); }
};

// m, xmm: lane kLane of type Memory is stored.
template <typename Memory, unsigned kLane, bool kAligned>
struct StoreShape {
  template <typename Address>
  struct Body {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr address = Address::Of(c);
      if (kAligned && (address & 15) != 0) [[unlikely]] {
        return c.Raise(ExceptionKind::kGeneralProtection);
      }
      Memory value;
      std::memcpy(&value, c.cpu.vector[c.uop->a].bytes.data() + kLane * sizeof(Memory),
                  sizeof(Memory));
      if (!c.Store(address, value)) [[unlikely]]
        return c.Missed();
      return c.template Next<Address::kUnits>();
    }
  };
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const auto& [dst, src] = std::tie(instruction.operands[0], instruction.operands[1]);
    if (!IsMemory(dst) || !IsXmm(src)) return false;
    emitter.EmitMemory(kAddressHandlers<Body>, instruction, dst, VectorIndex(src.reg.value));
    return true;
  }
};

// A move in its four forms: between registers by Register, from memory by Load, to memory lane
// kLane.
template <typename Register, typename Load, typename Memory, unsigned kLane = 0,
          bool kAligned = false>
inline constexpr Lower VectorMove = [](Emitter& emitter, const Instruction& instruction) {
  const auto& [dst, src] = std::tie(instruction.operands[0], instruction.operands[1]);
  if (IsMemory(dst)) return StoreShape<Memory, kLane, kAligned>::Lower(emitter, instruction);
  if (IsMemory(src)) return VectorShape<Load, Memory, kAligned>::Lower(emitter, instruction);
  return IsXmm(src) && VectorShape<Register, Memory, kAligned>::Lower(emitter, instruction);
};

template <bool kAligned>
inline constexpr Lower WholeMove = VectorMove<TakeSource, TakeSource, Xmm, 0, kAligned>;

// MOVD, MOVQ with a general register or memory of type Word on one side.
template <typename Word>
struct WordMoveShape {
  struct ToRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      WriteGpr(c.cpu, c.uop->a, ReadVector<Word>(c.cpu, c.uop->b));
      return c.Next();
    }
  };
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const auto& [dst, src] = std::tie(instruction.operands[0], instruction.operands[1]);
    if (IsGpr(src)) return FromGprShape<FromWord>::Lower(emitter, instruction);
    if (!IsGpr(dst)) {
      return VectorMove<TakeLowQuad, TakeSource, Word>(emitter, instruction);
    }
    if (!IsXmm(src)) return false;
    emitter.Emit(kHandler<ToRegister>,
                 {.a = GprSlot(dst.reg.value), .b = VectorIndex(src.reg.value)});
    return true;
  }
};
template <typename Word>
inline constexpr Lower WordMove = &WordMoveShape<Word>::Lower;

// MOVNTI m, r: to the guest an ordinary store.
struct StoreWordShape {
  template <typename Word>
  struct Sized {
    template <typename Address>
    struct Body {
      [[gnu::always_inline]] static const Uop* Run(Context& c) {
        if (!c.Store(Address::Of(c), ReadGpr<Word>(c.cpu, c.uop->a))) [[unlikely]] {
          return c.Missed();
        }
        return c.template Next<Address::kUnits>();
      }
    };
  };
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const auto& [dst, src] = std::tie(instruction.operands[0], instruction.operands[1]);
    const AddressHandlers& handlers = src.size == 64
                                          ? kGeneralHandler<Sized<std::uint64_t>::template Body>
                                          : kGeneralHandler<Sized<std::uint32_t>::template Body>;
    emitter.EmitMemory(handlers, instruction, dst, GprSlot(src.reg.value));
    return true;
  }
};

// MASKMOVDQU: the bytes of xmm `a` whose mask byte in another register is negative, to [DS:RDI].
// All 16 bytes must be writable whatever the mask, which the manual leaves to the CPU.
struct MaskedStoreShape {
  template <typename Address>
  struct Body {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr address = Address::Of(c);
      const Xmm mask =
          ReadVector<Xmm>(c.cpu, static_cast<std::uint8_t>(c.template Second<Wide>().immediate));
      if (!c.Writable(address, sizeof(Xmm))) [[unlikely]]
        return c.Missed();
      const auto selected = AsLanes<std::int8_t>(mask) < 0;
      const auto old = AsLanes<std::int8_t>(c.template At<Xmm>(address));
      const auto src = AsLanes<std::int8_t>(ReadVector<Xmm>(c.cpu, c.uop->a));
      c.Commit(address, AsXmm(selected ? src : old));
      return c.template Next<Address::kUnits>();
    }
  };
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const auto& [src, mask, memory] =
        std::tie(instruction.operands[0], instruction.operands[1], instruction.operands[2]);
    if (!IsXmm(src)) return false;
    emitter.EmitMemory(kGeneralHandler<Body>, instruction, memory, VectorIndex(src.reg.value),
                       VectorIndex(mask.reg.value));
    return true;
  }
};

}  // namespace glovebox::engine::x86
