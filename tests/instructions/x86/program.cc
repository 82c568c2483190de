#include "tests/instructions/x86/program.h"

#include <algorithm>
#include <cstring>

namespace glovebox::engine::x86 {

bool IsRelativeBranch(const DecodedInstruction& instruction) {
  const ZydisDecodedOperand& first = instruction.operands[0];
  return instruction.info.operand_count != 0 && first.type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
         first.imm.is_relative != 0 && instruction.info.raw.imm[0].offset != 0;
}

void Program::Add(std::span<const std::uint8_t> bytes, const DecodedInstruction& decoded) {
  Piece piece;
  piece.bytes.assign(bytes.begin(), bytes.end());
  piece.decoded = decoded;
  pieces.push_back(std::move(piece));
}

void Program::Remove(std::size_t index) {
  pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(index));
  for (Piece& piece : pieces) {
    if (piece.target > index) --piece.target;
  }
}

std::vector<std::uint8_t> Program::Assemble() const {
  std::vector<std::uint8_t> code;
  std::vector<std::size_t> offsets;
  for (const Piece& piece : pieces) {
    offsets.push_back(code.size());
    code.insert(code.end(), piece.bytes.begin(), piece.bytes.end());
  }
  offsets.push_back(code.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (!pieces[i].is_branch) continue;
    const auto& raw = pieces[i].decoded.info.raw.imm[0];
    std::size_t target = std::min(pieces[i].target, pieces.size());
    const auto distance = [&] {
      return static_cast<std::int64_t>(offsets[target]) - static_cast<std::int64_t>(offsets[i + 1]);
    };
    while (raw.size == 8 && distance() > 127) --target;
    const std::int64_t value = distance();
    std::memcpy(&code[offsets[i] + raw.offset], &value, raw.size / 8);
  }
  return code;
}

Program Disassembled(std::span<const std::uint8_t> code,
                     std::span<const DecodedInstruction> instructions) {
  Program program;
  std::vector<std::int64_t> offsets;
  std::size_t at = 0;
  for (const DecodedInstruction& instruction : instructions) {
    offsets.push_back(static_cast<std::int64_t>(at));
    program.Add(code.subspan(at, instruction.info.length), instruction);
    at += instruction.info.length;
  }
  offsets.push_back(static_cast<std::int64_t>(at));
  for (std::size_t i = 0; i < program.pieces.size(); ++i) {
    Program::Piece& piece = program.pieces[i];
    if (!IsRelativeBranch(piece.decoded)) continue;
    const auto& raw = piece.decoded.info.raw.imm[0];
    std::int64_t distance = 0;
    std::memcpy(&distance, &piece.bytes[raw.offset], raw.size / 8);
    distance = static_cast<std::int64_t>(static_cast<std::uint64_t>(distance) << (64 - raw.size)) >>
               (64 - raw.size);
    const auto target = std::ranges::lower_bound(offsets, offsets[i + 1] + distance);
    piece.is_branch = true;
    piece.target = static_cast<std::size_t>(target - offsets.begin());
  }
  return program;
}

}  // namespace glovebox::engine::x86
