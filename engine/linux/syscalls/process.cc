// The process itself: exit(2), execve(2), limits, uname(2), prctl(2), futex(2), getrandom(2).
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "engine/linux/exec.h"
#include "engine/linux/exit.h"
#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/capabilities.h"
#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/syscalls/seccomp.h"
#include "engine/linux/syscalls/sending.h"

namespace glovebox::engine {
namespace {

Result<std::vector<std::string>, Errno> ReadStrings(Task& task, StringArray array) {
  constexpr std::size_t kMaxStringBytes = 128_KiB;
  constexpr std::size_t kMaxTotalBytes = kStackBytes / 4;
  std::vector<std::string> strings;
  std::size_t total = 0;
  if (!array.first) return strings;
  while (true) {
    const auto pointer = task.memory().Read(array.first + strings.size());
    if (!pointer) return std::unexpected(pointer.error());
    if (pointer->value == 0) return strings;
    auto text = task.memory().ReadString(pointer->value, kMaxStringBytes, kE2BIG);
    if (!text) return std::unexpected(text.error());
    total += text->size() + 1 + 8;
    if (total > kMaxTotalBytes) return std::unexpected(kE2BIG);
    strings.push_back(std::move(*text));
  }
}

SyscallResult Exec(Task& task, PathRef file, std::string filename, StringArray argv,
                   StringArray env) {
  auto arguments = ReadStrings(task, argv);
  if (!arguments) return arguments.error();
  auto environment = ReadStrings(task, env);
  if (!environment) return environment.error();
  const std::uint32_t tid = task.tid;
  const auto done = Execute(
      task, {std::move(file), std::move(filename), std::move(*arguments), std::move(*environment)});
  if (done) {
    if (!ptrace::IsTraced(task)) return SyscallResult::NoReturn();
    task.call->progress = 1;
    if (ptrace::StopForEvent(task, TraceEventId::kExec, tid)) return SyscallResult::Again();
    if (!task.tracing->seized) task.Send(kSIGTRAP, kSiUser);
    return SyscallResult::NoReturn();
  }
  if (done.error().memory_limit) task.kernel.EndByLimit(LimitId::kMemory);
  return done.error().error;
}

// The process that a call names: 0 is the caller's. Null: no such process.
Process* ProcessOf(Task& task, Pid pid) {
  return pid.value == 0 ? &task.process : task.kernel.processes().FindProcess(pid.value);
}

// kernel/sys.c, check_prlimit_permission.
bool MayLimit(const Task& task, const Process& process) {
  const Credentials& who = task.credentials;
  const Credentials& to = process.threads.front()->credentials;
  const bool is_same = who.uid == to.uid && who.uid == to.euid && who.uid == to.suid &&
                       who.gid == to.gid && who.gid == to.egid && who.gid == to.sgid;
  return &process == &task.process || is_same || who.Can(Capability::kSysResource);
}

SyscallResult SetLimit(const Task& task, Process& process, int resource, const abi::Rlimit& to) {
  if (to.soft > to.hard) return kEINVAL;
  abi::Rlimit& now = process.limits[static_cast<std::size_t>(resource)];
  // Descriptors are a limit of the box: nobody raises it, as on Linux beyond fs.nr_open.
  if (to.hard > now.hard &&
      (resource == kLimitOpenFiles || !task.credentials.Can(Capability::kSysResource)))
    return kEPERM;
  now = to;
  if (resource == kLimitCpu && !process.ended) process.timers.cpu_limit().Arm();
  Task& leader = *process.threads.front();
  if (resource == kLimitStack && leader.program) leader.space().SetStackLimit(to.soft);
  return 0;
}

// Once for each call.
bool StopsBeforeExit(Task& task, int status) {
  if (task.call->progress != 0) return false;
  task.call->progress = 1;
  return ptrace::StopForEvent(task, TraceEventId::kExit,
                              static_cast<std::uint64_t>(WaitStatusOf({.code = status & 0xff})));
}

abi::Timeval ToTimeval(Nanoseconds ns) {
  return {static_cast<std::int64_t>(ns / 1'000'000'000),
          static_cast<std::int64_t>(ns % 1'000'000'000 / 1000)};
}

template <std::size_t kSize>
void Fill(std::array<char, kSize>& field, const std::string& text) {
  std::memcpy(field.data(), text.data(), std::min(text.size(), kSize - 1));
}

}  // namespace

SyscallResult SysExit(Task& task, int status) {
  // A tracer may want to see it before: kernel/exit.c, do_exit.
  if (StopsBeforeExit(task, status)) return SyscallResult::Again();
  EndThread(task, {.code = status & 0xff});
  return SyscallResult::NoReturn();
}
SyscallResult SysExitGroup(Task& task, int status) {
  if (StopsBeforeExit(task, status)) return SyscallResult::Again();
  EndProcess(task.process, {.code = status & 0xff});
  return SyscallResult::NoReturn();
}

SyscallResult SysExecve(Task& task, PathPtr path, StringArray argv, StringArray env) {
  // The tracer has been told of the new program.
  if (task.call->progress != 0) return SyscallResult::NoReturn();
  auto name = task.memory().ReadString(path.address, kPathMaxBytes, kENAMETOOLONG);
  if (!name) return name.error();
  auto resolved = task.Resolve(kAtFdCwd, *name, {});
  if (!resolved) return resolved.error();
  return Exec(task, std::move(resolved->ref), std::move(*name), argv, env);
}

SyscallResult SysExecveat(Task& task, DirFd dirfd, PathPtr path, StringArray argv, StringArray env,
                          AtFlags flags) {
  if (task.call->progress != 0) return SyscallResult::NoReturn();
  if (flags.HasOther(kAtEmptyPath | kAtNoFollow)) return kEINVAL;
  auto name = task.memory().ReadString(path.address, kPathMaxBytes, kENAMETOOLONG);
  if (!name) return name.error();
  auto ref = Locate(task, dirfd, path, !flags.Has(kAtNoFollow), flags.Has(kAtEmptyPath));
  if (!ref) return ref.error();
  if (ref->inode->is(kTypeSymlink)) return kELOOP;
  if (dirfd.value != kAtFdCwd && !name->starts_with('/')) {
    const std::string directory = "/dev/fd/" + std::to_string(dirfd.value);
    name = name->empty() ? directory : directory + "/" + *name;
  }
  return Exec(task, std::move(*ref), std::move(*name), argv, env);
}

SyscallResult SysGetpid(Task& task) { return static_cast<std::int64_t>(task.process.pid); }
SyscallResult SysGettid(Task& task) { return static_cast<std::int64_t>(task.tid); }
SyscallResult SysGetppid(Task& task) { return static_cast<std::int64_t>(task.process.parent->pid); }
SyscallResult SysGetpgrp(Task& task) { return static_cast<std::int64_t>(task.process.group); }
SyscallResult SysGetpgid(Task& task, Pid pid) {
  const Process* const process = ProcessOf(task, pid);
  return process == nullptr ? kESRCH : SyscallResult(static_cast<std::int64_t>(process->group));
}
SyscallResult SysGetsid(Task& task, Pid pid) {
  const Process* const process = ProcessOf(task, pid);
  return process == nullptr ? kESRCH : SyscallResult(static_cast<std::int64_t>(process->session));
}
// As kernel/sys.c orders its checks.
SyscallResult SysSetpgid(Task& task, Pid pid, Pid group) {
  if (group.value < 0) return kEINVAL;
  Process* const process = ProcessOf(task, pid);
  if (process == nullptr) return kESRCH;
  if (process != &task.process) {
    if (process->parent != &task.process) return kESRCH;
    if (process->session != task.process.session) return kEPERM;
    if (process->has_executed) return kEACCES;
  }
  if (process->session == process->pid) return kEPERM;
  const std::uint32_t to =
      group.value == 0 ? process->pid : static_cast<std::uint32_t>(group.value);
  if (to != process->pid) {
    const bool exists = std::ranges::any_of(task.kernel.processes().tasks(), [&](const auto& row) {
      return row.second->process.group == to && row.second->process.session == task.process.session;
    });
    if (!exists) return kEPERM;
  }
  process->group = to;
  return 0;
}
// A leader of a process group cannot make a session: setsid(2).
SyscallResult SysSetsid(Task& task) {
  const bool leads = std::ranges::any_of(task.kernel.processes().tasks(), [&](const auto& row) {
    return row.second->process.group == task.process.pid;
  });
  if (leads) return kEPERM;
  task.process.session = task.process.group = task.process.pid;
  task.process.terminal.reset();
  return static_cast<std::int64_t>(task.process.pid);
}

SyscallResult SysGetrlimit(Task& task, Resource resource, GuestPtr<abi::Rlimit> out) {
  if (resource.value < 0 || resource.value >= kResourceCount) return kEINVAL;
  return FromResult(
      task.memory().Write(out, task.process.limits[static_cast<std::size_t>(resource.value)]));
}
SyscallResult SysSetrlimit(Task& task, Resource resource, GuestPtr<const abi::Rlimit> value) {
  if (resource.value < 0 || resource.value >= kResourceCount) return kEINVAL;
  const auto to = task.memory().Read(value);
  return to ? SetLimit(task, task.process, resource.value, *to) : SyscallResult(to.error());
}
SyscallResult SysPrlimit64(Task& task, Pid pid, Resource resource,
                           GuestPtr<const abi::Rlimit> value, GuestPtr<abi::Rlimit> old) {
  if (resource.value < 0 || resource.value >= kResourceCount) return kEINVAL;
  std::optional<abi::Rlimit> to;
  if (value) {
    const auto read = task.memory().Read(value);
    if (!read) return read.error();
    to = *read;
  }
  // A thread is as good as its process.
  Task* const named = pid.value == 0 ? &task : task.kernel.processes().FindTask(pid.value);
  if (named == nullptr) return kESRCH;
  Process& process = named->process;
  if (!MayLimit(task, process)) return kEPERM;
  const abi::Rlimit before = process.limits[static_cast<std::size_t>(resource.value)];
  if (to) {
    if (const auto set = SetLimit(task, process, resource.value, *to); set.value() != 0) return set;
  }
  return old ? FromResult(task.memory().Write(old, before)) : SyscallResult(0);
}

SyscallResult SysGetrusage(Task& task, RusageWho who, GuestPtr<abi::Rusage> out) {
  constexpr int kChildren = -1, kThread = 1;
  if (who.value < kChildren || who.value > kThread) return kEINVAL;
  const Process& process = task.process;
  abi::Rusage usage{};
  const Nanoseconds total = who.value == kChildren ? process.children_cpu_ns
                            : who.value == kThread ? task.cpu_ns
                                                   : process.cpu_ns;
  const Nanoseconds system = who.value == kChildren ? process.children_system_ns
                             : who.value == kThread ? task.system_ns
                                                    : process.system_ns;
  usage.user = ToTimeval(total - system);
  usage.system = ToTimeval(system);
  if (who.value != kChildren) {
    usage.max_rss_kib = static_cast<std::int64_t>(task.kernel.memory_meter.peak_bytes() / 1024);
  }
  return FromResult(task.memory().Write(out, usage));
}

SyscallResult SysSysinfo(Task& task, GuestPtr<abi::Sysinfo> out) {
  const MemoryMeter& meter = task.kernel.memory_meter;
  abi::Sysinfo info{};
  info.uptime_seconds = static_cast<std::int64_t>(task.kernel.Now() / 1'000'000'000);
  info.total_ram = meter.limit_bytes();
  info.free_ram = meter.limit_bytes() - meter.used_bytes();
  info.processes = static_cast<std::uint16_t>(task.kernel.processes().task_count());
  info.memory_unit = 1;
  return FromResult(task.memory().Write(out, info));
}

abi::Utsname NameOfSystem(const Task& task) {
  constexpr std::uint64_t kPersonMask = 0xff, kPersonLinux32 = 8;  // uapi/linux/personality.h
  const WorldValues& world = task.kernel.world;
  abi::Utsname name{};
  Fill(name.system, world.Text(WorldId::kKernelName));
  Fill(name.node, world.Text(WorldId::kHostname));
  Fill(name.release, world.Text(WorldId::kKernelRelease));
  Fill(name.version, world.Text(WorldId::kKernelVersion));
  Fill(name.machine, (task.personality & kPersonMask) == kPersonLinux32
                         ? world.Text(WorldId::kMachine32)
                         : world.Text(WorldId::kMachine));
  Fill(name.domain, world.Text(WorldId::kDomainname));
  return name;
}

SyscallResult SysUname(Task& task, GuestPtr<abi::Utsname> out) {
  return FromResult(task.memory().Write(out, NameOfSystem(task)));
}

namespace {

// As it is in struct utsname, without the NUL behind it: kernel/sys.c.
SyscallResult SetName(Task& task, WorldId which, Address name, std::int32_t bytes) {
  constexpr std::int32_t kMostBytes = 64;
  if (!task.credentials.Can(Capability::kSysAdmin)) return kEPERM;
  if (bytes < 0 || bytes > kMostBytes) return kEINVAL;
  std::string text(static_cast<std::size_t>(bytes), '\0');
  const auto read = task.memory().ReadBytes(name.value, std::as_writable_bytes(std::span(text)));
  if (!read) return read.error();
  task.kernel.world.SetText(which, text.c_str());
  return 0;
}

}  // namespace

SyscallResult SysSethostname(Task& task, Address name, std::int32_t bytes) {
  return SetName(task, WorldId::kHostname, name, bytes);
}
SyscallResult SysSetdomainname(Task& task, Address name, std::int32_t bytes) {
  return SetName(task, WorldId::kDomainname, name, bytes);
}

SyscallResult SysGetrandom(Task& task, OutBuffer buffer, Size size, RandomFlags flags) {
  constexpr std::uint64_t kNonblock = 1, kRandom = 2, kInsecure = 4;
  constexpr std::uint64_t kMaxBytes = 0x7fffffff;
  if (flags.HasOther(kNonblock | kRandom | kInsecure) || flags.Has(kRandom | kInsecure))
    return kEINVAL;
  const std::uint64_t total = std::min(size.value, kMaxBytes);
  CallInFlight& call = *task.call;
  std::array<std::byte, 4096> piece;
  while (call.progress < total) {
    const auto part = std::span(piece).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), total - call.progress)));
    task.kernel.random.Fill(part);
    const std::size_t moved = task.memory().WriteSome(buffer.address + call.progress, part);
    call.progress += moved;
    if (moved != part.size()) {
      if (call.progress == 0) return kEFAULT;
      break;
    }
    if (call.progress < total && task.kernel.SliceIsOver()) return SyscallResult::Again();
  }
  task.kernel.SpendOnBytes(call.progress);
  return static_cast<std::int64_t>(call.progress);
}

SyscallResult SysArchPrctl(Task& task, ArchPrctlCode code, Address argument) {
  enum Code : int { kSetGs = 0x1001, kSetFs, kGetFs, kGetGs, kGetCpuid = 0x1011, kSetCpuid };
  switch (code.value) {
    case kSetGs:
    case kSetFs:
      if (abi::IsI386(task.call->layout)) return kEINVAL;  // i386 code has descriptors instead
      // TASK_SIZE_MAX: a base in the kernel's half is refused.
      if (argument.value >= (std::uint64_t{1} << 47)) return kEPERM;
      if (code.value == kSetFs) {
        task.cpu().SetFsBase(argument.value);
      } else {
        task.cpu().SetGsBase(argument.value);
      }
      return 0;
    case kGetFs:
    case kGetGs: {
      if (abi::IsI386(task.call->layout)) return kEINVAL;
      const x86::Registers registers = task.cpu().Get();
      const std::uint64_t base = code.value == kGetFs ? registers.fs_base : registers.gs_base;
      return FromResult(
          task.memory().WriteBytes(argument.value, std::as_bytes(std::span(&base, 1))));
    }
    case kGetCpuid:
      return 1;
    case kSetCpuid:
      return argument.value == 1 ? SyscallResult(0) : kENODEV;
    default:
      return kEINVAL;
  }
}

SyscallResult SysPrctl(Task& task, PrctlOption option, Hex argument, Hex third, Hex fourth,
                       Hex fifth) {
  enum Option : int {
    kSetDeathSignal = 1,
    kGetDeathSignal,
    kGetDumpable,
    kSetDumpable,
    kSetName = 15,
    kGetName,
    kGetKeepCapabilities = 7,
    kSetKeepCapabilities,
    kGetTiming = 13,
    kSetTiming,
    kGetSeccomp = 21,
    kSetSeccomp,
    kReadBoundingSet,
    kDropFromBoundingSet,
    kGetTimeStampCounter,
    kSetTimeStampCounter,
    kGetSecureBits,
    kSetSecureBits,
    kSetTimerSlack,
    kGetTimerSlack,
    kDisableCounters,
    kEnableCounters,
    kSetChildSubreaper = 36,
    kGetChildSubreaper,
    kSetNoNewPrivileges = 38,
    kGetNoNewPrivileges,
    kGetTidAddress,
    kSetHugePagesDisabled,
    kGetHugePagesDisabled,
    kAmbientCapabilities = 47,
    kSetTracer = 0x59616d61,
  };
  constexpr std::size_t kNameBytes = 16;
  constexpr std::uint64_t kDefaultSlack = 50'000;
  switch (option.value) {
    case kSetDeathSignal:
      if (argument.value > kSignalCount) return kEINVAL;
      task.parent_death_signal = argument.value;
      return 0;
    case kGetDeathSignal: {
      const auto signal = static_cast<std::int32_t>(task.parent_death_signal);
      return FromResult(task.memory().Write(GuestPtr<std::int32_t>{argument.value}, signal));
    }
    case kGetDumpable:
      return task.dumpable ? 1 : 0;
    case kSetDumpable:
      if (argument.value > 1) return kEINVAL;
      task.dumpable = argument.value == 1;
      return 0;
    case kSetName: {
      // Cut at 15 bytes, not refused.
      std::array<char, kNameBytes> name{};
      for (std::size_t i = 0; i + 1 < name.size(); ++i) {
        const auto c = task.memory().Read(GuestPtr<const char>{argument.value + i});
        if (!c) return c.error();
        if (*c == 0) break;
        name[i] = *c;
      }
      task.command = name.data();
      return 0;
    }
    case kGetName: {
      std::array<char, kNameBytes> name{};
      Fill(name, task.command);
      return FromResult(task.memory().WriteBytes(argument.value, std::as_bytes(std::span(name))));
    }
    case kGetSeccomp:
      return SeccompModeOf(task);
    case kSetSeccomp:
      return SetSeccomp(task, argument.value, third.value);
    case kGetTiming:
    case kDisableCounters:
    case kEnableCounters:
      return 0;
    case kSetTiming:
      return argument.value == 0 ? SyscallResult(0) : kEINVAL;
    case kGetKeepCapabilities:
    case kSetKeepCapabilities:
    case kReadBoundingSet:
    case kDropFromBoundingSet:
    case kGetSecureBits:
    case kSetSecureBits:
      return ControlCapabilities(task, option.value, argument.value);
    case kGetTimeStampCounter:
      return FromResult(task.memory().Write(GuestPtr<std::int32_t>{argument.value}, 1));
    case kSetTimeStampCounter:
      return argument.value == 1 ? SyscallResult(0) : kEINVAL;
    case kSetTimerSlack:
      task.timer_slack_ns = argument.value == 0 ? kDefaultSlack : argument.value;
      return 0;
    case kGetTimerSlack:
      return static_cast<std::int64_t>(task.timer_slack_ns);
    case kGetTidAddress:
      return FromResult(task.memory().Write(GuestPtr<abi::Word>{argument.value, task.call->layout},
                                            {task.clear_child_tid}));
    case kSetHugePagesDisabled:
      task.process.huge_pages_disabled = argument.value != 0;
      return 0;
    case kGetHugePagesDisabled:
      return task.process.huge_pages_disabled ? 1 : 0;
    case kAmbientCapabilities:
      return ControlAmbient(task, argument.value, third.value, fourth.value, fifth.value);
    case kSetTracer:
      return 0;
    case kSetChildSubreaper:
      task.process.is_subreaper = argument.value != 0;
      return 0;
    case kGetChildSubreaper: {
      const std::int32_t is_one = task.process.is_subreaper ? 1 : 0;
      return FromResult(task.memory().Write(GuestPtr<std::int32_t>{argument.value}, is_one));
    }
    case kSetNoNewPrivileges:
      if (argument.value != 1) return kEINVAL;
      task.no_new_privileges = true;
      return 0;
    case kGetNoNewPrivileges:
      return task.no_new_privileges ? 1 : 0;
    default:
      task.kernel.CountAbsent("prctl (an option)");
      return kEINVAL;
  }
}

SyscallResult SysSetTidAddress(Task& task, Address address) {
  task.clear_child_tid = address.value;
  return static_cast<std::int64_t>(task.tid);
}
SyscallResult SysSetRobustList(Task& task, GuestPtr<const abi::RobustListHead> head, Size size) {
  if (size.value != abi::StoredBytes<abi::RobustListHead>(head.layout)) return kEINVAL;
  task.robust_list = head.address;
  return 0;
}
SyscallResult SysGetRobustList(Task& task, Pid pid, GuestPtr<abi::Word> head,
                               GuestPtr<abi::Word> size) {
  const Task* const of = pid.value == 0 ? &task : task.kernel.processes().FindTask(pid.value);
  if (of == nullptr) return kESRCH;
  if (!MayTrace(task, *of)) return kEPERM;
  if (const auto ok =
          task.memory().Write(size, {abi::StoredBytes<abi::RobustListHead>(size.layout)});
      !ok)
    return ok.error();
  return FromResult(task.memory().Write(head, {of->robust_list}));
}

SyscallResult SysPersonality(Task& task, Hex persona) {
  const auto old = static_cast<std::int64_t>(task.personality);
  if ((persona.value & 0xffffffff) != 0xffffffff) task.personality = persona.value & 0xffffffff;
  return old;
}

SyscallResult SysSchedYield(Task& task) {
  task.kernel.scheduler.Yield();
  return 0;
}

SyscallResult SysSchedGetaffinity(Task& task, Pid pid, Size size, GuestPtr<abi::Word> mask) {
  const std::uint64_t word = abi::WordBytes(mask.layout);
  if (size.value == 0 || size.value % word != 0) return kEINVAL;
  if (pid.value != 0 && task.kernel.processes().FindTask(pid.value) == nullptr) return kESRCH;
  // The kernel's own mask is one word of 64 bits: what fits of it.
  constexpr std::uint64_t kMaskBytes = 8;
  const std::uint64_t count = std::min(size.value, kMaskBytes);
  for (std::uint64_t i = 0; i < count / word; ++i) {
    const std::uint64_t one_cpu = i == 0 ? 1 : 0;
    if (const auto ok = task.memory().Write(mask + i, {one_cpu}); !ok) return ok.error();
  }
  return static_cast<std::int64_t>(count);
}
SyscallResult SysSchedSetaffinity(Task& task, Pid pid, Size size, Address mask) {
  if (pid.value != 0 && task.kernel.processes().FindTask(pid.value) == nullptr) return kESRCH;
  std::uint64_t wanted = 0;
  const auto bytes = std::as_writable_bytes(std::span(&wanted, 1))
                         .first(static_cast<std::size_t>(std::min<std::uint64_t>(size.value, 8)));
  if (const auto ok = task.memory().ReadBytes(mask.value, bytes); !ok) return ok.error();
  return (wanted & 1) != 0 ? SyscallResult(0) : kEINVAL;
}
SyscallResult SysGetcpu(Task& task, GuestPtr<std::uint32_t> cpu, GuestPtr<std::uint32_t> node,
                        Address) {
  for (const GuestPtr<std::uint32_t> out : {cpu, node}) {
    if (!out) continue;
    if (const auto ok = task.memory().Write(out, 0); !ok) return ok.error();
  }
  return 0;
}

}  // namespace glovebox::engine
