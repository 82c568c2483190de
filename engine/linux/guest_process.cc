#include "engine/linux/guest_process.h"

#include <algorithm>

#include "engine/linux/exit.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};
constexpr int kTimerSignals[kTimerCount] = {kSIGALRM, kSIGVTALRM, kSIGPROF};

}  // namespace

Process::Process(Kernel& the_kernel, std::uint32_t id, Process* the_parent)
    : kernel(the_kernel), pid(id), parent(the_parent), group(id), session(1) {
  if (parent != nullptr) {
    parent->children.push_back(this);
    group = parent->group;
    session = parent->session;
    limits = parent->limits;
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
  } else if (DefaultActionOf(signal) == DefaultAction::kStop) {
    Drop(kSIGCONT);
  } else if (signal == kSIGKILL) {
    ContinueProcess(*this);
  }
}

bool Process::Send(const abi::Siginfo& info) {
  if (ended) return true;
  NoteStopOrContinue(info.signal);
  // A signal that the leader blocks stays pending even where it is ignored: it may be waited for.
  const SignalState& leader = threads.front()->signals;
  const bool blocked = (leader.blocked() & SetOf(info.signal)) != 0;
  if (leader.IsIgnored(info.signal) && !blocked) return true;
  if (!pending.Add(info)) return false;
  // One thread that wants it is enough.
  for (Task* const thread : threads) {
    if (thread->scheduling.state == Scheduling::State::kEnded) continue;
    if (!thread->signals.Wants(info.signal)) continue;
    kernel.scheduler.Wake(*thread);
    break;
  }
  return true;
}

void Process::Drop(int signal) {
  for (Task* const thread : threads) thread->signals.Drop(signal);
}

Nanoseconds Process::ClockOf(TimerId id) const { return id == kTimerReal ? kernel.Now() : cpu_ns; }

Nanoseconds Process::NextTimer(bool waits) const {
  Nanoseconds next = kNever;
  for (std::size_t i = 0; i < kTimerCount; ++i) {
    if (timers[i].expires == kNever) continue;
    const Nanoseconds clock = ClockOf(static_cast<TimerId>(i));
    const Nanoseconds left = timers[i].expires > clock ? timers[i].expires - clock : 0;
    if (waits && i != kTimerReal) continue;
    next = std::min(next, kernel.Now() + left);
  }
  return next;
}

void Process::FireTimers() {
  for (std::size_t i = 0; i < kTimerCount; ++i) {
    IntervalTimer& timer = timers[i];
    const Nanoseconds clock = ClockOf(static_cast<TimerId>(i));
    if (timer.expires > clock) continue;
    Send(SenderInfo(kTimerSignals[i], kSiKernel, 0, 0));
    if (timer.interval == 0) {
      timer.expires = kNever;
    } else {
      // Periods that passed meanwhile count once: the signal is pending already.
      timer.expires += ((clock - timer.expires) / timer.interval + 1) * timer.interval;
    }
  }
}

}  // namespace glovebox::engine
