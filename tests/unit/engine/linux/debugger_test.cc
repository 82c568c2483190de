// A debugger's hold on a box: what stops, what is seen, what changes, and what does not.
// (tests/gdb/real asks the same of a real gdb.)
#include "engine/debug.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engine/process.h"
#include "tests/tools/elf_builder.h"
#include "tests/tools/memory_tree.h"

namespace glovebox::engine {
namespace {

using tests::Code;
using tests::ElfBuilder;
using Kind = DebugEvent::Kind;
using How = DebugResume::How;

constexpr std::uint64_t kWrite = 1, kFork = 57, kKill = 62, kExitGroup = 231, kPause = 34;
constexpr GuestAddr kCode = ElfBuilder::kCode;
constexpr GuestAddr kData = ElfBuilder::kData;
constexpr std::size_t kRaxAt = 10 * 8, kRipAt = 16 * 8;  // in user_regs_struct

class Doors : public BoxHost {
 public:
  void OnOutput(OutputStream, std::span<const std::byte> bytes, Icount) override {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void OnTrace(const TraceEvent&) override {}
  Result<Input, Error> ReadStdin(std::uint64_t, std::size_t) override {
    return Input{.bytes = {}, .end = true};
  }
  std::string out;
};

class Changes : public DebugHost {
 public:
  DebugVerdict OnBreakpoint(const DebugHit& hit) override {
    ++hits;
    return {.stops = stops_at_hit == 0 || hits == stops_at_hit, .steps = traced_steps};
  }
  bool OnStep(const DebugHit& hit) override {
    stepped_to.push_back(hit.address);
    return stepped_to.size() < 5;
  }
  void OnChange(const DebugChange& change) override { kinds.push_back(change.kind); }
  int hits = 0;
  int stops_at_hit = 0;  // 0: at each
  std::uint64_t traced_steps = 0;
  std::vector<GuestAddr> stepped_to;
  std::vector<DebugChange::Kind> kinds;
};

class DebuggerTest : public testing::Test {
 protected:
  void Start(const Code& code, std::string_view data = "") {
    tests::MemoryTree* const files = &tree_;
    files->AddFile("/p", ElfBuilder().WithCode(code).WithData(data).Build(), 0755);
    BoxSpec spec;
    spec.argv = {"/p"};
    spec.root = files->Root();
    box = std::move(*Box::Make(spec, tree_, doors));
  }
  // At the first instruction.
  void StartDebugged(const Code& code, std::string_view data = "") {
    Start(code, data);
    debugger = &box->AttachDebugger(changes);
    ASSERT_TRUE(debugger->Attach(0));
    ASSERT_EQ(RunOn(), RunState::kStopped);
    const auto event = debugger->TakeEvent();
    ASSERT_TRUE(event && event->kind == Kind::kInterrupted);
    main = event->thread;
  }
  RunState RunOn() {
    while (true) {
      const auto state = box->Run(kNoLimit);
      EXPECT_TRUE(state.has_value());
      if (!state || *state != RunState::kRunning) return state ? *state : RunState::kEnded;
    }
  }
  // Lets everything go on, and returns what happens then.
  DebugEvent Go(How how = How::kContinue, int signal = 0) {
    std::vector<DebugResume> all;
    for (const auto& row : debugger->Threads()) {
      DebugResume resume;
      resume.thread = row.thread;
      if (row.thread == main) {
        resume.how = how;
        resume.signal = signal;
      }
      all.push_back(resume);
    }
    EXPECT_TRUE(debugger->Resume(all));
    RunOn();
    const auto event = debugger->TakeEvent();
    EXPECT_TRUE(event.has_value());
    return event.value_or(DebugEvent{});
  }
  std::uint64_t Word(std::size_t at) {
    const auto registers = debugger->ReadRegisters(main, DebugRegisterSet::kGeneral);
    std::uint64_t value = 0;
    std::memcpy(&value, &registers.value()[at], sizeof value);
    return value;
  }
  void SetWord(std::size_t at, std::uint64_t value) {
    auto registers = debugger->ReadRegisters(main, DebugRegisterSet::kGeneral).value();
    std::memcpy(&registers[at], &value, sizeof value);
    EXPECT_TRUE(debugger->WriteRegisters(main, DebugRegisterSet::kGeneral, registers));
  }

  Doors doors;
  Changes changes;
  std::unique_ptr<Box> box;
  BoxDebugger* debugger = nullptr;
  ThreadId main;

 private:
  tests::MemoryTree tree_;
};

// mov ecx, 1000; then 1000 times: add eax, 1; sub ecx, 1; jnz. Then it writes and exits.
Code Counting() {
  return Code()
      .Bytes({0xb9, 0xe8, 0x03, 0, 0})
      .Bytes({0x83, 0xc0, 0x01, 0x83, 0xe9, 0x01, 0x75, 0xf8})
      .Syscall(kWrite, {1, kData, 5})
      .Syscall(kExitGroup, {7});
}
constexpr GuestAddr kLoop = kCode + 5;

TEST_F(DebuggerTest, LookingLeavesNoTrace) {
  Start(Counting(), "hello");
  RunOn();
  const BoxReport plain = box->Report();
  const std::string output = std::exchange(doors.out, "");

  StartDebugged(Counting(), "hello");
  ASSERT_TRUE(debugger->SetBreakpoint(main.pid, kLoop));
  for (int i = 1; i <= 10; ++i) {
    const DebugEvent event = Go();
    ASSERT_EQ(event.kind, Kind::kBreakpoint);
    EXPECT_EQ(event.address, kLoop);
    EXPECT_EQ(Word(kRaxAt), static_cast<std::uint64_t>(i - 1));
    // Over it, as gdb does.
    ASSERT_TRUE(debugger->ClearBreakpoint(main.pid, kLoop));
    ASSERT_EQ(Go(How::kStep).kind, Kind::kStepped);
    EXPECT_EQ(Word(kRipAt), kLoop + 3);
    ASSERT_TRUE(debugger->SetBreakpoint(main.pid, kLoop));
  }
  ASSERT_TRUE(debugger->ClearBreakpoint(main.pid, kLoop));
  ASSERT_TRUE(debugger->SetWatches(main.pid, {{WatchKind::kAccess, kData, 5}}));
  std::vector<std::byte> bytes(5);
  EXPECT_EQ(debugger->ReadMemory(main.pid, kData, bytes), 5u);
  EXPECT_EQ(std::memcmp(bytes.data(), "hello", 5), 0);
  const DebugEvent read = Go();  // write(2) has read it
  EXPECT_EQ(read.kind, Kind::kWatchpoint);
  EXPECT_EQ(read.address, kData);
  const DebugEvent end = Go();
  EXPECT_EQ(end.kind, Kind::kProcessExited);
  EXPECT_EQ(end.code, 7);

  const BoxReport report = box->Report();
  EXPECT_EQ(report.icount, plain.icount);
  EXPECT_EQ(report.virtual_time, plain.virtual_time);
  EXPECT_EQ(report.trace_hash, plain.trace_hash);
  EXPECT_EQ(report.peak_memory_bytes, plain.peak_memory_bytes);
  EXPECT_EQ(doors.out, output);
  EXPECT_FALSE(debugger->altered());
  EXPECT_TRUE(changes.kinds.empty());
}

TEST_F(DebuggerTest, AnActionThatDeclinesLetsTheGuestRunOn) {
  StartDebugged(Counting(), "hello");
  ASSERT_TRUE(debugger->SetBreakpoint(main.pid, kLoop));
  changes.stops_at_hit = 900;
  EXPECT_EQ(Go().kind, Kind::kBreakpoint);
  EXPECT_EQ(changes.hits, 900);
  EXPECT_EQ(Word(kRaxAt), 899u);
}

TEST_F(DebuggerTest, ARangeIsSteppedUntilItIsLeft) {
  StartDebugged(Counting(), "hello");
  DebugResume step;
  step.thread = main;
  step.how = How::kStepRange;
  step.range_begin = kCode;
  step.range_end = kLoop + 8;
  ASSERT_TRUE(debugger->Resume(std::span(&step, 1)));
  RunOn();
  EXPECT_EQ(debugger->TakeEvent()->kind, Kind::kStepped);
  EXPECT_EQ(Word(kRipAt), kLoop + 8);
  EXPECT_EQ(Word(kRaxAt), 1000u);
}

TEST_F(DebuggerTest, WritesMarkTheBoxAsAltered) {
  StartDebugged(Counting(), "hello");
  const std::string_view text = "HELLO";
  ASSERT_TRUE(debugger->WriteMemory(main.pid, kData, std::as_bytes(std::span(text))));
  SetWord(kRaxAt, 5);
  EXPECT_EQ(Word(kRaxAt), 5u);
  EXPECT_TRUE(debugger->altered());
  ASSERT_EQ(changes.kinds.size(), 2u);
  EXPECT_EQ(Go().kind, Kind::kProcessExited);
  EXPECT_EQ(doors.out, "HELLO");
}

TEST_F(DebuggerTest, BadAddressesAndThreadsAreRefused) {
  StartDebugged(Counting(), "hello");
  std::vector<std::byte> bytes(5);
  EXPECT_EQ(debugger->ReadMemory(main.pid, 16, bytes).error(), kEFAULT);
  EXPECT_EQ(debugger->ReadMemory(main.pid, ~GuestAddr{0} - 2, bytes).error(), kEFAULT);
  EXPECT_EQ(debugger->WriteMemory(main.pid, 16, bytes).error(), kEFAULT);
  EXPECT_EQ(debugger->ReadMemory(999, kData, bytes).error(), kESRCH);
  EXPECT_EQ(debugger->ReadRegisters({999, 999}, DebugRegisterSet::kGeneral).error(), kESRCH);
  EXPECT_EQ(debugger->ClearBreakpoint(main.pid, kLoop).error(), kENOENT);
  EXPECT_EQ(debugger->Attach(main.pid).error(), kEBUSY);
  EXPECT_EQ(debugger->Attach(999).error(), kESRCH);
  EXPECT_FALSE(debugger->altered());
}

// kill(0, SIGUSR1), whose default action is the end; then exit.
TEST_F(DebuggerTest, ASignalIsShownBeforeItIsDeliveredAndMayBeDropped) {
  const Code code = Code().Syscall(kKill, {0, 10}).Syscall(kExitGroup, {3});
  StartDebugged(code);
  const DebugEvent shown = Go();
  EXPECT_EQ(shown.kind, Kind::kSignal);
  EXPECT_EQ(shown.signal, 10);
  EXPECT_TRUE(debugger->ReadSiginfo(main).has_value());
  EXPECT_EQ(Go(How::kContinue, 0).kind, Kind::kProcessExited);
  EXPECT_TRUE(debugger->altered());

  StartDebugged(code);
  Go();
  const DebugEvent end = Go(How::kContinue, 10);
  EXPECT_EQ(end.kind, Kind::kProcessSignaled);
  EXPECT_EQ(end.signal, 10);
  EXPECT_FALSE(debugger->altered());
}

TEST_F(DebuggerTest, CaughtCallsStopBeforeAndBehind) {
  StartDebugged(Counting(), "hello");
  ASSERT_TRUE(debugger->CatchCalls(main.pid, std::set<std::uint64_t>{kWrite}));
  EXPECT_EQ(Go().kind, Kind::kSyscallEntry);
  EXPECT_EQ(doors.out, "");
  const DebugEvent behind = Go();
  EXPECT_EQ(behind.kind, Kind::kSyscallReturn);
  EXPECT_EQ(behind.syscall, kWrite);
  EXPECT_EQ(doors.out, "hello");
  EXPECT_EQ(Word(kRaxAt), 5u);
  EXPECT_EQ(Go().kind, Kind::kProcessExited);
}

TEST_F(DebuggerTest, ACaughtExitIsAnExit) {
  StartDebugged(Counting(), "hello");
  ASSERT_TRUE(debugger->CatchCalls(main.pid, std::set<std::uint64_t>{kExitGroup}));
  EXPECT_EQ(Go().kind, Kind::kSyscallEntry);
  const DebugEvent end = Go();
  EXPECT_EQ(end.kind, Kind::kProcessExited);
  EXPECT_EQ(end.code, 7);
}

TEST_F(DebuggerTest, AFatalSignalSaysSo) {
  StartDebugged(Code().Bytes({0x0f, 0x0b}));  // ud2
  const DebugEvent fault = Go();
  EXPECT_EQ(fault.signal, 4);
  EXPECT_TRUE(fault.fatal);
  StartDebugged(Code().Syscall(kKill, {0, 17}).Syscall(kExitGroup, {3}));  // SIGCHLD: ignored
  EXPECT_FALSE(Go().fatal);
}

TEST_F(DebuggerTest, TheBoxStandsAtAPlace) {
  Start(Counting(), "hello");
  debugger = &box->AttachDebugger(changes);
  debugger->StandAt({.moment = 500});
  const auto until = Moment(500, ~std::uint64_t{0});
  RunState state = RunState::kRunning;
  while (state == RunState::kRunning) state = box->Run(until).value();
  EXPECT_EQ(state, RunState::kStopped);
  EXPECT_EQ(box->At(), Moment(500));
  EXPECT_TRUE(debugger->Threads().empty());
  ASSERT_TRUE(debugger->Resume({}));
  EXPECT_EQ(RunOn(), RunState::kEnded);
  EXPECT_EQ(doors.out, "hello");
  EXPECT_FALSE(debugger->altered());
}

TEST_F(DebuggerTest, AForksChildStandsStillAndHasItsParentsBreakpoints) {
  // fork; the child too goes on to exit.
  StartDebugged(Code().Syscall(kFork).Syscall(kExitGroup, {3}));
  debugger->SetInterest({.fork = true});
  const DebugEvent forked = Go();
  ASSERT_EQ(forked.kind, Kind::kFork);
  EXPECT_NE(forked.other.pid, main.pid);
  ASSERT_EQ(debugger->Threads().size(), 2u);
  ASSERT_TRUE(debugger->Detach(forked.other.pid, 0));
  ASSERT_EQ(debugger->Threads().size(), 1u);
  EXPECT_EQ(Go().kind, Kind::kProcessExited);
  EXPECT_FALSE(debugger->altered());
}

TEST_F(DebuggerTest, InterruptStopsWhoSpinsAndWhoWaits) {
  StartDebugged(Code().LoopForEver());
  DebugResume go;
  go.thread = main;
  ASSERT_TRUE(debugger->Resume(std::span(&go, 1)));
  ASSERT_TRUE(box->Run(kNoLimit).has_value());
  EXPECT_TRUE(debugger->Interrupt());
  EXPECT_EQ(RunOn(), RunState::kStopped);
  EXPECT_EQ(debugger->TakeEvent()->kind, Kind::kInterrupted);
  EXPECT_FALSE(debugger->Interrupt());
  EXPECT_EQ(Word(kRipAt), kCode);
}

TEST_F(DebuggerTest, ADeadlockIsShownBeforeItEndsTheBox) {
  StartDebugged(Code().Syscall(kPause));
  EXPECT_EQ(Go().kind, Kind::kDeadlock);
  EXPECT_FALSE(box->Report().termination);
  // In mid-call it looks as on Linux: to be made again.
  EXPECT_EQ(static_cast<std::int64_t>(Word(kRaxAt)), -512);
  EXPECT_EQ(Go().kind, Kind::kProcessSignaled);
  EXPECT_EQ(box->Report().termination->kind, Termination::Kind::kDeadlock);
}

TEST_F(DebuggerTest, ARegisterWrittenInMidCallAbandonsTheCall) {
  StartDebugged(Code().Syscall(kPause).Syscall(kExitGroup, {4}));
  ASSERT_EQ(Go().kind, Kind::kDeadlock);
  SetWord(15 * 8, ~std::uint64_t{0});  // orig_rax: not again
  SetWord(kRaxAt, 0);
  const DebugEvent end = Go();
  EXPECT_EQ(end.kind, Kind::kProcessExited);
  EXPECT_EQ(end.code, 4);
}

TEST_F(DebuggerTest, WhoIsLetGoRunsToItsEnd) {
  StartDebugged(Counting(), "hello");
  ASSERT_TRUE(debugger->SetBreakpoint(main.pid, kLoop));
  Go();
  ASSERT_TRUE(debugger->Detach(main.pid, 0));
  EXPECT_EQ(RunOn(), RunState::kEnded);
  EXPECT_EQ(doors.out, "hello");
  EXPECT_FALSE(debugger->altered());
}

TEST_F(DebuggerTest, WhoIsLetGoTakesTheSignalThatItStoppedFor) {
  StartDebugged(Code().Syscall(kKill, {0, 10}).Syscall(kExitGroup, {3}));
  ASSERT_EQ(Go().kind, Kind::kSignal);
  ASSERT_TRUE(debugger->Detach(main.pid, 0));
  EXPECT_EQ(RunOn(), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->kind, Termination::Kind::kSignaled);
  EXPECT_FALSE(debugger->altered());
}

TEST_F(DebuggerTest, WhoIsLetGoElsewhereTakesNoFaultOfWhereItWas) {
  StartDebugged(Code().Bytes({0x0f, 0x0b}).Syscall(kExitGroup, {3}));  // ud2
  ASSERT_EQ(Go().kind, Kind::kSignal);
  SetWord(kRipAt, Word(kRipAt) + 2);
  ASSERT_TRUE(debugger->Detach(main.pid, 0));
  EXPECT_EQ(RunOn(), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->kind, Termination::Kind::kExited);
  EXPECT_EQ(box->Report().termination->code, 3);
}

TEST_F(DebuggerTest, WhatDetachDoesNotDeliverIsDropped) {
  StartDebugged(Code().Syscall(kKill, {0, 10}).Syscall(kExitGroup, {3}));
  debugger->SetDelivered(std::set<int>{11});
  ASSERT_EQ(Go().kind, Kind::kSignal);
  ASSERT_TRUE(debugger->Detach(main.pid, 0));
  EXPECT_EQ(RunOn(), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->kind, Termination::Kind::kExited);
}

TEST_F(DebuggerTest, AnIgnoredSignalIsShownAndLeavesNoTrace) {
  constexpr int kSigchld = 17, kSigusr1 = 10;
  const Code code = Code().Syscall(kKill, {0, kSigchld}).Syscall(kExitGroup, {3});
  Start(code);
  RunOn();
  const BoxReport plain = box->Report();
  StartDebugged(code);
  const DebugEvent shown = Go();
  EXPECT_EQ(shown.kind, Kind::kSignal);
  EXPECT_EQ(shown.signal, kSigchld);
  EXPECT_TRUE(debugger->ReadSiginfo(main).has_value());
  EXPECT_EQ(Go(How::kContinue, kSigchld).kind, Kind::kProcessExited);
  EXPECT_EQ(box->Report().trace_hash, plain.trace_hash);
  EXPECT_EQ(box->Report().icount, plain.icount);
  EXPECT_FALSE(debugger->altered());

  StartDebugged(code);
  debugger->SetPassed({kSigchld});
  EXPECT_EQ(Go().kind, Kind::kProcessExited);

  StartDebugged(code);
  Go();
  EXPECT_EQ(Go(How::kContinue, kSigusr1).signal, kSigusr1);  // another one instead
  EXPECT_TRUE(debugger->altered());
}

TEST_F(DebuggerTest, StepsBehindAHitAreToldAndLeaveNoTrace) {
  Start(Counting(), "hello");
  RunOn();
  const BoxReport plain = box->Report();
  StartDebugged(Counting(), "hello");
  ASSERT_TRUE(debugger->SetBreakpoint(main.pid, kLoop));
  changes.stops_at_hit = -1;
  changes.traced_steps = 5;
  EXPECT_EQ(Go().kind, Kind::kProcessExited);
  const std::vector<GuestAddr> wanted{kLoop + 3, kLoop + 6, kLoop, kLoop + 3, kLoop + 6};
  ASSERT_GE(changes.stepped_to.size(), wanted.size());
  changes.stepped_to.resize(wanted.size());
  EXPECT_EQ(changes.stepped_to, wanted);
  EXPECT_EQ(changes.hits, 1000);
  EXPECT_EQ(box->Report().icount, plain.icount);
  EXPECT_EQ(box->Report().trace_hash, plain.trace_hash);
  EXPECT_FALSE(debugger->altered());
}

// --- running again ---

TEST_F(DebuggerTest, AHeldEndIsThatOfTheBoxWhenItIsLetGo) {
  Start(Counting(), "hello");
  RunOn();
  const BoxReport plain = box->Report();
  StartDebugged(Counting(), "hello");
  debugger->HoldEnd(true);
  EXPECT_EQ(Go().kind, Kind::kProcessExited);
  EXPECT_EQ(RunOn(), RunState::kStopped);
  EXPECT_FALSE(box->Report().termination);
  EXPECT_TRUE(debugger->Processes().empty());
  EXPECT_FALSE(debugger->Attach(0));
  debugger->HoldEnd(false);
  EXPECT_EQ(RunOn(), RunState::kEnded);
  const BoxReport report = box->Report();
  ASSERT_TRUE(report.termination);
  EXPECT_EQ(report.termination->code, 7);
  EXPECT_EQ(report.icount, plain.icount);
  EXPECT_EQ(report.virtual_time, plain.virtual_time);
  EXPECT_EQ(report.trace_hash, plain.trace_hash);
  EXPECT_EQ(report.peak_memory_bytes, plain.peak_memory_bytes);
  EXPECT_FALSE(debugger->altered());
}

TEST_F(DebuggerTest, AProgramRunsAgainInItsBox) {
  StartDebugged(Counting(), "hello");
  const GuestAddr stack = Word(19 * 8);
  debugger->HoldEnd(true);
  EXPECT_EQ(Go().kind, Kind::kProcessExited);
  const Icount first = box->Report().icount;
  for (int run = 2; run <= 3; ++run) {
    ASSERT_TRUE(debugger->Launch(debugger->OwnLaunch()));
    EXPECT_EQ(RunOn(), RunState::kStopped);
    const auto event = debugger->TakeEvent();
    ASSERT_TRUE(event && event->kind == Kind::kInterrupted);
    EXPECT_NE(event->thread.pid, main.pid);
    main = event->thread;
    EXPECT_EQ(Word(kRipAt), kCode);
    EXPECT_EQ(Word(19 * 8), stack);  // the layout is that of the first run
    const DebugEvent end = Go();
    EXPECT_EQ(end.kind, Kind::kProcessExited);
    EXPECT_EQ(end.code, 7);
    EXPECT_EQ(box->Report().icount, static_cast<Icount>(run) * first);
  }
  EXPECT_EQ(doors.out, "hellohellohello");
  EXPECT_TRUE(debugger->altered());
  EXPECT_EQ(changes.kinds, (std::vector{DebugChange::Kind::kLaunch, DebugChange::Kind::kLaunch}));
  debugger->HoldEnd(false);
  EXPECT_EQ(RunOn(), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->code, 7);
}

TEST_F(DebuggerTest, WhoWasKilledRunsAgain) {
  StartDebugged(Code().Syscall(kPause));
  debugger->HoldEnd(true);
  ASSERT_TRUE(debugger->Kill(main.pid));
  ASSERT_TRUE(debugger->Launch(debugger->OwnLaunch()));  // before it has died
  EXPECT_EQ(RunOn(), RunState::kStopped);
  const auto event = debugger->TakeEvent();
  ASSERT_TRUE(event && event->kind == Kind::kInterrupted);
  EXPECT_EQ(debugger->Processes().size(), 1u);
  main = event->thread;
  ASSERT_TRUE(debugger->Kill(main.pid));
  EXPECT_EQ(RunOn(), RunState::kStopped);
  debugger->HoldEnd(false);
  EXPECT_EQ(RunOn(), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->kind, Termination::Kind::kSignaled);
  EXPECT_EQ(box->Report().termination->code, 9);
}

TEST_F(DebuggerTest, AProgramThatIsNotThereIsRefusedAndTheLastRunCounts) {
  StartDebugged(Counting(), "hello");
  debugger->HoldEnd(true);
  EXPECT_EQ(Go().kind, Kind::kProcessExited);
  DebugLaunch launch = debugger->OwnLaunch();
  launch.program = "/nowhere";
  ASSERT_TRUE(debugger->Launch(launch));
  EXPECT_EQ(RunOn(), RunState::kStopped);
  const auto refused = debugger->TakeEvent();
  ASSERT_TRUE(refused && refused->kind == Kind::kNotStarted);
  EXPECT_EQ(refused->code, kENOENT);
  EXPECT_NE(refused->path, "");
  EXPECT_FALSE(debugger->TakeEvent());
  // And again with one that is there.
  ASSERT_TRUE(debugger->Launch(debugger->OwnLaunch()));
  EXPECT_EQ(RunOn(), RunState::kStopped);
  ASSERT_EQ(debugger->TakeEvent()->kind, Kind::kInterrupted);
  launch.working_directory = "/p";
  ASSERT_TRUE(debugger->Launch(launch));  // beside it
  EXPECT_EQ(RunOn(), RunState::kStopped);
  EXPECT_EQ(debugger->TakeEvent()->kind, Kind::kNotStarted);
  EXPECT_EQ(debugger->Processes().size(), 1u);
  debugger->HoldEnd(false);
}

TEST_F(DebuggerTest, ASecondProgramRunsBesideTheFirst) {
  StartDebugged(Counting(), "hello");
  debugger->HoldEnd(true);
  const ThreadId first = main;
  ASSERT_TRUE(debugger->Launch(debugger->OwnLaunch()));
  EXPECT_EQ(RunOn(), RunState::kStopped);
  const auto event = debugger->TakeEvent();
  ASSERT_TRUE(event && event->kind == Kind::kInterrupted);
  EXPECT_EQ(debugger->Processes().size(), 2u);
  main = event->thread;
  DebugResume go;
  go.thread = main;
  ASSERT_TRUE(debugger->Resume(std::span(&go, 1)));  // the second alone
  RunOn();
  const auto end = debugger->TakeEvent();
  ASSERT_TRUE(end && end->kind == Kind::kProcessExited);
  EXPECT_EQ(end->thread.pid, main.pid);
  EXPECT_EQ(debugger->Processes().size(), 1u);
  main = first;
  EXPECT_EQ(Go().thread.pid, first.pid);  // whose end is that of the box
  EXPECT_EQ(doors.out, "hellohello");
  EXPECT_EQ(RunOn(), RunState::kStopped);
  debugger->HoldEnd(false);
  EXPECT_EQ(RunOn(), RunState::kEnded);
}

TEST_F(DebuggerTest, WhoWasLetGoIsNotHeld) {
  StartDebugged(Counting(), "hello");
  debugger->HoldEnd(true);
  ASSERT_TRUE(debugger->Detach(main.pid, 0));
  EXPECT_EQ(RunOn(), RunState::kEnded);
}

// --- files ---

TEST_F(DebuggerTest, FilesAreMadeWrittenReadAndRemoved) {
  constexpr int kReadWrite = 2, kCreate = 0100, kTruncate = 01000, kNoFollow = 0400000;
  StartDebugged(Counting(), "hello");
  EXPECT_EQ(debugger->OpenFile(0, "/new", 0, 0).error(), kENOENT);
  EXPECT_TRUE(debugger->OpenFile(0, "/p", 0, 0).has_value());
  EXPECT_TRUE(debugger->OpenFile(0, "/proc/2/maps", kNoFollow, 0).has_value());
  EXPECT_FALSE(debugger->altered());
  const auto made = debugger->OpenFile(0, "/new", kReadWrite | kCreate | kTruncate, 0640);
  ASSERT_TRUE(made);
  EXPECT_TRUE(debugger->altered());
  const std::string_view text = "written";
  EXPECT_EQ((*made)->Write(2, std::as_bytes(std::span(text))), 7u);
  EXPECT_EQ((*made)->Write(~std::uint64_t{0}, std::as_bytes(std::span(text))).error(), kEFBIG);
  std::vector<std::byte> bytes(16);
  EXPECT_EQ((*made)->Read(0, bytes), 9u);
  EXPECT_EQ((*made)->Status()->size, 9);
  EXPECT_EQ((*made)->Status()->mode & 0777, 0640u);
  EXPECT_EQ(debugger->OpenFile(0, "/", kReadWrite, 0).error(), kEISDIR);
  EXPECT_EQ(debugger->OpenFile(0, "/p", 0, 0).value()->Write(0, bytes).error(), kEBADF);
  EXPECT_EQ(debugger->Unlink(0, "/").error(), kEISDIR);
  EXPECT_TRUE(debugger->Unlink(0, "/new"));
  EXPECT_EQ(debugger->Unlink(0, "/new").error(), kENOENT);
}

TEST_F(DebuggerTest, NonStopHaltsOneThreadAlone) {
  StartDebugged(Counting(), "hello");
  debugger->SetNonStop(true);
  DebugResume go;
  go.thread = main;
  ASSERT_TRUE(debugger->Resume(std::span(&go, 1)));
  ASSERT_TRUE(debugger->Halt(main));
  EXPECT_EQ(RunOn(), RunState::kStopped);
  EXPECT_EQ(debugger->TakeEvent()->kind, Kind::kInterrupted);
  ASSERT_TRUE(debugger->Resume(std::span(&go, 1)));
  EXPECT_EQ(RunOn(), RunState::kEnded);
}

}  // namespace
}  // namespace glovebox::engine
