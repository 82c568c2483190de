// SessionService.ReadCore: the pieces of a core, from the worker to the client, a few at a time.
#pragma once

#include "glovebox/v1/session_service.grpc.pb.h"
#include "server/core/job_manager.h"
#include "server/rpc/activity.h"

namespace glovebox::server {

// The answer is for gRPC, and owns itself.
grpc::ServerWriteReactor<v1::CoreChunk>* ServeCore(Activity& activity, JobManager& manager,
                                                   const v1::ReadCoreRequest& request);

}  // namespace glovebox::server
