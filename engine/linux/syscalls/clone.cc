// New processes and threads: clone(2), clone3(2), fork(2), vfork(2).
#include <algorithm>
#include <set>
#include <utility>

#include "engine/linux/debugger.h"
#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/event_handlers.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/syscalls/thread_area.h"

namespace glovebox::engine {
namespace {

enum CloneFlag : std::uint64_t {
  kSignalMask = 0xff,
  kCloneVm = 0x100,
  kCloneFs = 0x200,
  kCloneFiles = 0x400,
  kCloneSighand = 0x800,
  kClonePidfd = 0x1000,
  kClonePtrace = 0x2000,
  kCloneVfork = 0x4000,
  kCloneParent = 0x8000,
  kCloneThread = 0x10000,
  kCloneSysvsem = 0x40000,
  kCloneSettls = 0x80000,
  kCloneParentSettid = 0x100000,
  kCloneChildCleartid = 0x200000,
  kCloneDetached = 0x400000,
  kCloneUntraced = 0x800000,
  kCloneChildSettid = 0x1000000,
  kCloneIo = 0x80000000,
  kCloneClearSighand = 0x100000000,
  kCloneNamespaces = 0x7e020080,  // NEWTIME NEWNS NEWCGROUP NEWUTS NEWIPC NEWUSER NEWPID NEWNET
};
constexpr std::uint64_t kAnswered = kCloneVm | kCloneFs | kCloneFiles | kCloneSighand |
                                    kClonePidfd | kCloneVfork | kCloneParent | kCloneThread |
                                    kCloneSettls | kCloneParentSettid | kCloneChildCleartid |
                                    kCloneChildSettid | kCloneClearSighand;
// Nothing follows from them, or only for tracers: no I/O scheduler; semaphore adjustments are not
// kept.
constexpr std::uint64_t kWithoutEffect =
    kClonePtrace | kCloneUntraced | kCloneDetached | kCloneIo | kCloneSysvsem;

struct Request {
  std::uint64_t flags = 0;
  std::uint64_t exit_signal = 0;
  GuestAddr stack = 0;  // 0: as the caller's
  GuestAddr parent_tid = 0;
  GuestAddr child_tid = 0;
  std::uint64_t tls = 0;
  GuestAddr pidfd = 0;
  std::optional<ThreadDescriptor> descriptor =
      std::nullopt;  // CLONE_SETTLS of i386 programs: what tls leads to
};

// kernel/fork.c, copy_process.
Errno Check(Task& task, const Request& request) {
  const std::uint64_t flags = request.flags;
  const auto has = [flags](std::uint64_t bits) { return (flags & bits) == bits; };
  if ((flags & kCloneNamespaces) != 0) {
    task.kernel.CountAbsent("clone (namespaces)");
    return kEPERM;
  }
  if (has(kClonePidfd) && (has(kCloneThread) || has(kCloneDetached))) return kEINVAL;
  if ((flags & ~(kAnswered | kWithoutEffect)) != 0) return kEINVAL;
  if (has(kCloneThread) && !has(kCloneSighand)) return kEINVAL;
  if (has(kCloneSighand) && !has(kCloneVm)) return kEINVAL;
  if (has(kCloneSighand | kCloneClearSighand)) return kEINVAL;
  if (request.exit_signal > kSignalCount) return kEINVAL;
  return Errno{};
}

// Windows of a box at once: WorldId::kAddressSpaces. Fewer than any host has room for, since what
// decides must not be the host: 640 windows of 128 GiB and tables of 32 GiB are 100 TiB of 128.
// AddressSanitizer's shadow and heap leave three pieces of together 107 TiB.
constexpr std::size_t kMaxAddressSpaces = 640;

std::size_t CountAddressSpaces(const ProcessTable& processes) {
  std::set<const Program*> programs;
  for (const auto& [id, task] : processes.tasks()) {
    if (task->program) programs.insert(task->program.get());
  }
  return programs.size();
}

// fork(2): an address space of its own, with a CPU.
Result<std::shared_ptr<Program>, MapError> Copy(Kernel& kernel, Program& program) {
  auto space = program.space->Fork();
  if (!space) return std::unexpected(space.error());
  auto cpu = std::make_unique<x86::Vcpu>(**space, program.cpu->mode(), kernel.MemoFor(program.abi));
  auto copy = std::make_shared<Program>(program.abi, std::move(*space), std::move(cpu));
  copy->image = program.image;
  copy->start = program.start;
  copy->stack = program.stack;
  copy->executable = program.executable;
  copy->command = program.command;
  copy->address_end = program.address_end;
  copy->return_page = program.return_page;
  copy->brk_start = program.brk_start;
  copy->brk = program.brk;
  copy->barriers = program.barriers;
  return copy;
}

// The state in which the child comes out of the call: the caller's, but for the result, the stack
// and the thread pointer.
void MakeContext(Task& task, Task& child, const Request& request) {
  x86::Vcpu& cpu = task.cpu();
  cpu.Save(task.context);
  cpu.SetGpr(x86::kRax, 0);
  if (request.stack != 0) cpu.SetGpr(x86::kRsp, request.stack);
  if (request.descriptor) {
    SetThreadDescriptor(cpu, *request.descriptor);
  } else if ((request.flags & kCloneSettls) != 0) {
    cpu.SetFsBase(request.tls);
  }
  cpu.Save(child.context);
  cpu.Load(task.context);
}

void Share(Task& task, Task& child, std::uint64_t flags) {
  child.fd_table =
      (flags & kCloneFiles) != 0 ? task.fd_table : std::make_shared<FdTable>(*task.fd_table);
  child.fs_context =
      (flags & kCloneFs) != 0 ? task.fs_context : std::make_shared<FsContext>(*task.fs_context);
  child.credentials = task.credentials;
  child.command = task.command;
  child.no_new_privileges = task.no_new_privileges;
  child.seccomp = task.seccomp;
  child.dumpable = task.dumpable;
  child.personality = task.personality;
  child.timer_slack_ns = task.timer_slack_ns;
  if (!task.priority.resets_on_fork) child.priority = task.priority;
  child.signals.Inherit(task.signals, (flags & kCloneSighand) != 0);
  if ((flags & kCloneClearSighand) != 0) child.signals.handlers().Reset();
  // Another stack, another alternate one; vfork(2) borrows both.
  const bool same_stack = (flags & (kCloneVm | kCloneVfork)) != kCloneVm;
  if (same_stack) child.signals.alternate = task.signals.alternate;
}

// A parent that called vfork(2) waits until the child has another program or is gone.
SyscallResult AwaitVfork(Task& task) {
  const auto tid = static_cast<int>(task.call->progress);
  Task* const child = task.kernel.processes().FindTask(tid);
  if (child == nullptr || child->program != task.program) {
    const bool told = std::exchange(task.call->total, 1).has_value();
    const auto number = static_cast<std::uint64_t>(tid);
    if (!told && task.debug) task.kernel.debugger->NoteVforkDone(task);
    if (!told && ptrace::StopForEvent(task, TraceEventId::kVforkDone, number))
      return SyscallResult::Again();
    return static_cast<std::int64_t>(tid);
  }
  return SyscallResult::Block({kNever, Wait::kEvent, OnSignal::kNothing, 0, child});
}

// A child that was not to be: nobody has seen it.
SyscallResult Undo(Task& child, const SyscallResult& error) {
  Process& process = child.process;
  std::erase(process.parent->children, &process);
  process.ended = process.reaped = true;
  child.LeaveCpu();
  child.kernel.processes().Forget(child);
  return error;
}

// kernel/fork.c, kernel_clone.
TraceEventId EventOf(const Request& request) {
  if ((request.flags & kCloneVfork) != 0) return TraceEventId::kVfork;
  return request.exit_signal != static_cast<std::uint64_t>(kSIGCHLD) ? TraceEventId::kClone
                                                                     : TraceEventId::kFork;
}

SyscallResult Clone(Task& task, Request request) {
  const auto finish = [&task, &request]() -> SyscallResult {
    if ((request.flags & kCloneVfork) != 0) return AwaitVfork(task);
    return static_cast<std::int64_t>(task.call->progress);
  };
  if (task.call->progress != 0) return finish();
  if (const Errno error = Check(task, request); error != Errno{}) return error;
  if ((request.flags & kCloneSettls) != 0 && task.program->abi == abi::AbiId::kI386) {
    const auto descriptor = ReadThreadDescriptor(task, {request.tls});
    if (!descriptor) return descriptor.error();
    request.descriptor = *descriptor;
  }
  const auto has = [&](CloneFlag flag) { return (request.flags & flag) != 0; };
  std::shared_ptr<Program> program = task.program;
  if (!has(kCloneVm)) {
    if (CountAddressSpaces(task.kernel.processes()) >= kMaxAddressSpaces) return kEAGAIN;
    auto copy = Copy(task.kernel, *task.program);
    if (!copy && copy.error() == MapError::kMemoryLimit) {
      task.kernel.EndByLimit(LimitId::kMemory);
      return kENOMEM;
    }
    if (!copy && copy.error() == MapError::kTooManyMappings) return kENOMEM;
    if (!copy && copy.error() == MapError::kTooManySpaces) return kEAGAIN;
    if (!copy) {
      // Never an errno: how much the host has is not for the guest to see.
      task.kernel.FailHost({ErrorCode::kResourceExhausted, "NO_ADDRESS_SPACE",
                            "the host did not reserve or map a window for fork", ""});
      return kEAGAIN;
    }
    program = std::move(*copy);
  }
  Process* const parent = has(kCloneParent) ? task.process.parent : &task.process;
  ProcessTable& processes = task.kernel.processes();
  const auto child =
      has(kCloneThread) ? processes.AddThread(task) : processes.AddProcess(task.kernel, parent);
  if (!child) return kEAGAIN;
  if (!has(kCloneThread)) {
    // A sibling tells the common parent as its maker does: kernel/fork.c, copy_process.
    child->process.exit_signal =
        has(kCloneParent) ? task.process.exit_signal : static_cast<int>(request.exit_signal);
    child->process.maker = has(kCloneParent) ? task.process.maker : task.tid;
    child->process.limits = task.process.limits;
    child->process.timers.cpu_limit().Arm();
    child->process.group = task.process.group;
    child->process.session = task.process.session;
  }
  child->program = std::move(program);
  Share(task, *child, request.flags);
  MakeContext(task, *child, request);
  const auto tid = static_cast<std::int32_t>(child->tid);
  // As in kernel/fork.c, words that cannot be written are no error.
  if (has(kCloneParentSettid))
    static_cast<void>(task.memory().Write(GuestPtr<std::int32_t>{request.parent_tid}, tid));
  if (has(kCloneChildSettid))
    static_cast<void>(child->memory().Write(GuestPtr<std::int32_t>{request.child_tid}, tid));
  if (has(kClonePidfd)) {
    const SyscallResult fd = InstallPidFile(task, child->shared_process(), 0);
    if (fd.value() < 0) return Undo(*child, fd);
    const auto number = static_cast<std::int32_t>(fd.value());
    if (const auto ok = task.memory().Write(GuestPtr<std::int32_t>{request.pidfd}, number); !ok) {
      task.fds().Close(number);
      return Undo(*child, ok.error());
    }
  }
  if (has(kCloneChildCleartid)) child->clear_child_tid = request.child_tid;
  const TraceEventId event = EventOf(request);
  const bool is_event = ptrace::WantsEvent(task, event) && !has(kCloneUntraced);
  ptrace::InheritTracer(task, *child, is_event || has(kClonePtrace));
  task.kernel.scheduler.Add(*child);
  task.call->progress = child->tid;
  if (task.debug) {
    const bool is_vfork = event == TraceEventId::kVfork;
    task.kernel.debugger->NoteClone(task, *child,
                                    is_vfork ? DebugEvent::Kind::kVfork : DebugEvent::Kind::kFork);
  }
  if (is_event && ptrace::StopForEvent(task, event, child->tid)) return SyscallResult::Again();
  return finish();
}

}  // namespace

SyscallResult SysClone(Task& task, CloneFlags flags, Address stack, Address parent_tid,
                       Address child_tid, Hex tls) {
  // They would write to one place.
  if (flags.Has(kClonePidfd | kCloneParentSettid)) return kEINVAL;
  return Clone(task, {.flags = flags.value & ~std::uint64_t{kSignalMask},
                      .exit_signal = flags.value & kSignalMask,
                      .stack = stack.value,
                      .parent_tid = parent_tid.value,
                      .child_tid = child_tid.value,
                      .tls = tls.value,
                      .pidfd = parent_tid.value});
}

// The order of i386: CONFIG_CLONE_BACKWARDS.
SyscallResult SysCloneBackwards(Task& task, CloneFlags flags, Address stack, Address parent_tid,
                                Hex tls, Address child_tid) {
  return SysClone(task, flags, stack, parent_tid, child_tid, tls);
}

SyscallResult SysFork(Task& task) {
  return Clone(task, {.flags = 0, .exit_signal = static_cast<std::uint64_t>(kSIGCHLD)});
}

SyscallResult SysVfork(Task& task) {
  return Clone(
      task, {.flags = kCloneVm | kCloneVfork, .exit_signal = static_cast<std::uint64_t>(kSIGCHLD)});
}

SyscallResult SysClone3(Task& task, GuestPtr<const abi::CloneArguments> arguments, Size size) {
  constexpr std::uint64_t kFirstVersion = 64;
  if (size.value < kFirstVersion) return kEINVAL;
  if (size.value > kPageSize) return kE2BIG;
  abi::CloneArguments asked{};
  const auto known = static_cast<std::size_t>(std::min<std::uint64_t>(size.value, sizeof(asked)));
  if (const auto ok = task.memory().ReadBytes(
          arguments.address, std::as_writable_bytes(std::span(&asked, 1)).first(known));
      !ok) {
    return ok.error();
  }
  // What a later version of the structure says must be nothing.
  std::vector<std::byte> rest(static_cast<std::size_t>(size.value) - known);
  if (const auto ok = task.memory().ReadBytes(arguments.address + known, rest);
      !ok && !rest.empty())
    return ok.error();
  if (std::ranges::any_of(rest, [](std::byte byte) { return byte != std::byte{0}; })) return kE2BIG;
  if ((asked.flags & (kSignalMask | kCloneDetached)) != 0) return kEINVAL;
  if ((asked.stack == 0) != (asked.stack_size == 0)) return kEINVAL;
  if ((asked.flags & (kCloneThread | kCloneParent)) != 0 && asked.exit_signal != 0) return kEINVAL;
  if (asked.set_tid_size != 0) {
    task.kernel.CountAbsent("clone3 (set_tid)");
    return kEPERM;
  }
  return Clone(task, {.flags = asked.flags,
                      .exit_signal = asked.exit_signal,
                      .stack = asked.stack + asked.stack_size,
                      .parent_tid = asked.parent_tid,
                      .child_tid = asked.child_tid,
                      .tls = asked.tls,
                      .pidfd = asked.pidfd});
}

}  // namespace glovebox::engine
