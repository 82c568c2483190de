#include "client/tree/guest_path.h"

#include <fmt/core.h>

#include <array>

namespace glovebox::client {
namespace {

constexpr std::size_t kMaxName = 255;   // NAME_MAX of Linux
constexpr std::size_t kMaxPath = 4095;  // PATH_MAX of Linux, without the terminator

std::vector<std::string_view> SplitAtSlashes(std::string_view path) {
  std::vector<std::string_view> names;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    if (!name.empty() && name != ".") names.push_back(name);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return names;
}

std::unexpected<Error> BadPath(std::string_view path, std::string_view what) {
  return Fail(ErrorCode::kInvalidArgument, "BAD_PATH", fmt::format("path '{}' {}", path, what));
}

// Unicode 15, table 3-7: for each range of first bytes, how many follow and the range of the
// second.
struct Utf8Row {
  std::uint8_t first_low, first_high, following, second_low, second_high;
};
constexpr std::array kUtf8Rows{
    Utf8Row{0x00, 0x7f, 0, 0, 0},       Utf8Row{0xc2, 0xdf, 1, 0x80, 0xbf},
    Utf8Row{0xe0, 0xe0, 2, 0xa0, 0xbf}, Utf8Row{0xe1, 0xec, 2, 0x80, 0xbf},
    Utf8Row{0xed, 0xed, 2, 0x80, 0x9f}, Utf8Row{0xee, 0xef, 2, 0x80, 0xbf},
    Utf8Row{0xf0, 0xf0, 3, 0x90, 0xbf}, Utf8Row{0xf1, 0xf3, 3, 0x80, 0xbf},
    Utf8Row{0xf4, 0xf4, 3, 0x80, 0x8f},
};

// Bytes of the character that `text` begins with; 0 where it is ill-formed.
std::size_t Utf8Length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  for (const Utf8Row& row : kUtf8Rows) {
    if (byte(0) < row.first_low || byte(0) > row.first_high) continue;
    if (text.size() <= row.following) return 0;
    for (std::size_t i = 1; i <= row.following; ++i) {
      const std::uint8_t low = i == 1 ? row.second_low : 0x80;
      const std::uint8_t high = i == 1 ? row.second_high : 0xbf;
      if (byte(i) < low || byte(i) > high) return 0;
    }
    return std::size_t{1} + row.following;
  }
  return 0;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

Result<std::vector<std::string>, Error> SplitGuestPath(std::string_view path,
                                                       std::string_view directory) {
  if (path.empty()) return BadPath(path, "is empty");
  if (path.find('\0') != std::string_view::npos) return BadPath(path, "contains a NUL");
  std::vector<std::string> names;
  if (!path.starts_with('/')) {
    for (const std::string_view name : SplitAtSlashes(directory)) names.emplace_back(name);
  }
  std::size_t length = 0;
  for (const std::string_view name : SplitAtSlashes(path)) {
    if (name == "..") return BadPath(path, "contains '..'; write the path that is meant");
    if (name.size() > kMaxName) return BadPath(path, "has a name of more than 255 bytes");
    names.emplace_back(name);
  }
  for (const std::string& name : names) length += 1 + name.size();
  if (length > kMaxPath) return BadPath(path, "is longer than 4095 bytes");
  return names;
}

std::string ResolveLexically(std::string_view path, std::string_view directory) {
  std::vector<std::string> names;
  const auto walk = [&](std::string_view part) {
    for (const std::string_view name : SplitAtSlashes(part)) {
      if (name != "..") {
        names.emplace_back(name);
      } else if (!names.empty()) {
        names.pop_back();
      }
    }
  };
  if (!path.starts_with('/')) walk(directory);
  walk(path);
  return JoinGuestPath(names);
}

std::string JoinGuestPath(const std::vector<std::string>& names) {
  std::string path;
  for (const std::string& name : names) path.append("/").append(name);
  return path.empty() ? "/" : path;
}

}  // namespace glovebox::client
