// What every verb has at hand: the options that all of them take, and the words after them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace glovebox::client {

enum class OutputFormat : std::uint8_t { kText, kJson };

struct Invocation {
  std::string server;  // "unix:PATH"; empty: the embedded daemon
  OutputFormat format = OutputFormat::kText;
  bool quiet = false;
  std::vector<std::string> command;  // of verbs that run a program: CMD and its arguments
};

}  // namespace glovebox::client
