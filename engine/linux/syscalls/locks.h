// The commands of fcntl(2) that are about record locks.
#pragma once

#include <optional>

#include "engine/linux/task.h"

namespace glovebox::engine {

// Nothing: the command is about something else.
std::optional<SyscallResult> LockCommand(Task& task, OpenFile& file, int command,
                                         GuestAddr argument);

}  // namespace glovebox::engine
