// How much CPU a task asks for: nice(2), sched_setscheduler(2), sched_setattr(2), ioprio_set(2);
// membarrier(2). All of it is kept and given back as Linux does; turns stay as long as they are
// (world.h, quantum_insns), since one thread of the host runs all tasks and none may starve.
#include <algorithm>
#include <cstddef>

#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/clocks.h"
#include "engine/linux/syscalls/event_handlers.h"
#include "engine/linux/syscalls/handlers.h"

namespace glovebox::engine {
namespace {

enum Policy : int { kOther, kFifo, kRoundRobin, kBatch, kIdle = 5, kDeadline };
constexpr std::uint32_t kResetOnFork = 0x40000000;

struct PolicyRow {
  int policy;
  int least, most;  // of its real-time priorities
};
constexpr PolicyRow kPolicies[] = {{kOther, 0, 0}, {kFifo, 1, 99}, {kRoundRobin, 1, 99},
                                   {kBatch, 0, 0}, {kIdle, 0, 0},  {kDeadline, 0, 0}};

const PolicyRow* FindPolicy(int policy) {
  const auto row = std::ranges::find(kPolicies, policy, &PolicyRow::policy);
  return row == std::end(kPolicies) ? nullptr : row;
}

// The task that a call names: 0 is the caller. EINVAL, ESRCH.
Result<Task*, Errno> TaskOf(Task& task, int tid) {
  if (tid < 0) return std::unexpected(kEINVAL);
  Task* const found = tid == 0 ? &task : task.kernel.processes().FindTask(tid);
  if (found == nullptr) return std::unexpected(kESRCH);
  return found;
}

bool MayChange(const Task& task, const Task& other) {
  const Credentials& who = task.credentials;
  return who.Can(Capability::kSysNice) || who.euid == other.credentials.euid ||
         who.euid == other.credentials.uid;
}

// kernel/sched/core.c, __sched_setscheduler.
SyscallResult SetPolicy(const Task& task, Task& to, int policy, bool resets, int real_time,
                        std::optional<int> nice) {
  const PolicyRow* const row = FindPolicy(policy);
  if (row == nullptr || policy == kDeadline || real_time < row->least || real_time > row->most)
    return kEINVAL;
  const bool privileged = task.credentials.Can(Capability::kSysNice);
  Priority& priority = to.priority;
  if (!privileged) {
    const auto most =
        static_cast<int>(std::min<std::uint64_t>(to.process.limits[kLimitRtPriority].soft, 99));
    if (!MayChange(task, to)) return kEPERM;
    if (real_time > priority.real_time && real_time > most) return kEPERM;
    if (nice && *nice < priority.nice) return kEPERM;
    if (priority.policy == kIdle && policy != kIdle) return kEPERM;
    if (priority.resets_on_fork && !resets) return kEPERM;
  }
  priority.policy = policy;
  priority.real_time = real_time;
  priority.resets_on_fork = resets;
  if (nice) priority.nice = *nice;
  return 0;
}

// setpriority(2), ioprio_set(2): a process (thread), a group, a user; `first` is the number of the
// first of these kinds.
template <typename Do>
bool ForEach(Task& task, int which, int first, int who, Do action) {
  enum Kind : int { kOne, kGroup, kUser };
  const auto id = static_cast<std::uint32_t>(who);
  bool any = false;
  for (const auto& [tid, shared] : task.kernel.processes().tasks()) {
    Task& other = *shared;
    bool chosen = false;
    switch (which - first) {
      case kOne:
        chosen = who == 0 ? &other == &task : tid == id;
        break;
      case kGroup:
        chosen = other.process.group == (who == 0 ? task.process.group : id);
        break;
      case kUser:
        chosen = other.credentials.uid == (who == 0 ? task.credentials.uid : id);
        break;
      default:
        return false;
    }
    if (!chosen) continue;
    any = true;
    action(other);
  }
  return any;
}

// Whether a task may have this nice value: setpriority(2), "Notes".
bool MayHaveNice(const Task& task, const Task& other, int nice) {
  if (nice >= other.priority.nice || task.credentials.Can(Capability::kSysNice)) return true;
  return static_cast<std::uint64_t>(20 - nice) <= other.process.limits[kLimitNice].soft;
}

Errno SetNice(const Task& task, Task& other, int nice) {
  if (!MayChange(task, other)) return kEPERM;
  if (!MayHaveNice(task, other, nice)) return kEACCES;
  other.priority.nice = nice;
  return Errno{};
}

int ClampNice(std::int64_t nice) {
  return static_cast<int>(std::clamp<std::int64_t>(nice, -20, 19));
}

constexpr std::uint32_t kFirstAttributeBytes = 48;  // SCHED_ATTR_SIZE_VER0

}  // namespace

SyscallResult SysGetpriority(Task& task, int which, int who) {
  if (which < 0 || which > 2) return kEINVAL;
  int best = 20;
  if (!ForEach(task, which, 0, who,
               [&](const Task& other) { best = std::min(best, other.priority.nice); })) {
    return kESRCH;
  }
  return 20 - best;
}

SyscallResult SysSetpriority(Task& task, int which, int who, int nice) {
  if (which < 0 || which > 2) return kEINVAL;
  Errno error{};
  bool done = false;
  if (!ForEach(task, which, 0, who, [&](Task& other) {
        const Errno one = SetNice(task, other, ClampNice(nice));
        if (one == Errno{}) {
          done = true;
        } else {
          error = one;
        }
      })) {
    return kESRCH;
  }
  return error == Errno{} || (done && which != 0) ? SyscallResult(0) : error;
}

// nice(2) of i386.
SyscallResult SysNice(Task& task, int increment) {
  const int nice = ClampNice(task.priority.nice + std::clamp(increment, -40, 40));
  if (!MayHaveNice(task, task, nice)) return kEPERM;
  task.priority.nice = nice;
  return 0;
}

SyscallResult SysSchedSetscheduler(Task& task, Pid pid, SchedPolicy policy,
                                   GuestPtr<const std::int32_t> parameter) {
  if (static_cast<std::int32_t>(policy.value) < 0 || pid.value < 0 || !parameter) return kEINVAL;
  const auto real_time = task.memory().Read(parameter);
  if (!real_time) return real_time.error();
  const auto to = TaskOf(task, pid.value);
  if (!to) return to.error();
  const auto flags = static_cast<std::uint32_t>(policy.value);
  return SetPolicy(task, **to, static_cast<int>(flags & ~kResetOnFork), (flags & kResetOnFork) != 0,
                   *real_time, std::nullopt);
}

SyscallResult SysSchedSetparam(Task& task, Pid pid, GuestPtr<const std::int32_t> parameter) {
  if (pid.value < 0 || !parameter) return kEINVAL;
  const auto real_time = task.memory().Read(parameter);
  if (!real_time) return real_time.error();
  const auto to = TaskOf(task, pid.value);
  if (!to) return to.error();
  const Priority& now = (*to)->priority;
  return SetPolicy(task, **to, now.policy, now.resets_on_fork, *real_time, std::nullopt);
}

SyscallResult SysSchedGetscheduler(Task& task, Pid pid) {
  const auto of = TaskOf(task, pid.value);
  if (!of) return of.error();
  const Priority& now = (*of)->priority;
  return static_cast<std::int64_t>(static_cast<std::uint32_t>(now.policy) |
                                   (now.resets_on_fork ? kResetOnFork : 0));
}

SyscallResult SysSchedGetparam(Task& task, Pid pid, GuestPtr<std::int32_t> parameter) {
  if (!parameter) return kEINVAL;
  const auto of = TaskOf(task, pid.value);
  if (!of) return of.error();
  return FromResult(task.memory().Write(parameter, (*of)->priority.real_time));
}

SyscallResult SysSchedGetPriorityMax(Task&, SchedPolicy policy) {
  const PolicyRow* const row = FindPolicy(policy.value);
  return row == nullptr ? kEINVAL : SyscallResult(row->most);
}

SyscallResult SysSchedGetPriorityMin(Task&, SchedPolicy policy) {
  const PolicyRow* const row = FindPolicy(policy.value);
  return row == nullptr ? kEINVAL : SyscallResult(row->least);
}

SyscallResult SysSchedRrGetInterval(Task& task, Pid pid, GuestPtr<abi::Timespec> out) {
  const auto of = TaskOf(task, pid.value);
  if (!of) return of.error();
  const bool is_endless = (*of)->priority.policy == kFifo;
  const auto turn = static_cast<std::int64_t>(task.kernel.world.Number(WorldId::kQuantum));
  return FromResult(task.memory().Write(out, ToTimespec(is_endless ? 0 : turn)));
}

SyscallResult SysSchedSetattr(Task& task, Pid pid, GuestPtr<const abi::SchedAttributes> attributes,
                              std::uint32_t flags) {
  if (!attributes || pid.value < 0 || flags != 0) return kEINVAL;
  const auto size = task.memory().Read(GuestPtr<const std::uint32_t>{attributes.address});
  if (!size) return size.error();
  const std::uint32_t asked = *size == 0 ? kFirstAttributeBytes : *size;
  if (asked < kFirstAttributeBytes || asked > sizeof(abi::SchedAttributes)) {
    // What the kernel knows is told: sched_setattr(2), E2BIG.
    static_cast<void>(task.memory().Write(GuestPtr<std::uint32_t>{attributes.address},
                                          std::uint32_t{sizeof(abi::SchedAttributes)}));
    return kE2BIG;
  }
  abi::SchedAttributes to{};
  const auto bytes = std::as_writable_bytes(std::span(&to, 1)).first(asked);
  if (const auto ok = task.memory().ReadBytes(attributes.address, bytes); !ok) return ok.error();
  constexpr std::uint64_t kFlagReset = 1, kKeepPolicy = 8, kKeepParameters = 0x10, kKnown = 0x7f;
  const auto of = TaskOf(task, pid.value);
  if (!of) return of.error();
  if ((to.flags & ~kKnown) != 0) return kEINVAL;
  const Priority& now = (*of)->priority;
  const int policy = (to.flags & kKeepPolicy) != 0 ? now.policy : static_cast<int>(to.policy);
  const bool keeps = (to.flags & kKeepParameters) != 0;
  const bool is_fair = policy == kOther || policy == kBatch;
  return SetPolicy(task, **of, policy, (to.flags & kFlagReset) != 0,
                   keeps ? now.real_time : static_cast<int>(to.priority),
                   is_fair && !keeps ? std::optional(ClampNice(to.nice)) : std::nullopt);
}

SyscallResult SysSchedGetattr(Task& task, Pid pid, GuestPtr<abi::SchedAttributes> attributes,
                              std::uint32_t size, std::uint32_t flags) {
  if (!attributes || size < kFirstAttributeBytes || size > kPageSize || flags != 0) return kEINVAL;
  const auto of = TaskOf(task, pid.value);
  if (!of) return of.error();
  const Priority& now = (*of)->priority;
  abi::SchedAttributes out{};
  out.size = std::min<std::uint32_t>(size, sizeof out);
  out.policy = static_cast<std::uint32_t>(now.policy);
  out.flags = now.resets_on_fork ? 1 : 0;
  out.nice = now.nice;
  out.priority = static_cast<std::uint32_t>(now.real_time);
  out.utilization_max = 1024;
  return FromResult(task.memory().WriteBytes(attributes.address,
                                             std::as_bytes(std::span(&out, 1)).first(out.size)));
}

namespace {

enum IoClass : int { kIoNone, kIoRealTime, kIoBestEffort, kIoIdle };
constexpr int kIoClassShift = 13;

int IoClassOf(int priority) { return priority >> kIoClassShift & 7; }

bool IsIoPriority(int priority) {
  const int level = priority & ((1 << kIoClassShift) - 1);
  switch (IoClassOf(priority)) {
    case kIoNone:
      return level == 0;
    case kIoRealTime:
    case kIoBestEffort:
      return level < 8;
    case kIoIdle:
      return true;
    default:
      return false;
  }
}

}  // namespace

SyscallResult SysIoprioSet(Task& task, int which, int who, int priority) {
  if (!IsIoPriority(priority) || which < 1 || which > 3) return kEINVAL;
  if (IoClassOf(priority) == kIoRealTime && !task.credentials.Can(Capability::kSysNice))
    return kEPERM;
  bool refused = false;
  if (!ForEach(task, which, 1, who, [&](Task& other) {
        if (MayChange(task, other)) {
          other.priority.io = priority;
        } else {
          refused = true;
        }
      })) {
    return kESRCH;
  }
  return refused ? kEPERM : SyscallResult(0);
}

SyscallResult SysIoprioGet(Task& task, int which, int who) {
  if (which < 1 || which > 3) return kEINVAL;
  std::optional<int> best;
  if (!ForEach(task, which, 1, who, [&](const Task& other) {
        best = std::min(best.value_or(other.priority.io), other.priority.io);
      })) {
    return kESRCH;
  }
  return *best;
}

// One CPU: what it has stored, all its tasks see. What is left is to know who has registered.
SyscallResult SysMembarrier(Task& task, int command, std::uint32_t flags, int) {
  enum Command : int {
    kQuery = 0,
    kGlobal = 1,
    kGlobalExpedited = 2,
    kRegisterGlobal = 4,
    kPrivate = 8,
    kRegisterPrivate = 0x10,
    kPrivateSyncCore = 0x20,
    kRegisterSyncCore = 0x40,
  };
  if (flags != 0) return kEINVAL;
  std::uint32_t& registered = task.program->barriers;
  switch (command) {
    case kQuery:
      return kGlobal | kGlobalExpedited | kRegisterGlobal | kPrivate | kRegisterPrivate |
             kPrivateSyncCore | kRegisterSyncCore;
    case kGlobal:
    case kGlobalExpedited:
      return 0;
    case kRegisterGlobal:
    case kRegisterPrivate:
    case kRegisterSyncCore:
      registered |= static_cast<std::uint32_t>(command);
      return 0;
    case kPrivate:
      return (registered & kRegisterPrivate) != 0 ? SyscallResult(0) : kEPERM;
    case kPrivateSyncCore:
      return (registered & kRegisterSyncCore) != 0 ? SyscallResult(0) : kEPERM;
    default:
      return kEINVAL;
  }
}

}  // namespace glovebox::engine
