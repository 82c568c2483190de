// How the daemon's log lines look.
#pragma once

#include <string>

#include "engine/base/result.h"

namespace glovebox::server {

// To stderr. `format`: "text" or "json" (one object a line: time, level, job where there is one,
// message). `level`: as spdlog names them. INVALID_ARGUMENT LOG_FORMAT, LOG_LEVEL.
Result<void, Error> SetUpLog(const std::string& format, const std::string& level);

// The text as it stands between the quotes of a JSON string. Bytes that are not UTF-8 become
// U+FFFD.
std::string JsonEscaped(std::string_view text);

}  // namespace glovebox::server
