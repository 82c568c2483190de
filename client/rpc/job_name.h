// Jobs as people name them: "jobs/01J…", "01J…", or the first characters of it.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "glovebox/v1/job_service.grpc.pb.h"

namespace glovebox::client {

inline constexpr std::string_view kJobPrefix = "jobs/";

// "jobs/01J…" to "01J…".
std::string_view JobId(std::string_view name);

// The full name. Errors: kInvalidArgument BAD_JOB_NAME, kNotFound JOB_NOT_FOUND, kInvalidArgument
// AMBIGUOUS_JOB with some of those that begin so. A full name is not looked up here.
Result<std::string, Error> ResolveJobName(v1::JobService::StubInterface& service,
                                          std::string_view text);

// Calls `on_job` for jobs of the given states, newest first, until it returns false.
Result<void, Error> ForEachJob(v1::JobService::StubInterface& service,
                               const std::vector<v1::JobState>& states,
                               const std::function<bool(const v1::Job&)>& on_job);

}  // namespace glovebox::client
