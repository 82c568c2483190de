// The process that workers are forked from. It has never seen a byte of a guest, so neither has a
// fresh worker.
#pragma once

#include <vector>

#include "server/worker/lockdown/layer.h"

namespace glovebox::worker {

// Serves spawn requests (worker.proto, SpawnReply) on the packet socket `control_fd` until it
// closes, and returns in two kinds of processes: in the zygote, at its end, and in each worker,
// whose channel is then kChannelFd and whose stderr is kStderrFd. The process must have one thread.
//
// Workers are made by clone(2) with CLONE_PARENT: they are children of the daemon, which alone
// learns how they end, from the kernel instead of from a message, and whether this process still
// lives makes no difference to them.
struct ZygoteOutcome {
  bool is_worker = false;
  int exit_status = 0;        // of the zygote
  std::vector<Layer> layers;  // the namespaces that it entered
};
ZygoteOutcome RunZygote(int control_fd);

}  // namespace glovebox::worker
