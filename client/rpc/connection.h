// A connection to a daemon: the one that was named, or the embedded one.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <optional>
#include <string>

#include "client/invocation.h"
#include "engine/base/result.h"
#include "glovebox/v1/blob_service.grpc.pb.h"
#include "glovebox/v1/job_service.grpc.pb.h"
#include "glovebox/v1/root_service.grpc.pb.h"
#include "glovebox/v1/session_service.grpc.pb.h"
#include "grpc/health/v1/health_service.grpc.pb.h"

namespace glovebox::client {

class DaemonKeeper;

class Connection {
 public:
  // Connects, after starting the embedded daemon where no server is named and none runs; one of
  // another build is restarted when it is idle. Errors: what EmbeddedDaemon says; kInvalidArgument
  // BAD_SERVER; kUnavailable.
  static Result<Connection, Error> Open(const Invocation& invocation);

  // As Open, but starts nothing: kUnavailable NOT_RUNNING where no embedded daemon runs.
  static Result<Connection, Error> OpenRunning(const Invocation& invocation);

  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  v1::JobService::StubInterface& jobs() const { return *jobs_; }
  v1::BlobService::StubInterface& blobs() const { return *blobs_; }
  v1::RootService::StubInterface& roots() const { return *roots_; }
  v1::SessionService::StubInterface& sessions() const { return *sessions_; }
  grpc::health::v1::Health::StubInterface& health() const { return *health_; }
  const v1::ServerInfo& info() const { return info_; }
  const std::string& address() const { return address_; }

 private:
  Connection();
  static Result<Connection, Error> Connect(const std::string& address);

  std::string address_;
  std::unique_ptr<v1::JobService::StubInterface> jobs_;
  std::unique_ptr<v1::BlobService::StubInterface> blobs_;
  std::unique_ptr<v1::RootService::StubInterface> roots_;
  std::unique_ptr<v1::SessionService::StubInterface> sessions_;
  std::unique_ptr<grpc::health::v1::Health::StubInterface> health_;
  v1::ServerInfo info_;
  std::unique_ptr<DaemonKeeper> keeper_;  // of the embedded daemon
};

}  // namespace glovebox::client
