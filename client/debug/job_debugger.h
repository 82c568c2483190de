// The debugger of `glovebox run --gdb`: a gdb at this terminal, or a port for one.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "client/debug/listener.h"
#include "client/invocation.h"
#include "client/rpc/connection.h"
#include "engine/base/host_fd.h"
#include "engine/base/result.h"

namespace glovebox::client {

class JobDebugger {
 public:
  // `listen` empty: gdb is started, and has the terminal and its ^C. Otherwise as --listen of
  // `glovebox gdb`. Errors: NO_GDB; what DebugListener says.
  static Result<std::unique_ptr<JobDebugger>, Error> Start(const Connection& connection,
                                                           const Invocation& invocation,
                                                           const std::string& job,
                                                           const std::string& listen);
  // Waits for the user to leave gdb; a port is closed.
  ~JobDebugger();
  JobDebugger(const JobDebugger&) = delete;
  JobDebugger& operator=(const JobDebugger&) = delete;

 private:
  JobDebugger() = default;

  pid_t gdb_ = 0;
  HostFd stop_;
  std::optional<DebugListener> listener_;
  std::thread thread_;
};

}  // namespace glovebox::client
