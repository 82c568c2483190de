// ptrace(2), the tracee's side: what a traced thread has, where it stops, and what its tracer is
// told. An untraced thread has none of it; the requests of tracers are syscalls/ptrace.cc.
// Source: kernel/ptrace.c, kernel/signal.c (ptrace_stop and its callers) of Linux 6.1.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "engine/cpu/stop.h"
#include "engine/linux/abi/common.h"
#include "engine/linux/guest_process.h"
#include "engine/linux/syscall_result.h"

namespace glovebox::engine {

class Task;
struct CallInFlight;

// ptrace(2), PTRACE_SETOPTIONS.
enum TraceOption : std::uint32_t {
  kTraceSysGood = 1 << 0,
  kTraceFork = 1 << 1,
  kTraceVfork = 1 << 2,
  kTraceClone = 1 << 3,
  kTraceExec = 1 << 4,
  kTraceVforkDone = 1 << 5,
  kTraceExit = 1 << 6,
  kTraceSeccomp = 1 << 7,
  kExitKill = 1 << 20,
};
inline constexpr std::uint32_t kTraceOptions = kTraceSysGood | kTraceFork | kTraceVfork |
                                               kTraceClone | kTraceExec | kTraceVforkDone |
                                               kTraceExit | kTraceSeccomp | kExitKill;

// PTRACE_EVENT_*: each but the last has the option with its number as a bit.
enum class TraceEventId : std::uint32_t {
  kFork = 1,
  kVfork,
  kClone,
  kExec,
  kVforkDone,
  kExit,
  kSeccomp,
  kStop = 128,
};

// What RAX holds of a call that a signal has interrupted, until it is clear what becomes of it:
// ERESTARTSYS, ERESTARTNOHAND, ERESTART_RESTARTBLOCK of include/linux/errno.h.
inline constexpr std::int64_t kRestartIfAskedCode = -512;
inline constexpr std::int64_t kRestartNoHandlerCode = -514;
inline constexpr std::int64_t kRestartBlockCode = -516;

// How the tracer let a tracee go on.
// Who emulates stops before each call, which then is not made: PTRACE_SYSEMU.
enum class ResumeMode : std::uint8_t { kContinue, kSyscall, kStep, kEmulate, kEmulateStep };
constexpr bool Steps(ResumeMode mode) {
  return mode == ResumeMode::kStep || mode == ResumeMode::kEmulateStep;
}

// The thread stands still, for its tracer to look at.
struct TraceStop {
  enum class Kind : std::uint8_t {
    kSignal,   // a signal was taken, and the tracer says what becomes of it
    kGroup,    // of who was attached to: the process is stopped
    kSyscall,  // before or behind a call
    kEvent,    // TraceEventId
  };
  Kind kind = Kind::kSignal;
  int code = 0;  // wait(2) tells it as the status' upper bits
  std::optional<abi::Siginfo> info;
  bool told = false;       // to wait(2)
  bool listening = false;  // PTRACE_LISTEN: as stopped as a process that nobody traces
};

// A thread that is traced, or was: then nobody is its tracer, and what is left is done once.
struct Tracing {
  Task* tracer = nullptr;
  bool seized = false;
  std::uint32_t options = 0;
  ResumeMode mode = ResumeMode::kContinue;
  std::optional<TraceStop> stop;
  std::uint64_t message = 0;  // PTRACE_GETEVENTMSG
  bool trap_pending = false;  // it is to stop as soon as it can: PTRACE_INTERRUPT, a group stop
  // Of a stop for a signal: the signal, until it is delivered or dropped, and what the tracer made
  // of it.
  std::optional<abi::Siginfo> delivery;
  int injected = 0;
  std::optional<SyscallEntry> entry;  // stopped before a call that is to begin
  bool emulated = false;              // and that the tracer makes itself
  bool judged = false;                // and for which a program of seccomp(2) has asked the tracer
  // The number of the call that the registers are about; -1 where there is none (orig_rax).
  std::int64_t original = -1;
  // RAX says how an interrupted call is to be made again, if no handler comes first.
  bool interrupted = false;
  std::shared_ptr<CallInFlight> restart;  // what restart_syscall(2) goes on with
  std::array<std::uint64_t, 8> debug_registers{};
  std::optional<ExitStatus> dying;  // stopped before its end
  std::optional<ExitStatus> ended;  // a thread that its tracer has not waited for
};

namespace ptrace {

bool IsTraced(const Task& task);
bool IsTracedBy(const Task& task, const Process& process);
bool InStop(const Task& task);
bool WantsEvent(const Task& task, TraceEventId event);

// --- the relation ---

void Link(Task& task, Task& tracer, bool seized, std::uint32_t options);
// PTRACE_DETACH and the tracer's end. `signal`: what is delivered instead of what it stopped for.
void Detach(Task& task, int signal);
// The thread is forgotten: so is its tracer.
void Unlink(Task& task);
// Its tracees go on without it.
void EndTracer(Task& tracer);
// A new child or thread of a tracee; `is_event`: the tracer asked for such.
void InheritTracer(const Task& parent, Task& child, bool is_event);

// --- stops ---

// Stops the task for an event. False where its tracer did not ask for such events.
bool StopForEvent(Task& task, TraceEventId event, std::uint64_t message);
// Before a call begins and once it is over. ReportEntry is true where it stopped: the call begins
// when it goes on.
bool ReportEntry(Task& task, SyscallEntry entry, std::uint64_t number);
void ReportExit(Task& task);
// A handler was entered: who steps stops at its first instruction.
void ReportHandler(Task& task);
// Lets a stopped task go on.
void Resume(Task& task, ResumeMode mode, int signal);
void Listen(Task& task);
void Interrupt(Task& task);
// A task whose process is stopped already stops for its new tracer instead.
void TrapStopped(Task& task);

// --- what signals do ---

// The next signal to be delivered to a task with a tracing; it may have stopped instead.
std::optional<abi::Siginfo> TakeSignal(Task& task);
// Is there something for which a waiting call has to return?
bool HasAttention(const Task& task);
// Lets the interrupted call be made again, or makes EINTR of it. `handler_flags`: of the handler
// that comes first, if any.
void SettleRestart(Task& task, std::optional<std::uint64_t> handler_flags);
// The process was stopped, continued or killed.
void NoteGroupStop(Task& task);
void NoteContinued(Task& task);
void NoteKilled(Task& task);

// --- the end ---

// Stops the task before its end, where the tracer wants to know. True: it is not to end yet.
bool StopBeforeExit(Task& task, const ExitStatus& status);
// A traced thread or process has ended. (exit.h lets go of it.)
void TellTracerOfEnd(Task& task, const ExitStatus& status);

}  // namespace ptrace
}  // namespace glovebox::engine
