#include "client/render/table.h"

#include <fmt/core.h>

#include <algorithm>

namespace glovebox::client {

std::string Columns(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool last = i + 1 == row.size();
      text += last ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
    }
    text += '\n';
  }
  return text;
}

std::string FactLines(const Facts& facts, std::string_view indent) {
  std::size_t width = 0;
  for (const auto& [name, value] : facts) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, value] : facts) {
    const std::string first = fmt::format("{}{:<{}}  ", indent, name + ":", width + 1);
    text += first;
    for (const char c : value) {
      text += c;
      if (c == '\n') text.append(first.size(), ' ');
    }
    text += '\n';
  }
  return text;
}

std::string Wrapped(std::string_view text, std::size_t width, std::string_view indent) {
  std::string result;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (column > 0 && column + 1 + word.size() > width) {
      result += '\n';
      column = 0;
    }
    result.append(column == 0 ? indent : " ").append(word);
    column += word.size() + (column == 0 ? 0 : 1);
  }
  return result + "\n";
}

std::string ShellQuote(std::string_view word) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("%+,-./:=@_").find(c) != std::string_view::npos;
  };
  const auto control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  if (!word.empty() && std::ranges::all_of(word, plain)) return std::string(word);
  if (std::ranges::any_of(word, control)) {
    std::string text = "$'";
    for (const char c : word) {
      if (control(c)) {
        text += c == '\n' ? "\\n" : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      } else {
        if (c == '\'' || c == '\\') text += '\\';
        text += c;
      }
    }
    return text + "'";
  }
  std::string text = "'";
  for (const char c : word) {
    if (c == '\'') text += "'\\'";
    text += c;
  }
  return text + "'";
}

std::string ShellJoin(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + ShellQuote(word);
  return text;
}

}  // namespace glovebox::client
