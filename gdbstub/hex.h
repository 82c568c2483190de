// Hexadecimal digits, as packets have them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace glovebox::gdbstub {

using Bytes = std::vector<std::byte>;

// 0..15, or -1.
constexpr int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// All of `digits`, 1 to 16 significant ones; leading zeros do not count.
std::optional<std::uint64_t> ParseHex(std::string_view digits);
// An even number of digits, perhaps none.
std::optional<Bytes> ParseHexBytes(std::string_view digits);
std::optional<std::string> ParseHexText(std::string_view digits);

void AppendHex(std::string& out, std::span<const std::byte> bytes);
// Without leading zeros: "0", "1f".
void AppendHex(std::string& out, std::uint64_t number);
std::string HexOf(std::string_view text);
std::string HexOf(std::uint64_t number);

inline std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace glovebox::gdbstub
