#include "gdbstub/hex.h"

#include <cstring>

namespace glovebox::gdbstub {
namespace {
constexpr char kDigits[] = "0123456789abcdef";
}

std::optional<std::uint64_t> ParseHex(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : digits) {
    const int digit = HexDigit(c);
    if (digit < 0 || number >> 60 != 0) return std::nullopt;
    number = number << 4 | static_cast<std::uint64_t>(digit);
  }
  return number;
}

std::optional<std::string> ParseHexText(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string text(digits.size() / 2, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = HexDigit(digits[2 * i]);
    const int low = HexDigit(digits[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    text[i] = static_cast<char>(high << 4 | low);
  }
  return text;
}

std::optional<Bytes> ParseHexBytes(std::string_view digits) {
  const auto text = ParseHexText(digits);
  if (!text) return std::nullopt;
  const auto bytes = AsBytes(*text);
  return Bytes(bytes.begin(), bytes.end());
}

void AppendHex(std::string& out, std::span<const std::byte> bytes) {
  const std::size_t start = out.size();
  out.resize(start + 2 * bytes.size());
  // Both digits of a byte at once, and without a table: compilers make vectors of it.
  constexpr unsigned kLetters = 'a' - '0' - 10;
  char* const to = out.data() + start;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const unsigned byte = static_cast<unsigned>(bytes[i]);
    const unsigned digits = (byte >> 4) | (byte & 15) << 8;  // the high one comes first
    const unsigned beyond_9 = (digits + 0x0606) >> 4 & 0x0101;
    const auto pair = static_cast<std::uint16_t>(digits + 0x3030 + beyond_9 * kLetters);
    std::memcpy(to + 2 * i, &pair, sizeof pair);
  }
}

void AppendHex(std::string& out, std::uint64_t number) {
  int shift = 60;
  while (shift > 0 && number >> shift == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) out += kDigits[number >> shift & 15];
}

std::string HexOf(std::string_view text) {
  std::string out;
  AppendHex(out, AsBytes(text));
  return out;
}

std::string HexOf(std::uint64_t number) {
  std::string out;
  AppendHex(out, number);
  return out;
}

}  // namespace glovebox::gdbstub
