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
#include "engine/linux/process_timers.h"
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
  GuestAddr start = 0;  // its first instruction: of the image, or of the interpreter
  BuiltStack stack;
  PathRef executable;
  std::string command;         // its file's name, at most 15 bytes
  Task* cpu_holder = nullptr;  // whose state the CPU has; CLONE_VM
  GuestAddr return_page = 0;   // of i386 programs: return_page.h
  GuestAddr brk_start = 0;
  GuestAddr brk = 0;
  std::uint32_t barriers = 0;  // registered with membarrier(2)
  bool locks_future = false;   // mlockall(2), MCL_FUTURE

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

class Task;
namespace tty {
class Terminal;
}

struct ExitStatus {
  int code = 0;       // of exit(2), its lowest eight bits
  int signal = 0;     // not 0: it was ended by a signal
  bool core = false;  // whose default action is to dump core
};

class Process {
 public:
  // `the_parent` is null for the first process of the box; a child inherits from it.
  Process(Kernel& the_kernel, std::uint32_t id, Process* the_parent);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  Kernel& kernel;
  const std::uint32_t pid;
  Process* parent;
  std::vector<Process*> children;  // in the order of their making, zombies too
  std::uint32_t maker = 0;         // the thread of the parent that made it
  std::vector<Task*> tracees;      // of its threads: ptrace(2)
  std::uint32_t group;
  std::uint32_t session;
  std::shared_ptr<tty::Terminal> terminal;  // that controls it, if any
  std::uint32_t lost_foreground = 0;        // of a leader: the group that its terminal hung up on
  // In the order of their making. The first is the leader: ended or not, it is there as long as its
  // process is.
  std::vector<Task*> threads;
  PendingSignals pending;  // of the process as a whole
  std::array<abi::Rlimit, kResourceCount> limits{};
  CpuAlarms cpu_alarms;  // before timers: what they set they take back
  ProcessTimers timers;

  int exit_signal = 0;  // what the parent gets when the process ends; 0: nothing
  bool is_subreaper = false;
  int oom_score_adjustment = 0;      // /proc/PID/oom_score_adj; children inherit it
  bool huge_pages_disabled = false;  // prctl(2): kept, there are none
  bool has_executed = false;  // execve(2) after fork(2): setpgid(2) of the parent comes too late
  // CPU time in virtual nanoseconds: of all its threads, and of children that were waited for; and
  // the part of it that system calls have taken.
  Nanoseconds cpu_ns = 0;
  Nanoseconds children_cpu_ns = 0;
  Nanoseconds system_ns = 0;
  Nanoseconds children_system_ns = 0;

  bool ended = false;        // a zombie, once its threads are gone
  int unreaped_threads = 0;  // that have ended, but their tracers have not waited for them
  bool reaped = false;       // somebody has waited for it: its threads are no more
  ExitStatus status;
  int stop_signal = 0;     // not 0: stopped by it
  bool stop_seen = false;  // wait(2) has told of the stop
  bool continued = false;  // wait(2) has not told yet that it was continued

  // To the process: any of its threads may take it. False where the queue of a real-time signal is
  // full. Ignored signals vanish.
  bool Send(const abi::Siginfo& info);
  // Of a timer, which keeps room for its signal: to the process, or to `thread` where that is not
  // null. False where the signal is ignored.
  bool SendOfTimer(const abi::Siginfo& info, Task* thread);

  // What stops a process and what continues it undo each other already when they are sent.
  void NoteStopOrContinue(int signal);
  // Drops a signal that nobody wants any more, from all queues.
  void Drop(int signal);

 private:
  // One thread that wants the signal is enough.
  void WakeFor(int signal);
};

}  // namespace glovebox::engine
