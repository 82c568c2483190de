#include "client/debug/gdb_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

namespace glovebox::client {

std::string Quoted(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@+";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos)
    return std::string(word);
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string ShellLine(std::span<const std::string> words) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ' ';
    out += Quoted(word);
  }
  return out;
}

std::vector<std::string> GdbCommand(const std::string& gdb, const std::string& glovebox,
                                    const std::string& server, const std::string& job,
                                    std::span<const std::string> more) {
  std::vector<std::string> pipe{glovebox};
  if (!server.empty()) pipe.insert(pipe.end(), {"--server", server});
  pipe.insert(pipe.end(), {"gdb-pipe", job});
  std::vector<std::string> words{gdb,    "-q",
                                 "-iex", "set sysroot target:",
                                 "-ex",  "target extended-remote | " + ShellLine(pipe),
                                 "-ex",  "set breakpoint always-inserted on"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string OwnPath() {
  // proc(5), /proc/pid/exe.
  std::array<char, 4096> path;
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  return length <= 0 ? "glovebox" : std::string(path.data(), static_cast<std::size_t>(length));
}

}  // namespace glovebox::client
