// The shapes of VEX-encoded instructions (Intel SDM vol. 2A, 2.3): a destination apart from the
// sources, 128 or 256 bits, operands in memory aligned or not. What is above the destination's
// bits becomes 0; legacy encodings (sse_shapes.h) keep it.
//
// An operation works on 128 bits and on 256, V being Xmm or Ymm:
//   static V Apply(V first, V second, ...)     the operands as the manual names them, without the
//                                              destination; `first` means nothing where the
//                                              instruction has one source
//   template <typename V> using Memory = ...;  what an operand in memory is, V where that is absent
//   static bool ApplyInStages(...)             see Computes (sse_shapes.h); Apply is declared only
// The wrappers below make one of a semantic of 128 bits, which is what legacy instructions have.
//
// A Ymm is two Xmm, and every operation of 256 bits is two of 128: AVX is defined so but for what
// crosses lanes, registers of guests are always written 16 bytes at a time (a load of 32 bytes
// behind two stores of 16 waits for the cache), and no host register is left with an upper half
// that legacy SSE then drags along. Rejected: host instructions of 256 bits, for these reasons.
//
// In the uops, `a` is the destination and, four bits higher, the first source; `b` the second.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "engine/isa/x86/emitter.h"
#include "engine/isa/x86/sse_shapes.h"

namespace glovebox::engine::x86 {

struct Ymm {
  Xmm low;
  Xmm high;
};
static_assert(sizeof(Ymm) == sizeof(VectorRegister));

template <>
[[gnu::always_inline]] inline Ymm ReadVector<Ymm>(const Cpu& cpu, std::uint8_t index) {
  const std::byte* const bytes = cpu.vector[index].bytes.data();
  Ymm value;
  std::memcpy(&value.low, bytes, sizeof(Xmm));
  std::memcpy(&value.high, bytes + sizeof(Xmm), sizeof(Xmm));
  return value;
}
// The whole register: zeros above an Xmm.
[[gnu::always_inline]] inline void WriteWhole(Cpu& cpu, std::uint8_t index, Ymm value) {
  std::byte* const bytes = cpu.vector[index].bytes.data();
  std::memcpy(bytes, &value.low, sizeof(Xmm));
  std::memcpy(bytes + sizeof(Xmm), &value.high, sizeof(Xmm));
}
[[gnu::always_inline]] inline void WriteWhole(Cpu& cpu, std::uint8_t index, Xmm value) {
  WriteVector(cpu, index, value);
  ClearUpperVector(cpu, index);
}

template <typename V>
[[gnu::always_inline]] inline V ZeroVector() {
  if constexpr (std::is_same_v<V, Ymm>)
    return {_mm_setzero_si128(), _mm_setzero_si128()};
  else
    return _mm_setzero_si128();
}

// What an operand in memory, which may be narrower, is as a vector.
template <typename V, typename Memory>
[[gnu::always_inline]] inline V AsVector(Memory value) {
  if constexpr (std::is_same_v<V, Memory>)
    return value;
  else if constexpr (std::is_same_v<V, Ymm>)
    return {AsVector<Xmm>(value), _mm_setzero_si128()};
  else if constexpr (sizeof(Memory) < 4)
    return ZeroExtended(std::uint32_t{value});
  else
    return ZeroExtended(value);
}

// --- From semantics of 128 bits to operations ---

struct RaisesNoFloat {};
// Of results that may be out of range (sse_range.h) too, in each lane of 128 bits.
template <typename Semantic>
struct RaisesAs : RaisesFloat {
  template <std::same_as<Xmm>... Vectors>
    requires HasRange<Semantic, Vectors...>
  [[gnu::always_inline]] static std::uint32_t RangeFlags(RangeQuestion& question,
                                                         Vectors... vectors) {
    return Semantic::RangeFlags(question, vectors...);
  }
  template <std::same_as<Ymm>... Vectors>
    requires HasRange<Semantic, decltype(Vectors::low)...>
  [[gnu::always_inline]] static std::uint32_t RangeFlags(RangeQuestion& question,
                                                         Vectors... vectors) {
    return Semantic::RangeFlags(question, vectors.low...) |
           Semantic::RangeFlags(question, vectors.high...);
  }
};
template <typename Semantic>
using Raising = std::conditional_t<kRaisesFloat<Semantic>, RaisesAs<Semantic>, RaisesNoFloat>;

// Each lane of 128 bits by itself; further arguments (immediates) go to both.
template <typename Semantic>
struct PerLane : Raising<Semantic> {
  template <typename... More>
  [[gnu::always_inline]] static Xmm Apply(Xmm first, Xmm second, More... more) {
    return Semantic::Apply(first, second, more...);
  }
  template <typename... More>
  [[gnu::always_inline]] static Ymm Apply(Ymm first, Ymm second, More... more) {
    return {Semantic::Apply(first.low, second.low, more...),
            Semantic::Apply(first.high, second.high, more...)};
  }
};

// The same, but the high lane's part of the immediate lies kBits higher.
template <typename Semantic, int kBits>
struct PerLaneImmediate : Raising<Semantic> {
  [[gnu::always_inline]] static Xmm Apply(Xmm first, Xmm second, std::uint8_t immediate) {
    return Semantic::Apply(first, second, immediate);
  }
  [[gnu::always_inline]] static Ymm Apply(Ymm first, Ymm second, std::uint8_t immediate) {
    return {
        Semantic::Apply(first.low, second.low, immediate),
        Semantic::Apply(first.high, second.high, static_cast<std::uint8_t>(immediate >> kBits))};
  }
};

// Three vectors, each lane of 128 bits by itself.
template <typename Semantic>
struct PerLaneOfThree : Raising<Semantic> {
  [[gnu::always_inline]] static Xmm Apply(Xmm a, Xmm b, Xmm c) { return Semantic::Apply(a, b, c); }
  [[gnu::always_inline]] static Ymm Apply(Ymm a, Ymm b, Ymm c) {
    return {Semantic::Apply(a.low, b.low, c.low), Semantic::Apply(a.high, b.high, c.high)};
  }
};

// One element of type Lane; the rest of the lower half from `first`. VEX.L is ignored.
template <typename Semantic, typename Lane>
struct Scalar : Raising<Semantic> {
  static constexpr bool kIgnoresLength = true;
  template <typename V>
  using Memory = Lane;
  template <typename... More>
  [[gnu::always_inline]] static Xmm Apply(Xmm first, Xmm second, More... more) {
    return Semantic::Apply(first, second, more...);
  }
};

// What has no form of 256 bits.
template <typename Semantic>
struct OneLane : Raising<Semantic> {
  template <typename... More>
  [[gnu::always_inline]] static Xmm Apply(Xmm first, Xmm second, More... more) {
    return Semantic::Apply(first, second, more...);
  }
};

template <int kBytes>
using UnsignedOfBytes =
    std::conditional_t<kBytes == 2, std::uint16_t,
                       std::conditional_t<kBytes == 4, std::uint32_t,
                                          std::conditional_t<kBytes == 8, std::uint64_t, Xmm>>>;

// A lane of 128 bits from the low kBytes of the source: conversions to wider elements.
template <typename Semantic, int kBytes>
struct Widening : Raising<Semantic> {
  template <typename V>
  using Memory = UnsignedOfBytes<std::is_same_v<V, Ymm> ? 2 * kBytes : kBytes>;
  [[gnu::always_inline]] static Xmm Apply(Xmm first, Xmm second) {
    return Semantic::Apply(first, second);
  }
  [[gnu::always_inline]] static Ymm Apply(Ymm first, Ymm second) {
    return {Semantic::Apply(first.low, second.low),
            Semantic::Apply(first.low, _mm_srli_si128(second.low, kBytes))};
  }
};

// Half as wide as the source: conversions to narrower elements. The upper half becomes 0.
template <typename Semantic>
struct Narrowing : Raising<Semantic> {
  [[gnu::always_inline]] static Xmm Apply(Xmm first, Xmm second) {
    return Semantic::Apply(first, second);
  }
  [[gnu::always_inline]] static Xmm Apply(Ymm first, Ymm second) {
    return _mm_unpacklo_epi64(Semantic::Apply(first.low, second.low),
                              Semantic::Apply(first.low, second.high));
  }
};

// Shifts: one count, in an xmm register or 16 bytes of memory, for all lanes.
template <typename Semantic>
struct ByOneCount {
  template <typename V>
  using Memory = Xmm;
  [[gnu::always_inline]] static Xmm Apply(Xmm first, Xmm count) {
    return Semantic::Apply(first, count);
  }
  [[gnu::always_inline]] static Ymm Apply(Ymm first, Ymm count) {
    return {Semantic::Apply(first.low, count.low), Semantic::Apply(first.high, count.low)};
  }
};

// --- Operands ---

template <typename Operation, typename V>
struct MemoryOperand {
  using Type = V;
};
template <typename Operation, typename V>
  requires requires { typename Operation::template Memory<V>; }
struct MemoryOperand<Operation, V> {
  using Type = typename Operation::template Memory<V>;
};

constexpr std::uint8_t PackRegisters(std::uint8_t destination, std::uint8_t first) {
  return static_cast<std::uint8_t>(destination | first << 4);
}
[[gnu::always_inline]] inline std::uint8_t DestinationOf(const Uop& uop) { return uop.a & 15; }
[[gnu::always_inline]] inline std::uint8_t FirstSourceOf(const Uop& uop) { return uop.a >> 4; }

// The operands as Zydis lists them: destination, sources, immediate.
struct VexOperands {
  const ZydisDecodedOperand& destination;
  const ZydisDecodedOperand& first;  // the destination again where there is one source only
  const ZydisDecodedOperand& second;
  const ZydisDecodedOperand* last = nullptr;  // an immediate or a fourth register

  std::uint8_t Registers() const {
    return PackRegisters(VectorIndex(destination.reg.value), VectorIndex(first.reg.value));
  }
};
inline VexOperands VexOperandsOf(const Instruction& instruction, bool has_last) {
  const auto& operands = instruction.operands;
  const int sources = instruction.decoded.operand_count_visible - 1 - (has_last ? 1 : 0);
  const auto at = [&](int index) -> const ZydisDecodedOperand& {
    return operands[static_cast<std::size_t>(index)];
  };
  return {at(0), at(sources == 2 ? 1 : 0), at(sources), has_last ? &at(sources + 1) : nullptr};
}

inline bool Is256(const Instruction& instruction) {
  return instruction.decoded.avx.vector_length == 256;
}

// Calls `visit` with a TypeOf of the vector that the instruction works on. False where the
// operation has no such form.
template <typename T>
struct TypeOf {
  using Type = T;
};
template <bool kHasXmm, bool kHasYmm, typename Visit>
bool ForVector(bool is_256, Visit&& visit) {
  if constexpr (kHasYmm) {
    if (is_256) return visit(TypeOf<Ymm>{});
  }
  if constexpr (kHasXmm) {
    if (!is_256) return visit(TypeOf<Xmm>{});
  }
  return false;
}
template <typename Visit>
bool ForVector(const Instruction& instruction, Visit&& visit) {
  return ForVector<true, true>(Is256(instruction), visit);
}

// The address forms of 64-bit code; what 32-bit code does with VEX goes through the general one.
template <template <typename Address> typename Body>
inline constexpr AddressHandlers kVexHandlers = {.general = kHandler<Body<AddressGeneral>>,
                                                 .base = kHandler<Body<AddressBase>>,
                                                 .base_index = kHandler<Body<AddressBaseIndex>>,
                                                 .absolute = kHandler<Body<AddressAbsolute>>};

// --- The general shape: vector, [vector,] vector or memory [, more] ---

// What follows an operation's sources; With calls `use` with all of its arguments.
struct NoExtra {
  static constexpr bool kPresent = false;
  template <typename V, typename Use>
  [[gnu::always_inline]] static auto With(const Cpu&, V first, V second, std::uint8_t, Use use)
      -> decltype(use(first, second)) {
    return use(first, second);
  }
};
struct ImmediateExtra {
  static constexpr bool kPresent = true;
  template <typename V, typename Use>
  [[gnu::always_inline]] static auto With(const Cpu&, V first, V second, std::uint8_t extra,
                                          Use use) -> decltype(use(first, second, extra)) {
    return use(first, second, extra);
  }
  static std::uint8_t Of(const ZydisDecodedOperand& last) {
    return static_cast<std::uint8_t>(last.imm.value.u);
  }
};
// A fourth register, in the immediate's high bits ("is4").
struct RegisterExtra {
  static constexpr bool kPresent = true;
  template <typename V, typename Use>
  [[gnu::always_inline]] static auto With(const Cpu& cpu, V first, V second, std::uint8_t extra,
                                          Use use) -> decltype(use(first, second, second)) {
    return use(first, second, ReadVector<V>(cpu, extra));
  }
  static std::uint8_t Of(const ZydisDecodedOperand& last) { return VectorIndex(last.reg.value); }
};
// No fourth operand, but the destination is a source too, and the first.
struct DestinationExtra {
  static constexpr bool kPresent = false;
  template <typename V, typename Use>
  [[gnu::always_inline]] static auto With(const Cpu& cpu, V first, V second, std::uint8_t extra,
                                          Use use) -> decltype(use(first, first, second)) {
    return use(ReadVector<V>(cpu, extra), first, second);
  }
};

// Has the operation a form with vectors V and this extra?
template <typename Operation>
struct ApplyOf {
  template <typename... Arguments>
  auto operator()(Arguments... arguments) const -> decltype(Operation::Apply(arguments...));
};
template <typename Operation, typename Extra, typename V>
concept HasForm =
    requires(V v, const Cpu& cpu) { Extra::With(cpu, v, v, std::uint8_t{}, ApplyOf<Operation>{}); };

template <typename Operation, typename V, typename Extra>
struct VexBodies {
  using Memory = typename MemoryOperand<Operation, V>::Type;

  [[gnu::always_inline]] static const Uop* Finish(Context& c, V second, std::uint8_t extra,
                                                  const Uop* next) {
    const V first = ReadVector<V>(c.cpu, FirstSourceOf(*c.uop));
    if constexpr (std::is_same_v<Extra, DestinationExtra>) extra = DestinationOf(*c.uop);
    const auto compute = [&] [[gnu::always_inline]] (auto... arguments) {
      decltype(Operation::Apply(arguments...)) result;
      if (!Computes<Operation>(c.cpu, result, arguments...)) [[unlikely]]
        return c.Raise(ExceptionKind::kFloatingPoint);
      WriteWhole(c.cpu, DestinationOf(*c.uop), result);
      return next;
    };
    return Extra::With(c.cpu, first, second, extra, compute);
  }
  struct FromRegister {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return Finish(c, ReadVector<V>(c.cpu, c.uop->b), c.uop->c, c.Next());
    }
  };
  template <typename Address>
  struct FromMemory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      Memory second;
      if (!c.Load(Address::Of(c), second)) [[unlikely]]
        return c.Missed();
      std::uint8_t extra = 0;
      if constexpr (Extra::kPresent) {
        extra = static_cast<std::uint8_t>(c.template Second<Wide>().immediate);
      }
      return Finish(c, AsVector<V>(second), extra, c.template Next<Address::kUnits>());
    }
  };
};

template <typename Operation, typename Extra>
struct VexShape {
  static constexpr bool kHasXmm = HasForm<Operation, Extra, Xmm>;
  static constexpr bool kHasYmm = HasForm<Operation, Extra, Ymm>;
  static bool Lower(Emitter& emitter, const Instruction& instruction) {
    const VexOperands operands = VexOperandsOf(instruction, Extra::kPresent);
    std::uint8_t extra = 0;
    if constexpr (Extra::kPresent) extra = Extra::Of(*operands.last);
    const bool is_256 = Is256(instruction) && !requires { Operation::kIgnoresLength; };
    return ForVector<kHasXmm, kHasYmm>(is_256, [&]<typename V>(TypeOf<V>) {
      using Bodies = VexBodies<Operation, V, Extra>;
      if (IsRegister(operands.second)) {
        emitter.Emit(
            kHandler<typename Bodies::FromRegister>,
            {.a = operands.Registers(), .b = VectorIndex(operands.second.reg.value), .c = extra});
      } else if constexpr (Extra::kPresent) {
        emitter.EmitMemory(kGeneralHandler<Bodies::template FromMemory>, instruction,
                           operands.second, operands.Registers(), extra);
      } else {
        emitter.EmitMemory(kVexHandlers<Bodies::template FromMemory>, instruction, operands.second,
                           operands.Registers());
      }
      return true;
    });
  }
};

// vector, [vector,] vector/m
template <typename Operation>
inline constexpr Lower Vex = &VexShape<Operation, NoExtra>::Lower;
// vector, [vector,] vector/m, imm8
template <typename Operation>
inline constexpr Lower VexImmediate = &VexShape<Operation, ImmediateExtra>::Lower;
// vector, vector, vector/m, vector
template <typename Operation>
inline constexpr Lower VexFourth = &VexShape<Operation, RegisterExtra>::Lower;
// vector, vector, vector/m, the destination being the third source
template <typename Operation>
inline constexpr Lower VexAccumulate = &VexShape<Operation, DestinationExtra>::Lower;

}  // namespace glovebox::engine::x86
