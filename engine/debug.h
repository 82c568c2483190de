// What a debugger can do with a box: stand its threads still, look at them, change them, and hear
// of what happens. Box::AttachDebugger makes it; without one nothing of it costs anything.
//
// Looking leaves no trace: the box goes on as if it had never stood still (output, icount,
// schedule, trace hash). Each change is told to the host, with its moment, and marks the box as
// altered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/base/errno.h"
#include "engine/base/result.h"
#include "engine/base/types.h"
#include "engine/isa/x86/vcpu.h"
#include "engine/linux/abi/x86_64.h"
#include "engine/memory/address_space.h"
#include "engine/memory/watch.h"
#include "engine/process.h"

namespace glovebox::engine {

// Numbers as the guest has them.
struct ThreadId {
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  friend auto operator<=>(const ThreadId&, const ThreadId&) = default;
};

struct DebugEvent {
  enum class Kind : std::uint8_t {
    kSignal,         // `signal` is about to be delivered
    kStepped,        // the step that was asked for is done
    kBreakpoint,     // at `address`, whose instruction has not run
    kWatchpoint,     // `watch`, first byte `address`; the instruction or the call is done
    kFork,           // `other` is the first thread of the child, which stands still
    kVfork,          // likewise
    kVforkDone,      // the child has another program, or is gone
    kExec,           // `path`; at the first instruction of the new program
    kThreadCreated,  // this is the new thread, before its first instruction
    kSyscallEntry,   // `syscall`
    kSyscallReturn,
    kInterrupted,  // Interrupt, Halt or Attach
    kDeadlock,     // every thread of the box waits, and nothing can end that
    // Nobody stands still for these.
    kThreadExited,     // `code`
    kProcessExited,    // `code`
    kProcessSignaled,  // `signal`
    kNotStarted,       // Launch: errno in `code`, why in `path`
  };
  Kind kind = Kind::kInterrupted;
  ThreadId thread{};
  int signal = 0;
  int code = 0;
  GuestAddr address = 0;
  WatchKind watch = WatchKind::kWrite;
  ThreadId other{};
  std::uint64_t syscall = 0;
  std::string path{};
  bool fatal = false;  // kSignal: its delivery ends the process
};

// Which events stop a thread and are told.
struct DebugInterest {
  bool fork = false;
  bool vfork = false;
  bool exec = false;
  bool threads = false;
};

struct DebugResume {
  enum class How : std::uint8_t { kContinue, kStep, kStepRange };
  ThreadId thread{};
  How how = How::kContinue;
  // What is delivered first; 0: the signal that it stopped for is dropped.
  int signal = 0;
  GuestAddr range_begin = 0;  // kStepRange: one step, and on while rip is in here
  GuestAddr range_end = 0;
};

// What Launch is to run.
struct DebugLaunch {
  std::string program;            // as BoxSpec::program
  std::vector<std::string> argv;  // not empty
  std::vector<std::string> env;
  std::string working_directory;
  // False: the layout and the random bytes of the box' first program.
  bool randomize = false;
  friend bool operator==(const DebugLaunch&, const DebugLaunch&) = default;
};

// Something that a debugger did, and that the box' later life depends on.
struct DebugChange {
  enum class Kind : std::uint8_t {
    kMemory,     // `bytes` at `address` of the process
    kRegisters,  // `bytes` as WriteRegisters has them, of the set `number`
    kSignal,     // `number` instead of what was about to be delivered
    kSiginfo,    // `bytes`
    kSchedule,   // somebody else ran than whose turn it was
    kKill,
    kLaunch,      // `launch`
    kFileOpen,    // `path`, made or cut: flags of open(2) in `address`, its mode in `number`
    kFileWrite,   // `bytes` at `address` of the file at `path`
    kFileUnlink,  // `path`
  };
  Kind kind = Kind::kMemory;
  ThreadId thread{};
  GuestAddr address = 0;
  std::uint64_t number = 0;
  std::vector<std::byte> bytes{};
  std::string path{};  // beneath the root of the process `thread.pid`; 0: of the box
  std::shared_ptr<const DebugLaunch> launch{};
};

// The state at a hit of a breakpoint. Valid during the call that it is given to.
struct DebugHit {
  ThreadId thread{};
  GuestAddr address = 0;
  const x86::Vcpu& cpu;
  const AddressSpace& memory;
  Nanoseconds now = 0;  // virtual time
};

// What is to be done about a hit.
struct DebugVerdict {
  bool stops = false;  // and tells. False: the instruction runs and nobody hears of it
  // Of that thread, from here on: OnStep is called behind each. What is under way goes on.
  std::uint64_t steps = 0;
};

// Called within Box::Run and the methods of BoxDebugger. They call nothing of the box, but
// BoxDebugger::ReadRegisters of a hit's thread.
class DebugHost {
 public:
  virtual ~DebugHost() = default;
  virtual DebugVerdict OnBreakpoint(const DebugHit& hit) = 0;
  // An instruction of those that OnBreakpoint asked for has retired, and the call that it made, if
  // it made one, is over. False: enough of it.
  virtual bool OnStep(const DebugHit& hit) { return false; }
  virtual void OnChange(const DebugChange& change) = 0;
};

// Sets of registers in the forms that ptrace(2) has for them.
enum class DebugRegisterSet : std::uint8_t {
  kGeneral,  // user_regs_struct of the thread's ABI
  kXstate,   // the XSAVE area, in the standard format: kXsaveBytes
  kFloat,    // NT_PRFPREG: the FXSAVE area; of i386 what FSAVE has
  kFxsave,   // of i386: the FXSAVE area; empty of x86-64
};

// A point in a box' life that is finer than a moment: with `thread`, its moment alone and only with
// that thread at `rip`; without, the moment or whatever comes next after it.
struct DebugPlace {
  Moment moment = 0;
  std::optional<ThreadId> thread{};
  GuestAddr rip = 0;
};

// A file of the box. May outlive neither the box nor its debugger.
class DebugFile {
 public:
  virtual ~DebugFile() = default;
  // 0 at the end.
  virtual Result<std::size_t, Errno> Read(std::uint64_t offset, std::span<std::byte> out) = 0;
  virtual Result<abi::x86_64::Stat, Errno> Status() = 0;
  // Of a symbolic link.
  virtual Result<std::string, Errno> Target() = 0;
  // EBADF where it was not opened for writing. As write(2): all of it, or what there is room for.
  virtual Result<std::size_t, Errno> Write(std::uint64_t offset,
                                           std::span<const std::byte> bytes) = 0;
};

// Threads: the box's. Errors are those that ptrace(2) would give: ESRCH for no such thread, or one
// of a process that is not debugged.
class BoxDebugger {
 public:
  virtual ~BoxDebugger() = default;

  // --- who is debugged ---

  // The processes of the box, by number; zombies are not among them.
  struct ProcessRow {
    std::uint32_t pid = 0, parent = 0, group = 0, session = 0, uid = 0, gid = 0;
    bool debugged = false;
    bool is_i386 = false;
    std::string executable;
    std::vector<std::string> arguments;
    std::vector<std::uint32_t> threads;  // in the order of their making
  };
  virtual std::vector<ProcessRow> Processes() const = 0;
  // Of a debugged process; without all that a row costs. ESRCH.
  virtual Result<bool, Errno> IsI386(std::uint32_t pid) const = 0;
  struct ThreadRow {
    ThreadId thread;
    std::string name;
    bool stopped = true;
  };
  virtual std::vector<ThreadRow> Threads() const = 0;
  // The process (0: the box' first one) is debugged from now on, and its threads stand still: an
  // event kInterrupted. Before the first Run: it will stand at its first instruction.
  virtual Result<void, Errno> Attach(std::uint32_t pid) = 0;
  // It goes on as if nobody had ever looked; `signal`, where that is not 0, instead of the one that
  // it stopped for, which is none any more if it was a fault and rip has been changed.
  virtual Result<void, Errno> Detach(std::uint32_t pid, int signal) = 0;
  virtual Result<void, Errno> Kill(std::uint32_t pid) = 0;
  // Makes a process of the box: with its first one gone, another first one, whose end is that of
  // the box then, and what is left of the former run is killed; otherwise one beside it. It is
  // debugged, and stands still at its first instruction once Run has returned: an event
  // kInterrupted, or kNotStarted. Instructions, time and files go on from where they are.
  // Errors: ENOSPC where a limit of the box leaves nothing to run with.
  virtual Result<void, Errno> Launch(const DebugLaunch& launch) = 0;
  // What the box was made to run, for who wants to run it again.
  virtual const DebugLaunch& OwnLaunch() const = 0;
  // While `on`: a box whose first process was debugged, or killed from here, at its end stands
  // still (Run returns kStopped) until Launch, or until it is let go by `false`.
  virtual void HoldEnd(bool on) = 0;

  // --- going on and standing still ---

  // All-stop (the default): the first event halts every debugged thread, and with them the box.
  virtual void SetNonStop(bool on) = 0;
  virtual Result<void, Errno> Resume(std::span<const DebugResume> actions) = 0;
  // The box stands still at that place, without an event and whoever is debugged, or, where it
  // never gets there, behind it. Resume lets it go on.
  virtual void StandAt(const DebugPlace& place) = 0;
  // Stands everything still now. False: nothing runs.
  virtual bool Interrupt() = 0;
  virtual Result<void, Errno> Halt(ThreadId thread) = 0;
  // The next thing that happened; to be asked for after each Run. All-stop: one for each Resume,
  // and the ends of threads and processes.
  virtual std::optional<DebugEvent> TakeEvent() = 0;
  // Does anything debugged run?
  virtual bool Runs() const = 0;
  virtual void SetInterest(const DebugInterest& interest) = 0;
  // Signals that are delivered without a stop.
  virtual void SetPassed(std::set<int> signals) = 0;
  // Those that Detach lets a thread take that is stopped by one; the others are dropped. nullopt:
  // all.
  virtual void SetDelivered(std::optional<std::set<int>> signals) = 0;
  // Calls of the process that stop at entry and return; nullopt: none; empty: all.
  virtual Result<void, Errno> CatchCalls(std::uint32_t pid,
                                         std::optional<std::set<std::uint64_t>> numbers) = 0;

  // --- breakpoints and watchpoints: a fork's child has its parent's, exec ends them ---

  virtual Result<void, Errno> SetBreakpoint(std::uint32_t pid, GuestAddr address) = 0;
  virtual Result<void, Errno> ClearBreakpoint(std::uint32_t pid, GuestAddr address) = 0;
  virtual Result<void, Errno> SetWatches(std::uint32_t pid, std::vector<Watch> watches) = 0;

  // --- state; only of threads that stand still: EBUSY ---

  virtual Result<std::vector<std::byte>, Errno> ReadRegisters(ThreadId thread,
                                                              DebugRegisterSet set) = 0;
  virtual Result<void, Errno> WriteRegisters(ThreadId thread, DebugRegisterSet set,
                                             std::span<const std::byte> bytes) = 0;
  virtual Result<GuestAddr, Errno> ThreadPointer(ThreadId thread) = 0;
  // siginfo_t of what it stopped for. ENODATA: it did not.
  virtual Result<std::vector<std::byte>, Errno> ReadSiginfo(ThreadId thread) = 0;
  virtual Result<void, Errno> WriteSiginfo(ThreadId thread, std::span<const std::byte> bytes) = 0;

  // Bytes copied; EFAULT where there are none.
  virtual Result<std::size_t, Errno> ReadMemory(std::uint32_t pid, GuestAddr address,
                                                std::span<std::byte> out) = 0;
  // All or nothing, whatever the guest may write. EFAULT, ENOMEM.
  virtual Result<void, Errno> WriteMemory(std::uint32_t pid, GuestAddr address,
                                          std::span<const std::byte> bytes) = 0;
  virtual Result<std::vector<Mapping>, Errno> Mappings(std::uint32_t pid) = 0;
  // Of private memory in [start, end): what was ever written.
  virtual Result<std::uint64_t, Errno> WrittenBytes(std::uint32_t pid, GuestAddr start,
                                                    GuestAddr end) = 0;
  virtual Result<GuestAddr, Errno> AddressEnd(std::uint32_t pid) = 0;
  virtual Result<std::vector<std::byte>, Errno> AuxiliaryVector(std::uint32_t pid) = 0;

  // A file as the process sees it (0: as the box does). To read leaves no trace. `flags` and `mode`
  // are those of open(2) with whose rights root has; to make, cut or write is a change.
  virtual Result<std::shared_ptr<DebugFile>, Errno> OpenFile(std::uint32_t pid,
                                                             const std::string& path, int flags,
                                                             std::uint32_t mode) = 0;
  virtual Result<void, Errno> Unlink(std::uint32_t pid, const std::string& path) = 0;

  // Has a debugger changed anything?
  virtual bool altered() const = 0;
};

}  // namespace glovebox::engine
