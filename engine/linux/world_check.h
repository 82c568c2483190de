// What may stand in a row of the guest's world. A header alone, as world.h: the client and the
// daemon say what is wrong with a value before there is a box.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/linux/world.h"

namespace glovebox::engine {

inline bool IsWorldNumber(const WorldRow& row) {
  return row.kind == WorldKind::kNumber || row.kind == WorldKind::kOctal;
}

// The number that a text says in the base of its row; nothing: it says none.
inline std::optional<std::uint64_t> ParseWorldNumber(const WorldRow& row, std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value,
                                            row.kind == WorldKind::kOctal ? 8 : 10);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

inline bool IsWorldChoice(const WorldRow& row, std::string_view value) {
  std::string_view choices = row.choices;
  while (true) {
    const std::size_t comma = choices.find(',');
    if (choices.substr(0, comma) == value) return true;
    if (comma == std::string_view::npos) return false;
    choices.remove_prefix(comma + 1);
  }
}

// Why `value` cannot be that of `row`; nothing: it can.
inline std::optional<std::string> WorldValueFault(const WorldRow& row, std::string_view value) {
  if (!row.overridable()) return "it is a fact and cannot be set";
  if (row.kind == WorldKind::kChoice) {
    if (IsWorldChoice(row, value)) return std::nullopt;
    return fmt::format("one of {} is allowed", row.choices);
  }
  if (row.kind == WorldKind::kText) {
    const bool plain = !value.empty() && value.size() <= 64 &&
                       std::ranges::all_of(value, [](char c) { return c > ' ' && c < 0x7f; });
    if (plain) return std::nullopt;
    return "1 to 64 printable ASCII characters without blanks are allowed";
  }
  const auto number = ParseWorldNumber(row, value);
  if (number && *number >= row.least && *number <= row.most) return std::nullopt;
  if (row.kind == WorldKind::kOctal) {
    return fmt::format("\"{}\" is no octal number from {:o} to {:o}", value.substr(0, 64),
                       row.least, row.most);
  }
  return fmt::format("\"{}\" is no number from {} to {}", value.substr(0, 64), row.least, row.most);
}

}  // namespace glovebox::engine
