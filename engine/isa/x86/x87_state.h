// The x87 registers of a guest thread. Intel SDM vol. 1, 8.1. MMX registers are the significands.
#pragma once

#include <array>
#include <cstdint>

namespace glovebox::engine::x86 {

// The double extended format as FLD m80 reads it, padded to 16 bytes; the padding is always 0.
struct Float80 {
  std::uint64_t significand = 0;
  std::uint16_t sign_exponent = 0;  // bit 15 is the sign
  std::array<std::uint16_t, 3> padding{};
};

enum X87StatusBit : std::uint16_t {
  kX87Invalid = 1 << 0,
  kX87Denormal = 1 << 1,
  kX87ZeroDivide = 1 << 2,
  kX87Overflow = 1 << 3,
  kX87Underflow = 1 << 4,
  kX87Precision = 1 << 5,
  kX87Exceptions = 0x3F,
  kX87StackFault = 1 << 6,
  kX87ErrorSummary = 1 << 7,  // an unmasked exception waits for the next waiting instruction
  kX87C0 = 1 << 8,
  kX87C1 = 1 << 9,
  kX87C2 = 1 << 10,
  kX87C3 = 1 << 14,
  kX87Conditions = kX87C0 | kX87C1 | kX87C2 | kX87C3,
  kX87Busy = 1 << 15,  // a copy of the error summary since the 387
};

inline constexpr std::uint16_t kX87ControlReset = 0x037F;
inline constexpr std::uint16_t kX87ControlWritable = 0x1F3F;
inline constexpr std::uint16_t kX87ControlOne = 0x0040;  // reserved, reads as one
inline constexpr std::uint16_t kX87OpcodeBits = 0x7FF;
inline constexpr std::uint16_t kX87TopShift = 11;
inline constexpr std::uint16_t kX87Top = 7 << kX87TopShift;

// What a program sees of the last instructions is that of Intel's CPUs since 2013 (CPUID says so:
// cpu_features.cc): every x87 instruction but those of control leaves its address; the opcode and
// the operand's offset are of the last one that raised an unmasked exception (for the offset: and
// had an operand in memory); the selectors are 0. Intel SDM vol. 1, 8.1.8 and 8.1.9.
struct X87State {
  std::array<Float80, 8> physical{};  // by physical number, not by distance from the top
  std::uint64_t instruction_pointer = 0;
  std::uint64_t data_pointer = 0;
  std::uint16_t opcode = 0;  // kX87OpcodeBits
  std::uint16_t control = kX87ControlReset;
  std::uint16_t status = 0;  // without the top of the stack
  std::uint8_t top = 0;      // 0 to 7
  std::uint8_t valid = 0;    // bit i: physical register i is not empty

  unsigned Physical(unsigned distance_from_top) const { return (top + distance_from_top) & 7; }
  bool IsEmpty(unsigned distance_from_top) const {
    return (valid >> Physical(distance_from_top) & 1) == 0;
  }
  const Float80& St(unsigned distance_from_top) const {
    return physical[Physical(distance_from_top)];
  }

  std::uint16_t StatusWord() const {
    return static_cast<std::uint16_t>(status | top << kX87TopShift);
  }
  void LoadControl(std::uint16_t word) {
    control = (word & kX87ControlWritable) | kX87ControlOne;
    UpdateErrorSummary();
  }
  void LoadStatus(std::uint16_t word) {
    status = static_cast<std::uint16_t>(word & ~kX87Top);
    top = (word >> kX87TopShift) & 7;
    UpdateErrorSummary();
  }
  // Intel SDM vol. 1, 8.1.3.3: ES follows from the flags and the masks.
  void UpdateErrorSummary() {
    const bool pending = (status & kX87Exceptions & ~control) != 0;
    constexpr std::uint16_t kBits = kX87ErrorSummary | kX87Busy;
    status = static_cast<std::uint16_t>(pending ? status | kBits : status & ~kBits);
  }
};

}  // namespace glovebox::engine::x86
