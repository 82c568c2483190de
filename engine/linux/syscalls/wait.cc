// What became of children: wait4(2), waitid(2).
#include <algorithm>

#include "engine/linux/events/pid_file.h"
#include "engine/linux/exit.h"
#include "engine/linux/syscalls/handlers.h"

namespace glovebox::engine {
namespace {

enum WaitFlag : std::uint64_t {
  kNoHang = 1,
  kUntraced = 2,  // WSTOPPED of waitid
  kExited = 4,
  kContinued = 8,
  kNoWait = 0x01000000,
  kOwnOnly = 0x20000000,  // __WNOTHREAD: not those of other threads
  kAll = 0x40000000,
  kClone = 0x80000000,
};
constexpr int kChildContinuedStatus = 0xffff;
constexpr int kStoppedStatus = 0x7f;

// Which children a call is about.
struct Wanted {
  enum class Kind : std::uint8_t { kAny, kPid, kGroup } kind = Kind::kAny;
  std::uint32_t id = 0;
  std::uint64_t flags = 0;

  bool Takes(const Process& child) const {
    const bool is_clone = child.exit_signal != kSIGCHLD;
    if ((flags & kAll) == 0 && is_clone != ((flags & kClone) != 0)) return false;
    return Names(child.pid, child.group);
  }
  // Flags do not matter for who is traced.
  bool Takes(const Task& tracee) const { return Names(tracee.tid, tracee.process.group); }

 private:
  bool Names(std::uint32_t number, std::uint32_t group) const {
    switch (kind) {
      case Kind::kAny:
        return true;
      case Kind::kPid:
        return number == id;
      case Kind::kGroup:
        return group == id;
    }
    return false;
  }
};

// Something to tell of a child, or of a tracee: then `child` is its process.
struct News {
  Process* child = nullptr;
  Task* tracee = nullptr;
  int code = 0;    // si_code: CLD_EXITED ...
  int status = 0;  // si_status
  int wait_status = 0;
};

// si_code: sigaction(2).
enum Code : int { kCodeExited = 1, kCodeKilled, kCodeTrapped = 4, kCodeStopped, kCodeContinued };

News NewsOfEnd(Process& child, Task* tracee, const ExitStatus& end) {
  const int code = end.signal == 0 ? kCodeExited : kCodeKilled;
  return {&child, tracee, code, end.signal == 0 ? end.code : end.signal, WaitStatusOf(end)};
}

// wait_task_continued
std::optional<News> NewsOfContinuing(Process& child, Task* tracee, std::uint64_t flags) {
  if (!child.continued || child.stop_signal != 0 || (flags & kContinued) == 0) return std::nullopt;
  return News{&child, tracee, kCodeContinued, kSIGCONT, kChildContinuedStatus};
}

std::optional<News> NewsOf(Process& child, std::uint64_t flags) {
  if (child.ended) {
    if ((flags & kExited) == 0 || !IsWaitable(child)) return std::nullopt;
    return NewsOfEnd(child, nullptr, child.status);
  }
  if (child.stop_signal != 0 && !child.stop_seen && (flags & kUntraced) != 0)
    return News{&child, nullptr, kCodeStopped, child.stop_signal,
                child.stop_signal << 8 | kStoppedStatus};
  return NewsOfContinuing(child, nullptr, flags);
}

// Stops of tracees are told whatever the flags say.
std::optional<News> NewsOf(Task& tracee, std::uint64_t flags) {
  const Tracing& tracing = *tracee.tracing;
  Process& process = tracee.process;
  if (tracing.ended || process.ended) {
    if ((flags & kExited) == 0 || (!tracing.ended && process.unreaped_threads > 0))
      return std::nullopt;
    return NewsOfEnd(process, &tracee, tracing.ended.value_or(process.status));
  }
  if (tracing.stop && !tracing.stop->told && !tracing.stop->listening) {
    const int code = tracing.stop->code;
    return News{&process, &tracee, kCodeTrapped, code, code << 8 | kStoppedStatus};
  }
  return NewsOfContinuing(process, &tracee, flags);
}

// The news of the first child that has some; ECHILD where there is no child to wait for. Empty:
// nothing yet.
Result<std::optional<News>, Errno> Look(Task& task, const Wanted& wanted) {
  bool any = false;
  for (Process* const child : task.process.children) {
    // As a tracee below.
    if (ptrace::IsTracedBy(*child->threads.front(), task.process)) continue;
    if (!wanted.Takes(*child)) continue;
    any = true;
    if (const auto news = NewsOf(*child, wanted.flags)) return news;
  }
  for (Task* const tracee : task.process.tracees) {
    const bool is_own = tracee->tracing->tracer == &task;
    if ((!is_own && (wanted.flags & kOwnOnly) != 0) || !wanted.Takes(*tracee)) continue;
    any = true;
    if (const auto news = NewsOf(*tracee, wanted.flags)) return news;
  }
  if (!any) return std::unexpected(kECHILD);
  return std::optional<News>{};
}

// Whom a call is told of.
std::uint32_t NumberOf(const News& news) {
  return news.tracee != nullptr ? news.tracee->tid : news.child->pid;
}

void Consume(const Process& reaper, const News& news, std::uint64_t flags) {
  if ((flags & kNoWait) != 0) return;
  if (news.tracee != nullptr && news.code != kCodeContinued) {
    if (news.code == kCodeTrapped) {
      news.tracee->tracing->stop->told = true;
      return;
    }
    // The end of one's own child is over with that.
    const bool is_child = !news.tracee->tracing->ended && news.child->parent == &reaper;
    ReleaseTracee(*news.tracee);
    if (is_child) Reap(*news.child);
    return;
  }
  if (news.child->ended) return Reap(*news.child);
  if (news.child->stop_signal != 0) {
    news.child->stop_seen = true;
  } else {
    news.child->continued = false;
  }
}

abi::Rusage UsageOf(const Process& child) {
  const Nanoseconds cpu = child.cpu_ns + child.children_cpu_ns;
  const Nanoseconds system = child.system_ns + child.children_system_ns;
  const auto to_timeval = [](Nanoseconds ns) {
    return abi::Timeval{static_cast<std::int64_t>(ns / 1'000'000'000),
                        static_cast<std::int64_t>(ns % 1'000'000'000 / 1000)};
  };
  abi::Rusage usage{};
  usage.user = to_timeval(cpu - system);
  usage.system = to_timeval(system);
  return usage;
}

SyscallResult AwaitNews(Task& task) {
  return SyscallResult::Block(
      {kNever, Wait::kEvent, OnSignal::kRestartIfAsked, 0, &task.process.children});
}

}  // namespace

SyscallResult SysWait4(Task& task, int pid, GuestPtr<std::int32_t> status, WaitFlags flags,
                       GuestPtr<abi::Rusage> usage) {
  const std::uint64_t options = flags.value & 0xffffffff;
  if ((options & ~(kNoHang | kUntraced | kContinued | kOwnOnly | kAll | kClone)) != 0)
    return kEINVAL;
  constexpr int kLowest = -2147483647 - 1;
  if (pid == kLowest) return kESRCH;
  Wanted wanted{.flags = options | kExited};
  if (pid > 0) {
    wanted.kind = Wanted::Kind::kPid;
    wanted.id = static_cast<std::uint32_t>(pid);
  } else if (pid != -1) {
    wanted.kind = Wanted::Kind::kGroup;
    wanted.id = pid == 0 ? task.process.group : static_cast<std::uint32_t>(-pid);
  }
  const auto news = Look(task, wanted);
  if (!news) return news.error();
  if (!*news) return (options & kNoHang) != 0 ? SyscallResult(0) : AwaitNews(task);
  const News& found = **news;
  const auto child = static_cast<std::int64_t>(NumberOf(found));
  const abi::Rusage used = UsageOf(*found.child);
  Consume(task.process, found, options);
  if (status) {
    if (const auto ok = task.memory().Write(status, found.wait_status); !ok) return ok.error();
  }
  if (usage) {
    if (const auto ok = task.memory().Write(usage, used); !ok) return ok.error();
  }
  return child;
}

SyscallResult SysWaitid(Task& task, int which, Pid id, GuestPtr<abi::Siginfo> info, WaitFlags flags,
                        GuestPtr<abi::Rusage> usage) {
  enum Which : int { kEveryChild, kOnePid, kOneGroup, kPidfd };
  const std::uint64_t options = flags.value & 0xffffffff;
  if ((options &
       ~(kNoHang | kUntraced | kExited | kContinued | kNoWait | kOwnOnly | kAll | kClone)) != 0 ||
      (options & (kUntraced | kExited | kContinued)) == 0) {
    return kEINVAL;
  }
  Wanted wanted{.flags = options};
  bool never_waits = false;
  switch (which) {
    case kEveryChild:
      break;
    case kOnePid:
      if (id.value <= 0) return kEINVAL;
      wanted.kind = Wanted::Kind::kPid;
      wanted.id = static_cast<std::uint32_t>(id.value);
      break;
    case kOneGroup:
      if (id.value < 0) return kEINVAL;
      wanted.kind = Wanted::Kind::kGroup;
      wanted.id = id.value == 0 ? task.process.group : static_cast<std::uint32_t>(id.value);
      break;
    case kPidfd: {
      const auto file = id.value < 0 ? nullptr : task.fds().Get(id.value);
      const auto* const pid_file = dynamic_cast<const PidFile*>(file.get());
      if (id.value < 0) return kEINVAL;
      if (pid_file == nullptr) return kEBADF;
      if (pid_file->process() == nullptr) return kECHILD;
      wanted.kind = Wanted::Kind::kPid;
      wanted.id = pid_file->process()->pid;
      // PIDFD_NONBLOCK: waitid(2) asks once.
      never_waits = pid_file->nonblocking();
      break;
    }
    default:
      return kEINVAL;
  }
  const auto news = Look(task, wanted);
  if (!news) return news.error();
  if (!*news && never_waits) return kEAGAIN;
  if (!*news && (options & kNoHang) == 0) return AwaitNews(task);
  abi::Siginfo told{};
  abi::Rusage used{};
  if (*news) {
    const News& found = **news;
    told = SenderInfo(kSIGCHLD, found.code, NumberOf(found),
                      found.child->threads.front()->credentials.uid,
                      static_cast<std::uint32_t>(found.status));
    used = UsageOf(*found.child);
    Consume(task.process, found, options);
  }
  if (usage && *news) {
    if (const auto ok = task.memory().Write(usage, used); !ok) return ok.error();
  }
  return info ? FromResult(task.memory().Write(info, told)) : SyscallResult(0);
}

}  // namespace glovebox::engine
