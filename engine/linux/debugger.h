// The box' side of a debugger: which threads stand still and why, what is to stop them, what they
// have to tell. Tasks that are debugged have a Debugged; others, and boxes without a debugger, pay
// for a test of a null pointer at calls, signals and ends, and for nothing between them.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/debug.h"
#include "engine/linux/debugger_files.h"
#include "engine/linux/task.h"

namespace glovebox::engine {

// A thread that is debugged.
struct Debugged {
  bool stopped = true;
  DebugResume::How how = DebugResume::How::kContinue;
  GuestAddr range_begin = 0;
  GuestAddr range_end = 0;
  bool stepped =
      false;  // the instruction of the step has retired, what follows from it perhaps not
  // Runs on from a breakpoint here, of which nobody wanted to hear.
  std::optional<GuestAddr> passes;
  int asked = 0;                         // the signal that it stopped for, still pending
  std::optional<abi::Siginfo> shown;     // of one that is ignored: it is in no queue
  bool moved = false;                    // since then, to another instruction
  std::uint64_t traced_steps = 0;        // are still to be told of: DebugHost::OnStep
  bool traced_step_over = false;         // the last one has retired
  int decided = 0;                       // a signal that is to be delivered without asking
  std::optional<SyscallEntry> entry;     // stopped before a call that is to begin
  std::optional<std::uint64_t> catches;  // the call that is under way, whose return stops it
  bool released = false;  // nobody debugs it any more, but the call above is still to begin
};

// Who makes the box' processes: the box.
class Launcher {
 public:
  virtual ~Launcher() = default;
  virtual const DebugLaunch& own() const = 0;
  // As BoxDebugger::Launch says; the program is loaded by the next Run, which tells of it where
  // that cannot be (Debugger::TellNotStarted). `is_first`: the streams are made anew.
  virtual Result<Task*, Errno> Make(const DebugLaunch& launch, bool is_first) = 0;
};

class Debugger final : public BoxDebugger {
 public:
  Debugger(Kernel& kernel, TreeSource& tree, DebugHost& host, Launcher& launcher);

  std::vector<ProcessRow> Processes() const override;
  Result<bool, Errno> IsI386(std::uint32_t pid) const override;
  std::vector<ThreadRow> Threads() const override;
  Result<void, Errno> Attach(std::uint32_t pid) override;
  Result<void, Errno> Detach(std::uint32_t pid, int signal) override;
  Result<void, Errno> Kill(std::uint32_t pid) override;
  Result<void, Errno> Launch(const DebugLaunch& launch) override;
  const DebugLaunch& OwnLaunch() const override { return launcher_.own(); }
  void HoldEnd(bool on) override;
  void SetNonStop(bool on) override { non_stop_ = on; }
  Result<void, Errno> Resume(std::span<const DebugResume> actions) override;
  void StandAt(const DebugPlace& place) override { place_ = place; }
  bool Interrupt() override;
  Result<void, Errno> Halt(ThreadId thread) override;
  std::optional<DebugEvent> TakeEvent() override;
  bool Runs() const override;
  void SetInterest(const DebugInterest& interest) override { interest_ = interest; }
  void SetPassed(std::set<int> signals) override { passed_ = std::move(signals); }
  void SetDelivered(std::optional<std::set<int>> signals) override {
    delivered_ = std::move(signals);
  }
  Result<void, Errno> CatchCalls(std::uint32_t pid,
                                 std::optional<std::set<std::uint64_t>> numbers) override;
  Result<void, Errno> SetBreakpoint(std::uint32_t pid, GuestAddr address) override;
  Result<void, Errno> ClearBreakpoint(std::uint32_t pid, GuestAddr address) override;
  Result<void, Errno> SetWatches(std::uint32_t pid, std::vector<Watch> watches) override;
  Result<std::vector<std::byte>, Errno> ReadRegisters(ThreadId thread,
                                                      DebugRegisterSet set) override;
  Result<void, Errno> WriteRegisters(ThreadId thread, DebugRegisterSet set,
                                     std::span<const std::byte> bytes) override;
  Result<GuestAddr, Errno> ThreadPointer(ThreadId thread) override;
  Result<std::vector<std::byte>, Errno> ReadSiginfo(ThreadId thread) override;
  Result<void, Errno> WriteSiginfo(ThreadId thread, std::span<const std::byte> bytes) override;
  Result<std::size_t, Errno> ReadMemory(std::uint32_t pid, GuestAddr address,
                                        std::span<std::byte> out) override;
  Result<void, Errno> WriteMemory(std::uint32_t pid, GuestAddr address,
                                  std::span<const std::byte> bytes) override;
  Result<std::vector<Mapping>, Errno> Mappings(std::uint32_t pid) override;
  Result<std::uint64_t, Errno> WrittenBytes(std::uint32_t pid, GuestAddr start,
                                            GuestAddr end) override;
  Result<GuestAddr, Errno> AddressEnd(std::uint32_t pid) override;
  Result<std::vector<std::byte>, Errno> AuxiliaryVector(std::uint32_t pid) override;
  Result<std::shared_ptr<DebugFile>, Errno> OpenFile(std::uint32_t pid, const std::string& path,
                                                     int flags, std::uint32_t mode) override;
  Result<void, Errno> Unlink(std::uint32_t pid, const std::string& path) override;
  bool altered() const override { return altered_; }

  // --- for the run loop (box.cc) ---

  // Between any two things that happen.
  void NoteMoment(const Moment& now) {
    if (place_ && now >= place_->moment) LookForPlace(now);
  }
  // Nothing of the box moves.
  bool halted() const { return halted_ || held_; }
  // Of Launch: before the process that has no program is ended.
  void TellNotStarted(Task& task, Errno error, const std::string& why);
  // The task whose turn it is among those that may run; null: none of them is ready.
  Task* Pick();
  // With nobody ready who may run: the next moment that somebody who may is waiting for. Time that
  // passes while others are held back is a change.
  Nanoseconds NextWake() const;
  // Is a task held back that could run?
  bool HoldsBack() const;
  // What is left to do of a stop. False: the task does not run now.
  bool GoesOn(Task& task);
  Stop RunCpu(Task& task, std::uint64_t budget);
  // Behind RunCpu, when its stop has been served.
  void AfterRun(Task& task);
  // True: told, and the box stands still; it ends as one that is deadlocked when it goes on.
  bool TellDeadlock();

  // --- hooks, of tasks that are debugged ---

  // Before a signal is taken. True: the task stands still.
  bool StopsForSignal(Task& task);
  // Is lost, since it is ignored. Who is running shows it, as a tracer would see it:
  // kernel/signal.c, sig_ignored. It ends no wait, and nothing is left of it.
  void NoteIgnored(Task& task, const abi::Siginfo& info);
  void NoteTaken(Task& task, int signal);
  void NoteHandler(Task& task);
  bool StopsAtEntry(Task& task, SyscallEntry entry, std::uint64_t number);
  void NoteReturn(Task& task);
  void NoteClone(Task& task, Task& child, DebugEvent::Kind kind);
  void NoteVforkDone(Task& task);
  // Before the new program takes the old one's place.
  void NoteExec(Task& task, const Program& next);
  void NoteThreadEnd(Task& task, const ExitStatus& status);
  void NoteProcessEnd(Process& process, const ExitStatus& status);
  void NoteBoxEnd(const ExitStatus& status);
  // Is the end of the process that of the box, or is the box to stand still then?
  bool EndsBox(const Process& process, const ExitStatus& status);

 private:
  // Of a process that is debugged.
  struct Marks {
    std::set<GuestAddr> breakpoints;
    std::vector<Watch> watches;
    std::optional<std::set<std::uint64_t>> calls;
  };

  static ThreadId IdOf(const Task& task) { return {task.process.pid, task.tid}; }
  Task* Find(ThreadId id) const;
  // A thread of the process that has memory still; null: there is no such debugged process.
  Task* AnyOf(std::uint32_t pid) const;
  Result<Task*, Errno> Stopped(ThreadId id);
  void Debug(Task& task, bool stopped);
  void Release(Task& task);
  void StopAll();
  void Tell(Task& task, DebugEvent event);
  void TellEnd(DebugEvent event);
  void Decide(Task& task, int signal);
  // Who is about to die by Kill is dead.
  void EndKilled();
  // What is left when the first process is gone, and its zombies.
  void EndEverything();
  void TellStep(Task& task);
  // Lets the address space stop where any of its processes wants it to.
  void Sync(Program& program, GuestAddr address);
  void SyncWatches();
  // What identifies the mappings of all programs, as far as anybody watches.
  std::uint64_t StateOfMappings() const;
  // Before a task runs, while anything is watched. False: something was met, and it does not run.
  bool WatchOn(Task& task);
  // The thread that is to be told what `task` has touched. Null: nobody is there.
  Task* WatcherOf(Task& task, std::uint32_t home_pid) const;
  bool TellHit(Task& task, const WatchHit& hit);
  void ForgetMarks(std::uint32_t pid, Program& program);
  void Changed(DebugChange change);
  void LookForPlace(const Moment& now);

  Kernel& kernel_;
  DebugHost& host_;
  Launcher& launcher_;
  DebuggerFiles files_;
  bool non_stop_ = false;
  bool halted_ = false;
  bool told_ = false;  // all-stop: the event of this Resume
  bool altered_ = false;
  bool deadlock_told_ = false;
  bool holds_ = false;                 // HoldEnd
  std::optional<Termination> held_;    // how the box would have ended
  std::optional<Termination> before_;  // the run before this one
  std::uint32_t first_pid_;            // whose end is that of the box
  std::set<std::uint32_t> killed_;     // by Kill
  const Task* hit_ = nullptr;          // whose registers may be read while it runs
  DebugInterest interest_;
  std::set<int> passed_;
  std::optional<std::set<int>> delivered_;
  std::map<std::uint32_t, Marks> processes_;
  bool watching_ = false;             // some address space has watches
  std::uint64_t mappings_state_ = 0;  // that SyncWatches has seen
  std::optional<DebugPlace> place_;
  std::deque<DebugEvent> events_;
  std::set<ThreadId> resumed_;  // all-stop: whose events may be told
};

}  // namespace glovebox::engine
