#include "gdbstub/agent/interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace glovebox::gdbstub::agent {

EvalError Machine::Run(const Program& program) {
  program_ = &program;
  const auto instructions = program.instructions();
  depth_ = next_ = 0;
  ended_ = false;
  error_ = EvalError::kNone;
  while (!ended_) {
    const Program::Instruction& instruction = instructions[next_++];
    target_ = instruction.target;
    if (!instruction.semantic(*this, instruction.operand)) return error_;
  }
  return EvalError::kNone;
}

namespace {

constexpr std::size_t kMaxStringBytes = 200;
constexpr std::size_t kMaxFieldWidth = 4096;

// A conversion, taken apart: %[flags][width][.precision][length]letter.
struct Conversion {
  bool left = false, zero = false, alternate = false, plus = false, space = false;
  std::size_t width = 0;
  std::optional<std::size_t> precision;
  unsigned bits = 32;
  char letter = 0;
};

std::size_t TakeNumber(std::string_view& rest) {
  std::size_t number = 0;
  while (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
    number = std::min(number * 10 + static_cast<std::size_t>(rest[0] - '0'), kMaxFieldWidth);
    rest.remove_prefix(1);
  }
  return number;
}

// `rest` stands behind '%'. Empty: the format ends in mid-conversion.
std::optional<Conversion> TakeConversion(std::string_view& rest) {
  Conversion c;
  for (; !rest.empty(); rest.remove_prefix(1)) {
    if (rest[0] == '-')
      c.left = true;
    else if (rest[0] == '0')
      c.zero = true;
    else if (rest[0] == '#')
      c.alternate = true;
    else if (rest[0] == '+')
      c.plus = true;
    else if (rest[0] == ' ')
      c.space = true;
    else
      break;
  }
  c.width = TakeNumber(rest);
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    c.precision = TakeNumber(rest);
  }
  for (; !rest.empty() && std::string_view("hljztq").contains(rest[0]); rest.remove_prefix(1)) {
    c.bits = rest[0] == 'h' ? c.bits / 2 : 64;
  }
  if (rest.empty()) return std::nullopt;
  c.letter = rest[0];
  rest.remove_prefix(1);
  return c;
}

std::string Integer(const Conversion& c, std::uint64_t value) {
  const unsigned spare = 64 - std::max(c.bits, 8U);
  const bool is_signed = c.letter == 'd' || c.letter == 'i';
  const auto extended = static_cast<std::int64_t>(value << spare) >> spare;
  const bool negative = is_signed && extended < 0;
  const std::uint64_t magnitude =
      negative ? 0 - static_cast<std::uint64_t>(extended) : value << spare >> spare;
  std::string digits = c.letter == 'x'   ? fmt::format("{:x}", magnitude)
                       : c.letter == 'X' ? fmt::format("{:X}", magnitude)
                       : c.letter == 'o' ? fmt::format("{:o}", magnitude)
                                         : fmt::format("{}", magnitude);
  std::string sign;
  if (negative)
    sign = "-";
  else if (is_signed && c.plus)
    sign = "+";
  else if (is_signed && c.space)
    sign = " ";
  if (c.alternate && magnitude != 0) {
    if (c.letter == 'x') sign = "0x";
    if (c.letter == 'X') sign = "0X";
    if (c.letter == 'o') sign = "0";
  }
  std::size_t least = c.precision.value_or(1);
  if (c.zero && !c.left && !c.precision && c.width > sign.size()) least = c.width - sign.size();
  if (digits.size() < least) digits.insert(0, least - digits.size(), '0');
  return sign + digits;
}

std::string String(HitView& view, GuestAddr address, std::size_t most) {
  std::string text;
  std::byte byte{};
  while (text.size() < most && view.Read(address + text.size(), std::span(&byte, 1)) &&
         byte != std::byte{0}) {
    text += static_cast<char>(byte);
  }
  return text;
}

std::string Convert(const Conversion& c, std::uint64_t value, HitView& view) {
  switch (c.letter) {
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
    case 'o':
      return Integer(c, value);
    case 'c':
      return std::string(1, static_cast<char>(value));
    case 'p':
      return fmt::format("{:#x}", value);
    case 's':
      return String(view, value, std::min(c.precision.value_or(kMaxStringBytes), kMaxStringBytes));
    default:
      return fmt::format("{:#x}", value);  // a float's bits: nobody here computes with floats
  }
}

}  // namespace

std::string FormatText(std::string_view format, std::span<const std::uint64_t> arguments,
                       HitView& view) {
  std::string out;
  std::size_t used = 0;
  while (!format.empty()) {
    const std::size_t percent = std::min(format.find('%'), format.size());
    out += format.substr(0, percent);
    format.remove_prefix(percent);
    if (format.empty()) break;
    format.remove_prefix(1);
    if (format.starts_with('%')) {
      out += '%';
      format.remove_prefix(1);
      continue;
    }
    const auto conversion = TakeConversion(format);
    if (!conversion) break;
    const std::uint64_t value = used < arguments.size() ? arguments[used++] : 0;
    std::string text = Convert(*conversion, value, view);
    if (text.size() < conversion->width) {
      text.insert(conversion->left ? text.size() : 0, conversion->width - text.size(), ' ');
    }
    out += text;
  }
  return out;
}

}  // namespace glovebox::gdbstub::agent
