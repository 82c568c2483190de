// Text in columns.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace glovebox::client {

// Columns as wide as their widest cell, two spaces between them, none behind the last. The first
// row is the heading.
std::string Columns(const std::vector<std::vector<std::string>>& rows);

using Facts = std::vector<std::pair<std::string, std::string>>;

// "name:   value", a line each; a value of several lines is indented.
std::string FactLines(const Facts& facts, std::string_view indent = "");

// Words in lines of at most `width` bytes, each behind `indent`.
std::string Wrapped(std::string_view text, std::size_t width, std::string_view indent);

// As a POSIX shell would read it back; control characters as $'\x1b', so that a terminal is safe.
std::string ShellQuote(std::string_view word);
std::string ShellJoin(const std::vector<std::string>& words);

}  // namespace glovebox::client
