// Bytes between a debugger's descriptors and the box of its job.
#pragma once

#include <grpcpp/client_context.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/result.h"
#include "glovebox/v1/session_service.grpc.pb.h"

namespace glovebox::client {

// A debugger's call. What the box has to say to a person goes to our stderr.
class DebugCall {
 public:
  // `at_icount`: of a job that has ended, where its replay is to stand; empty: at its end.
  DebugCall(v1::SessionService::StubInterface& service, const std::string& job,
            std::optional<std::uint64_t> at_icount);
  ~DebugCall();
  DebugCall(const DebugCall&) = delete;
  DebugCall& operator=(const DebugCall&) = delete;

  // Waits until the box stands still for the debugger: of a replay, as long as it runs to there.
  // False: the call has ended without it.
  bool AwaitAttached();
  // Joins the debugger at `in` and `out` (perhaps the same) to the box, and returns when either has
  // gone; `stop` readable ends it as well (-1: nothing does). The descriptors stay open. Once.
  // Errors: what SessionService.Debug says.
  Result<void, Error> Relay(int in, int out, int stop = -1);
  bool attached() const { return attached_; }

 private:
  using Stream = grpc::ClientReaderWriterInterface<v1::DebugRequest, v1::DebugResponse>;
  class Upstream;

  Result<void, Error> Finish();

  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
  bool attached_ = false;
  bool finished_ = false;
};

// All of it. As long as nothing of the debugger has been read, a server that cannot be reached is
// asked again: a daemon may be starting.
Result<void, Error> RelayDebugger(v1::SessionService::StubInterface& service,
                                  const std::string& job, std::optional<std::uint64_t> at_icount,
                                  int in, int out, int stop = -1);

}  // namespace glovebox::client
