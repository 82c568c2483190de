// The only thing that the stub knows about what it debugs: the core interface `Debuggee`, and its
// optional powers, each an interface of its own that a debuggee may lack (a null pointer).
//
// Numbers are the guest's: process and thread ids as the guest sees them (never 0), signals and
// system calls as Linux numbers them in the process' ABI, errors as Linux errnos. What gdb numbers
// differently (signals, File-I/O errnos and flags) is translated by the stub.
//
// Threads: one thread makes all calls, in both directions: the one that runs the guest, between two
// slices of its run. Exceptions: HitAction::OnHit is called while the guest runs; and a debuggee
// never calls its listener from within a call of the stub.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/errno.h"
#include "engine/base/result.h"
#include "engine/base/types.h"
#include "gdbstub/architecture.h"

namespace glovebox::gdbstub {

using engine::Errno;
using engine::GuestAddr;

// A guest's process (thread group) id and thread id. Both > 0.
struct ThreadRef {
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  friend auto operator<=>(const ThreadRef&, const ThreadRef&) = default;
};

// Why something was not done. kENOSYS: this debuggee cannot do it at all (gdb is told
// "unsupported"). `why` is one sentence for the user, or empty where the errno says it all.
struct Refusal {
  Errno error = engine::kEIO;
  std::string why;
};
template <typename T>
using Answer = Result<T, Refusal>;

inline std::unexpected<Refusal> Refuse(Errno error, std::string why = {}) {
  return std::unexpected(Refusal{error, std::move(why)});
}

// Why a thread stands still. Source: GDB manual, "Stop Reply Packets".
enum class StopReason : std::uint8_t {
  kSignal,              // `signal` is about to be delivered; the end of a step is SIGTRAP, of an
                        // Interrupt SIGINT, of a Halt signal 0
  kSoftwareBreakpoint,  // pc is the breakpoint's address, its instruction has not run
  kHardwareBreakpoint,  // likewise
  kWatchWrite,          // the access has been made (its instruction has retired); `address` is the
                        // first byte of the access that a watchpoint covers
  kWatchRead,
  kWatchAccess,
  kFork,           // `other`: the child's first thread, stopped at its first instruction
  kVfork,          // likewise; the parent will not run before kVforkDone
  kVforkDone,      // the child of a vfork has called exec or has ended
  kExec,           // `path`: the new program. Stands at its first instruction (that of ld.so)
  kThreadCreated,  // this is the new thread, before its first instruction
  kSyscallEntry,   // `syscall`: pc is behind the instruction, the call has not been made
  kSyscallReturn,  // `syscall`: it has been made, the result is in its register
  kLibrary,        // the list of libraries has changed
  // What follows is the end of something: no thread stands still.
  kThreadExited,     // `code`; only with EventSet::threads, and never for a process' last thread
  kProcessExited,    // `code`: exit status, 0..255; `thread.pid` has ended
  kProcessSignaled,  // `signal`: of which `thread.pid` died
  kNoneResumed,      // nothing that was resumed is left (others stand still)
};

struct StopEvent {
  ThreadRef thread = {};
  StopReason reason = StopReason::kSignal;
  int signal = 0;         // Linux number
  int code = 0;           // exit status
  GuestAddr address = 0;  // data address of a watchpoint's hit
  ThreadRef other = {};   // fork, vfork
  std::uint64_t syscall = 0;
  std::string path = {};  // exec: absolute, as the guest would see it
};

// Is told by the debuggee.
class Listener {
 public:
  virtual ~Listener() = default;
  // All-stop: every thread of every debugged process stands still. Once per Resume, unless that
  // failed. Non-stop: this thread does; once for each stop of each resumed thread.
  virtual void OnStop(const StopEvent& event) = 0;
  // Answers ProcessControl::Launch that cannot be: no such program and the like.
  virtual void OnLaunchRefused(const Refusal& refusal) = 0;
};

// Guest state at one hit of a breakpoint, precise. Valid during the call that it is given to.
class HitView {
 public:
  virtual ~HitView() = default;
  virtual ThreadRef thread() const = 0;
  // A register of at most 64 bits, zero-extended; wider ones: the low 64 bits. `number` is one of
  // the architecture's.
  virtual std::uint64_t Register(RegisterNumber number) = 0;
  // As Debuggee::ReadMemory, but all or nothing. False: not all of it is readable.
  virtual bool Read(GuestAddr address, std::span<std::byte> out) = 0;
  virtual Architecture architecture() const { return Architecture::kAmd64; }
  // As Debuggee::ReadRegisters. False: they cannot be had.
  virtual bool ReadRegisters(std::span<std::byte> out) { return false; }
  // Of the guest's clock, since its start.
  virtual std::uint64_t Nanoseconds() const { return 0; }
};

struct HitVerdict {
  bool stops = false;  // and tells. False: the instruction runs and nobody hears of it
  // Of this thread, from here on: OnStep is called behind each that has retired.
  std::uint64_t steps = 0;
};

// What is to be done when a breakpoint is reached: a condition and commands of gdb, compiled; or
// what a tracepoint collects.
class HitAction {
 public:
  virtual ~HitAction() = default;
  // Fast (well below a microsecond for a plain condition), bounded, changes nothing of the guest.
  // Threads: the one that runs the guest, in the midst of a slice.
  virtual HitVerdict OnHit(HitView& view) = 0;
  // False: enough of it.
  virtual bool OnStep(HitView& view) { return false; }
};

enum class BreakpointKind : std::uint8_t {
  kSoftware,
  kHardware,
  kTrace,  // its action never stops
};

// Power: Z0 and Z1. No patch in guest memory, no limit of number that a user would notice.
class Breakpoints {
 public:
  virtual ~Breakpoints() = default;
  // As many kinds as there are may be at one address.
  // Before the instruction at `address` of `pid` runs, the thread stops with kSoftwareBreakpoint or
  // kHardwareBreakpoint, also when it was resumed at that very address (gdb takes the breakpoint
  // out to step over it) and when stepping. The address need not be mapped. `action` null: always.
  // The same kind and address again: replaces the action.
  // A fork's child inherits its parent's breakpoints and watchpoints (gdb takes them out of a child
  // that it detaches from); exec takes those of the process away.
  virtual Answer<void> Insert(std::uint32_t pid, BreakpointKind kind, GuestAddr address,
                              std::shared_ptr<HitAction> action) = 0;
  // Errors: kENOENT: there is none. The stub counts that as done.
  virtual Answer<void> Remove(std::uint32_t pid, BreakpointKind kind, GuestAddr address) = 0;
};

enum class WatchKind : std::uint8_t { kWrite, kRead, kAccess };

// Power: Z2, Z3, Z4. Any number, of any length (>= 1 byte), at the full precision of the access:
// an access counts when it touches a byte of [address, address + length), whatever it writes.
// Accesses by system calls count too.
class Watchpoints {
 public:
  virtual ~Watchpoints() = default;
  virtual Answer<void> Insert(std::uint32_t pid, WatchKind kind, GuestAddr address,
                              std::uint64_t length) = 0;
  virtual Answer<void> Remove(std::uint32_t pid, WatchKind kind, GuestAddr address,
                              std::uint64_t length) = 0;
};

// stat(2) of the guest. Times in seconds since the epoch.
struct FileStatus {
  std::uint64_t device = 0, inode = 0, links = 1, rdevice = 0, size = 0, block_size = 4096,
                blocks = 0;
  std::uint32_t mode = 0;  // type and permissions, as st_mode has them
  std::uint32_t uid = 0, gid = 0;
  std::int64_t accessed = 0, modified = 0, changed = 0;
};

// Power: vFile, the box's files as the debugged processes see them, including /proc (gdb reads
// /proc/PID/maps and the like this way). Errors: Linux errnos.
class Files {
 public:
  virtual ~Files() = default;
  // `filesystem_pid`: whose root; 0: of the box' first process. Paths are absolute.
  // `flags` and `mode` as open(2) of x86-64 has them. Returns a handle >= 0 of the debuggee's,
  // which is no descriptor of any guest.
  virtual Result<int, Errno> Open(std::uint32_t filesystem_pid, std::string_view path,
                                  std::uint32_t flags, std::uint32_t mode) = 0;
  virtual Result<void, Errno> Close(int handle) = 0;
  // Bytes read, 0 at the end; at most out.size().
  virtual Result<std::size_t, Errno> Read(int handle, std::uint64_t offset,
                                          std::span<std::byte> out) = 0;
  virtual Result<std::size_t, Errno> Write(int handle, std::uint64_t offset,
                                           std::span<const std::byte> in) = 0;
  virtual Result<FileStatus, Errno> Status(int handle) = 0;
  virtual Result<FileStatus, Errno> StatusOf(std::uint32_t filesystem_pid, std::string_view path,
                                             bool follow_last_link) = 0;
  virtual Result<std::string, Errno> ReadLink(std::uint32_t filesystem_pid,
                                              std::string_view path) = 0;
  virtual Result<void, Errno> Unlink(std::uint32_t filesystem_pid, std::string_view path) = 0;
};

// What vRun is to start. Edits of the environment apply to the job's own one: first the names to be
// unset, then those to be set.
struct LaunchRequest {
  std::string program;                 // empty: the job's
  std::vector<std::string> arguments;  // without argv[0]; none, and no program: the job's
  std::vector<std::pair<std::string, std::string>> environment_set;
  std::vector<std::string> environment_unset;
  std::string working_directory;  // empty: the job's
  bool randomize_addresses = false;
};

// Power: the extended mode: run, attach, restart.
class ProcessControl {
 public:
  virtual ~ProcessControl() = default;
  // The debugger may want to run another program once this one has ended: until then, or until
  // nobody listens any more, the job is not over.
  virtual void Extend() {}
  // Later, never from within this call: OnStop (kSignal, SIGTRAP, at the first instruction of the
  // new process) or OnLaunchRefused.
  virtual Answer<void> Launch(const LaunchRequest& request) = 0;
  // Makes a process of the box a debugged one and halts it. Later: OnStop (signal 0 or what it was
  // stopped by), once; in non-stop mode once per thread of it.
  // Errors: kESRCH; kEBUSY: it is debugged already.
  virtual Answer<void> Attach(std::uint32_t pid) = 0;
};

// Which events stop a thread and are told. gdb asks for them when it connects.
struct EventSet {
  bool fork = false;
  bool vfork = false;  // with it kVforkDone
  bool exec = false;
  bool threads = false;  // kThreadCreated, kThreadExited
  friend bool operator==(const EventSet&, const EventSet&) = default;
};

// Power: stops at fork, vfork, exec, and at the making and ending of threads. Without an event
// asked for, a child of fork is not debugged (and has no breakpoints), a new thread of a debugged
// process simply runs, exec goes unnoticed.
class ProcessEvents {
 public:
  virtual ~ProcessEvents() = default;
  virtual Answer<void> Report(const EventSet& events) = 0;
};

// Power: `catch syscall`.
class SyscallCatch {
 public:
  virtual ~SyscallCatch() = default;
  // Stops threads of `pid` at entry and return of these calls (numbers of its ABI); an empty list:
  // of all; nullopt: of none.
  virtual Answer<void> Catch(std::uint32_t pid,
                             std::optional<std::vector<std::uint64_t>> numbers) = 0;
};

// Power: the siginfo_t of the signal that a thread is stopped by, in its ABI (128 bytes).
class Siginfo {
 public:
  virtual ~Siginfo() = default;
  // Errors: kENODATA: it is not stopped by a signal.
  virtual Answer<std::vector<std::byte>> Read(ThreadRef thread) = 0;
  // `bytes` at `offset` of it. Errors: kEINVAL beyond its end.
  virtual Answer<void> Write(ThreadRef thread, std::size_t offset,
                             std::span<const std::byte> bytes) = 0;
};

// Power: the auxiliary vector as the kernel made it, in the process' ABI. From it the stub finds
// the list of libraries (qXfer:libraries-svr4) by reading memory.
class Auxv {
 public:
  virtual ~Auxv() = default;
  virtual Answer<std::vector<std::byte>> Read(std::uint32_t pid) = 0;
};

// A stretch of addresses that are alike: mapped, or a hole.
struct MemoryRegion {
  GuestAddr begin = 0;
  GuestAddr end = 0;  // behind the last byte; > begin
  bool mapped = false, readable = false, writable = false, executable = false;
  std::string name;  // the file's path, "[heap]", "[stack]", or empty
};

// Power: where memory is.
class MemoryMap {
 public:
  virtual ~MemoryMap() = default;
  // Behind the last address that a process may ever have.
  virtual GuestAddr Limit(std::uint32_t pid) = 0;
  // The stretch that holds `address`. Errors: kEFAULT: beyond the limit.
  virtual Answer<MemoryRegion> Find(std::uint32_t pid, GuestAddr address) = 0;
};

struct OsProcess {
  std::uint32_t pid = 0, parent = 0, uid = 0;
  std::string user;     // a name, or the number
  std::string command;  // arguments with spaces between them
  std::vector<std::uint32_t> threads;
};

// Power: `info os processes`: all processes of the box, debugged or not, by rising pid.
class OsInfo {
 public:
  virtual ~OsInfo() = default;
  virtual std::vector<OsProcess> AllProcesses() = 0;
};

// Power: `monitor TEXT`. The text for the user, lines end in '\n'. "help" names all commands.
class Monitor {
 public:
  virtual ~Monitor() = default;
  virtual Answer<std::string> Command(std::string_view text, ThreadRef current) = 0;
};

// Power: backwards. Later: OnStop, as after Resume.
class ReverseExecution {
 public:
  virtual ~ReverseExecution() = default;
  virtual Answer<void> StepBack(ThreadRef thread) = 0;
  virtual Answer<void> ContinueBack() = 0;
};

enum class ResumeKind : std::uint8_t {
  kContinue,
  kStep,       // one instruction (of REP: one iteration), then SIGTRAP
  kStepRange,  // one, and on while pc is in [range_begin, range_end), then SIGTRAP
};

struct ResumeAction {
  ThreadRef thread;
  ResumeKind kind = ResumeKind::kContinue;
  int signal = 0;  // Linux number, delivered first; 0: the signal that it stopped for is dropped
  GuestAddr range_begin = 0;
  GuestAddr range_end = 0;
};

struct ThreadInfo {
  ThreadRef thread;
  std::string name;  // comm, at most 15 bytes, any bytes but 0
  bool running = false;
};

struct ProcessInfo {
  std::uint32_t pid = 0, parent = 0, uid = 0, gid = 0;
  Architecture architecture = Architecture::kAmd64;
  std::string executable;  // absolute path in the box
};

class Debuggee {
 public:
  virtual ~Debuggee() = default;

  // From now on this listener is told; null: nobody is.
  virtual void Listen(Listener* listener) = 0;

  // Debugged processes by rising pid. Empty: the job has ended or has not begun.
  virtual std::vector<ProcessInfo> Processes() = 0;
  // Of one of them; asked for at each stop. kESRCH.
  virtual Answer<Architecture> ArchitectureOf(std::uint32_t pid) {
    for (const ProcessInfo& info : Processes()) {
      if (info.pid == pid) return info.architecture;
    }
    return Refuse(engine::kESRCH);
  }
  // Their threads, by rising pid and, within one, in the order in which they were made.
  virtual std::vector<ThreadInfo> Threads() = 0;
  // Why they stood still when the session began ('?'). Empty: SIGTRAP of the first thread.
  virtual std::optional<StopEvent> InitialStop() { return std::nullopt; }

  // Copies guest bytes [address, address + out.size()) into `out`, whatever their protection.
  // Returns: bytes copied, 1..out.size(); short only before the first page that is not mapped.
  // Errors:  kEFAULT when not one byte is mapped; kESRCH.
  // Threads: between slices; other threads of the guest may be half way through their work.
  // Source:  GDB manual, 'm' packet: a reply may hold fewer units than asked for.
  virtual Answer<std::size_t> ReadMemory(std::uint32_t pid, GuestAddr address,
                                         std::span<std::byte> out) = 0;
  // Writes all of `in`, also where the guest may not write, or changes nothing. A journalled input.
  // Errors: kEFAULT: a byte is not mapped; kENOMEM: the limit; kESRCH.
  virtual Answer<void> WriteMemory(std::uint32_t pid, GuestAddr address,
                                   std::span<const std::byte> in) = 0;

  // Fills `out` with all registers of a thread that stands still, in the layout of its
  // architecture (out.size() == LayoutOf(architecture).size_bytes), little-endian.
  // Errors: kESRCH; kEBUSY: it runs.
  virtual Answer<void> ReadRegisters(ThreadRef thread, std::span<std::byte> out) = 0;
  // Sets one, `value` of exactly its size. A journalled input. Bits that user code cannot set
  // (reserved bits of eflags, mxcsr) are dropped. orig_rax (orig_eax) of -1 keeps a system call
  // from being restarted, as on Linux.
  // Errors: kESRCH; kEBUSY; kEINVAL: a selector or a base that cannot be.
  virtual Answer<void> WriteRegister(ThreadRef thread, RegisterNumber number,
                                     std::span<const std::byte> value) = 0;
  // What thread-local storage is found from: fs_base of 64-bit code, the base of gs of 32-bit code.
  // Errors: kESRCH; kEBUSY.
  virtual Answer<GuestAddr> ThreadPointer(ThreadRef thread) = 0;

  // Lets these threads run (no thread twice); those that are not named stay as they are. Threads
  // that they make run too. Never calls the listener before it returns.
  // All-stop: at the first event all threads halt. Non-stop: each by itself.
  // Errors: kESRCH; kEBUSY: a named thread runs already; kEINVAL: a signal that is none.
  virtual Answer<void> Resume(std::span<const ResumeAction> actions) = 0;
  // ^C: halts everything soon (50 ms whatever the guest does): OnStop with SIGINT of one thread,
  // once. Nothing runs: no effect. All-stop only.
  virtual void Interrupt() = 0;
  // Non-stop: halts one thread; OnStop with signal 0. It stands still already: no effect.
  virtual Answer<void> Halt(ThreadRef thread) = 0;
  // Between two modes of stopping; only while nothing runs. Default: all-stop.
  virtual Answer<void> SetNonStop(bool on) = 0;

  // Signals (Linux numbers) that go to the guest without a stop.
  virtual void PassSignals(std::span<const int> signals) = 0;
  // QProgramSignals: those that Detach may deliver when a thread is stopped by them; the others are
  // dropped. Empty: it delivers all.
  virtual void ProgramSignals(std::span<const int> signals) = 0;

  // Lets a process go: its breakpoints, watchpoints and catches are gone, it runs on undisturbed,
  // first taking `signal` (0: none).
  // Errors: kESRCH.
  virtual Answer<void> Detach(std::uint32_t pid, int signal) = 0;
  // As SIGKILL would end it. No event follows.
  virtual Answer<void> Kill(std::uint32_t pid) = 0;

  // Optional powers; null: packets that need them are answered "unsupported" and not advertised.
  // The answer is the same throughout a session.
  virtual Breakpoints* breakpoints() { return nullptr; }
  virtual Watchpoints* watchpoints() { return nullptr; }
  virtual Files* files() { return nullptr; }
  virtual ProcessControl* process_control() { return nullptr; }
  virtual ProcessEvents* process_events() { return nullptr; }
  virtual SyscallCatch* syscall_catch() { return nullptr; }
  virtual Siginfo* siginfo() { return nullptr; }
  virtual Auxv* auxv() { return nullptr; }
  virtual MemoryMap* memory_map() { return nullptr; }
  virtual OsInfo* os_info() { return nullptr; }
  virtual Monitor* monitor() { return nullptr; }
  virtual ReverseExecution* reverse_execution() { return nullptr; }
};

}  // namespace glovebox::gdbstub
