// What x87 instructions do to the register stack, written once over their semantics (x87_host.h).
// Intel SDM vol. 2A.
#pragma once

#include <cstdint>

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/x87_range.h"
#include "engine/isa/x86/x87_stack.h"
#include "engine/isa/x86/x87_transcendental.h"

namespace glovebox::engine::x86 {

// C3 C2 C0 of an unordered result
inline constexpr std::uint16_t kX87Unordered = kX87C3 | kX87C2 | kX87C0;

// --- Arithmetic ---

// ST(a) = ST(a) op ST(b)
template <typename Semantic>
void X87Arithmetic(Cpu& cpu, const Uop& uop) {
  X87Stack stack(cpu.x87);
  if (stack.IsEmpty(uop.a) || stack.IsEmpty(uop.b)) {
    if (!stack.Underflow()) return;
    stack.Set(uop.a, kX87DefaultNan);
  } else {
    const auto outcome = Semantic::Apply(cpu.x87.control, stack.Get(uop.a), stack.Get(uop.b));
    if (!stack.Record(outcome.status, kX87C1)) return;
    stack.Set(uop.a, outcome.value);
  }
  stack.Pop(uop.c);
}

// FPREM, FPREM1: condition codes say whether it is complete, and the low bits of the quotient;
// where the result is a NaN, C2 and C1 become 0 and the others stay.
template <typename Semantic>
void X87Remainder(Cpu& cpu, const Uop&) {
  constexpr std::uint16_t kCleared = kX87C2 | kX87C1;
  X87Stack stack(cpu.x87);
  if (stack.IsEmpty(0) || stack.IsEmpty(1)) {
    if (stack.Underflow(kCleared)) stack.Set(0, kX87DefaultNan);
    return;
  }
  auto outcome = Semantic::Apply(cpu.x87.control, stack.Get(0), stack.Get(1));
  const bool is_number = (outcome.value.sign_exponent & 0x7FFF) != 0x7FFF;
  if (!is_number) outcome.status &= kX87Exceptions;
  const std::uint16_t conditions = is_number ? std::uint16_t{kX87Conditions} : kCleared;
  if (stack.Record(outcome.status, conditions)) {
    stack.Set(0, outcome.value);
  }
}

// ST0 = ST0 op memory
template <typename Semantic, typename Source>
void X87ArithmeticFromMemory(Cpu& cpu, const Source& src, unsigned) {
  X87Stack stack(cpu.x87);
  if (stack.IsEmpty(0)) {
    if (stack.Underflow()) stack.Set(0, kX87DefaultNan);
    return;
  }
  const auto outcome = Semantic::Apply(cpu.x87.control, stack.Get(0), src);
  if (stack.Record(outcome.status, kX87C1)) stack.Set(0, outcome.value);
}

// ST0 = op ST0
template <typename Semantic>
void X87Unary(Cpu& cpu, const Uop&) {
  X87Stack stack(cpu.x87);
  if (stack.IsEmpty(0)) {
    if (stack.Underflow()) stack.Set(0, kX87DefaultNan);
    return;
  }
  const auto outcome = Semantic::Apply(cpu.x87.control, stack.Get(0));
  if (stack.Record(outcome.status, kX87C1)) stack.Set(0, outcome.value);
}

// FXTRACT: the exponent replaces ST0, the significand is pushed.
inline void X87Extract(Cpu& cpu, const Uop&) {
  X87Stack stack(cpu.x87);
  if (stack.IsEmpty(0) || !stack.IsEmpty(7)) {
    const std::uint16_t overflow = stack.IsEmpty(0) ? 0 : kX87C1;
    if (!stack.Record(kX87Invalid | kX87StackFault | overflow, kX87C1)) return;
    stack.Set(0, kX87DefaultNan);
    stack.PushValue(kX87DefaultNan);
    return;
  }
  const auto exponent = ExtractExponent::Apply(cpu.x87.control, stack.Get(0));
  const auto significand = ExtractSignificand::Apply(cpu.x87.control, stack.Get(0));
  if (!stack.Record(exponent.status, kX87C1)) return;
  stack.Set(0, exponent.value);
  stack.PushValue(significand.value);
}

// FSIN FCOS: C2 says that the operand is out of range and stays.
template <typename Semantic>
void X87OfAngle(Cpu& cpu, const Uop&) {
  constexpr std::uint16_t kCleared = kX87C2 | kX87C1;
  X87Stack stack(cpu.x87);
  if (stack.IsEmpty(0)) {
    if (stack.Underflow(kCleared)) stack.Set(0, kX87DefaultNan);
    return;
  }
  const auto outcome = Semantic::Apply(cpu.x87.control, stack.Get(0));
  if (stack.Record(outcome.status, kCleared)) stack.Set(0, outcome.value);
}

// FSINCOS: the sine replaces ST0, the cosine is pushed. FPTAN: the tangent, and 1.
template <typename First, typename Pushed>
void X87PushOfAngle(Cpu& cpu, const Uop&) {
  constexpr std::uint16_t kCleared = kX87C2 | kX87C1;
  X87Stack stack(cpu.x87);
  if (stack.IsEmpty(0) || !stack.IsEmpty(7)) {
    const std::uint16_t overflow = stack.IsEmpty(0) ? 0 : kX87C1;
    if (!stack.Record(kX87Invalid | kX87StackFault | overflow, kCleared)) return;
    stack.Set(0, kX87DefaultNan);
    stack.PushValue(kX87DefaultNan);
    return;
  }
  const auto first = First::Apply(cpu.x87.control, stack.Get(0));
  const auto pushed = Pushed::Apply(cpu.x87.control, stack.Get(0));
  const bool out_of_range = (first.status & kX87C2) != 0;
  const auto both = static_cast<std::uint16_t>(first.status | (pushed.status & kX87Exceptions));
  if (!stack.Record(both, kCleared) || out_of_range) return;
  stack.Set(0, first.value);
  stack.PushValue(pushed.value);
}
// What FPTAN pushes: 1, or the NaN that the tangent is (an infinity's too, as of a difference).
struct OneOrNan {
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& x) {
    const auto difference = Fsub::Apply(control, x, x);
    const bool is_nan = (difference.value.sign_exponent & 0x7FFF) == 0x7FFF;
    return {is_nan ? difference.value : Fld1::Apply(control).value, 0};
  }
};

// ST1 = f(ST1, ST0), and ST0 is popped.
template <typename Semantic>
void X87OfTwo(Cpu& cpu, const Uop&) {
  X87Stack stack(cpu.x87);
  if (stack.IsEmpty(0) || stack.IsEmpty(1)) {
    if (!stack.Underflow()) return;
    stack.Set(1, kX87DefaultNan);
  } else {
    const auto outcome = Semantic::Apply(cpu.x87.control, stack.Get(1), stack.Get(0));
    if (!stack.Record(outcome.status, kX87C1)) return;
    stack.Set(1, outcome.value);
  }
  stack.Pop(1);
}

// --- Comparison ---

// Records a comparison's exceptions; false where it does not complete, but `order` is there even
// then, as on hardware.
template <typename Semantic, typename... Source>
bool X87Order(X87State& state, bool empty, std::uint16_t& order, const Source&... src) {
  X87Stack stack(state);
  if (empty) {
    order = kX87Unordered;
    return stack.Underflow();
  }
  const auto outcome = Semantic::Apply(state.control, stack.Get(0), src...);
  order = outcome.status & kX87Unordered;
  return stack.Record(outcome.status & ~kX87C1, kX87C1);
}

inline void SetOrder(X87State& state, std::uint16_t order) {
  state.status = static_cast<std::uint16_t>((state.status & ~kX87Unordered) | order);
}

// ST0 with ST(b) into the condition codes
template <typename Semantic>
void X87Compare(Cpu& cpu, const Uop& uop) {
  X87Stack stack(cpu.x87);
  std::uint16_t order = 0;
  const bool empty = stack.IsEmpty(0) || stack.IsEmpty(uop.b);
  const bool completes = X87Order<Semantic>(cpu.x87, empty, order, stack.Get(uop.b));
  SetOrder(cpu.x87, order);
  if (completes) stack.Pop(uop.c);
}

// ST0 with memory
template <typename Semantic, typename Source>
void X87CompareWithMemory(Cpu& cpu, const Source& src, unsigned pops) {
  X87Stack stack(cpu.x87);
  std::uint16_t order = 0;
  const bool completes = X87Order<Semantic>(cpu.x87, stack.IsEmpty(0), order, src);
  SetOrder(cpu.x87, order);
  if (completes) stack.Pop(pops);
}

// FTST: ST0 with 0
inline void X87CompareWithZero(Cpu& cpu, const Uop&) {
  std::uint16_t order = 0;
  X87Order<Ftst>(cpu.x87, cpu.x87.IsEmpty(0), order);
  SetOrder(cpu.x87, order);
}

// FCOMI and its kin: C3 C2 C0 become ZF PF CF; OF SF AF become 0.
template <typename Semantic>
void X87CompareToFlags(Cpu& cpu, const Uop& uop) {
  X87Stack stack(cpu.x87);
  std::uint16_t order = 0;
  const bool empty = stack.IsEmpty(0) || stack.IsEmpty(uop.b);
  const bool completes = X87Order<Semantic>(cpu.x87, empty, order, stack.Get(uop.b));
  cpu.lazy.Set(((order & kX87C3) != 0) * kZf | ((order & kX87C2) != 0) * kPf |
               ((order & kX87C0) != 0) * kCf);
  if (completes) stack.Pop(uop.c);
}

// FXAM: never raises; an empty register has a class of its own (C3 C0), and the sign of what is
// left in it.
inline void X87Examine(Cpu& cpu, const Uop&) {
  const auto outcome = Fxam::Apply(cpu.x87.control, cpu.x87.St(0));
  std::uint16_t conditions = outcome.status & kX87Conditions;
  if (cpu.x87.IsEmpty(0)) conditions = kX87C3 | kX87C0 | (conditions & kX87C1);
  cpu.x87.status = static_cast<std::uint16_t>((cpu.x87.status & ~kX87Conditions) | conditions);
}

// --- Moves ---

template <typename Source>
void X87LoadFromMemory(Cpu& cpu, const Source& src, unsigned) {
  X87Stack(cpu.x87).Push(LoadX87::Apply(cpu.x87.control, src));
}

template <typename Semantic>
void X87LoadConstant(Cpu& cpu, const Uop&) {
  X87Stack(cpu.x87).Push(Semantic::Apply(cpu.x87.control));
}

// FLD ST(b)
inline void X87LoadRegister(Cpu& cpu, const Uop& uop) {
  X87Stack stack(cpu.x87);
  if (!stack.IsEmpty(uop.b)) {
    stack.Push({stack.Get(uop.b), 0});
  } else if (stack.Underflow()) {
    stack.PushValue(kX87DefaultNan);
  }
}

// FST ST(a), FSTP ST(a)
inline void X87StoreRegister(Cpu& cpu, const Uop& uop) {
  X87Stack stack(cpu.x87);
  if (!stack.IsEmpty(0)) {
    stack.Record(0, kX87C1);
    stack.Set(uop.a, stack.Get(0));
  } else {
    if (!stack.Underflow()) return;
    stack.Set(uop.a, kX87DefaultNan);
  }
  stack.Pop(uop.c);
}

// What a store to memory writes. kRounding replaces rounding control where it is not 0 (FISTTP
// truncates).
template <typename Destination, std::uint16_t kRounding = 0>
X87Outcome<Destination> X87StoreToMemory(const Cpu& cpu) {
  const X87State& state = cpu.x87;
  const auto control = static_cast<std::uint16_t>(state.control | kRounding);
  if (!state.IsEmpty(0)) return RangedStore<Destination>::Apply(control, state.St(0));
  auto outcome = StoreX87<Destination>::Apply(control, kX87DefaultNan);
  outcome.status = kX87Invalid | kX87StackFault;
  return outcome;
}

// FXCH: an empty register counts as the default NaN.
inline void X87Exchange(Cpu& cpu, const Uop& uop) {
  X87Stack stack(cpu.x87);
  const bool empty = stack.IsEmpty(0) || stack.IsEmpty(uop.a);
  if (!(empty ? stack.Underflow() : stack.Record(0, kX87C1))) return;
  const Float80 first = stack.IsEmpty(0) ? kX87DefaultNan : stack.Get(0);
  const Float80 other = stack.IsEmpty(uop.a) ? kX87DefaultNan : stack.Get(uop.a);
  stack.Set(0, other);
  stack.Set(uop.a, first);
}

// FCMOVcc: ST0 = ST(b) where Condition(flags)
template <bool (*Condition)(const LazyFlags& flags)>
void X87Move(Cpu& cpu, const Uop& uop) {
  X87Stack stack(cpu.x87);
  if (stack.IsEmpty(0) || stack.IsEmpty(uop.b)) {
    if (stack.Underflow()) stack.Set(0, kX87DefaultNan);
    return;
  }
  stack.Record(0, kX87C1);
  if (Condition(cpu.lazy)) stack.Set(0, stack.Get(uop.b));
}

// --- Control ---

inline void X87Initialise(X87State& state) {
  state.control = kX87ControlReset;
  state.status = 0;
  state.top = 0;
  state.valid = 0;
  state.instruction_pointer = 0;
  state.data_pointer = 0;
  state.opcode = 0;
}
inline void X87ClearExceptions(Cpu& cpu, const Uop&) { cpu.x87.status &= kX87Conditions; }
inline void X87Free(Cpu& cpu, const Uop& uop) { X87Stack(cpu.x87).Free(uop.a); }
inline void X87IncrementTop(Cpu& cpu, const Uop&) {
  cpu.x87.top = (cpu.x87.top + 1) & 7;
  cpu.x87.status = static_cast<std::uint16_t>(cpu.x87.status & ~kX87C1);
}
inline void X87DecrementTop(Cpu& cpu, const Uop&) {
  cpu.x87.top = (cpu.x87.top - 1) & 7;
  cpu.x87.status = static_cast<std::uint16_t>(cpu.x87.status & ~kX87C1);
}
inline void X87Nothing(Cpu&, const Uop&) {}
inline void X87LoadControl(Cpu& cpu, const Integer16& src) { cpu.x87.LoadControl(src.bits); }
inline void X87StatusToAx(Cpu& cpu, const Uop&) {
  WriteGpr<std::uint16_t>(cpu, kRax * 8, cpu.x87.StatusWord());
}

// The environment in memory, of seven words as wide as the operand size. Intel SDM vol. 1, figures
// 8-9 and 8-11: as in protected mode, and in 64-bit mode too. Unused halves are ones.
template <typename Word>
struct X87Environment {
  Word control;
  Word status;
  Word tags;
  Word instruction_pointer;
  Word code_segment;  // with 32-bit words, the opcode in the upper half
  Word data_pointer;
  Word data_segment;
};
static_assert(sizeof(X87Environment<std::uint16_t>) == 14);
static_assert(sizeof(X87Environment<std::uint32_t>) == 28);

template <typename Word>
struct X87Image {
  X87Environment<Word> environment;
  std::array<Real80, 8> st;  // ST0 to ST7
};
static_assert(sizeof(X87Image<std::uint16_t>) == 94);
static_assert(sizeof(X87Image<std::uint32_t>) == 108);

// Two bits a physical register: 0 valid, 1 zero, 2 special, 3 empty.
inline std::uint32_t TagWord(const X87State& state) {
  std::uint32_t tags = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const Float80& x = state.physical[i];
    const int exponent = x.sign_exponent & 0x7FFF;
    std::uint32_t tag = 2;
    if ((state.valid >> i & 1) == 0) {
      tag = 3;
    } else if (exponent == 0 && x.significand == 0) {
      tag = 1;
    } else if (exponent != 0 && exponent != 0x7FFF && x.significand >> 63 != 0) {
      tag = 0;
    }
    tags |= tag << 2 * i;
  }
  return tags;
}

template <typename Word>
void X87SaveEnvironment(const Cpu& cpu, X87Environment<Word>& to) {
  const X87State& x87 = cpu.x87;
  constexpr auto kUnused = static_cast<Word>(~std::uint32_t{0xFFFF});
  to.control = kUnused | x87.control;
  to.status = kUnused | x87.StatusWord();
  to.tags = static_cast<Word>(kUnused | TagWord(x87));
  to.instruction_pointer = static_cast<Word>(x87.instruction_pointer);
  to.code_segment = sizeof(Word) == 4 ? static_cast<Word>(std::uint32_t{x87.opcode} << 16) : 0;
  to.data_pointer = static_cast<Word>(x87.data_pointer);
  to.data_segment = kUnused;
}
template <typename Word>
void X87LoadEnvironment(Cpu& cpu, const X87Environment<Word>& from) {
  X87State& x87 = cpu.x87;
  x87.LoadControl(static_cast<std::uint16_t>(from.control));
  x87.LoadStatus(static_cast<std::uint16_t>(from.status));
  x87.valid = 0;
  for (unsigned i = 0; i < 8; ++i) {
    if ((from.tags >> 2 * i & 3) != 3) x87.valid = static_cast<std::uint8_t>(x87.valid | 1 << i);
  }
  x87.instruction_pointer = from.instruction_pointer;
  x87.data_pointer = from.data_pointer;
  x87.opcode =
      sizeof(Word) == 4 ? static_cast<std::uint16_t>(from.code_segment >> 16 & kX87OpcodeBits) : 0;
}
// FNSTENV masks all exceptions, and what waited waits no more.
inline void X87MaskAll(X87State& state) {
  state.control |= kX87Exceptions;
  state.UpdateErrorSummary();
}

template <typename Word>
void X87SaveAll(const Cpu& cpu, X87Image<Word>& to) {
  X87SaveEnvironment(cpu, to.environment);
  for (unsigned i = 0; i < 8; ++i) to.st[i] = StoreX87<Real80>::Apply(0, cpu.x87.St(i)).value;
}
template <typename Word>
void X87LoadAll(Cpu& cpu, const X87Image<Word>& from) {
  X87LoadEnvironment(cpu, from.environment);
  for (unsigned i = 0; i < 8; ++i) {
    cpu.x87.physical[cpu.x87.Physical(i)] = LoadX87::Apply(0, from.st[i]).value;
  }
}

inline void X87SaveControl(const Cpu& cpu, Integer16& to) { to.bits = cpu.x87.control; }
inline void X87SaveStatus(const Cpu& cpu, Integer16& to) { to.bits = cpu.x87.StatusWord(); }
inline void X87LeaveAsItIs(X87State&) {}

}  // namespace glovebox::engine::x86
