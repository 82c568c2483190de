#include "server/channel/clean_text.h"

#include <algorithm>
#include <cstdint>

namespace glovebox::channel {
namespace {

constexpr std::string_view kCut = "...";

// RFC 3629, 4, without control characters: lead bytes, how many bytes follow, and the bounds of the
// first that follows. (Those of C1, U+0080 to U+009F, are c2 80 to c2 9f; terminals in UTF-8 mode
// obey them as well.)
struct LeadRow {
  unsigned char first, last;
  std::size_t following;
  unsigned char low, high;
};
constexpr LeadRow kLeads[] = {
    {0x09, 0x0a, 0, 0x00, 0x00}, {0x20, 0x7e, 0, 0x00, 0x00}, {0xc2, 0xc2, 1, 0xa0, 0xbf},
    {0xc3, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf}, {0xe1, 0xec, 2, 0x80, 0xbf},
    {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf},
    {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

unsigned char At(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

// Length of the character at the start of `text`, which is not empty; 0: none.
std::size_t CharacterLength(std::string_view text) {
  for (const LeadRow& row : kLeads) {
    if (At(text, 0) < row.first || At(text, 0) > row.last) continue;
    if (text.size() <= row.following) return 0;
    for (std::size_t i = 1; i <= row.following; ++i) {
      const bool first = i == 1;
      if (At(text, i) < (first ? row.low : 0x80) || At(text, i) > (first ? row.high : 0xbf))
        return 0;
    }
    return row.following + 1;
  }
  return 0;
}

}  // namespace

std::string CleanText(std::string_view text, std::size_t max_bytes) {
  std::string clean;
  clean.reserve(std::min(text.size(), max_bytes));
  std::size_t cut_at = 0;  // longest whole prefix that leaves room for the dots
  while (!text.empty()) {
    const std::size_t length = CharacterLength(text);
    const std::string_view character = length == 0 ? "?" : text.substr(0, length);
    if (clean.size() + character.size() > max_bytes) {
      clean.resize(cut_at);
      return clean.append(kCut.substr(0, max_bytes - cut_at));
    }
    clean.append(character);
    if (clean.size() + kCut.size() <= max_bytes) cut_at = clean.size();
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return clean;
}

bool IsCleanText(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = CharacterLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace glovebox::channel
