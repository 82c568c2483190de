// Numbers on the command line.
#pragma once

#include <fmt/core.h>

#include <CLI/App.hpp>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>

namespace glovebox::client {

// For options of unsigned numbers: CLI11 itself takes "-1" for the largest one, and cuts what is
// too large.
inline CLI::Validator IsCount() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        std::uint64_t value = 0;
        const char* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && rest == end) return {};
        return fmt::format("'{}' is no number from 0 to {}", text,
                           std::numeric_limits<std::uint64_t>::max());
      },
      std::string());
}

}  // namespace glovebox::client
