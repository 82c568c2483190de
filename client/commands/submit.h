// What `run` and `job submit` share: a plan's files to the server, and the job accepted.
#pragma once

#include <string>

#include "client/commands/job_options.h"
#include "client/rpc/connection.h"

namespace glovebox::client {

// Sends what the server lacks and creates the job. `plan.spec` is completed on the way.
// cancel_if_unwatched_s: see CreateJobRequest.
Result<v1::Job, Error> SubmitJob(const Connection& connection, const Invocation& invocation,
                                 JobPlan& plan, std::uint32_t cancel_if_unwatched_s);

}  // namespace glovebox::client
