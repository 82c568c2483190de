#include "gdbstub/agent/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace glovebox::gdbstub::agent {
namespace {

enum Code : std::uint8_t {
  kIfGoto = 0x20,
  kGoto = 0x21,
  kReg = 0x26,
  kEnd = 0x27,
  kPick = 0x32,
  kPrintf = 0x34
};

const OpcodeRow* Find(std::uint8_t code) {
  const auto rows = Opcodes();
  const auto row = std::ranges::lower_bound(rows, code, {}, &OpcodeRow::code);
  return row == rows.end() || row->code != code ? nullptr : &*row;
}

std::uint64_t BigEndian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | static_cast<std::uint64_t>(byte);
  return value;
}

// One instruction as it stands in the code.
struct Decoded {
  const OpcodeRow* row = nullptr;
  std::size_t at = 0;  // byte offset
  std::uint64_t operand = 0;
  std::size_t needs = 0;  // numbers that must be on the stack
  std::size_t pops = 0;
  std::size_t pushes = 0;
};

}  // namespace

Result<Program, std::string> Program::Verify(std::span<const std::byte> code,
                                             const RegisterLayout& layout) {
  if (code.size() > kMaxProgramBytes) return std::unexpected("the expression is too long");
  Program program;
  std::vector<Decoded> all;
  std::vector<std::uint32_t> index_at(code.size(), UINT32_MAX);
  for (std::size_t at = 0; at < code.size();) {
    Decoded one{Find(static_cast<std::uint8_t>(code[at])), at};
    const auto refuse = [&](std::string_view what) {
      return std::unexpected(
          fmt::format("opcode {:#04x} at {}: {}", static_cast<unsigned>(code[at]), at, what));
    };
    if (one.row == nullptr) return refuse("there is none such");
    if (one.row->semantic == nullptr) return refuse("floats are not computed with");
    std::size_t length = 1U + one.row->operand_bytes;
    if (code.size() - at < length) return refuse("its operand is cut off");
    one.operand = BigEndian(code.subspan(at + 1, one.row->operand_bytes));
    one.needs = one.pops = one.row->pops;
    one.pushes = one.row->pushes;
    if (one.row->code == kReg && one.operand >= layout.rows.size()) return refuse("no register");
    if (one.row->code == kPick) one.needs = one.operand + 1;
    if (one.row->code == kPrintf) {
      if (code.size() - at < 4) return refuse("its operand is cut off");
      const std::size_t text_size = BigEndian(code.subspan(at + 2, 2));
      if (code.size() - at - 4 < text_size) return refuse("its text is cut off");
      std::string text(reinterpret_cast<const char*>(code.data()) + at + 4, text_size);
      text.resize(std::min(text.find('\0'), text.size()));
      length = 4 + text_size;
      one.needs = one.pops = 2 + one.operand;
      program.formats_.push_back({std::move(text), static_cast<std::uint8_t>(one.operand)});
      one.operand = program.formats_.size() - 1;
    }
    index_at[at] = static_cast<std::uint32_t>(all.size());
    all.push_back(one);
    at += length;
  }

  // Jumps go forward only, so one pass in order sees each instruction's height before the
  // instruction itself.
  std::vector<std::optional<std::size_t>> height(all.size() + 1);
  height[0] = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Decoded& one = all[i];
    Instruction instruction{one.row->semantic, one.operand, 0};
    const auto refuse = [&](std::string_view what) {
      return std::unexpected(fmt::format("{} at {}: {}", one.row->name, one.at, what));
    };
    if (height[i]) {  // else nothing leads here
      if (*height[i] < one.needs) return refuse("the stack has too few numbers");
      const std::size_t after = *height[i] - one.pops + one.pushes;
      if (after > kMaxStack) return refuse("the stack grows too high");
      const bool jumps = one.row->code == kIfGoto || one.row->code == kGoto;
      const auto reach = [&](std::size_t target) {
        if (height[target] && *height[target] != after) return false;
        height[target] = after;
        return true;
      };
      if (jumps) {
        if (one.operand <= one.at) return refuse("it jumps back");
        if (one.operand >= code.size() || index_at[one.operand] == UINT32_MAX) {
          return refuse("it jumps to no instruction");
        }
        instruction.target = index_at[one.operand];
        if (!reach(instruction.target)) return refuse("two ways meet with unlike stacks");
      }
      if (one.row->code != kGoto && one.row->code != kEnd && !reach(i + 1)) {
        return refuse("two ways meet with unlike stacks");
      }
    }
    program.instructions_.push_back(instruction);
  }
  if (height[all.size()]) return std::unexpected("the expression has no end");
  return program;
}

}  // namespace glovebox::gdbstub::agent
