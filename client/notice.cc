#include "client/notice.h"

#include <fmt/core.h>

#include <cstdio>

#include "client/rpc/status.h"

namespace glovebox::client {

void Notice(const Invocation& invocation, std::string_view text) {
  if (!invocation.quiet) Warn(text);
}

void Warn(std::string_view text) { fmt::print(stderr, "glovebox: {}\n", text); }

void PrintError(const Error& error) { Warn(Describe(error)); }

}  // namespace glovebox::client
