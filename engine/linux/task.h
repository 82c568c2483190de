// One thread of the guest. What a thread has of its own stands in Task; what clone(2) lets threads
// and processes share is held by shared pointers; what a thread group has once stands in Process.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/isa/x86/vcpu.h"
#include "engine/linux/fd_table.h"
#include "engine/linux/futex.h"
#include "engine/linux/guest_memory.h"
#include "engine/linux/guest_process.h"
#include "engine/linux/kernel.h"
#include "engine/linux/scheduler.h"
#include "engine/linux/signals.h"
#include "engine/linux/syscall_result.h"
#include "engine/linux/trace.h"
#include "engine/linux/tracing.h"
#include "engine/loader/image.h"
#include "engine/loader/stack.h"
#include "engine/vfs/credentials.h"

namespace glovebox::engine {

struct Debugged;
struct SeccompFilter;
struct SyscallRow;

// A system call between its instruction and its result.
struct CallInFlight {
  const SyscallRow* row = nullptr;  // null: no such number
  std::uint64_t number = 0;
  abi::AbiId abi = abi::AbiId::kX86_64;
  abi::Layout layout = abi::Layout::kX86_64;  // of what its pointers lead to
  RawArguments arguments{};                   // of the row's handler
  Nanoseconds began = 0;
  std::vector<std::string> printed;  // with trace events only: what has to be read before the call
  // State of the call itself while it is tried again: bytes or items done, and when to give up.
  std::uint64_t progress = 0;
  std::optional<std::uint64_t> total;  // bytes that a transfer is about, once it has begun
  std::optional<Nanoseconds> deadline;
  // What the call is about, while it waits: closing its descriptor does not end the wait.
  std::shared_ptr<OpenFile> file;
  std::shared_ptr<OpenFile> opening;  // open(2) of a FIFO, while the other end is not there
  std::shared_ptr<void> state;        // whatever the call keeps while it waits
};

// What the CPU last complained about: stays until the next time, as signal frames show it.
struct LastTrap {
  std::uint64_t number = 0;   // Intel SDM vol. 3A, table 6-1
  std::uint64_t error = 0;    // the error code that hardware pushes
  std::uint64_t address = 0;  // of the last page fault: CR2
};

// sched_setscheduler(2), nice(2), ioprio_set(2).
struct Priority {
  int policy = 0;  // SCHED_OTHER
  int real_time = 0;
  int nice = 0;
  int io = 0;
  bool resets_on_fork = false;
};

class Task {
 public:
  // A thread of `the_process` with tables of its own, not scheduled yet.
  Task(Kernel& the_kernel, std::shared_ptr<Process> the_process, std::uint32_t id);
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  Kernel& kernel;
  Process& process;
  std::uint32_t tid;                      // execve(2) makes it that of the process
  std::shared_ptr<Program> program;       // null before the first execve; CLONE_VM
  std::shared_ptr<FdTable> fd_table;      // CLONE_FILES
  std::shared_ptr<FsContext> fs_context;  // CLONE_FS
  Credentials credentials;
  SignalState signals;
  std::uint64_t clear_child_tid = 0;
  std::uint64_t robust_list = 0;
  std::string command;  // /proc/PID/comm, at most 15 bytes
  bool no_new_privileges = false;
  bool dumpable = true;
  std::uint64_t parent_death_signal = 0;
  std::uint64_t personality = 0;
  std::uint64_t timer_slack_ns = 50'000;
  Priority priority;
  LastTrap last_trap;
  std::optional<CallInFlight> call;
  std::unique_ptr<Tracing> tracing;  // null: nobody has ever traced it
  std::shared_ptr<Debugged> debug;   // null: no debugger looks at it
  Scheduling scheduling;
  FutexWait futex;             // what it waits for
  x86::ThreadContext context;  // while another task has the CPU of its address space
  Nanoseconds cpu_ns = 0;      // of this thread
  Nanoseconds system_ns = 0;   // the part of it in system calls
  std::shared_ptr<const SeccompFilter> seccomp;  // null: every call is allowed

  const std::shared_ptr<Process>& shared_process() const { return process_; }
  // Makes the CPU of its address space that of the task.
  void TakeCpu() {
    if (program->cpu_holder != this) ExchangeCpu();
  }
  void LeaveCpu();

  FdTable& fds() const { return *fd_table; }
  FsContext& fs() const { return *fs_context; }
  GuestMemory& memory() { return program->memory; }
  x86::Vcpu& cpu() { return *program->cpu; }
  AddressSpace& space() { return *program->space; }
  std::uint64_t open_file_limit() const { return process.limits[kLimitOpenFiles].soft; }

  // The directory that relative paths of a *at call start from: AT_FDCWD or a descriptor. EBADF,
  // ENOTDIR.
  Result<std::shared_ptr<Directory>, Errno> DirectoryOf(int dirfd) const;
  Result<Resolved, Errno> Resolve(int dirfd, const std::string& path,
                                  const ResolveOptions& options);
  // As Resolve, after reading the path from guest memory.
  Result<Resolved, Errno> ResolveGuest(int dirfd, GuestPtr<const char> path,
                                       const ResolveOptions& options);

  // Sends a signal to this task, from inside.
  void Send(int signal, int code);
  // A signal for this thread alone; wakes it. False where the queue of a real-time signal is full.
  bool Receive(const abi::Siginfo& info);
  // The next signal of `allowed`, removed from what is pending.
  std::optional<abi::Siginfo> TakeSignal(SignalSet allowed);

 private:
  void ExchangeCpu();

  std::shared_ptr<Process> process_;
};

inline constexpr int kAtFdCwd = -100;

}  // namespace glovebox::engine
