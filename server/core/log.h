// The daemon's log lines. A line about a job starts with "job=ID "; the JSON format makes that a
// field of its own.
#pragma once

#include <string_view>

#include <spdlog/spdlog.h>

namespace glovebox::server {

inline constexpr std::string_view kJobField = "job=";

inline void LogJob(spdlog::level::level_enum level, std::string_view job, std::string_view text) {
  spdlog::log(level, "{}{} {}", kJobField, job, text);
}

}  // namespace glovebox::server
