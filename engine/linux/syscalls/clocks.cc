#include "engine/linux/syscalls/clocks.h"

#include <limits>

#include "engine/linux/process_table.h"

namespace glovebox::engine {
namespace {

constexpr std::int64_t kBillion = 1'000'000'000;

// Of one's own process: not held, since the process holds what asks for it.
CpuClock OwnClock(Task& task, std::uint32_t thread) {
  return {std::shared_ptr<Process>(std::shared_ptr<Process>{}, &task.process), thread};
}

}  // namespace

abi::Timespec ToTimespec(std::int64_t ns) { return {ns / kBillion, ns % kBillion}; }

Result<std::int64_t, Errno> ToNanoseconds(const abi::Timespec& time) {
  if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= kBillion)
    return std::unexpected(kEINVAL);
  constexpr std::int64_t kMaxSeconds = std::numeric_limits<std::int64_t>::max() / kBillion - 1;
  if (time.seconds > kMaxSeconds) return std::numeric_limits<std::int64_t>::max();
  return time.seconds * kBillion + time.nanoseconds;
}

std::int64_t OffsetOfClock(const Kernel& kernel, int clock) {
  switch (clock) {
    case kRealtime:
    case kRealtimeCoarse:
    case kRealtimeAlarm:
    case kTai:
      return kernel.WallNanoseconds() - static_cast<std::int64_t>(kernel.Now());
    default:
      return 0;
  }
}

// clock_getcpuclockid(3): ~pid shifted by three, what kind of CPU time, and 4 for a thread's. All
// kinds are the same here: nothing is spent in the kernel.
Result<std::optional<CpuClock>, Errno> FindCpuClock(Task& task, int clock) {
  if (clock == kProcessCpu) return OwnClock(task, 0);
  if (clock == kThreadCpu) return OwnClock(task, task.tid);
  if (clock >= 0) return std::nullopt;
  constexpr int kOfThread = 4, kKinds = 3;
  const int pid = ~(clock >> 3);
  if ((clock & kKinds) == kKinds) return std::unexpected(kEINVAL);
  const ProcessTable& processes = task.kernel.processes();
  if ((clock & kOfThread) != 0) {
    const Task* const thread = pid == 0 ? &task : processes.FindTask(pid);
    if (thread == nullptr || &thread->process != &task.process) return std::unexpected(kEINVAL);
    return OwnClock(task, thread->tid);
  }
  if (pid == 0) return OwnClock(task, 0);
  const Process* const process = processes.FindProcess(pid);
  if (process == nullptr) return std::unexpected(kEINVAL);
  if (process == &task.process) return OwnClock(task, 0);
  return CpuClock{processes.FindTask(pid)->shared_process(), 0};
}

Result<std::int64_t, Errno> ReadClock(Task& task, int clock) {
  switch (clock) {
    case kRealtime:
    case kMonotonic:
    case kMonotonicRaw:
    case kRealtimeCoarse:
    case kMonotonicCoarse:
    case kBoottime:
    case kRealtimeAlarm:
    case kBoottimeAlarm:
    case kTai:
      return static_cast<std::int64_t>(task.kernel.Now()) + OffsetOfClock(task.kernel, clock);
    default:
      break;
  }
  const auto cpu = FindCpuClock(task, clock);
  if (!cpu || !*cpu) return std::unexpected(kEINVAL);
  return (*cpu)->Now();
}

}  // namespace glovebox::engine
