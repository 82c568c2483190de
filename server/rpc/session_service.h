// glovebox.v1.SessionService: a debugger's bytes between its stream and the core.
#pragma once

#include "glovebox/v1/session_service.grpc.pb.h"
#include "server/core/job_manager.h"
#include "server/rpc/activity.h"

namespace glovebox::server {

class SessionServiceImpl : public v1::SessionService::CallbackService {
 public:
  SessionServiceImpl(JobManager& manager, Activity& activity)
      : manager_(manager), activity_(activity) {}

  grpc::ServerBidiReactor<v1::DebugRequest, v1::DebugResponse>* Debug(
      grpc::CallbackServerContext* context) override;
  grpc::ServerWriteReactor<v1::CoreChunk>* ReadCore(grpc::CallbackServerContext* context,
                                                    const v1::ReadCoreRequest* request) override;

 private:
  JobManager& manager_;
  Activity& activity_;
};

}  // namespace glovebox::server
