// The empty namespaces in which the zygote, and so every worker, sits.
#pragma once

#include <vector>

#include "server/worker/lockdown/layer.h"

namespace glovebox::worker {

// Leaves the host's network, System V IPC and host name for empty ones; takes a user namespace
// where the caller has no privilege of its own. The process must have one thread. Layers:
// "network_namespace", "ipc_uts_namespaces". Rejected: a PID namespace. Its first process ignores
// signals, also those of its own abort(3), and a worker that can neither signal nor trace anything
// gains nothing by not seeing others.
std::vector<Layer> EnterNamespaces();

// From root to nobody, without groups. False: errno says why.
bool BecomeNobody();

}  // namespace glovebox::worker
