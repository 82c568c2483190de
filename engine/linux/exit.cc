#include "engine/linux/exit.h"

#include <algorithm>
#include <utility>

#include "engine/linux/debugger.h"
#include "engine/linux/futex.h"
#include "engine/linux/ipc/ipc.h"
#include "engine/linux/process_table.h"
#include "engine/linux/task.h"
#include "engine/linux/tty/job_control.h"

namespace glovebox::engine {
namespace {

// si_code of SIGCHLD: sigaction(2).
enum ChildCode : int {
  kChildExited = 1,
  kChildKilled,
  kChildStopped = 5,
  kChildContinued,
};

void TellParent(Process& child, int signal, int code, int status) {
  if (signal == 0) return;
  constexpr std::int64_t kNanosecondsPerTick = 10'000'000;
  abi::Siginfo info{};
  info.signal = signal;
  info.code = code;
  info.child = {static_cast<std::int32_t>(child.pid),
                child.threads.front()->credentials.uid,
                status,
                0,
                static_cast<std::int64_t>(child.cpu_ns - child.system_ns) / kNanosecondsPerTick,
                static_cast<std::int64_t>(child.system_ns) / kNanosecondsPerTick};
  child.parent->Send(info);
}

// How a process has ended, as its parent is told.
void TellEnd(Process& child) {
  const ExitStatus& end = child.status;
  if (end.signal == 0) {
    TellParent(child, child.exit_signal, kChildExited, end.code);
  } else {
    TellParent(child, child.exit_signal, kChildKilled, end.signal);
  }
}

// SIGCHLD that is ignored, and SA_NOCLDWAIT, leave no zombies.
bool WaitsForNobody(const Process& process) {
  const Sigaction& action = process.threads.front()->signals.handlers().action(kSIGCHLD);
  return action.handler == kHandlerIgnore || (action.flags & kSaNoChildWait) != 0;
}
bool LeavesNoZombie(const Process& child) {
  return child.exit_signal == kSIGCHLD && WaitsForNobody(*child.parent);
}

void WakeWaiters(Process& child) { child.kernel.scheduler.WakeAll(&child.parent->children); }

// What a thread does last in its memory: set_tid_address(2), get_robust_list(2).
void LeaveMemory(Task& task) {
  if (!task.program) return;
  task.kernel.futexes.Forget(task);
  task.kernel.futexes.HandleDeathOf(task);
  if (task.clear_child_tid != 0) {
    // Who points it to nowhere harms only itself.
    static_cast<void>(task.memory().Write(GuestPtr<std::uint32_t>{task.clear_child_tid}, 0));
    task.kernel.futexes.Wake(task.kernel.futexes.KeyOf(task, task.clear_child_tid, false), 1,
                             FutexTable::kAnyBit);
  }
  task.kernel.scheduler.WakeAll(&task);  // a parent that called vfork(2)
  task.LeaveCpu();
  task.program.reset();
}

// Takes a thread away from everything but the table of processes.
void Detach(Task& task) {
  if (!task.process.tracees.empty()) ptrace::EndTracer(task);
  LeaveMemory(task);
  // Of the current one, the call that ends it is still to be recorded.
  if (task.kernel.scheduler.current() != &task) task.call.reset();
  if (task.tracing) task.tracing->restart.reset();
  task.fd_table.reset();
  task.fs_context.reset();
  task.kernel.scheduler.Remove(task);
}

// Children of a process that ends go to the nearest subreaper, or to process 1.
void GiveAwayChildren(Process& process) {
  if (process.children.empty()) return;
  for (Process* const child : process.children) {
    for (Task* const thread : std::vector(child->threads)) {
      const auto signal = static_cast<int>(thread->parent_death_signal);
      if (signal != 0) thread->Receive(SenderInfo(signal, kSiUser, process.pid, 0));
    }
  }
  Process* heir = process.parent;
  while (heir->parent != nullptr && !heir->is_subreaper) heir = heir->parent;
  for (Process* const child : process.children) {
    child->parent = heir;
    heir->children.push_back(child);
    // Whatever it had asked for: nobody is to end the heir so. kernel/exit.c, reparent_leader.
    child->exit_signal = kSIGCHLD;
    if (IsWaitable(*child)) {
      TellEnd(*child);
    } else if (!child->ended) {
      tty::NoteNewParent(*child, process);
    }
  }
  // Reaping takes from the heir's list.
  for (Process* const child : std::exchange(process.children, {})) {
    if (IsWaitable(*child) && LeavesNoZombie(*child)) Reap(*child);
  }
  process.kernel.scheduler.WakeAll(&heir->children);
}

void EndBox(Kernel& kernel, const ExitStatus& status) {
  if (kernel.debugger != nullptr) kernel.debugger->NoteBoxEnd(status);
  kernel.End(TerminationOf(status));
}

// Is the end of the process that of the box? Not while a debugger wants to run something again.
bool EndsBox(const Process& process, const ExitStatus& status) {
  Debugger* const debugger = process.kernel.debugger;
  return debugger == nullptr ? IsFirst(process) : debugger->EndsBox(process, status);
}

// Tells of the end of a process whose threads are gone, also for their tracers: first its own
// tracer, and the parent once that has waited for it.
void AnnounceEnd(Process& process) {
  if (process.unreaped_threads > 0) return;
  Task& leader = *process.threads.front();
  if (ptrace::IsTraced(leader) && !ptrace::IsTracedBy(leader, *process.parent)) {
    const bool waited_for = !WaitsForNobody(leader.tracing->tracer->process);
    if (waited_for) return ptrace::TellTracerOfEnd(leader, process.status);
    ptrace::Unlink(leader);
  }
  const bool leaves_no_zombie = LeavesNoZombie(process);
  TellEnd(process);
  WakeWaiters(process);
  if (leaves_no_zombie) Reap(process);
}

// No thread is left: the parent gets to know.
void BecomeZombie(Process& process) {
  Kernel& kernel = process.kernel;
  process.ended = true;
  if (kernel.debugger != nullptr) kernel.debugger->NoteProcessEnd(process, process.status);
  kernel.services()->file_event(&process, kPollIn);  // pidfd_open(2)
  process.timers.RemoveAll();
  process.timers.cpu_limit().Cancel();
  for (const TimerId which : {kTimerReal, kTimerVirtual, kTimerProfile})
    process.timers.interval(which).Set(0, 0);
  kernel.timed_processes.erase(process.pid);
  kernel.ipc().EndProcess(process);
  if (EndsBox(process, process.status)) return EndBox(kernel, process.status);
  if (process.session == process.pid) tty::Disassociate(process, true);
  GiveAwayChildren(process);
  tty::NoteEnd(process);
  AnnounceEnd(process);
}

// The last of a thread that is no leader: where it is traced, it stays until its tracer has waited
// for it.
void LetGo(Task& thread, const ExitStatus& status) {
  Process& process = thread.process;
  std::erase(process.threads, &thread);
  if (thread.debug) thread.kernel.debugger->NoteThreadEnd(thread, status);
  const bool waited_for =
      ptrace::IsTraced(thread) && !WaitsForNobody(thread.tracing->tracer->process);
  if (!waited_for) {
    ptrace::Unlink(thread);
    thread.kernel.processes().Forget(thread);
    return;
  }
  thread.tracing->ended = status;
  ++process.unreaped_threads;
  ptrace::TellTracerOfEnd(thread, status);
}

}  // namespace

Termination TerminationOf(const ExitStatus& status) {
  Termination termination;
  termination.kind = status.signal != 0 ? Termination::Kind::kSignaled : Termination::Kind::kExited;
  termination.code = status.signal != 0 ? status.signal : status.code;
  termination.core_dumped = status.core;
  return termination;
}

void EndThread(Task& task, const ExitStatus& status) {
  Process& process = task.process;
  const bool last = std::ranges::all_of(process.threads, [&](const Task* thread) {
    return thread == &task || thread->scheduling.state == Scheduling::State::kEnded;
  });
  // The process ends as its leader did, which stays as the one whom it is known by.
  if (process.threads.front() == &task) process.status = status;
  if (last) return EndProcess(process, ExitStatus(process.status));
  Detach(task);
  if (process.threads.front() != &task) LetGo(task, status);
}

void EndProcess(Process& process, const ExitStatus& status) {
  if (process.ended) return;
  process.status = status;
  // The box ends with everything in it as it is.
  if (EndsBox(process, status)) return EndBox(process.kernel, status);
  while (process.threads.size() > 1) {
    Task& task = *process.threads.back();
    Detach(task);
    LetGo(task, status);
  }
  Detach(*process.threads.front());
  BecomeZombie(process);
}

void EndOtherThreads(Task& task) {
  Process& process = task.process;
  for (Task* const other : std::vector(process.threads)) {
    if (other == &task) continue;
    const bool is_leader = other->tid == process.pid;
    Detach(*other);
    // Its number is needed: nobody hears of its end.
    if (is_leader) ptrace::Unlink(*other);
    LetGo(*other, {});
  }
  process.threads = {&task};
  process.kernel.processes().Rename(task, process.pid);
}

void StopProcess(Process& process, int signal) {
  if (process.ended || process.stop_signal != 0) return;
  process.stop_signal = signal;
  process.stop_seen = false;
  for (Task* const thread : process.threads) {
    if (ptrace::IsTraced(*thread)) {
      ptrace::NoteGroupStop(*thread);
    } else {
      process.kernel.scheduler.Stop(*thread);
    }
  }
  const SignalHandlers& handlers = process.parent->threads.front()->signals.handlers();
  if ((handlers.action(kSIGCHLD).flags & kSaNoChildStop) == 0)
    TellParent(process, kSIGCHLD, kChildStopped, signal);
  WakeWaiters(process);
}

void ContinueProcess(Process& process) {
  if (process.ended || process.stop_signal == 0) return;
  process.stop_signal = 0;
  process.continued = true;
  for (Task* const thread : process.threads) {
    if (!ptrace::InStop(*thread)) process.kernel.scheduler.Continue(*thread);
  }
  const SignalHandlers& handlers = process.parent->threads.front()->signals.handlers();
  if ((handlers.action(kSIGCHLD).flags & kSaNoChildStop) == 0)
    TellParent(process, kSIGCHLD, kChildContinued, kSIGCONT);
  WakeWaiters(process);
}

int WaitStatusOf(const ExitStatus& status) {
  return status.signal != 0 ? status.signal : status.code << 8;
}

bool IsWaitable(const Process& process) {
  if (!process.ended || process.unreaped_threads > 0) return false;
  const Task& leader = *process.threads.front();
  return !ptrace::IsTraced(leader) || ptrace::IsTracedBy(leader, *process.parent);
}

void ReleaseTracee(Task& task) {
  Process& process = task.process;
  const bool is_leader = !task.tracing->ended;
  const bool is_own = ptrace::IsTracedBy(task, *process.parent);
  ptrace::Unlink(task);
  if (!is_leader) {
    --process.unreaped_threads;
    process.kernel.processes().Forget(task);
  }
  if (process.ended && (!is_leader || !is_own)) AnnounceEnd(process);
}

void Reap(Process& process) {
  Process& parent = *process.parent;
  ptrace::Unlink(*process.threads.front());
  process.reaped = true;
  std::erase(parent.children, &process);
  parent.children_cpu_ns += process.cpu_ns + process.children_cpu_ns;
  parent.children_system_ns += process.system_ns + process.children_system_ns;
  process.kernel.processes().Forget(*process.threads.front());
}

}  // namespace glovebox::engine
