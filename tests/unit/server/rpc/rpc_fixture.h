// A whole daemon in the test's process, on a private socket, with boxes in memory, and a client of
// it.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "glovebox/v1/blob_service.grpc.pb.h"
#include "glovebox/v1/job_service.grpc.pb.h"
#include "glovebox/v1/session_service.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "server/daemon.h"
#include "server/rpc/convert.h"
#include "tests/unit/server/core/fake_launcher.h"
#include "tests/unit/server/store/scratch.h"
#include "tests/unit/server/store/sync_probe.h"

namespace glovebox::server {

// "INVALID_ARGUMENT PAGE_TOKEN page_token": code, reason and field of a status.
inline std::string Describe(const grpc::Status& status) {
  if (status.ok()) return "OK";
  google::rpc::Status details;
  std::string text = std::to_string(status.error_code());
  if (!details.ParseFromString(status.error_details()))
    return text + " (no details) " + status.error_message();
  EXPECT_EQ(details.code(), status.error_code());
  for (const auto& any : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest request;
    if (any.UnpackTo(&info)) {
      EXPECT_EQ(info.domain(), "glovebox");
      text += " " + info.reason();
    } else if (any.UnpackTo(&request)) {
      text += " " + request.field_violations(0).field();
    }
  }
  return text;
}

inline std::string Code(grpc::StatusCode code, const std::string& rest) {
  return std::to_string(code) + " " + rest;
}

class RpcFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    SetSyncHook([](const std::string&) { return kPretend; });
    options_.socket = scratch_ / "run/s";
    options_.store = scratch_ / "store";
    options_.version = "1.2.3";
    options_.jobs.concurrent_boxes = 2;
    StartDaemon();
  }
  void TearDown() override {
    daemon_.reset();
    SetSyncHook(nullptr);
  }
  void StartDaemon() {
    auto daemon = Daemon::Start(options_, [this]() -> Result<std::unique_ptr<BoxLauncher>, Error> {
      return boxes_.Launcher();
    });
    ASSERT_TRUE(daemon.has_value()) << daemon.error().message;
    daemon_ = std::move(*daemon);
    // Kept until there is a new one: without any user the library shuts down, which takes seconds.
    const auto last_channel = channel_;
    channel_ =
        grpc::CreateChannel("unix:" + options_.socket.string(), grpc::InsecureChannelCredentials());
    jobs_ = v1::JobService::NewStub(channel_);
    blobs_ = v1::BlobService::NewStub(channel_);
  }

  grpc::Status Upload(const std::string& bytes, const v1::Digest& digest) {
    grpc::ClientContext context;
    v1::WriteBlobResponse response;
    const auto writer = blobs_->Write(&context, &response);
    v1::WriteBlobRequest request;
    *request.mutable_digest() = digest;
    request.set_data(bytes);
    writer->Write(request);
    writer->WritesDone();
    return writer->Finish();
  }
  v1::Digest Put(const std::string& bytes) {
    const v1::Digest digest = MessageOf(DigestOf(BytesOf(bytes)));
    const grpc::Status status = Upload(bytes, digest);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return digest;
  }
  // A root with one program, /prog.
  v1::Digest PutRoot() {
    v1::Directory directory;
    v1::Node& node = *directory.add_entries();
    node.set_name("prog");
    node.set_mode(0755);
    *node.mutable_file() = Put("a program");
    return Put(directory.SerializeAsString());
  }
  v1::CreateJobRequest Request() {
    v1::CreateJobRequest request;
    request.mutable_spec()->add_argv("/prog");
    *request.mutable_spec()->mutable_root() = PutRoot();
    return request;
  }
  // One call: the response, and its status in status_.
  template <typename Response, typename Stub, typename Request>
  Response Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                const Request& request) {
    grpc::ClientContext context;
    Response response;
    status_ = (jobs_.get()->*method)(&context, request, &response);
    return response;
  }
  v1::Job Create(const v1::CreateJobRequest& request) {
    return Call(&v1::JobService::Stub::CreateJob, request);
  }
  v1::Job Get(const std::string& name) {
    v1::GetJobRequest request;
    request.set_name(name);
    return Call(&v1::JobService::Stub::GetJob, request);
  }
  v1::Job Wait(const std::string& name, std::uint64_t timeout_ms = 30'000) {
    v1::WaitJobRequest request;
    request.set_name(name);
    request.set_timeout_ms(timeout_ms);
    return Call(&v1::JobService::Stub::WaitJob, request);
  }

  Scratch scratch_;
  DaemonOptions options_;
  FakeBoxes boxes_;
  std::unique_ptr<Daemon> daemon_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::BlobService::Stub> blobs_;
  grpc::Status status_;
};

}  // namespace glovebox::server
