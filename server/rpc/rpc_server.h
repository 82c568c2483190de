// The gRPC server on its socket: our services, health, reflection.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include <grpcpp/server.h>

#include "engine/base/result.h"
#include "server/core/job_manager.h"
#include "server/rpc/activity.h"
#include "server/rpc/blob_service.h"
#include "server/rpc/job_service.h"
#include "server/rpc/root_service.h"
#include "server/rpc/session_service.h"

namespace glovebox::server {

class RpcServer {
 public:
  // Serves on a unix socket of mode 0600; its directory is made (0700) if need be. A socket that is
  // left there and on which nobody listens is replaced: the caller holds the lock of the store that
  // it belongs to. Errors: INVALID_ARGUMENT SOCKET_PATH, FAILED_PRECONDITION SOCKET_IN_USE,
  // SOCKET_NOT_PRIVATE, INTERNAL SOCKET.
  static Result<std::unique_ptr<RpcServer>, Error> Start(const std::filesystem::path& socket,
                                                         JobManager& manager, BlobStore& blobs,
                                                         RootNames& roots,
                                                         const std::string& version);
  ~RpcServer();

  const Activity& activity() const { return activity_; }
  // Health answers NOT_SERVING from now on.
  void AnnounceEnd();
  // No new calls; open ones are cancelled after `grace`. Returns when all are done.
  void Stop(std::chrono::milliseconds grace);

 private:
  RpcServer(std::filesystem::path socket, JobManager& manager, BlobStore& blobs, RootNames& roots,
            const std::string& version);

  const std::filesystem::path socket_;
  Activity activity_;
  JobServiceImpl jobs_;
  BlobServiceImpl blobs_;
  RootServiceImpl roots_;
  SessionServiceImpl sessions_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace glovebox::server
