// What the box mounts: /dev and /proc.
#pragma once

#include <memory>

#include "engine/linux/task.h"
#include "engine/linux/tty/pty.h"
#include "engine/vfs/inode.h"

namespace glovebox::engine {

// Devices, pseudo-terminals, links to the standard streams. `task` outlives the directory.
std::shared_ptr<Directory> MakeDev(Task& task, const std::shared_ptr<tty::PtsDirectory>& pts);

// What programs and C libraries look at in proc(5): the process itself, the machine, some of sys.
std::shared_ptr<Directory> MakeProc(Kernel& kernel);

}  // namespace glovebox::engine
