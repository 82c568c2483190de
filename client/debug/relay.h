// Bytes between a debugger's descriptors and the box of its job.
#pragma once

#include <string>

#include "engine/base/result.h"
#include "glovebox/v1/session_service.grpc.pb.h"

namespace glovebox::client {

// Joins the debugger at `in` and `out` (perhaps the same) to the job, and returns when either has
// gone; `stop` readable ends it as well (-1: nothing does). The descriptors stay open.
// Errors: what SessionService.Debug says.
Result<void, Error> RelayDebugger(v1::SessionService::StubInterface& service,
                                  const std::string& job, int in, int out, int stop = -1);

}  // namespace glovebox::client
