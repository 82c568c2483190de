// Who may do what to another process.
#pragma once

#include "engine/linux/task.h"

namespace glovebox::engine {

// kill(2), "Description": whose signals a process may send.
bool MaySignal(const Task& task, const Process& to, int signal);
// Checks, then sends; signal 0 is only checked.
SyscallResult SendTo(Task& task, Process& to, const abi::Siginfo& info);

// ptrace(2), "Ptrace access mode checking": who may read what another process has.
bool MayTrace(const Task& task, const Task& other);

}  // namespace glovebox::engine
