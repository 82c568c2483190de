// The calls of JobService that wait: WaitJob and WriteInput.
#pragma once

#include <string>

#include <grpcpp/support/server_callback.h>

#include "glovebox/v1/job_service.pb.h"
#include "server/core/job_manager.h"
#include "server/rpc/activity.h"

namespace glovebox::server {

grpc::ServerUnaryReactor* ServeWaitJob(Activity& activity, JobManager& manager,
                                       const v1::WaitJobRequest& request, v1::Job* response);

grpc::ServerReadReactor<v1::WriteInputRequest>* ServeWriteInput(Activity& activity,
                                                                JobManager& manager,
                                                                v1::WriteInputResponse* response);

}  // namespace glovebox::server
