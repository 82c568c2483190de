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
  bool moved = false;                    // since then, to another instruction
  int decided = 0;                       // a signal that is to be delivered without asking
  std::optional<SyscallEntry> entry;     // stopped before a call that is to begin
  std::optional<std::uint64_t> catches;  // the call that is under way, whose return stops it
  bool released = false;  // nobody debugs it any more, but the call above is still to begin
};

class Debugger final : public BoxDebugger {
 public:
  Debugger(Kernel& kernel, TreeSource& tree, DebugHost& host)
      : kernel_(kernel), host_(host), files_(kernel, tree) {}

  std::vector<ProcessRow> Processes() const override;
  std::vector<ThreadRow> Threads() const override;
  Result<void, Errno> Attach(std::uint32_t pid) override;
  Result<void, Errno> Detach(std::uint32_t pid, int signal) override;
  Result<void, Errno> Kill(std::uint32_t pid) override;
  void SetNonStop(bool on) override { non_stop_ = on; }
  Result<void, Errno> Resume(std::span<const DebugResume> actions) override;
  bool Interrupt() override;
  Result<void, Errno> Halt(ThreadId thread) override;
  std::optional<DebugEvent> TakeEvent() override;
  bool Runs() const override;
  void SetInterest(const DebugInterest& interest) override { interest_ = interest; }
  void SetPassed(std::set<int> signals) override { passed_ = std::move(signals); }
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
  Result<GuestAddr, Errno> AddressEnd(std::uint32_t pid) override;
  Result<std::vector<std::byte>, Errno> AuxiliaryVector(std::uint32_t pid) override;
  Result<std::shared_ptr<DebugFile>, Errno> OpenFile(const std::string& path,
                                                     bool follow_last) override {
    return files_.Open(path, follow_last);
  }
  bool altered() const override { return altered_; }

  // --- for the run loop (box.cc) ---

  // Nothing of the box moves.
  bool halted() const { return halted_; }
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
  // Lets the address space stop where any of its processes wants it to.
  void Sync(Program& program, GuestAddr address);
  void SyncWatches(Program& program);
  void ForgetMarks(std::uint32_t pid, Program& program);
  void Changed(DebugChange change);

  Kernel& kernel_;
  DebugHost& host_;
  DebuggerFiles files_;
  bool non_stop_ = false;
  bool halted_ = false;
  bool told_ = false;  // all-stop: the event of this Resume
  bool altered_ = false;
  bool deadlock_told_ = false;
  DebugInterest interest_;
  std::set<int> passed_;
  std::map<std::uint32_t, Marks> processes_;
  std::deque<DebugEvent> events_;
  std::set<ThreadId> resumed_;  // all-stop: whose events may be told
};

}  // namespace glovebox::engine
