#include "server/core/spec_check.h"

#include <string_view>

#include <fmt/format.h>

#include "engine/limits/limit_table.h"
#include "engine/linux/world_check.h"

namespace glovebox::server {
namespace {

std::unexpected<Error> Invalid(std::string reason, std::string field, std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(reason), std::move(message), std::move(field));
}

bool HasNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

bool HasDotDot(std::string_view path) {
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    if (path.substr(at, slash - at) == "..") return true;
    at = slash + 1;
  }
  return false;
}

Result<void, Error> CheckPath(std::string_view path, const std::string& field) {
  if (path.size() > kMaxPathBytes) {
    return Invalid("PATH_TOO_LONG", field,
                   fmt::format("a path of {} bytes exceeds {}", path.size(), kMaxPathBytes));
  }
  if (HasNul(path)) return Invalid("PATH_HAS_NUL", field, "a path holds a NUL byte");
  if (HasDotDot(path)) {
    return Invalid("PATH_HAS_DOT_DOT", field, fmt::format("path \"{}\" has a \"..\" in it", path));
  }
  return {};
}

Result<void, Error> CheckStrings(const JobSpec& spec) {
  if (spec.argv.empty())
    return Invalid("ARGV_EMPTY", "spec.argv", "argv needs at least one string");
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < spec.argv.size(); ++i) {
    bytes += spec.argv[i].size() + 1;
    if (HasNul(spec.argv[i])) {
      return Invalid("STRING_HAS_NUL", fmt::format("spec.argv[{}]", i),
                     "an argument holds a NUL byte");
    }
  }
  for (std::size_t i = 0; i < spec.env.size(); ++i) {
    const std::string& entry = spec.env[i];
    bytes += entry.size() + 1;
    const std::string field = fmt::format("spec.env[{}]", i);
    if (HasNul(entry)) return Invalid("STRING_HAS_NUL", field, "a variable holds a NUL byte");
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Invalid("ENV_FORM", field, "a variable must have the form KEY=VALUE");
    }
  }
  if (bytes > kMaxArgumentBytes) {
    return Invalid("ARGUMENTS_TOO_LARGE", "spec.argv",
                   fmt::format("argv and env of {} bytes exceed {}", bytes, kMaxArgumentBytes));
  }
  return {};
}

Result<void, Error> CheckPaths(const JobSpec& spec) {
  const bool named = !spec.program.empty();
  const std::string& program = named ? spec.program : spec.argv.front();
  const std::string field = named ? "spec.program" : "spec.argv[0]";
  if (program.empty())
    return Invalid("PROGRAM_EMPTY", field, "neither program nor argv[0] names a program");
  if (auto checked = CheckPath(program, field); !checked) return checked;
  if (program.find('/') != std::string::npos && program.front() != '/') {
    return Invalid(
        "PATH_NOT_ABSOLUTE", field,
        fmt::format("program \"{}\" is neither an absolute path nor a bare name", program));
  }
  if (auto checked = CheckPath(spec.working_directory, "spec.working_directory"); !checked)
    return checked;
  if (!spec.working_directory.empty() && spec.working_directory.front() != '/') {
    return Invalid("PATH_NOT_ABSOLUTE", "spec.working_directory",
                   fmt::format("working directory \"{}\" is not absolute", spec.working_directory));
  }
  return {};
}

Result<void, Error> CheckLimits(const JobSpec& spec) {
  for (const auto& [name, value] : spec.limits) {
    const engine::LimitRow* row = engine::FindLimit(name);
    const std::string field = fmt::format("spec.limits[\"{}\"]", name);
    if (row == nullptr) {
      return Invalid("UNKNOWN_LIMIT", field, fmt::format("there is no limit \"{}\"", name));
    }
    if (value > row->ceiling) {
      return Invalid("LIMIT_TOO_HIGH", field,
                     fmt::format("limit {}={} exceeds its ceiling {}", name, value, row->ceiling));
    }
  }
  return {};
}

// Key and value of a map that the client fills freely.
Result<void, Error> CheckMap(const std::map<std::string, std::string>& map, const char* field,
                             std::size_t max_entries, std::size_t max_bytes) {
  if (map.size() > max_entries) {
    return Invalid("TOO_MANY_ENTRIES", field,
                   fmt::format("{} entries exceed {}", map.size(), max_entries));
  }
  for (const auto& [key, value] : map) {
    const std::string entry = fmt::format("{}[\"{}\"]", field, key.substr(0, kMaxLabelBytes));
    if (key.empty()) return Invalid("KEY_EMPTY", field, "a key is empty");
    if (key.size() > kMaxLabelBytes || value.size() > max_bytes) {
      return Invalid("ENTRY_TOO_LONG", entry,
                     fmt::format("a key may have {} bytes, a value {}", kMaxLabelBytes, max_bytes));
    }
    if (HasNul(key) || HasNul(value))
      return Invalid("STRING_HAS_NUL", entry, "an entry holds a NUL byte");
  }
  return {};
}

// Which rows there are, which may be changed, and to what.
Result<void, Error> CheckWorld(const JobSpec& spec) {
  for (const auto& [name, value] : spec.world) {
    const engine::WorldRow* row = engine::FindWorldRow(name);
    const std::string field = fmt::format("spec.world[\"{}\"]", name);
    if (row == nullptr) {
      return Invalid("UNKNOWN_WORLD_ROW", field,
                     fmt::format("the guest's world has no row \"{}\"", name));
    }
    if (!row->overridable()) {
      return Invalid("WORLD_FACT", field, fmt::format("\"{}\" cannot be changed", name));
    }
    if (const auto fault = engine::WorldValueFault(*row, value)) {
      return Invalid("WORLD_INVALID", field, fmt::format("world row \"{}\": {}", name, *fault));
    }
  }
  return {};
}

}  // namespace

Result<void, Error> CheckTerminalSize(const TerminalSize& size, const std::string& field) {
  constexpr std::uint32_t kMaxSide = 65535;  // struct winsize, ioctl_tty(2)
  if (size.rows >= 1 && size.rows <= kMaxSide && size.columns >= 1 && size.columns <= kMaxSide)
    return {};
  return Fail(ErrorCode::kInvalidArgument, "TERMINAL_SIZE",
              fmt::format("a terminal has 1 to {} rows and columns, not {} and {}", kMaxSide,
                          size.rows, size.columns),
              field);
}

Result<void, Error> CheckSpec(const JobSpec& spec) {
  if (auto checked = CheckStrings(spec); !checked) return checked;
  if (auto checked = CheckPaths(spec); !checked) return checked;
  if (spec.terminal) {
    if (!spec.stdin_live)
      return Invalid("TERMINAL_NOT_LIVE", "spec.terminal", "a terminal needs stdin_live");
    if (auto checked = CheckTerminalSize(*spec.terminal, "spec.terminal"); !checked) return checked;
  }
  if (auto checked = CheckLimits(spec); !checked) return checked;
  if (auto checked = CheckMap(spec.world, "spec.world", kMaxWorldRows, kMaxWorldBytes); !checked) {
    return checked;
  }
  if (auto checked = CheckWorld(spec); !checked) return checked;
  return CheckMap(spec.labels, "spec.labels", kMaxLabels, kMaxLabelBytes);
}

std::map<std::string, std::uint64_t> CompleteLimits(const JobSpec& spec) {
  std::map<std::string, std::uint64_t> limits;
  for (const engine::LimitRow& row : engine::kLimits) {
    const auto given = spec.limits.find(std::string(row.name));
    limits.emplace(row.name, given != spec.limits.end() ? given->second : row.default_value);
  }
  return limits;
}

}  // namespace glovebox::server
