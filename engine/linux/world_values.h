// The world of one box: the table's values with the overrides of its spec.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/result.h"
#include "engine/linux/world.h"

namespace glovebox::engine {

class WorldValues {
 public:
  // Errors: kInvalidArgument that names the row.
  static Result<WorldValues, Error> Make(
      const std::vector<std::pair<std::string, std::string>>& overrides);

  const std::string& Text(WorldId id) const { return texts_[static_cast<std::size_t>(id)]; }
  // What the guest itself changes: sethostname(2).
  void SetText(WorldId id, std::string text) {
    texts_[static_cast<std::size_t>(id)] = std::move(text);
  }
  // Of rows that are numbers.
  std::uint64_t Number(WorldId id) const { return numbers_[static_cast<std::size_t>(id)]; }

 private:
  WorldValues();

  std::array<std::string, kWorld.size()> texts_;
  std::array<std::uint64_t, kWorld.size()> numbers_{};
};

}  // namespace glovebox::engine
