#include "client/embedded/keeper.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot to say that it is C
}

#include <array>
#include <cstdint>
#include <utility>

#include "client/rpc/status.h"

namespace glovebox::client {
namespace {

// A daemon that dies again and again has a reason that another start does not remove.
constexpr int kMostStarts = 4;

}  // namespace

DaemonKeeper::DaemonKeeper(EmbeddedDaemon daemon, pid_t pid)
    : daemon_(std::move(daemon)), wake_(::eventfd(0, EFD_CLOEXEC)) {
  thread_ = std::thread([this, pid] { Run(pid); });
}

DaemonKeeper::~DaemonKeeper() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_.get(), &one, sizeof(one)));
  thread_.join();
}

void DaemonKeeper::Run(pid_t pid) {
  for (int starts = 0; WaitForEnd(pid) && starts < kMostStarts; ++starts) {
    daemon_.Note("the embedded daemon has gone; starting it again");
    const auto peer = daemon_.Ensure();
    if (!peer) {
      daemon_.Note(Describe(peer.error()));
      return;
    }
    pid = peer->pid;
  }
}

bool DaemonKeeper::WaitForEnd(pid_t pid) const {
  const HostFd process(::pidfd_open(pid, 0));
  if (!process) return true;
  std::array<pollfd, 2> waiting{pollfd{process.get(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
  while (::poll(waiting.data(), waiting.size(), -1) < 0) {
  }
  return waiting[1].revents == 0;
}

}  // namespace glovebox::client
