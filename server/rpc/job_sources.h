// The streams of a job: events, output, trace.
#pragma once

#include <memory>

#include "glovebox/v1/job_service.pb.h"
#include "server/core/job_manager.h"
#include "server/rpc/follower.h"

namespace glovebox::server {

std::unique_ptr<Source<v1::JobEvent>> EventSource(JobManager& manager,
                                                  const v1::WatchJobRequest& request);
std::unique_ptr<Source<v1::OutputChunk>> OutputSource(const v1::ReadOutputRequest& request);
std::unique_ptr<Source<v1::TraceEvent>> TraceSource(const v1::StreamTraceRequest& request);

}  // namespace glovebox::server
