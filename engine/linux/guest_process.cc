#include "engine/linux/guest_process.h"

#include <algorithm>

#include "engine/linux/debugger.h"
#include "engine/linux/exit.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

// To a debugger, a signal that vanishes: as of a thread that would have taken it.
void ShowIgnored(const Process& process, const abi::Siginfo& info, const Task* thread) {
  Debugger* const debugger = process.kernel.debugger;
  if (debugger == nullptr) return;
  for (Task* const each : process.threads) {
    if (thread != nullptr && each != thread) continue;
    if (each->debug && (each->signals.blocked() & SetOf(info.signal)) == 0)
      return debugger->NoteIgnored(*each, info);
  }
}

}  // namespace

Process::Process(Kernel& the_kernel, std::uint32_t id, Process* the_parent)
    : kernel(the_kernel), pid(id), parent(the_parent), group(id), session(1), timers(*this) {
  if (parent != nullptr) {
    parent->children.push_back(this);
    group = parent->group;
    session = parent->session;
    terminal = parent->terminal;
    limits = parent->limits;
    oom_score_adjustment = parent->oom_score_adjustment;
    return;
  }
  // Defaults of a shell on Debian 12; what a limit of the box decides follows it.
  limits.fill({kUnlimited, kUnlimited});
  limits[kLimitStack] = {kStackBytes, kUnlimited};
  limits[kLimitCore] = {0, kUnlimited};
  const std::uint64_t tasks = kernel.spec.limits[LimitId::kTasks];
  limits[kLimitProcesses] = {tasks, tasks};
  const std::uint64_t files = kernel.spec.limits[LimitId::kOpenFiles];
  limits[kLimitOpenFiles] = {files, files};
  limits[kLimitLocked] = {8_MiB, 8_MiB};
  limits[kLimitSigPending] = {PendingSignals::kMaxQueued, PendingSignals::kMaxQueued};
  limits[kLimitMessageQueue] = {819'200, 819'200};
  limits[kLimitNice] = {0, 0};
  limits[kLimitRtPriority] = {0, 0};
}

// Whether blocked or not: kernel/signal.c, prepare_signal.
void Process::NoteStopOrContinue(int signal) {
  if (signal == kSIGCONT) {
    for (const int stop : {kSIGSTOP, kSIGTSTP, kSIGTTIN, kSIGTTOU}) Drop(stop);
    ContinueProcess(*this);
    for (Task* const thread : threads) ptrace::NoteContinued(*thread);
  } else if (DefaultActionOf(signal) == DefaultAction::kStop) {
    Drop(kSIGCONT);
  } else if (signal == kSIGKILL) {
    ContinueProcess(*this);
    for (Task* const thread : threads) ptrace::NoteKilled(*thread);
  }
}

bool Process::Send(const abi::Siginfo& info) {
  if (ended) return true;
  NoteStopOrContinue(info.signal);
  // A signal that the leader blocks stays pending even where it is ignored: it may be waited for.
  const SignalState& leader = threads.front()->signals;
  const bool blocked = (leader.blocked() & SetOf(info.signal)) != 0;
  if (leader.Discards(info.signal) && !blocked) {
    ShowIgnored(*this, info, nullptr);
    return true;
  }
  if (!pending.Add(info, limits[kLimitSigPending].soft)) return false;
  kernel.TellSignalFiles(leader.handlers());
  WakeFor(info.signal);
  return true;
}

bool Process::SendOfTimer(const abi::Siginfo& info, Task* thread) {
  if (ended) return true;
  SignalState& signals = (thread != nullptr ? thread : threads.front())->signals;
  const bool blocked = (signals.blocked() & SetOf(info.signal)) != 0;
  if (signals.Discards(info.signal) && !blocked) {
    ShowIgnored(*this, info, thread);
    return false;
  }
  NoteStopOrContinue(info.signal);
  if (thread == nullptr) {
    pending.AddOfTimer(info);
    WakeFor(info.signal);
  } else {
    signals.AddOfTimer(info);
    if (signals.Wants(info.signal)) kernel.scheduler.Wake(*thread);
  }
  kernel.TellSignalFiles(signals.handlers());
  return true;
}

void Process::WakeFor(int signal) {
  for (Task* const thread : threads) {
    if (thread->scheduling.state == Scheduling::State::kEnded) continue;
    if (!thread->signals.Wants(signal)) continue;
    kernel.scheduler.Wake(*thread);
    break;
  }
}

void Process::Drop(int signal) {
  for (Task* const thread : threads) thread->signals.Drop(signal);
}

}  // namespace glovebox::engine
