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
                                    const GdbTarget& target, std::span<const std::string> more) {
  std::vector<std::string> pipe{glovebox};
  if (!target.server.empty()) pipe.insert(pipe.end(), {"--server", target.server});
  pipe.insert(pipe.end(), {"gdb-pipe", target.job});
  if (target.at_icount) pipe.insert(pipe.end(), {"--at", std::to_string(*target.at_icount)});
  std::vector<std::string> words{gdb, "-q", "-iex", "set sysroot target:"};
  // Else it gives up after some seconds. Its ^C works all the same.
  if (target.waits) words.insert(words.end(), {"-iex", "set remotetimeout 604800"});
  words.insert(words.end(), {"-ex", "target extended-remote | " + ShellLine(pipe), "-ex",
                             "set breakpoint always-inserted on"});
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
