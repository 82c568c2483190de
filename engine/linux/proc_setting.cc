#include "engine/linux/proc_setting.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace glovebox::engine {
namespace {

class OpenSetting : public OpenFile {
 public:
  OpenSetting(PathRef path, int flags) : OpenFile(std::move(path), flags) {}

  IoResult Read(std::uint64_t from, std::span<std::byte> out) override {
    const std::string text = static_cast<SettingFile&>(inode()).Text();
    if (from >= text.size()) return 0;
    const std::size_t count = std::min(out.size(), text.size() - static_cast<std::size_t>(from));
    std::ranges::copy(std::as_bytes(std::span(text)).subspan(static_cast<std::size_t>(from), count),
                      out.begin());
    return count;
  }
  IoResult Write(std::uint64_t, std::span<const std::byte> bytes) override {
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (const Errno error = static_cast<SettingFile&>(inode()).Set(text); error != Errno{})
      return std::unexpected(error);
    return bytes.size();
  }
  bool seekable() const override { return true; }
};

}  // namespace

Result<std::shared_ptr<OpenFile>, IoFailure> SettingFile::Open(const PathRef& path, int flags) {
  return std::make_shared<OpenSetting>(path, flags);
}

std::optional<std::int64_t> ParseSetting(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace glovebox::engine
