// The daemon's side of the zygote: starts it, and has workers forked.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "engine/base/host_fd.h"
#include "engine/base/result.h"

namespace glovebox::server {

// A worker that was just forked. The process is a child of this one: its pid stays its own until it
// is waited for.
struct FreshWorker {
  HostFd channel;  // stream socket
  HostFd stderr_;  // its last words come out here, and it dies when this closes
  HostFd process;  // pidfd
  pid_t pid = 0;
};

// Threads: one. The zygote dies with the thread that started it (prctl(2), PR_SET_PDEATHSIG).
class ZygoteClient {
 public:
  // Returns once the zygote has said that it is ready and of this build.
  // Errors: kNotFound (no such program), kUnavailable, kFailedPrecondition (another build).
  static Result<std::unique_ptr<ZygoteClient>, Error> Start(const std::string& worker_path);
  // Ends the zygote. Its workers live on.
  ~ZygoteClient();
  ZygoteClient(const ZygoteClient&) = delete;
  ZygoteClient& operator=(const ZygoteClient&) = delete;

  // Errors: kUnavailable: the zygote is gone or hangs, start another one; kResourceExhausted: the
  // host has no more processes or descriptors.
  Result<FreshWorker, Error> Fork();

  // Of the engine that the workers have.
  std::uint32_t epoch() const { return epoch_; }
  pid_t pid() const { return pid_; }

 private:
  ZygoteClient(HostFd control, pid_t pid) : control_(std::move(control)), pid_(pid) {}

  Result<std::string, Error> ReceivePacket();

  HostFd control_;
  pid_t pid_;
  std::uint32_t epoch_ = 0;
};

}  // namespace glovebox::server
