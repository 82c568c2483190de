// A piece of code as a list of instructions whose branches know where they lead, so that it can be
// put together and taken apart.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tests/instructions/x86/decoding.h"

namespace glovebox::engine::x86 {

// JMP, CALL, Jcc, LOOP and JRCXZ with a distance.
bool IsRelativeBranch(const DecodedInstruction& instruction);

struct Program {
  struct Piece {
    std::vector<std::uint8_t> bytes;
    DecodedInstruction decoded;
    bool is_branch = false;  // relative, to the piece of index `target` or to the end
    std::size_t target = 0;
  };
  std::vector<Piece> pieces;

  void Add(std::span<const std::uint8_t> bytes, const DecodedInstruction& decoded);
  // What leads to it leads to the next one then.
  void Remove(std::size_t index);
  // Where a distance of 8 bits does not reach, a branch leads to a nearer piece.
  std::vector<std::uint8_t> Assemble() const;
};

// Branches into the middle of an instruction lead behind it.
Program Disassembled(std::span<const std::uint8_t> code,
                     std::span<const DecodedInstruction> instructions);

}  // namespace glovebox::engine::x86
