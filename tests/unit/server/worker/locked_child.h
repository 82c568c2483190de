// A child process that locks itself up as a worker does, for tests of the lock.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <string>
#include <utility>

#include "engine/base/host_fd.h"
#include "server/channel/frame.h"
#include "server/worker/lockdown/lockdown.h"
#include "server/worker/lockdown/seccomp_table.h"

namespace glovebox::worker {

class LockedChild {
 public:
  // `action` runs behind the lock; what it returns is the exit status.
  explicit LockedChild(const std::function<int()>& action) {
    auto channel = channel::MakeSocketPair(SOCK_STREAM);
    auto lifeline = channel::MakeSocketPair(SOCK_STREAM);
    if (!channel || !lifeline) ::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      // Away from the numbers that are to be taken.
      const int channel_fd = ::dup(channel->theirs.get());
      const int lifeline_fd = ::dup(lifeline->theirs.get());
      if (::dup2(lifeline_fd, kStderrFd) < 0 || ::dup2(channel_fd, kChannelFd) < 0) ::_exit(99);
      LockDown();
      ::_exit(action());
    }
    channel_ = std::move(channel->ours);
    lifeline_ = std::move(lifeline->ours);
  }
  ~LockedChild() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    Wait();
  }
  LockedChild(const LockedChild&) = delete;
  LockedChild& operator=(const LockedChild&) = delete;

  pid_t pid() const { return pid_; }
  int channel() const { return channel_.get(); }
  void CutLifeline() { lifeline_.Reset(); }

  // "exit 0", "SIGSYS".
  std::string Wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    if (WIFSIGNALED(status)) return "SIG" + std::string(::sigabbrev_np(WTERMSIG(status)));
    return "exit " + std::to_string(WEXITSTATUS(status));
  }

 private:
  pid_t pid_ = 0;
  HostFd channel_;
  HostFd lifeline_;
};

// How a child ends that does `action` behind the lock.
inline std::string EndOf(const std::function<int()>& action) { return LockedChild(action).Wait(); }

}  // namespace glovebox::worker
