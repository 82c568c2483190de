// Agent expressions: the bytecode that gdb compiles conditions, commands and collections into.
// Source: GDB manual, appendix "The GDB Agent Expression Mechanism".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "gdbstub/architecture.h"

namespace glovebox::gdbstub::agent {

class Machine;  // interpreter.h

// What one opcode does, once it is known to be safe: its operands are popped and pushed without a
// look at the stack's bounds. False: the evaluation ends with an error (Machine says which).
using Semantic = bool (*)(Machine& machine, std::uint64_t operand);

struct OpcodeRow {
  std::uint8_t code;
  const char* name;
  std::uint8_t operand_bytes;  // big-endian, behind the opcode
  std::uint8_t pops;
  std::uint8_t pushes;
  Semantic semantic;  // null: refused, with the reason that nobody computes with floats
};

// Rows by rising code; those that are refused, too.
std::span<const OpcodeRow> Opcodes();

inline constexpr std::size_t kMaxProgramBytes = 65535;  // jumps have 16 bits
inline constexpr std::size_t kMaxStack = 128;           // numbers of 64 bits

// A program that cannot do harm: every opcode and register is known, every jump goes forward to the
// start of an instruction (so it ends after at most as many steps as it has instructions), the
// stack has one height at each place, never below 0 or beyond kMaxStack, and every path ends in
// `end`.
class Program {
 public:
  struct Instruction {
    Semantic semantic = nullptr;
    std::uint64_t operand = 0;
    std::uint32_t target = 0;  // of a jump: index of an instruction
  };
  struct Format {  // of a printf: the text and how many arguments it takes
    std::string text;
    std::uint8_t arguments = 0;
  };

  // Errors: one sentence that names the place.
  static Result<Program, std::string> Verify(std::span<const std::byte> code,
                                             const RegisterLayout& layout);

  std::span<const Instruction> instructions() const { return instructions_; }
  const Format& format(std::size_t index) const { return formats_[index]; }

 private:
  std::vector<Instruction> instructions_;
  std::vector<Format> formats_;
};

}  // namespace glovebox::gdbstub::agent
