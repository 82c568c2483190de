// Ends: of a thread, of a process, of the box; and the stops in between.
#pragma once

#include "engine/linux/task.h"

namespace glovebox::engine {

// _exit(2) of one thread. With the last one its process ends.
void EndThread(Task& task, const ExitStatus& status);
// exit_group(2), or a signal that ends the process: all its threads end at once. The first process
// takes the box with it.
void EndProcess(Process& process, const ExitStatus& status);
// How a box ends whose first process has ended so.
Termination TerminationOf(const ExitStatus& status);
// For execve(2): ends all threads but `task`, which takes over the number of the process.
void EndOtherThreads(Task& task);

// Stops all threads, and tells the parent.
void StopProcess(Process& process, int signal);
void ContinueProcess(Process& process);

// What wait(2) gives for it, as bits/waitstatus.h has it. No process leaves a core file behind, so
// none is told of.
int WaitStatusOf(const ExitStatus& status);
// wait(2) has seen a zombie: takes its number from it.
void Reap(Process& process);
// Has it ended, and may its parent hear of it? Tracers come first.
bool IsWaitable(const Process& process);
// A thread or process that has ended loses its tracer, which has waited for it or is gone.
void ReleaseTracee(Task& task);

}  // namespace glovebox::engine
