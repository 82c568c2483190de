// What the box mounts: /dev and /proc.
#pragma once

#include <memory>

#include "engine/linux/task.h"
#include "engine/vfs/inode.h"

namespace glovebox::engine {

// Devices, links to the standard streams. `task` outlives the directory.
std::shared_ptr<Directory> MakeDev(Task& task);

// What programs and C libraries look at in proc(5): the process itself, the machine, some of sys.
std::shared_ptr<Directory> MakeProc(Kernel& kernel);

}  // namespace glovebox::engine
