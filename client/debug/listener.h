// A port on the loopback for debuggers that know no pipes: IDEs, lldb.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/host_fd.h"
#include "engine/base/result.h"
#include "glovebox/v1/session_service.grpc.pb.h"

namespace glovebox::client {

class DebugListener {
 public:
  // `address`: "PORT", ":PORT", "127.0.0.1:PORT", "localhost:PORT" or "[::1]:PORT"; port 0: any
  // that is free. No other address than the loopback's: whoever reaches the port has the box.
  // Errors: kInvalidArgument BAD_ADDRESS; kUnavailable CANNOT_LISTEN.
  static Result<DebugListener, Error> Open(const std::string& address);

  // "127.0.0.1:1234"
  const std::string& address() const { return address_; }

  // One debugger after the other joins the job, or a replay once it has ended, until `stop` is
  // readable.
  // Errors: what SessionService.Debug says, but for DEBUGGER_BUSY.
  Result<void, Error> Serve(v1::SessionService::StubInterface& service, const std::string& job,
                            int stop = -1);
  // Of a job that has ended: each has a replay of its own, which stands where it is to before the
  // debugger comes; `ready` is called when it does. Errors: what SessionService.Debug says.
  Result<void, Error> ServeReplays(v1::SessionService::StubInterface& service,
                                   const std::string& job, std::optional<std::uint64_t> at_icount,
                                   const std::function<void()>& ready);

 private:
  // Waits for the next one. Empty: none came, or `stop`, which is noted.
  HostFd Accept(int stop, bool* stopped);

  HostFd socket_;
  std::string address_;
};

}  // namespace glovebox::client
