#include "server/rpc/rpc_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>

#include "engine/base/host_fd.h"
#include "server/store/file_io.h"

namespace glovebox::server {
namespace {

// More than the largest request that we accept, so that one above its limit gets our error, which
// names the field.
constexpr int kMaxMessageBytes = 16 << 20;

bool SomebodyListens(const std::filesystem::path& socket) {
  const HostFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket.c_str(), sizeof(address.sun_path) - 1);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

Result<void, Error> ClearSocket(const std::filesystem::path& socket) {
  // sun_path holds 108 bytes with its NUL: unix(7).
  if (!socket.is_absolute() || socket.native().size() >= sizeof(sockaddr_un::sun_path)) {
    return Fail(ErrorCode::kInvalidArgument, "SOCKET_PATH",
                fmt::format("\"{}\" is not an absolute path of at most {} bytes", socket.string(),
                            sizeof(sockaddr_un::sun_path) - 1));
  }
  const std::filesystem::path directory = socket.parent_path();
  std::error_code error;
  std::filesystem::create_directories(directory.parent_path(), error);
  if (auto made = MakePrivateDirectory(directory); !made) return made;
  struct stat status{};
  if (::stat(directory.c_str(), &status) != 0)
    return std::unexpected(FileError(errno, "stat", directory));
  if (status.st_uid != ::geteuid() || (status.st_mode & 077) != 0) {
    return Fail(ErrorCode::kFailedPrecondition, "SOCKET_NOT_PRIVATE",
                fmt::format("the socket's directory {} must belong to user {} and have mode 0700",
                            directory.string(), ::geteuid()));
  }
  if (::lstat(socket.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode) || SomebodyListens(socket)) {
    return Fail(ErrorCode::kFailedPrecondition, "SOCKET_IN_USE",
                fmt::format("{} is not a socket that was left behind", socket.string()));
  }
  if (::unlink(socket.c_str()) != 0) return std::unexpected(FileError(errno, "unlink", socket));
  return {};
}

}  // namespace

RpcServer::RpcServer(std::filesystem::path socket, JobManager& manager, BlobStore& blobs,
                     RootNames& roots, const std::string& version)
    : socket_(std::move(socket)),
      jobs_(manager, activity_, version),
      blobs_(blobs, activity_),
      roots_(roots, activity_),
      sessions_(manager, activity_) {}

Result<std::unique_ptr<RpcServer>, Error> RpcServer::Start(const std::filesystem::path& socket,
                                                           JobManager& manager, BlobStore& blobs,
                                                           RootNames& roots,
                                                           const std::string& version) {
  if (auto cleared = ClearSocket(socket); !cleared) return std::unexpected(cleared.error());
  std::unique_ptr<RpcServer> rpc(new RpcServer(socket, manager, blobs, roots, version));
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  // The directory is private, so nobody gets at the socket before its mode is set.
  builder.AddListeningPort("unix:" + socket.string(), grpc::InsecureServerCredentials());
  builder.RegisterService(&rpc->jobs_);
  builder.RegisterService(&rpc->blobs_);
  builder.RegisterService(&rpc->roots_);
  builder.RegisterService(&rpc->sessions_);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes * 4);
  rpc->server_ = builder.BuildAndStart();
  if (!rpc->server_) {
    return Fail(ErrorCode::kInternal, "SOCKET", fmt::format("cannot serve on {}", socket.string()));
  }
  if (::chmod(socket.c_str(), 0600) != 0) return std::unexpected(FileError(errno, "chmod", socket));
  // Health is asked for the server as a whole (""), or for one service by its name.
  for (const char* const name :
       {v1::JobService::service_full_name(), v1::BlobService::service_full_name(),
        v1::RootService::service_full_name(), v1::SessionService::service_full_name()}) {
    rpc->server_->GetHealthCheckService()->SetServingStatus(name, true);
  }
  return rpc;
}

RpcServer::~RpcServer() { Stop(std::chrono::milliseconds(0)); }

void RpcServer::AnnounceEnd() {
  if (auto* const health = server_->GetHealthCheckService()) health->SetServingStatus(false);
}

void RpcServer::Stop(std::chrono::milliseconds grace) {
  if (!server_) return;
  server_->Shutdown(std::chrono::system_clock::now() + grace);
  server_->Wait();
  server_.reset();
}

}  // namespace glovebox::server
