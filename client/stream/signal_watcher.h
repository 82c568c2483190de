// Signals to us as calls on a thread of ours, where locks and messages are allowed.
#pragma once

#include <functional>
#include <thread>

#include "engine/base/host_fd.h"

namespace glovebox::client {

// Blocks SIGINT, SIGTERM, SIGHUP, and what tells of the terminal's window (SIGWINCH) and of our
// going on after a stop (SIGCONT), for this thread and those that it starts, and ignores SIGPIPE.
// Before any thread is made: what is blocked everywhere comes to the watcher.
void HoldSignals();

class SignalWatcher {
 public:
  explicit SignalWatcher(std::function<void(int number)> on_signal);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  void Run();

  std::function<void(int)> on_signal_;
  HostFd signals_;  // signalfd
  HostFd wake_;     // eventfd: ends the thread
  std::thread thread_;
};

}  // namespace glovebox::client
