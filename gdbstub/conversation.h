// What the two ends of a connection have agreed on, and what the handlers of packets work with.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "gdbstub/arguments.h"
#include "gdbstub/debuggee.h"
#include "gdbstub/reply.h"
#include "gdbstub/tracing/tracer.h"

namespace glovebox::gdbstub {

// What the debugger says that it understands (its qSupported).
struct DebuggerFeatures {
  bool multiprocess = false, swbreak = false, hwbreak = false, fork_events = false,
       vfork_events = false, exec_events = false, no_resumed = false, error_message = false;
};

// A breakpoint or watchpoint that is in: type is the digit of its Z packet; of a tracepoint 't'.
struct InsertedPoint {
  char type = '0';
  std::uint32_t pid = 0;
  GuestAddr address = 0;
  std::uint64_t length = 0;  // watchpoints only
  friend auto operator<=>(const InsertedPoint&, const InsertedPoint&) = default;
};

// Settings of the next vRun, from packets before it.
struct LaunchSettings {
  LaunchRequest request;  // of the last one, with the edits of the environment
  std::string begun;      // the program of the last one that began
  std::map<std::string, std::string> set;
  std::set<std::string> unset;
};

// Tracepoints, and what of them is being looked at.
struct TraceSettings {
  explicit TraceSettings(std::function<void(std::string_view)> print) : tracer(std::move(print)) {}
  tracing::Tracer tracer;
  Architecture architecture = Architecture::kAmd64;  // of what is traced
  std::optional<std::size_t> frame;                  // QTFrame
  // QTro: from there to here memory is what it was.
  std::vector<std::pair<GuestAddr, GuestAddr>> read_only;
  std::deque<std::string> upload;  // what qTsP and qTsV have not told yet
  std::string user, notes, stop_note;
  // The frame that is looked at; null: none.
  const tracing::Frame* selected() const {
    const auto& frames = tracer.buffer().frames();
    return frame && *frame < frames.size() ? &frames[*frame] : nullptr;
  }
};

// Says something to the debugger's user.
class Console {
 public:
  virtual ~Console() = default;
  // While the guest runs. In non-stop mode, where the protocol has no place for it, the last of it
  // is held until TellHeld.
  virtual void Say(std::string_view text) = 0;
  // Before the reply to a command: what was held.
  virtual void TellHeld() {}
  // Before the reply to a command.
  virtual void SayBeforeReply(std::string_view text) = 0;
};

class Conversation {
 public:
  Conversation(Debuggee& debuggee, Console& console);

  Debuggee& debuggee;
  Console& console;

  DebuggerFeatures features;
  bool extended = false;
  bool non_stop = false;
  bool no_ack = false;
  bool thread_suffix = false;      // lldb: ";thread:7;" behind register packets
  bool list_threads = false;       // lldb: all threads in stop replies
  bool error_strings = false;      // lldb: "E16;68656c6c6f"
  bool bare_binary_reads = false;  // lldb: 'x' replies without the leading 'b'
  bool running = false;            // a stop reply is owed (non-stop: only that of vRun)
  bool launching = false;          // and it will be that of a vRun
  bool closed = false;
  EventSet events;
  LaunchSettings launch;
  TraceSettings trace;
  std::vector<InsertedPoint> points;
  std::set<int> files;                 // handles that vFile has open
  std::uint32_t files_of = 0;          // vFile:setfs
  std::set<std::uint32_t> launched;    // processes made by vRun
  std::set<std::uint32_t> catching;    // processes with QCatchSyscalls
  std::deque<StopEvent> stops;         // not told yet; non-stop: the first has been announced
  std::map<ThreadRef, StopEvent> why;  // the last stop of threads that stand still
  std::vector<ThreadRef> thread_list;  // what qfThreadInfo has not told yet
  std::string document_name;           // what qXfer reads piece by piece
  std::string document;
  std::size_t symbols_asked = 0;  // qSymbol
  std::map<std::string, std::uint64_t> symbols;
  ThreadRef general;      // Hg
  ThreadId resume_scope;  // Hc

  // The thread that packets without one are about. Errors: kESRCH where there is none.
  Answer<ThreadRef> Current();
  // The thread that an id names; "any" is the current one, or the first of that process.
  Answer<ThreadRef> Find(const ThreadId& id);
  // The process likewise.
  Answer<ProcessInfo> Process(std::int64_t pid);
  Answer<ProcessInfo> CurrentProcess();
  // Layout and contents of the current thread's registers.
  struct RegisterFile {
    ThreadRef thread;
    Architecture architecture = Architecture::kAmd64;
    std::vector<std::byte> bytes;
    const RegisterLayout& layout() const { return LayoutOf(architecture); }
    std::span<const std::byte> of(RegisterNumber number) const;
    std::uint64_t value(RegisterNumber number) const;  // the low 64 bits
  };
  Answer<RegisterFile> Registers(ThreadRef thread);
  // A number of `bytes` (<= 8) bytes of the process. Errors: kEFAULT.
  Answer<std::uint64_t> ReadWord(std::uint32_t pid, GuestAddr address, std::size_t bytes);
  // All of `out`, however many reads it takes.
  bool ReadAll(std::uint32_t pid, GuestAddr address, std::span<std::byte> out);
  // As the debugger wants thread-ids: "p1.2" or "2".
  std::string IdOf(ThreadRef thread) const;
  // Signal numbers as the debugger has them: gdb its own, lldb those of the system that qHostInfo
  // names. Back: -1 for what Linux does not have.
  int SignalOf(int linux_signal) const;
  int LinuxSignalOf(std::uint64_t number) const;

  // Before threads run: they no longer stand still for a reason.
  void Forget(ThreadRef thread) { why.erase(thread); }
  // Books what an event changes here.
  void Note(const StopEvent& event);
  // Takes everything out of the debuggee that gdb has put into it.
  void TakeOutEverything();
  void ForgetProcess(std::uint32_t pid);
};

}  // namespace glovebox::gdbstub
