// glovebox version: ours, and the daemon's where one runs.
#include "client/version.h"

#include <fmt/core.h>

#include "client/commands/command.h"
#include "client/render/json.h"
#include "client/render/table.h"
#include "client/rpc/connection.h"

namespace glovebox::client {
namespace {

Result<int, Error> PrintVersions(const Invocation& invocation) {
  const auto connection = Connection::OpenRunning(invocation);
  if (invocation.format == OutputFormat::kJson) {
    if (!connection) return std::unexpected(connection.error());
    fmt::print("{}", ToJson(connection->info(), JsonLayout::kIndented));
    return 0;
  }
  Facts facts{{"glovebox", std::string(kVersion)}};
  if (connection) {
    facts.emplace_back("gloveboxd", connection->info().version());
    facts.emplace_back("epoch", std::to_string(connection->info().epoch()));
  } else {
    facts.emplace_back("gloveboxd", connection.error().message);
  }
  fmt::print("{}", FactLines(facts));
  return 0;
}

}  // namespace

Action DeclareVersion(CLI::App& app) {
  app.footer(
      "Starts no daemon. With -o json prints the server's ServerInfo.\n\n"
      "Example:\n  glovebox version\n");
  return PrintVersions;
}

}  // namespace glovebox::client
