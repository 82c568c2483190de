// Text that can be stored, logged and shown, whatever a guest put into it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace glovebox::channel {

// Bytes that are not UTF-8 (RFC 3629) and control characters other than tab and line feed become
// '?'; what exceeds `max_bytes` is cut off at a character and ends in "...".
std::string CleanText(std::string_view text, std::size_t max_bytes);

// Whether CleanText would leave `text` as it is, whatever its length.
bool IsCleanText(std::string_view text);

}  // namespace glovebox::channel
