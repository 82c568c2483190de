#include "engine/linux/guest_memory.h"

#include <algorithm>
#include <array>

namespace glovebox::engine {

Result<std::string, Errno> GuestMemory::ReadString(GuestAddr from, std::size_t max_bytes,
                                                   Errno too_long) {
  std::string text;
  std::array<std::byte, 256> piece;
  while (text.size() < max_bytes) {
    // Not beyond the page: what follows the NUL may be unmapped.
    const std::size_t in_page =
        static_cast<std::size_t>(kPageSize - (from + text.size()) % kPageSize);
    const std::size_t want = std::min({piece.size(), in_page, max_bytes - text.size()});
    if (const auto ok = ReadBytes(from + text.size(), std::span(piece).first(want)); !ok) {
      return std::unexpected(ok.error());
    }
    const auto* characters = reinterpret_cast<const char*>(piece.data());
    const auto* end = static_cast<const char*>(std::memchr(characters, 0, want));
    text.append(characters, end != nullptr ? static_cast<std::size_t>(end - characters) : want);
    if (end != nullptr) return text;
  }
  return std::unexpected(too_long);
}

}  // namespace glovebox::engine
