// The little of XML that replies need.
#pragma once

#include <string>
#include <string_view>

namespace glovebox::gdbstub {

// Text for an attribute or an element: the five special characters named, control characters and
// bytes beyond ASCII as '?', since names of guests are any bytes and gdb's parser wants UTF-8.
inline std::string XmlText(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&apos;";
        break;
      default:
        out += c >= 0x20 && c < 0x7f ? c : '?';
    }
  }
  return out;
}

}  // namespace glovebox::gdbstub
