#include "engine/linux/world_values.h"

#include "engine/linux/world_check.h"

namespace glovebox::engine {

WorldValues::WorldValues() {
  for (const WorldRow& row : kWorld) {
    const auto index = static_cast<std::size_t>(row.id);
    texts_[index] = row.value;
    numbers_[index] = ParseWorldNumber(row, row.value).value_or(0);
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
    if (const auto fault = WorldValueFault(*row, value)) return refuse(*fault);
    const auto index = static_cast<std::size_t>(row->id);
    if (IsWorldNumber(*row)) values.numbers_[index] = *ParseWorldNumber(*row, value);
    values.texts_[index] = value;
  }
  return values;
}

}  // namespace glovebox::engine
