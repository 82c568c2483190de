// Sessions, process groups and their terminals: credentials(7), termios(3). Source of what the
// manuals leave open: drivers/tty/tty_jobctrl.c, kernel/exit.c.
#pragma once

#include "engine/linux/task.h"
#include "engine/linux/tty/terminal.h"

namespace glovebox::engine::tty {

// From the kernel, to every process of the group.
void SignalGroup(Kernel& kernel, std::uint32_t group, int signal);

// Nobody outside of the group and within its session can continue it once it is stopped.
bool IsOrphaned(const Process& process);

// Whether the task may use its terminal: SIGTTIN or SIGTTOU stops a process group in the
// background. Errors: EIO; Wait::kSignal, where the signal was sent.
Result<void, IoFailure> MayUse(Task& task, const Terminal& terminal, int signal);

// What open(2) without O_NOCTTY does for the leader of a session that has no terminal.
void TakeAsControlling(Process& process, const std::shared_ptr<Terminal>& terminal);
// Nobody's session any more: all its processes lose it.
void Release(Kernel& kernel, Terminal& terminal);
// TIOCNOTTY, and the end of a session's leader: the foreground hears SIGHUP, and the session has no
// terminal any more.
void Disassociate(Process& process, bool exits);
// A hangup: SIGHUP and SIGCONT to the leader.
void LoseTerminal(Kernel& kernel, Terminal& terminal);

// The end of a process may leave groups without anybody to continue them: those that are stopped
// get SIGHUP and SIGCONT, setpgid(2). `child` has just got another parent than `father`.
void NoteNewParent(Process& child, const Process& father);
void NoteEnd(Process& process);

}  // namespace glovebox::engine::tty
