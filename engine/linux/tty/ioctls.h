// ioctl(2) of terminals: ioctl_tty(2).
#pragma once

#include <memory>

#include "engine/linux/syscalls/arguments.h"
#include "engine/linux/task.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine::tty {

// ENOTTY where `file` is no terminal, or has no such request.
SyscallResult Ioctl(Task& task, const std::shared_ptr<OpenFile>& file, std::uint32_t request,
                    std::uint64_t argument);

// After open(2): the leader of a session without a terminal gets this one, unless `flags` have
// O_NOCTTY.
void AdoptOnOpen(Task& task, OpenFile& file, int flags);

}  // namespace glovebox::engine::tty
