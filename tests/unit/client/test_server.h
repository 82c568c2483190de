// A gRPC server of this process on a private unix socket, for fakes of the services.
#pragma once

#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>

#include "tests/unit/client/temp_dir.h"

namespace glovebox::client {

class TestServer {
 public:
  explicit TestServer(grpc::Service& service) {
    // Never taken back: gRPC's own end waits for a thread of its that may sit in a poll of 10 s.
    grpc_init();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
    builder.RegisterService(&service);
    server_ = builder.BuildAndStart();
  }
  ~TestServer() { server_->Shutdown(std::chrono::system_clock::now()); }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  std::string address() const { return "unix:" + directory_.Path("s"); }
  std::shared_ptr<grpc::Channel> Channel() const {
    return grpc::CreateChannel(address(), grpc::InsecureChannelCredentials());
  }

 private:
  TempDir directory_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace glovebox::client
