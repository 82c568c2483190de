#include "client/notice.h"

#include <fmt/core.h>

#include <cstdio>

#include "client/rpc/status.h"
#include "client/stream/raw_terminal.h"

namespace glovebox::client {

void Notice(const Invocation& invocation, std::string_view text) {
  if (!invocation.quiet) Warn(text);
}

// A terminal in raw mode takes a line feed for what it is.
void Warn(std::string_view text) {
  fmt::print(stderr, "glovebox: {}{}\n", text, RawTerminal::active() ? "\r" : "");
}

void PrintError(const Error& error) { Warn(Describe(error)); }

}  // namespace glovebox::client
