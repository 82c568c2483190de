// Keeps the embedded daemon alive while a client of it lives: nobody else would start it again, and
// jobs go on where they stopped.
#pragma once

#include <sys/types.h>

#include <thread>

#include "client/embedded/daemon.h"
#include "engine/base/host_fd.h"

namespace glovebox::client {

class DaemonKeeper {
 public:
  // pid: who serves now.
  DaemonKeeper(EmbeddedDaemon daemon, pid_t pid);
  ~DaemonKeeper();
  DaemonKeeper(const DaemonKeeper&) = delete;
  DaemonKeeper& operator=(const DaemonKeeper&) = delete;

 private:
  void Run(pid_t pid);
  // Returns when the process has gone (true), or the keeper is to go (false).
  bool WaitForEnd(pid_t pid) const;

  EmbeddedDaemon daemon_;
  HostFd wake_;  // eventfd: ends the thread
  std::thread thread_;
};

}  // namespace glovebox::client
