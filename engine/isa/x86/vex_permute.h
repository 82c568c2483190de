// AVX and AVX2 semantics that have no legacy form: permutations within and across lanes, shifts by
// a count per element, tests. Intel SDM vol. 2C under the names in the
// comments.
#pragma once

#include <immintrin.h>

#include <array>
#include <bit>
#include <cstdint>

#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/vex_shapes.h"

namespace glovebox::engine::x86 {

// VPERMILPS, VPERMILPD, by the low bits of each element of `control` (of VPERMILPD bit 1).
struct PermuteSingles {
  static Xmm Apply(Xmm first, Xmm control) {
    return _mm_castps_si128(_mm_permutevar_ps(_mm_castsi128_ps(first), control));
  }
};
struct PermuteDoubles {
  static Xmm Apply(Xmm first, Xmm control) {
    return _mm_castpd_si128(_mm_permutevar_pd(_mm_castsi128_pd(first), control));
  }
};
// The same by an immediate: VPERMILPS is PSHUFD; VPERMILPD takes a bit per element.
struct PermuteDoublesByImmediate {
  static Xmm Apply(Xmm, Xmm second, std::uint8_t order) {
    return ShufflePd::Apply(second, second, order);
  }
};

// VPERMILPS, VPERMILPD: ByVector where the control is a vector, else ByImmediate.
template <typename ByVector, typename ByImmediateOperation>
inline constexpr Lower VexPermuteInLane = [](Emitter& emitter, const Instruction& instruction) {
  return IsImmediate(instruction.operands[2])
             ? VexImmediate<ByImmediateOperation>(emitter, instruction)
             : Vex<ByVector>(emitter, instruction);
};

// VPERM2F128, VPERM2I128: each half is one of four, or 0.
struct PermuteHalves {
  static Xmm Choose(Ymm first, Ymm second, unsigned control) {
    if ((control & 8) != 0) return _mm_setzero_si128();
    const Ymm from = (control & 2) != 0 ? second : first;
    return (control & 1) != 0 ? from.high : from.low;
  }
  static Ymm Apply(Ymm first, Ymm second, std::uint8_t control) {
    return {Choose(first, second, control & 15u), Choose(first, second, control >> 4u)};
  }
};

// VPERMQ, VPERMPD: two bits of the immediate choose each quadword.
struct PermuteQuads {
  static Ymm Apply(Ymm, Ymm second, std::uint8_t order) {
    using Quads = std::array<std::uint64_t, 4>;
    const auto from = std::bit_cast<Quads>(second);
    return std::bit_cast<Ymm>(
        Quads{from[order & 3], from[order >> 2 & 3], from[order >> 4 & 3], from[order >> 6]});
  }
};

// VPERMD, VPERMPS: the low three bits of each doubleword of the first source choose one of the
// second.
struct PermuteDwords {
  static Ymm Apply(Ymm first, Ymm second) {
    using Dwords = std::array<std::uint32_t, 8>;
    const auto order = std::bit_cast<Dwords>(first);
    const auto from = std::bit_cast<Dwords>(second);
    Dwords to;
    for (unsigned i = 0; i < 8; ++i) to[i] = from[order[i] & 7];
    return std::bit_cast<Ymm>(to);
  }
};

// VPSLLVD VPSLLVQ, VPSRLVD VPSRLVQ, VPSRAVD: counts beyond the width give 0 or all signs.
struct ShiftLeftByElement {
  template <typename Lane>
  static Xmm Apply(Xmm first, Xmm counts) {
    if constexpr (sizeof(Lane) == 4) return _mm_sllv_epi32(first, counts);
    if constexpr (sizeof(Lane) == 8) return _mm_sllv_epi64(first, counts);
  }
};
struct ShiftRightByElement {
  template <typename Lane>
  static Xmm Apply(Xmm first, Xmm counts) {
    if constexpr (std::same_as<Lane, std::uint32_t>) return _mm_srlv_epi32(first, counts);
    if constexpr (std::same_as<Lane, std::uint64_t>) return _mm_srlv_epi64(first, counts);
    if constexpr (std::same_as<Lane, std::int32_t>) return _mm_srav_epi32(first, counts);
  }
};

// A shift by an immediate, which is the last operand: the lanes of `second` move.
template <typename Semantic>
struct ByImmediateCount {
  static Xmm Apply(Xmm, Xmm second, std::uint8_t count) {
    return Semantic::Apply(second, ZeroExtended(std::uint32_t{count}));
  }
};
// VPSLLDQ, VPSRLDQ
template <typename Semantic>
struct ByImmediateBytes {
  static Xmm Apply(Xmm, Xmm second, std::uint8_t bytes) { return Semantic::Apply(second, bytes); }
};
template <typename Semantic>
inline constexpr Lower VexShift = [](Emitter& emitter, const Instruction& instruction) {
  return IsImmediate(instruction.operands[2])
             ? VexImmediate<PerLane<ByImmediateCount<Semantic>>>(emitter, instruction)
             : Vex<ByOneCount<Semantic>>(emitter, instruction);
};

// VPTEST, VTESTPS, VTESTPD: ZF where no bit of `second` is in `first`, CF where no bit of it is
// outside of `first`; of VTEST the signs of elements alone count. The other status flags become 0.
template <typename Lane>
struct VexTestShape {
  template <typename V>
  struct Sized {
    using Quads = std::array<std::uint64_t, sizeof(V) / 8>;
    [[gnu::always_inline]] static const Uop* Finish(Context& c, V second, const Uop* next) {
      constexpr std::uint64_t kWanted = sizeof(Lane) == 4   ? 0x80000000'80000000
                                        : sizeof(Lane) == 8 ? 0x80000000'00000000
                                                            : ~std::uint64_t{0};
      const auto a = std::bit_cast<Quads>(ReadVector<V>(c.cpu, c.uop->a));
      const auto b = std::bit_cast<Quads>(second);
      std::uint64_t inside = 0;
      std::uint64_t outside = 0;
      for (unsigned i = 0; i < a.size(); ++i) {
        inside |= a[i] & b[i] & kWanted;
        outside |= ~a[i] & b[i] & kWanted;
      }
      c.cpu.lazy.Set((inside == 0) * kZf | (outside == 0) * kCf);
      return next;
    }
    struct FromRegister {
      [[gnu::always_inline]] static const Uop* Run(Context& c) {
        return Finish(c, ReadVector<V>(c.cpu, c.uop->b), c.Next());
      }
    };
    template <typename Address>
    struct FromMemory {
      [[gnu::always_inline]] static const Uop* Run(Context& c) {
        V second;
        if (!c.Load(Address::Of(c), second)) [[unlikely]]
          return c.Missed();
        return Finish(c, second, c.template Next<Address::kUnits>());
      }
    };
  };
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const auto& [first, second] = std::tie(instruction.operands[0], instruction.operands[1]);
    return ForVector(instruction, [&]<typename V>(TypeOf<V>) {
      const std::uint8_t a = VectorIndex(first.reg.value);
      if (IsRegister(second)) {
        emitter.Emit(kHandler<typename Sized<V>::FromRegister>,
                     {.a = a, .b = VectorIndex(second.reg.value)});
      } else {
        emitter.EmitMemory(kGeneralHandler<Sized<V>::template FromMemory>, instruction, second, a);
      }
      return true;
    });
  }
};
template <typename Lane>
inline constexpr Lower VexTest = &VexTestShape<Lane>::Lower;

// VZEROALL, VZEROUPPER: registers of the mode, 8 in 32-bit code.
template <bool kLowToo, std::uint8_t kCount>
struct ZeroBody {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    for (std::uint8_t i = 0; i < kCount; ++i) {
      if constexpr (kLowToo) WriteVector(c.cpu, i, _mm_setzero_si128());
      ClearUpperVector(c.cpu, i);
    }
    return c.Next();
  }
};
template <bool kLowToo>
inline constexpr Lower ZeroVectors = [](Emitter& emitter, const Instruction& instruction) {
  emitter.Emit(
      Is32BitCode(instruction) ? kHandler<ZeroBody<kLowToo, 8>> : kHandler<ZeroBody<kLowToo, 16>>,
      {});
  return true;
};

}  // namespace glovebox::engine::x86
