// glovebox.v1.JobService: translate, call the core, translate back.
#pragma once

#include <string>

#include "glovebox/v1/job_service.grpc.pb.h"
#include "server/core/job_manager.h"
#include "server/rpc/activity.h"

namespace glovebox::server {

class JobServiceImpl : public v1::JobService::CallbackService {
 public:
  JobServiceImpl(JobManager& manager, Activity& activity, std::string version)
      : manager_(manager), activity_(activity), version_(std::move(version)) {}

  grpc::ServerUnaryReactor* CreateJob(grpc::CallbackServerContext* context,
                                      const v1::CreateJobRequest* request,
                                      v1::Job* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const v1::GetJobRequest* request, v1::Job* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const v1::CancelJobRequest* request,
                                      v1::Job* response) override;
  grpc::ServerUnaryReactor* DeleteJob(grpc::CallbackServerContext* context,
                                      const v1::DeleteJobRequest* request,
                                      google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* WaitJob(grpc::CallbackServerContext* context,
                                    const v1::WaitJobRequest* request, v1::Job* response) override;
  grpc::ServerWriteReactor<v1::JobEvent>* WatchJob(grpc::CallbackServerContext* context,
                                                   const v1::WatchJobRequest* request) override;
  grpc::ServerWriteReactor<v1::OutputChunk>* ReadOutput(
      grpc::CallbackServerContext* context, const v1::ReadOutputRequest* request) override;
  grpc::ServerWriteReactor<v1::TraceEvent>* StreamTrace(
      grpc::CallbackServerContext* context, const v1::StreamTraceRequest* request) override;
  grpc::ServerReadReactor<v1::WriteInputRequest>* WriteInput(
      grpc::CallbackServerContext* context, v1::WriteInputResponse* response) override;
  grpc::ServerUnaryReactor* SignalJob(grpc::CallbackServerContext* context,
                                      const v1::SignalJobRequest* request,
                                      google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* ResizeTerminal(grpc::CallbackServerContext* context,
                                           const v1::ResizeTerminalRequest* request,
                                           google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const v1::GetServerInfoRequest* request,
                                          v1::ServerInfo* response) override;

 private:
  JobManager& manager_;
  Activity& activity_;
  const std::string version_;
};

}  // namespace glovebox::server
