// Shapes that only instructions of SSE4 have.
#pragma once

#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/packed_sse4.h"
#include "engine/isa/x86/sse_shapes.h"
#include "engine/isa/x86/string_compare.h"

namespace glovebox::engine::x86 {

// xmm, xmm/m128, <xmm0>: Semantic::Apply(dst, src, xmm0).
template <typename Semantic>
struct ByXmm0Shape {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, Xmm src, std::uint8_t,
                                                  const Uop* next) {
    return ApplyToVector<Semantic>(c, next, src, ReadVector<Xmm>(c.cpu, 0));
  }
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    return XmmSource<ByXmm0Shape, Xmm>::Lower(emitter, instruction,
                                              VectorIndex(instruction.operands[0].reg.value));
  }
};
template <typename Semantic>
inline constexpr Lower ByXmm0 = &ByXmm0Shape<Semantic>::Lower;

// xmm, xmm/m128: ZF and CF from Semantic::Apply(dst, src); the other status flags become 0.
template <typename Semantic>
struct TestShape {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, Xmm src, std::uint8_t,
                                                  const Uop* next) {
    const TestFlags flags = Semantic::Apply(ReadVector<Xmm>(c.cpu, c.uop->a), src);
    c.cpu.lazy.Set(flags.zero * kZf | flags.carry * kCf);
    return next;
  }
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    return XmmSource<TestShape, Xmm>::Lower(emitter, instruction,
                                            VectorIndex(instruction.operands[0].reg.value));
  }
};
template <typename Semantic>
inline constexpr Lower Test = &TestShape<Semantic>::Lower;

// INSERTPS: of an operand in memory there is only one lane to choose.
template <typename Semantic>
inline constexpr Lower InsertFloat = [](Emitter& emitter, const Instruction& instruction) {
  if (!IsMemory(instruction.operands[1])) {
    return VectorImmediate<Semantic>(emitter, instruction);
  }
  Instruction first_lane = instruction;
  first_lane.operands[2].imm.value.u &= 0x3F;
  return VectorImmediate<Semantic, std::uint32_t>(emitter, first_lane);
};

// PCMPxSTRx xmm, xmm/m128, imm8. Length: what RAX and RDX give the lengths as, void where the
// strings end by themselves. kMask: the result goes to XMM0 instead of ECX; kVex: and clears what
// is above. An operand in memory need not be aligned.
template <typename Length, bool kMask, bool kVex>
struct StringCompareShape {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, Xmm src, std::uint8_t control,
                                                  const Uop* next) {
    Compare(c.cpu, ReadVector<Xmm>(c.cpu, c.uop->a), src, control);
    return next;
  }
  using Forms = XmmSource<StringCompareShape, Xmm, /*kImmediate=*/true, /*kAligned=*/false>;

 private:
  [[gnu::noinline]] static void Compare(Cpu& cpu, Xmm dst, Xmm src, std::uint8_t control) {
    const std::uint32_t lanes = StringLanes(control);
    std::uint32_t dst_length = 0;
    std::uint32_t src_length = 0;
    if constexpr (std::is_void_v<Length>) {
      dst_length = ImplicitLength(dst, control);
      src_length = ImplicitLength(src, control);
    } else {
      dst_length = CutLength(ReadGpr<Length>(cpu, kRax * 8), lanes);
      src_length = CutLength(ReadGpr<Length>(cpu, kRdx * 8), lanes);
    }
    const StringComparison result = CompareStrings(dst, dst_length, src, src_length, control);
    if constexpr (kMask) {
      WriteVector(cpu, 0, result.Mask(control));
      if constexpr (kVex) ClearUpperVector(cpu, 0);
    } else {
      WriteGpr(cpu, kRcx * 8, result.Index(control));
    }
    cpu.lazy.Set((result.bits != 0) * kCf | result.ends_src * kZf | result.ends_dst * kSf |
                 (result.bits & 1) * kOf);
  }
};
template <bool kMask, bool kVex = false>
inline constexpr Lower ImplicitStringCompare =
    [](Emitter& emitter, const Instruction& instruction) {
      return StringCompareShape<void, kMask, kVex>::Forms::Lower(
          emitter, instruction, VectorIndex(instruction.operands[0].reg.value));
    };
// The lengths are in RAX and RDX with REX.W or VEX.W, else in EAX and EDX.
template <bool kMask, bool kVex = false>
inline constexpr Lower ExplicitStringCompare =
    [](Emitter& emitter, const Instruction& instruction) {
      const auto& raw = instruction.decoded.raw;
      const bool rex = (instruction.decoded.attributes & ZYDIS_ATTRIB_HAS_REX) != 0;
      const bool wide = kVex ? raw.vex.W != 0 && !Is32BitCode(instruction) : rex && raw.rex.W != 0;
      const auto lower = wide ? &StringCompareShape<std::int64_t, kMask, kVex>::Forms::Lower
                              : &StringCompareShape<std::int32_t, kMask, kVex>::Forms::Lower;
      return lower(emitter, instruction, VectorIndex(instruction.operands[0].reg.value));
    };

}  // namespace glovebox::engine::x86
