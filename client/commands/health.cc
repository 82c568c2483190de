// glovebox health: how the daemon is.
#include <fmt/core.h>

#include "client/commands/command.h"
#include "client/render/json.h"
#include "client/render/table.h"
#include "client/rpc/call.h"
#include "client/rpc/connection.h"

namespace glovebox::client {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

Result<int, Error> AskHealth(const Invocation& invocation) {
  const auto connection = Connection::OpenRunning(invocation);
  if (!connection) return std::unexpected(connection.error());
  const auto response = Call(connection->health(), &grpc::health::v1::Health::StubInterface::Check,
                             HealthCheckRequest(), Repeat::kNever);
  if (!response) return std::unexpected(response.error());
  const bool serving = response->status() == HealthCheckResponse::SERVING;
  const v1::ServerInfo& info = connection->info();
  if (invocation.format == OutputFormat::kJson) {
    fmt::print("{}", ToJson(info, JsonLayout::kIndented));
  } else {
    Facts facts{{"status", HealthCheckResponse::ServingStatus_Name(response->status())},
                {"server", connection->address()},
                {"version", info.version()},
                {"epoch", std::to_string(info.epoch())},
                {"boxes at a time", std::to_string(info.concurrent_boxes())},
                {"jobs running", std::to_string(info.running_jobs())},
                {"jobs queued", std::to_string(info.queued_jobs())}};
    for (const std::string& warning : info.warnings()) facts.emplace_back("warning", warning);
    fmt::print("{}", FactLines(facts));
  }
  return serving ? 0 : 1;
}

}  // namespace

Action DeclareHealth(CLI::App& app) {
  app.footer(
      "Status 0: it serves. Status 1: it does not, or none runs; none is started.\n"
      "With -o json prints the server's ServerInfo.\n\n"
      "Example:\n  glovebox health --server unix:/run/glovebox/gloveboxd.sock\n");
  return AskHealth;
}

}  // namespace glovebox::client
