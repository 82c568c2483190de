// /proc/net and /proc/sys/net: what proc(5) tells of the box' network.
#pragma once

#include "engine/linux/proc_directory.h"

namespace glovebox::engine {

void AddNetwork(ProcDirectory& proc, Kernel& kernel);
void AddNetworkSettings(ProcDirectory& sys);

}  // namespace glovebox::engine
