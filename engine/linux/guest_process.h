// A thread group: what all threads of a process have in common, and what its parent will learn of
// it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/isa/x86/vcpu.h"
#include "engine/linux/guest_memory.h"
#include "engine/linux/kernel.h"
#include "engine/linux/signals.h"
#include "engine/linux/syscall_result.h"
#include "engine/loader/image.h"
#include "engine/loader/stack.h"
#include "engine/vfs/credentials.h"
#include "engine/vfs/inode.h"

namespace glovebox::engine {

// The program in the address space: what execve replaces.
struct Program {
  abi::AbiId abi;
  GuestAddr address_end = 0;  // no address from here on can be mapped
  std::unique_ptr<AddressSpace> space;
  std::unique_ptr<x86::Vcpu> cpu;
  GuestMemory memory;
  LoadedImage image;
  BuiltStack stack;
  PathRef executable;
  std::string command;        // /proc/self/comm, at most 15 bytes
  GuestAddr return_page = 0;  // of i386 programs: return_page.h
  GuestAddr brk_start = 0;
  GuestAddr brk = 0;

  Program(abi::AbiId the_abi, std::unique_ptr<AddressSpace> the_space,
          std::unique_ptr<x86::Vcpu> the_cpu)
      : abi(the_abi), space(std::move(the_space)), cpu(std::move(the_cpu)), memory(*space) {}
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

class Task;

class Process {
 public:
  Process(Kernel& the_kernel, std::uint32_t id);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  Kernel& kernel;
  const std::uint32_t pid;
  std::uint32_t group;
  std::uint32_t session;
  std::vector<Task*> threads;  // in the order of their making; the first is the leader
  PendingSignals pending;      // of the process as a whole
  std::array<abi::Rlimit, kResourceCount> limits{};
  std::array<IntervalTimer, kTimerCount> timers;

  // To the process: any of its threads may take it. False where the queue of a real-time signal is
  // full. Ignored signals vanish.
  bool Send(const abi::Siginfo& info);

  // Drops a signal that nobody wants any more, from all queues.
  void Drop(int signal);

  // The next time at which a timer goes off, as Kernel::Now() tells time; kNever where none is
  // armed. Clocks of CPU time stand still while all threads wait: they wake nobody.
  Nanoseconds NextTimer(bool waits) const;
  // Sends the signals of all timers that have gone off.
  void FireTimers();

 private:
  Nanoseconds ClockOf(TimerId id) const;
};

}  // namespace glovebox::engine
