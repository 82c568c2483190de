// How the daemon's core starts a box and hears of it, without knowing what a worker is. server/pool
// implements it over worker processes; tests implement it in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/digest.h"
#include "engine/base/host_fd.h"
#include "engine/base/result.h"

namespace glovebox::server {

// In characters.
struct TerminalSize {
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  friend bool operator==(const TerminalSize&, const TerminalSize&) = default;
};

// One input from outside: a signal, bytes that came live, another size of the terminal, what a
// debugger changed, or nothing but the time.
struct JournalRecord {
  std::uint64_t icount = 0;
  int signal = 0;  // 0: none
  // It took effect while the box was frozen in a read of stdin, or waited for live input.
  bool while_waiting = false;
  std::uint64_t step = 0;  // with `icount`: the moment, engine::Moment
  std::string input = {};
  bool input_end = false;
  std::optional<TerminalSize> resize = {};
  std::uint64_t time_ns =
      0;                    // of a real clock: guest nanoseconds since the start, moved on to first
  std::string change = {};  // of a debugger: the worker knows what it means

  friend bool operator==(const JournalRecord&, const JournalRecord&) = default;
};

// How a box ended. Mirrors worker.v1.Ended.
struct BoxEnd {
  enum class Kind { kExited, kSignaled, kLimit, kDeadlock, kNotStarted, kCancelled, kFailed };
  Kind kind = Kind::kExited;
  int code = 0;
  bool core_available = false;
  std::string limit;
  std::uint64_t limit_value = 0;
  std::string detail;
  std::string failure_reason;
  std::uint64_t icount = 0;
  std::uint64_t virtual_time_ns = 0;
  std::uint64_t peak_memory_bytes = 0;
  std::uint64_t output_bytes = 0;
  std::uint64_t syscalls = 0;
  std::string trace_hash;
  std::map<std::string, std::uint64_t> absent_syscalls;
  std::string unimplemented_mnemonic;
  std::string unimplemented_code;
  std::uint64_t unimplemented_address = 0;
  std::uint64_t host_cpu_time_ns = 0;
  std::optional<std::uint64_t> step;  // with `icount`: the moment, engine::Moment
};

// Everything that one attempt of a job needs. Mirrors worker.v1.RunJob.
struct RunRequest {
  std::string job_name;
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::string program;
  std::string working_directory;
  Digest root;
  std::uint64_t seed = 0;
  std::map<std::string, std::uint64_t> limits;  // complete, by name of the limit table
  bool trace_syscalls = false;
  std::map<std::string, std::string> world;
  std::vector<JournalRecord> journal;
  bool has_stdin = false;
  bool live_input = false;
  std::optional<TerminalSize> terminal;
  bool real_clock = false;
  bool waits_for_debugger = false;  // stands at its first instruction until one has come
  // Set: the job has ended, and runs again to stand still for a debugger or a core (`core`). The
  // box then tells of its debugger, and of its end, alone.
  struct Replay {
    std::optional<BoxEnd> end;            // as it was told then, where that is known
    std::optional<std::uint64_t> icount;  // stand there; empty: at the end
    std::optional<std::uint32_t> core;    // of that process; 0: the first one
  };
  std::optional<Replay> replay;
  // Opens a blob of this job's own tree, read-only; NOT_FOUND for every other digest. Called on the
  // launcher's thread.
  std::function<Result<HostFd, Error>(const Digest&)> open_blob;
};

struct SandboxLayer {
  std::string name;
  bool in_force = false;
  std::string detail;
};

struct TraceRecord {
  std::uint64_t icount = 0;
  std::uint64_t virtual_time_ns = 0;
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::string name;
  bool is_signal = false;
  std::vector<std::string> arguments;
  std::string result;
  std::uint64_t output_offset_bytes = 0;
};

// A piece of a core file. What lies between two pieces is zero.
struct CorePiece {
  std::uint64_t offset_bytes = 0;
  std::span<const std::byte> bytes;
  bool end = false;  // the last one, with which the file ends
};

// What a box says of its debugger.
struct DebugNews {
  std::span<const std::byte> bytes = {};  // for the debugger
  std::optional<bool> stopped = {};       // from now on the box stands still for it, or goes on
  bool closed = false;                    // behind `bytes`: the debugger has taken its leave
  bool altered = false;                   // the box is no longer what its spec and journal say
  std::string_view notice = {};           // for the person at the debugger
  std::optional<CorePiece> core = {};
};

// What a box tells. Called in order on the launcher's thread. Each launch gets exactly one OnEnded
// or OnLost, as the last call, unless the launcher is destroyed first.
// A call that returns has taken the message: while it runs, the worker is held back by its full
// socket.
class BoxEvents {
 public:
  virtual ~BoxEvents() = default;
  // Again, with the same epoch, where a worker died before it looked at the job and another has it.
  virtual void OnLocked(std::vector<SandboxLayer> layers, std::uint32_t epoch) = 0;
  // stream: 1 stdout, 2 stderr.
  virtual void OnOutput(int stream, std::span<const std::byte> bytes, std::uint64_t icount) = 0;
  virtual void OnTrace(std::vector<TraceRecord> events) = 0;
  // Must be durable before the next OnOutput is made visible.
  virtual void OnJournal(const JournalRecord& record) = 0;
  // Answered by BoxHandle::SupplyInput, now or later.
  virtual void OnInputWanted(std::uint64_t offset_bytes, std::uint32_t size_bytes) = 0;
  // Only where OpenDebugger was called, or the request waits for a debugger.
  virtual void OnDebug(const DebugNews& news) = 0;
  virtual void OnEnded(const BoxEnd& end) = 0;
  // The worker died without a word, or spoke nonsense. `what` says all that is known ("killed by
  // SIGSEGV").
  virtual void OnLost(const std::string& what) = 0;
};

// A launched box. Threads: any. Dropping the handle kills the worker if it still lives.
class BoxHandle {
 public:
  virtual ~BoxHandle() = default;
  virtual void Signal(int number) = 0;
  // The box ends and reports kCancelled, or limit(wall) with `wall_limit`. A worker that does not
  // answer within five seconds is killed and OnLost follows.
  virtual void Cancel(const std::string& why, bool wall_limit) = 0;
  virtual void SupplyInput(std::span<const std::byte> bytes, bool end) = 0;
  // Of a box with live input: comes back as journal records when it takes effect. At most
  // kMaxLiveUnderWay bytes may be on their way.
  static constexpr std::size_t kMaxLiveUnderWay = 64 << 10;
  virtual void Type(std::span<const std::byte> bytes, bool end) = 0;
  virtual void Resize(const TerminalSize& size) = 0;
  // A debugger has come, says something (at most 64 KiB), is gone. One at a time.
  virtual void OpenDebugger() = 0;
  // `sent` is called once the worker has room for more; not at all where it is gone.
  virtual void TellDebuggee(std::span<const std::byte> bytes, std::function<void()> sent) = 0;
  virtual void CloseDebugger() = 0;
  // In place of a debugger: the box stands still for its core, of a process of the guest (0: the
  // first one). Each MoreCore is answered by one DebugNews with a piece. CloseDebugger ends it.
  virtual void OpenCore(std::uint32_t pid) = 0;
  virtual void MoreCore() = 0;
  virtual void Kill() = 0;
  // Host process id of the worker, for the log and for tests; 0 while it has none.
  virtual int pid() const = 0;
};

class BoxLauncher {
 public:
  virtual ~BoxLauncher() = default;
  // Returns at once; a failure to start comes as OnLost. Threads: any.
  virtual std::unique_ptr<BoxHandle> Launch(RunRequest request,
                                            std::shared_ptr<BoxEvents> events) = 0;
  // Layers that this host lacks, for the log and ServerInfo. Complete once the first worker has
  // locked itself.
  virtual std::vector<std::string> Warnings() const = 0;
  // Of the workers' engine, which ServerInfo and a job's record name. 0: not known.
  virtual std::uint32_t epoch() const { return 0; }
};

}  // namespace glovebox::server
