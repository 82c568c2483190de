// What x87 instructions have in common: the register stack, its faults, and what a raised exception
// does. Intel SDM vol. 1, 8.5. An exception that the guest unmasked leaves its operands alone and
// waits (ES) for the next waiting instruction, which raises #MF.
#pragma once

#include <cstdint>

#include "engine/isa/x86/x87_host.h"

namespace glovebox::engine::x86 {

inline constexpr Float80 kX87DefaultNan{0xC000000000000000, 0xFFFF, {}};
inline constexpr std::uint16_t kX87BeforeResult = kX87Invalid | kX87Denormal | kX87ZeroDivide;
inline constexpr std::uint16_t kX87BeforeStore = kX87Exceptions & ~kX87Precision;

class X87Stack {
 public:
  explicit X87Stack(X87State& state) : state_(state) {}

  bool IsEmpty(unsigned i) const { return state_.IsEmpty(i); }
  const Float80& Get(unsigned i) const { return state_.St(i); }
  void Set(unsigned i, const Float80& value) {
    state_.physical[state_.Physical(i)] = value;
    state_.valid = static_cast<std::uint8_t>(state_.valid | 1 << state_.Physical(i));
  }
  void Free(unsigned i) {
    state_.valid = static_cast<std::uint8_t>(state_.valid & ~(1 << state_.Physical(i)));
  }
  void Pop(unsigned count) {
    for (; count != 0; --count) {
      Free(0);
      state_.top = (state_.top + 1) & 7;
    }
  }

  // Records the exceptions of `raised` and its condition codes under `conditions`. False where an
  // unmasked exception forbids the result in a register.
  bool Record(std::uint16_t raised, std::uint16_t conditions) {
    constexpr std::uint16_t kSticky = kX87Exceptions | kX87StackFault;
    const bool prevented = (raised & kX87BeforeResult & ~state_.control) != 0;
    // What is found before there is a result keeps what follows from one from being raised.
    if (prevented && (raised & kX87StackFault) == 0) {
      raised &= kX87BeforeResult;
      conditions &= kX87C1 | kX87C2;
    }
    state_.status = static_cast<std::uint16_t>((state_.status & ~conditions) |
                                               (raised & (kSticky | conditions)));
    state_.UpdateErrorSummary();
    return !prevented;
  }

  // May a result with these exceptions be stored to memory? An unmasked overflow or underflow
  // forbids that too.
  bool AllowsStore(std::uint16_t raised) const {
    return (raised & kX87BeforeStore & ~state_.control) == 0;
  }

  // A register that was to be read is empty. `conditions` are cleared.
  bool Underflow(std::uint16_t conditions = kX87C1) {
    return Record(kX87Invalid | kX87StackFault, conditions);
  }

  // Pushes what a load gave; the default NaN where there is no room. A denormal is pushed even
  // where that is unmasked.
  void Push(const X87Outcome<Float80>& outcome) {
    if (!IsEmpty(7)) {
      if (Record(kX87Invalid | kX87StackFault | kX87C1, kX87C1)) PushValue(kX87DefaultNan);
    } else if (Record(outcome.status & ~kX87C1, kX87C1) || (outcome.status & kX87Invalid) == 0) {
      PushValue(outcome.value);
    }
  }
  void PushValue(const Float80& value) {
    state_.top = (state_.top - 1) & 7;
    Set(0, value);
  }

 private:
  X87State& state_;
};

}  // namespace glovebox::engine::x86
