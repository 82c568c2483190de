// One thread of the guest and the process that it is. (One thread and one process so far: what
// processes and threads will share stands in structures of its own.)
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/isa/x86/vcpu.h"
#include "engine/linux/fd_table.h"
#include "engine/linux/guest_memory.h"
#include "engine/linux/kernel.h"
#include "engine/linux/signals.h"
#include "engine/linux/syscall_result.h"
#include "engine/linux/trace.h"
#include "engine/loader/image.h"
#include "engine/loader/stack.h"
#include "engine/vfs/credentials.h"

namespace glovebox::engine {

struct SyscallRow;

// The program in the address space: what execve replaces.
struct Program {
  std::unique_ptr<AddressSpace> space;
  std::unique_ptr<x86::Vcpu> cpu;
  GuestMemory memory;
  LoadedImage image;
  BuiltStack stack;
  PathRef executable;
  std::string command;          // /proc/self/comm, at most 15 bytes
  std::vector<std::byte> auxv;  // /proc/self/auxv
  GuestAddr brk_start = 0;
  GuestAddr brk = 0;

  Program(std::unique_ptr<AddressSpace> the_space, std::unique_ptr<x86::Vcpu> the_cpu)
      : space(std::move(the_space)), cpu(std::move(the_cpu)), memory(*space) {}
};

// Where paths start, and what new files get: what CLONE_FS shares.
struct FsContext {
  std::shared_ptr<Directory> root;
  std::shared_ptr<Directory> working_directory;
  std::uint32_t umask = 022;
};

// getrlimit(2), asm-generic/resource.h.
enum ResourceId : std::uint8_t {
  kLimitCpu,
  kLimitFileSize,
  kLimitData,
  kLimitStack,
  kLimitCore,
  kLimitRss,
  kLimitProcesses,
  kLimitOpenFiles,
  kLimitLocked,
  kLimitAddressSpace,
  kLimitLocks,
  kLimitSigPending,
  kLimitMessageQueue,
  kLimitNice,
  kLimitRtPriority,
  kLimitRtTime,
  kResourceCount,
};

enum TimerId : std::uint8_t { kTimerReal, kTimerVirtual, kTimerProfile, kTimerCount };

// setitimer(2), in the time of its own clock.
struct IntervalTimer {
  Nanoseconds expires = kNever;
  Nanoseconds interval = 0;
};

// A system call between its instruction and its result.
struct CallInFlight {
  const SyscallRow* row = nullptr;  // null: no such number
  std::uint64_t number = 0;
  RawArguments arguments{};
  Nanoseconds began = 0;
  std::vector<std::string> printed;  // with trace events only: what has to be read before the call
  // State of the call itself while it is tried again: bytes or items done, and when to give up.
  std::uint64_t progress = 0;
  std::optional<std::uint64_t> total;  // bytes that a transfer is about, once it has begun
  std::optional<Nanoseconds> deadline;
};

class Task {
 public:
  Task(Kernel& the_kernel, std::uint32_t id);
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  Kernel& kernel;
  const std::uint32_t pid;
  const std::uint32_t tid;
  std::uint32_t process_group;
  std::uint32_t session;
  std::unique_ptr<Program> program;  // null before the first execve
  Credentials credentials;
  FsContext fs;
  FdTable fds;
  SignalState signals;
  std::array<abi::Rlimit, kResourceCount> limits{};
  std::array<IntervalTimer, kTimerCount> timers;
  std::uint64_t clear_child_tid = 0;
  std::uint64_t robust_list = 0;
  bool no_new_privileges = false;
  bool dumpable = true;
  std::uint64_t parent_death_signal = 0;
  std::uint64_t personality = 0;
  std::optional<CallInFlight> call;

  GuestMemory& memory() { return program->memory; }
  x86::Vcpu& cpu() { return *program->cpu; }
  AddressSpace& space() { return *program->space; }
  std::uint64_t open_file_limit() const { return limits[kLimitOpenFiles].soft; }

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

  // The next time at which a timer of the task goes off, as Kernel::Now() tells time; kNever where
  // none is armed.
  Nanoseconds NextTimer() const;
  // Sends the signals of all timers that have gone off.
  void FireTimers();

 private:
  Nanoseconds ClockOf(TimerId id) const;
};

inline constexpr int kAtFdCwd = -100;

}  // namespace glovebox::engine
