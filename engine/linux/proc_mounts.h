// /proc/PID/mounts and mountinfo: what the box begins with, and what mount(2) has added.
#pragma once

#include <string>

#include "engine/linux/kernel.h"

namespace glovebox::engine {

// fstab(5)
std::string MountsText(Kernel& kernel);
// proc(5), /proc/PID/mountinfo
std::string MountInfoText(Kernel& kernel);

}  // namespace glovebox::engine
