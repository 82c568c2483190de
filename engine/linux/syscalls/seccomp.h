// What seccomp(2) and prctl(2) share.
#pragma once

#include "engine/linux/syscalls/arguments.h"
#include "engine/linux/task.h"

namespace glovebox::engine {

// 0: every call is allowed; 1: strict; 2: programs decide.
int SeccompModeOf(const Task& task);
SyscallResult SysSeccomp(Task& task, std::uint32_t operation, Hex flags, Address arguments);
// PR_SET_SECCOMP
SyscallResult SetSeccomp(Task& task, std::uint64_t mode, GuestAddr program);

}  // namespace glovebox::engine
