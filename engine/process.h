// The public face of the engine: make a box, run it in slices, learn how it ended.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/digest.h"
#include "engine/base/result.h"
#include "engine/base/types.h"
#include "engine/cpu/stop.h"
#include "engine/limits/limit_table.h"
#include "engine/vfs/tree_source.h"

namespace glovebox::engine {

class BoxDebugger;
class DebugHost;

// In characters.
struct TerminalSize {
  std::uint16_t rows = 24;
  std::uint16_t columns = 80;
  friend bool operator==(const TerminalSize&, const TerminalSize&) = default;
};

// A point in a box' life: instructions retired, and what else has happened since the last one
// (calls that ended or began to wait, turns that passed, faults). Follows from the job alone.
struct Moment {
  Icount icount = 0;
  std::uint64_t step = 0;
  Moment(Icount at, std::uint64_t at_step = 0)
      : icount(at), step(at_step) {}  // NOLINT: an icount
                                      // is the usual one
  friend auto operator<=>(const Moment&, const Moment&) = default;
};

// What is to run. Everything that a guest can observe follows from this, the epoch and the inputs.
struct BoxSpec {
  std::vector<std::string> argv;  // not empty
  std::vector<std::string> env;   // "K=V"
  // The program: a path of the guest, or a bare name that is looked for in the PATH of `env`.
  std::string program;
  std::string working_directory = "/";
  Digest root;  // listing of the root directory
  std::uint64_t seed = 0;
  LimitValues limits;
  bool trace_syscalls = false;
  // stdin comes by Box::InjectInput, and BoxHost::ReadStdin is never asked.
  bool live_input = false;
  // The standard streams are a terminal of this size, which stdout alone shows; needs live_input.
  std::optional<TerminalSize> terminal;
  // Time is the embedder's to move: sleeps last until Box::InjectTime says that they are over.
  bool real_clock = false;
  // Rows of the world table that the spec overrides (see linux/world.h), as name and value.
  std::vector<std::pair<std::string, std::string>> world_overrides;
};

enum class OutputStream : std::uint8_t { kStdout = 1, kStderr = 2 };

// One system call or signal of the guest, rendered as strace(1) would.
struct TraceEvent {
  Icount icount = 0;
  Nanoseconds virtual_time = 0;
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::string name;  // "openat", or "SIGSEGV"
  bool is_signal = false;
  std::vector<std::string> arguments;  // "AT_FDCWD", "\"/etc/passwd\"", "O_RDONLY"
  std::string result;  // "3", "-1 ENOENT (No such file or directory)", "?"; empty for signals
};

// The doors of a box to its embedder. Called on the thread that runs the box, within Box::Run.
class BoxHost {
 public:
  virtual ~BoxHost() = default;
  // Bytes that the guest wrote to its standard streams, in order. Within the output limit.
  virtual void OnOutput(OutputStream stream, std::span<const std::byte> bytes, Icount icount) = 0;
  // With trace_syscalls only.
  virtual void OnTrace(const TraceEvent& event) = 0;

  struct Input {
    std::vector<std::byte> bytes;  // at most `size_bytes`
    bool end = false;              // no byte follows these
    bool not_yet =
        false;  // nothing is there now: the box stays frozen and Run returns kWaitsForInput
  };
  // The bytes of stdin from `offset` on. File-like: the same offset always gives the same bytes.
  // Errors: end the job as FAILED.
  virtual Result<Input, Error> ReadStdin(std::uint64_t offset_bytes, std::size_t size_bytes) = 0;
};

// How the guest itself ended. Mirrors Termination of the API.
struct Termination {
  enum class Kind : std::uint8_t {
    kExited,      // exit status in `code`
    kSignaled,    // signal number in `code`
    kLimit,       // `limit`, `limit_value`
    kDeadlock,    // every thread waits for something that cannot come; `detail` names each
    kNotStarted,  // the program could not be started: errno in `code` (ENOENT, EACCES, ENOEXEC,
                  // ...), `detail` says why
  };
  Kind kind = Kind::kExited;
  int code = 0;
  bool core_dumped = false;  // the signal's default action is to dump core
  LimitId limit = LimitId::kInstructions;
  std::uint64_t limit_value = 0;
  std::string detail;
};

struct BoxReport {
  std::optional<Termination> termination;  // empty while it runs
  Icount icount = 0;
  Nanoseconds virtual_time = 0;
  std::uint64_t peak_memory_bytes = 0;
  std::uint64_t output_bytes = 0;
  std::uint64_t syscall_count = 0;
  std::string
      trace_hash;  // 32 lower-case hexadecimal digits over each system call and signal so far
  // System calls that Glovebox does not serve and that answered ENOSYS: name and count, sorted by
  // name.
  std::vector<std::pair<std::string, std::uint64_t>> absent_syscalls;
  // The first instruction that Glovebox lacks, where one ended the guest.
  std::optional<InstructionReport> unimplemented_instruction;
};

enum class RunState : std::uint8_t {
  kRunning,        // the slice is used up; call again
  kWaitsForInput,  // stdin's next bytes are not there yet; nothing moves until they are. With live
                   // input: every task waits, and nothing but an input from outside can end that
  kStopped,        // a debugger holds it (AttachDebugger): nothing moves until it lets go
  kWaitsForClock,  // with real_clock: every task waits, and WakeTime() says until when
  kEnded,
};

// A sealed box. No threads of its own, no globals; several may live in one host process.
// Threads: one at a time, except Nudge.
class Box {
 public:
  // Does not look at guest bytes: the program is loaded by the first Run.
  // Errors: kResourceExhausted (no window), kInvalidArgument (spec).
  static Result<std::unique_ptr<Box>, Error> Make(const BoxSpec& spec, TreeSource& tree,
                                                  BoxHost& host);
  virtual ~Box() = default;

  // Runs at most until the box reaches `until`, and at most about a millisecond of host work.
  // Errors: what the TreeSource or the BoxHost failed with; the box is then useless and the
  // job FAILED.
  virtual Result<RunState, Error> Run(Moment until) = 0;
  virtual Moment At() const = 0;

  // The one port for inputs from outside. Each takes effect at once; At() is for the journal, with
  // whether the last Run returned kWaitsForInput. On replay: Run(until = that moment; one step more
  // where the box waited for input), then the same call.
  // Returns the icount; kInvalidArgument for a signal number out of 1..64.
  virtual Result<Icount, Error> InjectSignal(int signal_number) = 0;
  // False in the middle of a system call: its output would not know on which side of the input it
  // is. The next Run gets there.
  virtual bool TakesInput() const = 0;
  // With live input, where TakesInput. Returns how many bytes were taken: as many as a pipe or a
  // terminal has room for; the rest is to be offered again when the box has moved on. `end`
  // closes the pipe or hangs up the terminal once all bytes are taken.
  virtual Result<std::size_t, Error> InjectInput(std::span<const std::byte> bytes, bool end) = 0;
  // With real_clock: virtual time moves on to `now`; it never moves back.
  virtual Result<void, Error> InjectTime(Nanoseconds now) = 0;
  // When the first of those that wait wants to go on; all ones for never.
  virtual Nanoseconds WakeTime() const = 0;
  // With a terminal: SIGWINCH to the foreground.
  virtual Result<void, Error> InjectResize(const TerminalSize& size) = 0;

  // For debuggers: see engine/debug.h. Once; `debug_host` outlives the box.
  virtual BoxDebugger& AttachDebugger(DebugHost& debug_host) = 0;

  // Ends Run soon. Async-signal-safe.
  virtual void Nudge() = 0;

  virtual BoxReport Report() const = 0;
};

}  // namespace glovebox::engine
