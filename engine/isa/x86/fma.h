// FMA3 and F16C: host instructions, as in sse_float.h. The digits of an FMA's name say which
// operands are multiplied and which is added, and thereby which NaN wins (Intel SDM vol. 1, 14.5.2
// and table 14-17), so each order is an instruction of its own.
#pragma once

#include <cstdint>
#include <tuple>

#include "engine/isa/x86/vex_shapes.h"

namespace glovebox::engine::x86 {

// The elements of an FMA: what its mnemonic ends with.
enum class FmaOf { kPs, kPd, kSs, kSd };

#define GB_HOST_FMA_OF(mnemonic) \
  asm volatile(mnemonic " %2, %1, %0" : "+x"(destination) : "x"(first), "x"(second))

// What the operations do to the signs of product and addend.
inline constexpr FusedSigns kMultiplyAdd = {};
inline constexpr FusedSigns kMultiplySubtract = {.negate_addend = true};
inline constexpr FusedSigns kNegatedMultiplyAdd = {.negate_product = true};
inline constexpr FusedSigns kNegatedMultiplySubtract = {.negate_product = true,
                                                        .negate_addend = true};
inline constexpr FusedSigns kMultiplyAddSubtract = {.negate_addend = true, .alternate = true};
inline constexpr FusedSigns kMultiplySubtractAdd = {.alternate = true};

// Results out of range, by the order of operands: two factors, then the addend.
template <FmaOf kOf, FusedSigns kSigns>
[[gnu::always_inline]] inline std::uint32_t FusedFlags(RangeQuestion& question, Xmm a, Xmm b,
                                                       Xmm c) {
  constexpr bool kDoubles = kOf == FmaOf::kPd || kOf == FmaOf::kSd;
  constexpr bool kScalar = kOf == FmaOf::kSs || kOf == FmaOf::kSd;
  question.signs = kSigns;
  question.doubles = kDoubles;
  question.lanes = kScalar ? 1 : kDoubles ? 2 : 4;
  question.operands = {std::bit_cast<RangeQuestion::Vector>(a),
                       std::bit_cast<RangeQuestion::Vector>(b),
                       std::bit_cast<RangeQuestion::Vector>(c)};
  return CallAside(AnswerFusedRange, question);
}
template <FmaOf kOf, FusedSigns kSigns>
struct Fused132 {
  [[gnu::always_inline]] static std::uint32_t RangeFlags(RangeQuestion& question, Xmm destination,
                                                         Xmm first, Xmm second) {
    return FusedFlags<kOf, kSigns>(question, destination, second, first);
  }
};
template <FmaOf kOf, FusedSigns kSigns>
struct Fused213 {
  [[gnu::always_inline]] static std::uint32_t RangeFlags(RangeQuestion& question, Xmm destination,
                                                         Xmm first, Xmm second) {
    return FusedFlags<kOf, kSigns>(question, destination, first, second);
  }
};
template <FmaOf kOf, FusedSigns kSigns>
struct Fused231 {
  [[gnu::always_inline]] static std::uint32_t RangeFlags(RangeQuestion& question, Xmm destination,
                                                         Xmm first, Xmm second) {
    return FusedFlags<kOf, kSigns>(question, first, second, destination);
  }
};

// One operation in one order.
#define GB_HOST_FMA(Semantic, mnemonic, Order, signs)                                 \
  template <FmaOf kOf>                                                                \
  struct Semantic : RaisesFloat, Order<kOf, signs> {                                  \
    [[gnu::always_inline]] static Xmm Apply(Xmm destination, Xmm first, Xmm second) { \
      if constexpr (kOf == FmaOf::kPs) GB_HOST_FMA_OF(mnemonic "ps");                 \
      if constexpr (kOf == FmaOf::kPd) GB_HOST_FMA_OF(mnemonic "pd");                 \
      if constexpr (kOf == FmaOf::kSs) GB_HOST_FMA_OF(mnemonic "ss");                 \
      if constexpr (kOf == FmaOf::kSd) GB_HOST_FMA_OF(mnemonic "sd");                 \
      return destination;                                                             \
    }                                                                                 \
  }

GB_HOST_FMA(MultiplyAdd132, "vfmadd132", Fused132, kMultiplyAdd);
GB_HOST_FMA(MultiplyAdd213, "vfmadd213", Fused213, kMultiplyAdd);
GB_HOST_FMA(MultiplyAdd231, "vfmadd231", Fused231, kMultiplyAdd);
GB_HOST_FMA(MultiplySubtract132, "vfmsub132", Fused132, kMultiplySubtract);
GB_HOST_FMA(MultiplySubtract213, "vfmsub213", Fused213, kMultiplySubtract);
GB_HOST_FMA(MultiplySubtract231, "vfmsub231", Fused231, kMultiplySubtract);
GB_HOST_FMA(NegatedMultiplyAdd132, "vfnmadd132", Fused132, kNegatedMultiplyAdd);
GB_HOST_FMA(NegatedMultiplyAdd213, "vfnmadd213", Fused213, kNegatedMultiplyAdd);
GB_HOST_FMA(NegatedMultiplyAdd231, "vfnmadd231", Fused231, kNegatedMultiplyAdd);
GB_HOST_FMA(NegatedMultiplySubtract132, "vfnmsub132", Fused132, kNegatedMultiplySubtract);
GB_HOST_FMA(NegatedMultiplySubtract213, "vfnmsub213", Fused213, kNegatedMultiplySubtract);
GB_HOST_FMA(NegatedMultiplySubtract231, "vfnmsub231", Fused231, kNegatedMultiplySubtract);
GB_HOST_FMA(MultiplyAddSubtract132, "vfmaddsub132", Fused132, kMultiplyAddSubtract);
GB_HOST_FMA(MultiplyAddSubtract213, "vfmaddsub213", Fused213, kMultiplyAddSubtract);
GB_HOST_FMA(MultiplyAddSubtract231, "vfmaddsub231", Fused231, kMultiplyAddSubtract);
GB_HOST_FMA(MultiplySubtractAdd132, "vfmsubadd132", Fused132, kMultiplySubtractAdd);
GB_HOST_FMA(MultiplySubtractAdd213, "vfmsubadd213", Fused213, kMultiplySubtractAdd);
GB_HOST_FMA(MultiplySubtractAdd231, "vfmsubadd231", Fused231, kMultiplySubtractAdd);

#undef GB_HOST_FMA
#undef GB_HOST_FMA_OF

// VCVTPH2PS: the low quadword's four halves.
struct CvtPh2Ps : RaisesFloat {
  [[gnu::always_inline]] static Xmm Apply(Xmm, Xmm src) {
    Xmm result;
    asm volatile("vcvtph2ps %1, %0" : "=x"(result) : "x"(src));
    return result;
  }
};

// VCVTPS2PH: four halves in the low quadword, rounded as bits 0 and 1 of the immediate say, or with
// bit 2 as MXCSR does.
struct CvtPs2Ph : RaisesFloat {
  [[gnu::always_inline]] static Xmm Apply(Xmm src, std::uint8_t rounding) {
    Xmm result;
    switch (rounding & 7) {
      case 0:
        asm volatile("vcvtps2ph $0, %1, %0" : "=x"(result) : "x"(src));
        break;
      case 1:
        asm volatile("vcvtps2ph $1, %1, %0" : "=x"(result) : "x"(src));
        break;
      case 2:
        asm volatile("vcvtps2ph $2, %1, %0" : "=x"(result) : "x"(src));
        break;
      case 3:
        asm volatile("vcvtps2ph $3, %1, %0" : "=x"(result) : "x"(src));
        break;
      default:
        asm volatile("vcvtps2ph $4, %1, %0" : "=x"(result) : "x"(src));
    }
    return result;
  }
};

// xmm/m64, xmm, imm8 or xmm/m128, ymm, imm8
template <typename V>
struct ToHalvesBodies {
  // Of four singles their halves in 8 bytes, of eight in 16.
  using Memory = std::conditional_t<sizeof(V) == sizeof(Xmm), std::uint64_t, Xmm>;

  [[gnu::always_inline]] static std::uint32_t OfLane(RangeQuestion& question, Xmm src) {
    question.operands[0] = std::bit_cast<RangeQuestion::Vector>(src);
    return CallAside(AnswerHalfRange, question);
  }
  [[gnu::always_inline]] static std::uint32_t RangeFlags(RangeQuestion& question, V src,
                                                         std::uint8_t rounding) {
    const std::uint32_t mode = (rounding & 4) != 0 ? question.mxcsr >> 13 : rounding;
    question.rounding = static_cast<std::uint8_t>(mode & 3);
    if constexpr (std::is_same_v<V, Xmm>) {
      return OfLane(question, src);
    } else {
      return OfLane(question, src.low) | OfLane(question, src.high);
    }
  }
  // False: #XM is due.
  [[gnu::always_inline]] static bool Converts(Cpu& cpu, Xmm& result, V src, std::uint8_t rounding) {
    return RaisesNothingUnmasked(
        cpu, [&] { result = Convert(src, rounding); },
        [&](RangeQuestion& question) { return RangeFlags(question, src, rounding); });
  }
  [[gnu::always_inline]] static Xmm Convert(V src, std::uint8_t rounding) {
    if constexpr (std::is_same_v<V, Xmm>) {
      return CvtPs2Ph::Apply(src, rounding);
    } else {
      return _mm_unpacklo_epi64(CvtPs2Ph::Apply(src.low, rounding),
                                CvtPs2Ph::Apply(src.high, rounding));
    }
  }
  struct ToRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const V src = ReadVector<V>(c.cpu, c.uop->b);
      Xmm result;
      if (!Converts(c.cpu, result, src, c.uop->c)) [[unlikely]]
        return c.Raise(ExceptionKind::kFloatingPoint);
      WriteWhole(c.cpu, c.uop->a, result);
      return c.Next();
    }
  };
  template <typename Address>
  struct ToMemory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr address = Address::Of(c);
      const V src = ReadVector<V>(c.cpu, c.uop->a);
      const auto rounding = static_cast<std::uint8_t>(c.template Second<Wide>().immediate);
      // Sticky flags are raised even where the store then faults, as on hardware.
      Xmm result;
      if (!Converts(c.cpu, result, src, rounding)) [[unlikely]]
        return c.Raise(ExceptionKind::kFloatingPoint);
      Memory stored;
      std::memcpy(&stored, &result, sizeof(stored));
      if (!c.Store(address, stored)) [[unlikely]]
        return c.Missed();
      return c.template Next<Address::kUnits>();
    }
  };
};

inline constexpr Lower VexToHalves = [](Emitter& emitter, const Instruction& instruction) {
  const auto& [dst, src, last] =
      std::tie(instruction.operands[0], instruction.operands[1], instruction.operands[2]);
  return ForVector(instruction, [&]<typename V>(TypeOf<V>) {
    using Bodies = ToHalvesBodies<V>;
    const std::uint8_t rounding = ImmediateExtra::Of(last);
    if (IsMemory(dst)) {
      emitter.EmitMemory(kGeneralHandler<Bodies::template ToMemory>, instruction, dst,
                         VectorIndex(src.reg.value), rounding);
    } else {
      emitter.Emit(
          kHandler<typename Bodies::ToRegister>,
          {.a = VectorIndex(dst.reg.value), .b = VectorIndex(src.reg.value), .c = rounding});
    }
    return true;
  });
};

}  // namespace glovebox::engine::x86
