#include "engine/linux/world_values.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace glovebox::engine {
namespace {

std::optional<std::uint64_t> ParseNumber(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool IsPlainText(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

bool IsAmong(std::string_view value, std::string_view choices) {
  while (true) {
    const std::size_t comma = choices.find(',');
    if (choices.substr(0, comma) == value) return true;
    if (comma == std::string_view::npos) return false;
    choices.remove_prefix(comma + 1);
  }
}

}  // namespace

WorldValues::WorldValues() {
  for (const WorldRow& row : kWorld) {
    const auto index = static_cast<std::size_t>(row.id);
    texts_[index] = row.value;
    numbers_[index] = ParseNumber(row.value, row.kind == WorldKind::kOctal ? 8 : 10).value_or(0);
  }
}

Result<WorldValues, Error> WorldValues::Make(
    const std::vector<std::pair<std::string, std::string>>& overrides) {
  WorldValues values;
  for (const auto& [name, value] : overrides) {
    const auto refuse = [&name](const std::string& why) {
      return Fail(ErrorCode::kInvalidArgument, "WORLD_INVALID",
                  "world row \"" + name + "\": " + why, "spec.world[\"" + name + "\"]");
    };
    const WorldRow* row = FindWorldRow(name);
    if (row == nullptr) return refuse("there is no such row");
    if (!row->overridable()) return refuse("it cannot be overridden");
    const auto index = static_cast<std::size_t>(row->id);
    if (row->kind == WorldKind::kText) {
      if (!IsPlainText(value))
        return refuse("1 to 64 printable ASCII characters without blanks are allowed");
    } else if (row->kind == WorldKind::kChoice) {
      if (!IsAmong(value, row->choices))
        return refuse("one of " + std::string(row->choices) + " is allowed");
    } else {
      const auto number = ParseNumber(value, row->kind == WorldKind::kOctal ? 8 : 10);
      if (!number || *number < row->least || *number > row->most) {
        return refuse("\"" + value.substr(0, 64) + "\" is no number from " +
                      std::to_string(row->least) + " to " + std::to_string(row->most));
      }
      values.numbers_[index] = *number;
    }
    values.texts_[index] = value;
  }
  return values;
}

}  // namespace glovebox::engine
