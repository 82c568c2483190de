// The adapter between the engine and the stub, and the one place that sees both: a box as the
// stub's Debuggee.
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

#include "engine/debug.h"
#include "engine/limits/limit_table.h"
#include "engine/process.h"
#include "gdbstub/debuggee.h"

namespace glovebox::worker {

// Where the box stood when a debugger changed something of it. A moment alone does not say it: a
// signal of that moment may have been delivered or not.
struct ChangePlace {
  enum class Kind : std::uint8_t {
    kInstruction,  // before the instruction at `rip`, whatever is pending
    kDelivery,     // before the delivery of signal `number`
    kCallEntry,    // before the call `number`
  };
  Kind kind = Kind::kInstruction;
  engine::ThreadId thread{};  // that had stopped
  std::uint64_t number = 0;
  engine::GuestAddr rip = 0;
  friend bool operator==(const ChangePlace&, const ChangePlace&) = default;
};

// A journal of them.
class ChangeSink {
 public:
  virtual ~ChangeSink() = default;
  // Is there room for a change of so many bytes?
  virtual bool Takes(std::size_t bytes) = 0;
  virtual void Take(const engine::DebugChange& change, const ChangePlace& place) = 0;
};

// Threads: the box's.
class BoxDebuggee final : public gdbstub::Debuggee,
                          private gdbstub::Breakpoints,
                          private gdbstub::Watchpoints,
                          private gdbstub::Files,
                          private gdbstub::ProcessControl,
                          private gdbstub::ProcessEvents,
                          private gdbstub::SyscallCatch,
                          private gdbstub::Siginfo,
                          private gdbstub::Auxv,
                          private gdbstub::MemoryMap,
                          private gdbstub::OsInfo,
                          private gdbstub::Monitor,
                          private engine::DebugHost {
 public:
  template <typename T>
  using Answer = gdbstub::Answer<T>;
  using ThreadRef = gdbstub::ThreadRef;
  using GuestAddr = engine::GuestAddr;
  using Errno = engine::Errno;

  // `box`, and `changes` where it is not null, outlive it.
  BoxDebuggee(engine::Box& box, const engine::LimitValues& limits, ChangeSink* changes = nullptr);

  // Debugs a process of the box from now on, by default its first. Where the box has not run yet,
  // the process stands at its first instruction once Run has returned kStopped. False: there is no
  // such process, or not any more.
  bool Begin(std::uint32_t pid = 0);
  // Of a box that Begin has just made stand still: whoever has the CPU is the one who tells it.
  void StandWhoRuns();
  // Everything goes on, `thread` with a signal, where that is not 0.
  void GoOn(engine::ThreadId thread = {}, int signal = 0);
  // Lets events pass, and the box go on, until one that `wanted` takes: true, and that is why the
  // box stands.
  bool Await(const std::function<bool(const engine::DebugEvent&)>& wanted);
  engine::BoxDebugger& debugger() { return debugger_; }
  // Of the last stop that was told.
  engine::ThreadId told_thread() const { return last_.thread; }
  // Why it stands still, for who connects: to be called before a Session is made.
  void TakeInitialStop();
  // Tells the listener what has happened; after each Run of the box.
  void Pump();
  // Lets everything go: the debugger has left.
  void LetGo();
  bool altered() const { return debugger_.altered(); }
  // How much has been changed so far.
  std::uint64_t changes() const;

  void Listen(gdbstub::Listener* listener) override { listener_ = listener; }
  std::vector<gdbstub::ProcessInfo> Processes() override;
  Answer<gdbstub::Architecture> ArchitectureOf(std::uint32_t pid) override;
  std::vector<gdbstub::ThreadInfo> Threads() override;
  std::optional<gdbstub::StopEvent> InitialStop() override { return initial_stop_; }
  Answer<std::size_t> ReadMemory(std::uint32_t pid, GuestAddr address,
                                 std::span<std::byte> out) override;
  Answer<void> WriteMemory(std::uint32_t pid, GuestAddr address,
                           std::span<const std::byte> in) override;
  Answer<void> ReadRegisters(ThreadRef thread, std::span<std::byte> out) override;
  Answer<void> WriteRegister(ThreadRef thread, gdbstub::RegisterNumber number,
                             std::span<const std::byte> value) override;
  Answer<GuestAddr> ThreadPointer(ThreadRef thread) override;
  Answer<void> Resume(std::span<const gdbstub::ResumeAction> actions) override;
  void Interrupt() override;
  Answer<void> Halt(ThreadRef thread) override;
  Answer<void> SetNonStop(bool on) override;
  void PassSignals(std::span<const int> signals) override;
  void ProgramSignals(std::span<const int> signals) override;
  Answer<void> Detach(std::uint32_t pid, int signal) override;
  Answer<void> Kill(std::uint32_t pid) override;

  gdbstub::Breakpoints* breakpoints() override { return this; }
  gdbstub::Watchpoints* watchpoints() override { return this; }
  gdbstub::Files* files() override { return this; }
  gdbstub::ProcessControl* process_control() override { return this; }
  gdbstub::ProcessEvents* process_events() override { return this; }
  gdbstub::SyscallCatch* syscall_catch() override { return this; }
  gdbstub::Siginfo* siginfo() override { return this; }
  gdbstub::Auxv* auxv() override { return this; }
  gdbstub::MemoryMap* memory_map() override { return this; }
  gdbstub::OsInfo* os_info() override { return this; }
  gdbstub::Monitor* monitor() override { return this; }

 private:
  using Action = std::shared_ptr<gdbstub::HitAction>;
  // At one address: of each kind, whether there is a breakpoint, and what it does.
  struct Here {
    std::map<gdbstub::BreakpointKind, Action> kinds;
    gdbstub::BreakpointKind told = gdbstub::BreakpointKind::kSoftware;
  };
  struct Process {
    std::map<GuestAddr, Here> breakpoints;
    std::vector<engine::Watch> watches;
  };

  Answer<void> Insert(std::uint32_t pid, gdbstub::BreakpointKind kind, GuestAddr address,
                      Action action) override;
  Answer<void> Remove(std::uint32_t pid, gdbstub::BreakpointKind kind, GuestAddr address) override;
  Answer<void> Insert(std::uint32_t pid, gdbstub::WatchKind kind, GuestAddr address,
                      std::uint64_t length) override;
  Answer<void> Remove(std::uint32_t pid, gdbstub::WatchKind kind, GuestAddr address,
                      std::uint64_t length) override;
  Result<int, Errno> Open(std::uint32_t filesystem_pid, std::string_view path, std::uint32_t flags,
                          std::uint32_t mode) override;
  Result<void, Errno> Close(int handle) override;
  Result<std::size_t, Errno> Read(int handle, std::uint64_t offset,
                                  std::span<std::byte> out) override;
  Result<std::size_t, Errno> Write(int handle, std::uint64_t offset,
                                   std::span<const std::byte> in) override;
  Result<gdbstub::FileStatus, Errno> Status(int handle) override;
  Result<gdbstub::FileStatus, Errno> StatusOf(std::uint32_t filesystem_pid, std::string_view path,
                                              bool follow_last_link) override;
  Result<std::string, Errno> ReadLink(std::uint32_t filesystem_pid, std::string_view path) override;
  Result<void, Errno> Unlink(std::uint32_t filesystem_pid, std::string_view path) override;
  void Extend() override { debugger_.HoldEnd(true); }
  Answer<void> Launch(const gdbstub::LaunchRequest& request) override;
  Answer<void> Attach(std::uint32_t pid) override;
  Answer<void> Report(const gdbstub::EventSet& events) override;
  Answer<void> Catch(std::uint32_t pid, std::optional<std::vector<std::uint64_t>> numbers) override;
  Answer<std::vector<std::byte>> Read(ThreadRef thread) override;
  Answer<void> Write(ThreadRef thread, std::size_t offset,
                     std::span<const std::byte> bytes) override;
  Answer<std::vector<std::byte>> Read(std::uint32_t pid) override;
  GuestAddr Limit(std::uint32_t pid) override;
  Answer<gdbstub::MemoryRegion> Find(std::uint32_t pid, GuestAddr address) override;
  std::vector<gdbstub::OsProcess> AllProcesses() override;
  Answer<std::string> Command(std::string_view text, ThreadRef current) override;
  engine::DebugVerdict OnBreakpoint(const engine::DebugHit& hit) override;
  bool OnStep(const engine::DebugHit& hit) override;
  void OnChange(const engine::DebugChange& change) override;

  gdbstub::StopEvent Translate(const engine::DebugEvent& event);
  // Before something is changed: where the box stands.
  void NotePlace(engine::ThreadId thread);
  bool HasRoom(std::size_t bytes) { return sink_ == nullptr || sink_->Takes(bytes); }

  engine::Box& box_;
  const engine::LimitValues& limits_;
  engine::BoxDebugger& debugger_;
  ChangeSink* const sink_;
  // What the box stands for, and where, if something has asked since it last ran.
  engine::DebugEvent last_{};
  std::optional<ChangePlace> place_;
  std::optional<gdbstub::StopEvent> awaited_stop_;
  gdbstub::Listener* listener_ = nullptr;
  std::optional<gdbstub::StopEvent> initial_stop_;
  bool interrupted_ = false;              // the next kInterrupted is a ^C
  bool launching_ = false;                // and then that of a new program
  std::map<ThreadRef, Action> stepping_;  // whose OnStep is to be called
  std::map<std::uint32_t, Process> processes_;
  std::map<int, std::shared_ptr<engine::DebugFile>> files_;
  int next_file_ = 1;
  std::map<engine::DebugChange::Kind, std::uint64_t> changes_;
};

}  // namespace glovebox::worker
