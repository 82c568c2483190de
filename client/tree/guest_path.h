// Paths of the guest's root as the client writes them. All of it is lexical: no file system is
// asked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace glovebox::client {

// "/data//a.txt" to {"data", "a.txt"}; a relative path is taken from `directory`, "." names
// nothing. Errors: kInvalidArgument for "..", a NUL, a name over 255 bytes, a path over 4,095
// bytes.
Result<std::vector<std::string>, Error> SplitGuestPath(std::string_view path,
                                                       std::string_view directory = "/");

// As a shell's lexical `cd`: "../bin/./x" from "/usr/lib" is "/usr/bin/x"; ".." of "/" is "/".
std::string ResolveLexically(std::string_view path, std::string_view directory);

// {"data", "a.txt"} to "/data/a.txt"; nothing to "/".
std::string JoinGuestPath(const std::vector<std::string>& names);

// Well-formed UTF-8 (Unicode 15, table 3-7), which is what a string on the wire has to be.
bool IsUtf8(std::string_view text);

}  // namespace glovebox::client
