#include "client/rpc/connection.h"

#include <fmt/core.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>
#include <cstdlib>

#include "client/embedded/daemon.h"
#include "client/embedded/keeper.h"
#include "client/notice.h"
#include "client/rpc/call.h"
#include "client/version.h"

namespace glovebox::client {
namespace {

constexpr std::chrono::seconds kAnswerWithin(30);
constexpr int kAttempts = 3;  // an embedded daemon may end of idleness while we are at its door

std::string NamedServer(const Invocation& invocation) {
  if (!invocation.server.empty()) return invocation.server;
  const char* variable = std::getenv("GLOVEBOX_SERVER");
  return variable != nullptr ? variable : "";
}

bool Idle(const v1::ServerInfo& info) {
  return info.queued_jobs() == 0 && info.running_jobs() == 0;
}

}  // namespace

Connection::Connection() = default;
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

Result<Connection, Error> Connection::Connect(const std::string& address) {
  if (!address.starts_with("unix:") || address.size() == std::string_view("unix:").size()) {
    return Fail(ErrorCode::kInvalidArgument, "BAD_SERVER",
                fmt::format("server '{}': only unix:PATH is served so far", address));
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  // In spite of its name, how long an attempt may take: several looks at it (client/main.cc).
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto channel =
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  Connection connection;
  connection.address_ = address;
  connection.jobs_ = v1::JobService::NewStub(channel);
  connection.blobs_ = v1::BlobService::NewStub(channel);
  connection.roots_ = v1::RootService::NewStub(channel);
  connection.sessions_ = v1::SessionService::NewStub(channel);
  connection.health_ = grpc::health::v1::Health::NewStub(channel);

  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kAnswerWithin);
  const grpc::Status status =
      connection.jobs_->GetServerInfo(&context, v1::GetServerInfoRequest(), &connection.info_);
  if (!status.ok()) {
    Error error = ErrorOf(status);
    error.message = fmt::format("no daemon answers at {}: {}", address, error.message);
    return std::unexpected(std::move(error));
  }
  return connection;
}

Result<Connection, Error> Connection::Open(const Invocation& invocation) {
  const std::string named = NamedServer(invocation);
  if (!named.empty()) return Connect(named);

  auto paths = FindEmbeddedPaths();
  if (!paths) return std::unexpected(paths.error());
  const auto note = [&invocation](const std::string& text) { Notice(invocation, text); };
  EmbeddedDaemon daemon(*std::move(paths), note);
  const std::string address = "unix:" + daemon.paths().Socket();
  for (int attempt = 1;; ++attempt) {
    const auto peer = daemon.Ensure();
    if (!peer) return std::unexpected(peer.error());
    auto connection = Connect(address);
    if (!connection) {
      if (connection.error().code == ErrorCode::kUnavailable && attempt < kAttempts) continue;
      return connection;
    }
    const bool current = !peer->outdated && connection->info().version() == kVersion;
    const bool replaceable = Idle(connection->info()) && attempt < kAttempts;
    if (current || !replaceable) {
      if (!current) {
        note(
            "the embedded daemon that runs is of another build and has jobs to do; using it as it "
            "is");
      }
      connection->keeper_ = std::make_unique<DaemonKeeper>(std::move(daemon), peer->pid);
      return connection;
    }
    const auto stopped = daemon.Stop(peer->pid);
    if (!stopped) return std::unexpected(stopped.error());
  }
}

Result<Connection, Error> Connection::OpenRunning(const Invocation& invocation) {
  const std::string named = NamedServer(invocation);
  if (!named.empty()) return Connect(named);
  auto paths = FindEmbeddedPaths();
  if (!paths) return std::unexpected(paths.error());
  const EmbeddedDaemon daemon(*std::move(paths), nullptr);
  const auto peer = daemon.Find();
  if (!peer) return std::unexpected(peer.error());
  const std::string address = "unix:" + daemon.paths().Socket();
  if (!*peer) {
    return Fail(ErrorCode::kUnavailable, "NOT_RUNNING",
                fmt::format("no daemon runs at {}; `glovebox run` starts one", address));
  }
  return Connect(address);
}

}  // namespace glovebox::client
