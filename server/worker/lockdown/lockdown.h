// The worker's own sandbox. Whoever takes over the engine from inside a guest finds a process that
// can compute, and can talk to the daemon about one job.
#pragma once

#include <vector>

#include "server/worker/lockdown/layer.h"

namespace glovebox::worker {

// Locks the calling process for good: closes every descriptor above the channel, arms the lifeline,
// gives up privileges, and ends with the seccomp filter. The process has one thread. Layers that
// the host lacks are reported, not fatal: the daemon knows which ones it requires, and gives no job
// to a worker without them. Returns one layer per row of the table in lockdown.cc, in the order in
// which they came into force.
std::vector<Layer> LockDown();

}  // namespace glovebox::worker
