// What `run` and `job submit` share: a plan's files to the server, and the job accepted.
#pragma once

#include <string>

#include "client/commands/job_options.h"
#include "client/rpc/connection.h"

namespace glovebox::client {

struct PlannedJob {
  JobPlan plan;
  Connection connection;
};

// Plans a job and connects: in this order, so that what is wrong with the files is said before a
// daemon is started; the other way round where a root is named. Errors: of both.
Result<PlannedJob, Error> PlanWithServer(const JobOptions& options, const Invocation& invocation);

// Sends what the server lacks and creates the job. `plan.spec` is completed on the way.
// cancel_if_unwatched_s: see CreateJobRequest.
Result<v1::Job, Error> SubmitJob(const Connection& connection, const Invocation& invocation,
                                 JobPlan& plan, std::uint32_t cancel_if_unwatched_s,
                                 bool wait_for_debugger = false);

}  // namespace glovebox::client
