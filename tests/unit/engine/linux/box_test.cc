// Whole boxes with guests of a few instructions: limits, waiting, signals from outside,
// determinism.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/base/errno.h"
#include "engine/process.h"
#include "tests/tools/elf_builder.h"
#include "tests/tools/memory_tree.h"

namespace glovebox::engine {
namespace {

using tests::Code;
using tests::ElfBuilder;

enum Number : std::uint64_t {
  kRead = 0,
  kWrite = 1,
  kMmap = 9,
  kRtSigaction = 13,
  kPause = 34,
  kNanosleep = 35,
  kAlarm = 37,
  kFork = 57,
  kKill = 62,
  kGetdents64 = 217,
  kExitGroup = 231,
  kUserfaultfd = 323,
};
constexpr std::uint64_t kData = ElfBuilder::kData;
constexpr Icount kFarAway = 1'000'000'000'000;

// Runs until something other than the end of a slice stops the box: how long a slice is depends on
// the host.
Result<RunState, Error> RunOn(Box& box) {
  Result<RunState, Error> state = box.Run(kFarAway);
  while (state && *state == RunState::kRunning) state = box.Run(kFarAway);
  return state;
}

class TestHost : public BoxHost {
 public:
  void OnOutput(OutputStream stream, std::span<const std::byte> bytes, Icount) override {
    (stream == OutputStream::kStdout ? out : err)
        .append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void OnTrace(const TraceEvent& event) override { events.push_back(event); }
  Result<Input, Error> ReadStdin(std::uint64_t offset, std::size_t size) override {
    Input result;
    const std::string part =
        input.substr(std::min<std::size_t>(offset, input.size()), std::min(size, chunk));
    for (const char c : part) result.bytes.push_back(static_cast<std::byte>(c));
    result.end = ended && offset + part.size() == input.size();
    result.not_yet = !result.end && part.empty();
    return result;
  }

  std::string out, err, input;
  std::size_t chunk = 1 << 20;
  bool ended = true;
  std::vector<TraceEvent> events;
};

class BoxTest : public testing::Test {
 protected:
  void Program(const Code& code, std::string_view data = "") {
    tree.AddFile("/p", ElfBuilder().WithCode(code).WithData(data).Build(), 0755);
  }
  void Start() {
    spec.argv = {"/p"};
    spec.root = tree.Root();
    auto made = Box::Make(spec, tree, host);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    box = std::move(*made);
  }
  // Runs to the end (or to the first wait for input).
  BoxReport Finish(Icount slice = kFarAway) {
    while (true) {
      const auto state = box->Run(box->Report().icount + slice);
      EXPECT_TRUE(state.has_value());
      if (!state || *state != RunState::kRunning) return box->Report();
    }
  }
  BoxReport RunIt(Icount slice = kFarAway) {
    Start();
    return Finish(slice);
  }

  tests::MemoryTree tree;
  BoxSpec spec;
  TestHost host;
  std::unique_ptr<Box> box;
};

TEST_F(BoxTest, ExitStatusAndOutputArrive) {
  Program(Code()
              .Syscall(kWrite, {1, kData, 5})
              .Syscall(kWrite, {2, kData + 1, 2})
              .Syscall(kExitGroup, {300}),
          "hello");
  const BoxReport report = RunIt();
  EXPECT_EQ(report.termination->kind, Termination::Kind::kExited);
  EXPECT_EQ(report.termination->code, 300 & 0xff);
  EXPECT_EQ(host.out, "hello");
  EXPECT_EQ(host.err, "el");
  EXPECT_EQ(report.syscall_count, 3u);
  EXPECT_EQ(report.output_bytes, 7u);
}

TEST_F(BoxTest, InstructionLimitEndsTheBoxAtExactlyItsCount) {
  Program(Code().LoopForEver());
  spec.limits.Set(LimitId::kInstructions, 123'457);
  const BoxReport report = RunIt();
  EXPECT_EQ(report.termination->kind, Termination::Kind::kLimit);
  EXPECT_EQ(report.termination->limit, LimitId::kInstructions);
  EXPECT_EQ(report.termination->limit_value, 123'457u);
  EXPECT_EQ(report.icount, 123'457u);
}

TEST_F(BoxTest, SystemCallOfTheLastAllowedInstructionIsServed) {
  Program(Code().Syscall(kExitGroup, {7}));
  spec.limits.Set(LimitId::kInstructions, 3);  // two moves and the call
  EXPECT_EQ(RunIt().termination->kind, Termination::Kind::kExited);
  spec.limits.Set(LimitId::kInstructions, 2);
  EXPECT_EQ(RunIt().termination->kind, Termination::Kind::kLimit);
}

TEST_F(BoxTest, OutputLimitCutsAtExactlyItsBytesAcrossBothStreams) {
  Program(
      Code().Syscall(kWrite, {1, kData, 4}).Syscall(kWrite, {2, kData, 8}).Syscall(kExitGroup, {0}),
      "12345678");
  spec.limits.Set(LimitId::kOutput, 7);
  const BoxReport report = RunIt();
  EXPECT_EQ(report.termination->limit, LimitId::kOutput);
  EXPECT_EQ(host.out + host.err, "1234123");
  EXPECT_EQ(report.output_bytes, 7u);
}

TEST_F(BoxTest, OutputOfExactlyTheLimitIsNoOverrun) {
  Program(Code().Syscall(kWrite, {1, kData, 8}).Syscall(kExitGroup, {0}), "12345678");
  spec.limits.Set(LimitId::kOutput, 8);
  EXPECT_EQ(RunIt().termination->kind, Termination::Kind::kExited);
}

TEST_F(BoxTest, SystemCallThatNeedsOnePageTooManyHitsTheMemoryLimit) {
  // The program's first stack and the page that it reads into are all that is charged.
  Program(Code()
              .Syscall(kMmap, {0x10000000, 64 << 20, 3, 0x32, ~0ull, 0})
              .Syscall(kRead, {0, 0x10000000, 1 << 20})
              .Syscall(kExitGroup, {0}));
  host.input = std::string(1 << 20, 'x');
  spec.limits.Set(LimitId::kMemory, 512_KiB);
  const BoxReport report = RunIt();
  ASSERT_EQ(report.termination->kind, Termination::Kind::kLimit);
  EXPECT_EQ(report.termination->limit, LimitId::kMemory);
  EXPECT_EQ(report.peak_memory_bytes, 512_KiB);
}

TEST_F(BoxTest, ReadOfStdinReturnsAllThatWasAskedForHoweverItComes) {
  Program(Code()
              .Syscall(kRead, {0, kData, 8})
              .Syscall(kWrite, {1, kData, 8})
              .Syscall(kRead, {0, kData, 8})
              .ExitWithResult());
  host.input = "abcdefgh123";
  const BoxReport whole = RunIt();
  EXPECT_EQ(host.out, "abcdefgh");
  EXPECT_EQ(whole.termination->code, 3);
  host.chunk = 1;
  const BoxReport in_bytes = RunIt();
  EXPECT_EQ(in_bytes.trace_hash, whole.trace_hash);
  EXPECT_EQ(in_bytes.icount, whole.icount);
  EXPECT_EQ(in_bytes.virtual_time, whole.virtual_time);
}

TEST_F(BoxTest, BoxIsFrozenWhileStdinIsNotThere) {
  Program(
      Code().Syscall(kRead, {0, kData, 4}).Syscall(kWrite, {1, kData, 4}).Syscall(kExitGroup, {0}));
  host.ended = false;
  host.input = "ab";
  Start();
  ASSERT_EQ(*RunOn(*box), RunState::kWaitsForInput);
  const BoxReport before = box->Report();
  ASSERT_EQ(*RunOn(*box), RunState::kWaitsForInput);
  const BoxReport after = box->Report();
  EXPECT_EQ(before.icount, after.icount);
  EXPECT_EQ(before.virtual_time, after.virtual_time);
  EXPECT_EQ(before.trace_hash, after.trace_hash);
  EXPECT_EQ(before.syscall_count, after.syscall_count);
  host.input = "abcd";
  EXPECT_EQ(*RunOn(*box), RunState::kEnded);
  EXPECT_EQ(host.out, "abcd");
}

TEST_F(BoxTest, SignalFromOutsideEndsAFrozenRead) {
  Program(Code().Syscall(kRead, {0, kData, 4}).Syscall(kExitGroup, {0}));
  host.ended = false;
  Start();
  ASSERT_EQ(*RunOn(*box), RunState::kWaitsForInput);
  EXPECT_EQ(*box->InjectSignal(2), box->Report().icount);
  ASSERT_EQ(*RunOn(*box), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->kind, Termination::Kind::kSignaled);
  EXPECT_EQ(box->Report().termination->code, 2);
  EXPECT_FALSE(box->Report().termination->core_dumped);
}

TEST_F(BoxTest, SignalFromOutsideReplaysAtItsIcount) {
  Program(Code().LoopForEver());
  Start();
  ASSERT_EQ(*box->Run(5'000), RunState::kRunning);
  const Icount at = *box->InjectSignal(15);
  EXPECT_EQ(*RunOn(*box), RunState::kEnded);
  const BoxReport live = box->Report();
  Start();
  while (box->Report().icount < at) ASSERT_EQ(*box->Run(at), RunState::kRunning);
  EXPECT_EQ(*box->InjectSignal(15), at);
  EXPECT_EQ(*RunOn(*box), RunState::kEnded);
  EXPECT_EQ(box->Report().trace_hash, live.trace_hash);
  EXPECT_EQ(box->Report().icount, live.icount);
}

TEST_F(BoxTest, SignalNumberThatDoesNotExistIsRefused) {
  Program(Code().LoopForEver());
  Start();
  EXPECT_EQ(box->InjectSignal(0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(box->InjectSignal(65).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(BoxTest, WaitThatNothingCanEndIsADeadlockThatNamesIt) {
  Program(Code().Syscall(kPause));
  const BoxReport report = RunIt();
  EXPECT_EQ(report.termination->kind, Termination::Kind::kDeadlock);
  EXPECT_NE(report.termination->detail.find("pause"), std::string::npos);
}

TEST_F(BoxTest, ADeadlockNamesEveryTask) {
  Program(Code().Syscall(kFork).Syscall(kPause));
  const BoxReport report = RunIt();
  EXPECT_EQ(report.termination->kind, Termination::Kind::kDeadlock);
  EXPECT_NE(report.termination->detail.find("task 2 ("), std::string::npos);
  EXPECT_NE(report.termination->detail.find("task 3 ("), std::string::npos);
}

TEST_F(BoxTest, ADeadlockTellsCallsWithTheirArgumentsAndFiles) {
  constexpr std::uint64_t kEventfd2 = 290, kEpollCreate1 = 291, kEpollWait = 232;
  Program(Code()
              .Syscall(kEventfd2, {0, 0})
              .Syscall(kEpollCreate1, {0})
              .Syscall(kFork)
              .Syscall(kEpollWait, {4, kData, 1, ~std::uint64_t{0}}));
  EXPECT_NE(RunIt().termination->detail.find(
                "waits in epoll_wait(4<anon_inode:[eventpoll]>, ..., 1, -1)"),
            std::string::npos)
      << box->Report().termination->detail;
  Program(Code().Syscall(kEventfd2, {0, 0}).Syscall(kRead, {3, kData, 8}));
  EXPECT_NE(RunIt().termination->detail.find("waits in read(3<anon_inode:[eventfd]>, ..., 8)"),
            std::string::npos)
      << box->Report().termination->detail;
}

TEST_F(BoxTest, AForkBombEndsInEagain) {
  spec.limits.Set(LimitId::kTasks, 3);
  Program(Code().Syscall(kFork).Syscall(kFork).Syscall(kFork).ExitWithResult());
  EXPECT_EQ(RunIt().termination->code, 256 - 11);
}

TEST_F(BoxTest, ALimitOfNoTasksLeavesTheFirstAlone) {
  spec.limits.Set(LimitId::kTasks, 0);
  Program(Code().Syscall(kFork).ExitWithResult());
  EXPECT_EQ(RunIt().termination->code, 256 - 11);
}

TEST_F(BoxTest, SleepIsFreeAndMovesTheClock) {
  const std::uint64_t thousand_seconds[2] = {1000, 5};
  Program(Code().Syscall(kNanosleep, {kData, 0}).Syscall(kExitGroup, {0}),
          std::string_view(reinterpret_cast<const char*>(thousand_seconds), 16));
  const BoxReport report = RunIt();
  EXPECT_EQ(report.termination->kind, Termination::Kind::kExited);
  EXPECT_GE(report.virtual_time, 1'000'000'000'005u);
  EXPECT_LT(report.icount, 20u);
}

TEST_F(BoxTest, AlarmEndsAPauseByItsDefaultAction) {
  Program(Code().Syscall(kAlarm, {10}).Syscall(kPause));
  const BoxReport report = RunIt();
  EXPECT_EQ(report.termination->kind, Termination::Kind::kSignaled);
  EXPECT_EQ(report.termination->code, 14);
  EXPECT_GE(report.virtual_time, 10'000'000'000u);
}

TEST_F(BoxTest, SlicingLeavesNoMark) {
  Program(Code().Syscall(kWrite, {1, kData, 3}).Syscall(kAlarm, {1}).LoopForEver(), "abc");
  spec.limits.Set(LimitId::kInstructions, 50'000);
  const BoxReport whole = RunIt();
  const BoxReport sliced = RunIt(37);
  EXPECT_EQ(whole.trace_hash, sliced.trace_hash);
  EXPECT_EQ(whole.virtual_time, sliced.virtual_time);
  EXPECT_EQ(whole.icount, sliced.icount);
}

TEST_F(BoxTest, RunStopsAtTheIcountThatItIsGiven) {
  Program(Code().LoopForEver());
  Start();
  for (const Icount until : {1u, 2u, 1000u, 1001u, 77'777u}) {
    while (box->Report().icount < until) ASSERT_EQ(*box->Run(until), RunState::kRunning);
    EXPECT_EQ(box->Report().icount, until);
  }
}

TEST_F(BoxTest, SeedChangesAddressesAndNothingWithoutOneDiffers) {
  Program(Code().Syscall(kMmap, {0, 4096, 3, 0x22, ~0ull, 0}).Syscall(kExitGroup, {0}));
  const std::string first = RunIt().trace_hash;
  EXPECT_EQ(RunIt().trace_hash, first);
  spec.seed = 1;
  EXPECT_NE(RunIt().trace_hash, first);
}

TEST_F(BoxTest, AbsentSystemCallsAnswerEnosysAndAreCountedByName) {
  Program(Code().Syscall(kUserfaultfd).Syscall(kUserfaultfd).Syscall(12345).ExitWithResult());
  const BoxReport report = RunIt();
  EXPECT_EQ(report.termination->code, 256 - 38);
  EXPECT_EQ(report.absent_syscalls, (std::vector<std::pair<std::string, std::uint64_t>>{
                                        {"syscall_12345", 1}, {"userfaultfd", 2}}));
}

TEST_F(BoxTest, RefusedSystemCallsAreCountedToo) {
  constexpr std::uint64_t kBpf = 321;
  constexpr std::uint64_t kPkeyMprotect = 329;
  Program(Code()
              .Syscall(kPkeyMprotect, {kData & ~std::uint64_t{0xfff}, 1, 3, ~std::uint64_t{0}})
              .Syscall(kBpf)
              .ExitWithResult());
  const BoxReport report = RunIt();
  EXPECT_EQ(report.termination->code, 256 - 1);
  EXPECT_EQ(report.absent_syscalls,
            (std::vector<std::pair<std::string, std::uint64_t>>{{"bpf", 1}}));
}

TEST_F(BoxTest, TraceShowsCallsAsStraceDoesAndDoesNotChangeTheHash) {
  Program(
      Code().Syscall(kWrite, {1, kData, 3}).Syscall(kRead, {9, kData, 3}).Syscall(kKill, {2, 9}),
      "a\nb");
  const std::string quiet = RunIt().trace_hash;
  spec.trace_syscalls = true;
  const BoxReport traced = RunIt();
  EXPECT_EQ(traced.trace_hash, quiet);
  ASSERT_EQ(host.events.size(), 5u);
  EXPECT_EQ(host.events[0].name, "execve");
  EXPECT_EQ(host.events[1].name, "write");
  EXPECT_EQ(host.events[1].arguments, (std::vector<std::string>{"1", "\"a\\nb\"", "3"}));
  EXPECT_EQ(host.events[1].result, "3");
  EXPECT_EQ(host.events[2].result, "-1 EBADF (Bad file descriptor)");
  EXPECT_EQ(host.events[4].name, "SIGKILL");
  EXPECT_TRUE(host.events[4].is_signal);
}

TEST_F(BoxTest, ProgramThatCannotStartSaysWhy) {
  struct Row {
    std::string program;
    Errno error;
    std::string_view why;
  };
  tree.AddFile("/text", "no program, just some text", 0755);
  tree.AddFile("/plain", "x", 0644);
  tree.AddFile("/script", "#!/missing\n", 0755);
  tree.AddFile("/self", "#!/self\n", 0755);
  tree.AddDirectory("/dir", 0755);
  Program(Code());
  for (const Row& row :
       {Row{"/none", kENOENT, "cannot be found"}, Row{"/text", kENOEXEC, "neither an ELF"},
        Row{"/plain", kEACCES, "not executable"}, Row{"/dir", kEACCES, "not a regular file"},
        Row{"/script", kENOENT, "interpreter /missing"}, Row{"/self", kELOOP, "too deep"},
        Row{"bare", kENOENT, "PATH"}, Row{"/p/x", kENOTDIR, "cannot be found"}}) {
    spec.program = row.program;
    const BoxReport report = RunIt();
    ASSERT_EQ(report.termination->kind, Termination::Kind::kNotStarted) << row.program;
    EXPECT_EQ(report.termination->code, row.error)
        << row.program << ": " << report.termination->detail;
    EXPECT_NE(report.termination->detail.find(row.why), std::string::npos)
        << report.termination->detail;
  }
}

TEST_F(BoxTest, ScriptRunsItsInterpreter) {
  Program(Code().Syscall(kExitGroup, {42}));
  tree.AddFile("/script", "#!/p -x\n", 0755);
  spec.program = "/script";
  EXPECT_EQ(RunIt().termination->code, 42);
}

TEST_F(BoxTest, ArgumentsOfTenMegabytesAreE2big) {
  Program(Code());
  Start();
  spec.argv = {"/p"};
  for (int i = 0; i < 100; ++i) spec.argv.push_back(std::string(100'000, 'x'));
  spec.root = tree.Root();
  box = *Box::Make(spec, tree, host);
  const BoxReport report = Finish();
  EXPECT_EQ(report.termination->kind, Termination::Kind::kNotStarted);
  EXPECT_EQ(report.termination->code, kE2BIG);
}

TEST_F(BoxTest, SpecThatMakesNoSenseIsRefusedWithItsField) {
  const auto field_of = [this](const BoxSpec& bad) {
    const auto made = Box::Make(bad, tree, host);
    EXPECT_FALSE(made.has_value());
    return made ? std::string() : made.error().field;
  };
  EXPECT_EQ(field_of(BoxSpec{}), "spec.argv");
  BoxSpec bad;
  bad.argv = {std::string("a\0b", 3)};
  EXPECT_EQ(field_of(bad), "spec.argv");
  bad.argv = {"/p"};
  bad.working_directory = "tmp";
  EXPECT_EQ(field_of(bad), "spec.working_directory");
  bad.working_directory = "/";
  bad.limits.Set(LimitId::kMemory, Row(LimitId::kMemory).ceiling + 1);
  EXPECT_EQ(field_of(bad), "spec.limits[\"mem\"]");
  bad.limits = {};
  bad.world_overrides = {{"pid", "1"}};
  EXPECT_EQ(field_of(bad), "spec.world[\"pid\"]");
}

TEST_F(BoxTest, FaultKillsWithItsSignalAndWouldDumpCore) {
  Program(Code().Bytes({0x0f, 0x0b}));  // ud2
  const BoxReport report = RunIt();
  EXPECT_EQ(report.termination->kind, Termination::Kind::kSignaled);
  EXPECT_EQ(report.termination->code, 4);
  EXPECT_TRUE(report.termination->core_dumped);
}

TEST_F(BoxTest, FailureOfTheTreeIsTheJobsAndNotTheGuests) {
  spec.argv = {"/p"};
  spec.root = Digest{};  // nothing that the tree has
  box = *Box::Make(spec, tree, host);
  const auto state = RunOn(*box);
  ASSERT_FALSE(state.has_value());
  EXPECT_EQ(state.error().reason, "BLOB_MISSING");
}

TEST_F(BoxTest, TwoBoxesInOneProcessDoNotDisturbEachOther) {
  Program(Code().Syscall(kWrite, {1, kData, 1}).LoopForEver(), "x");
  spec.limits.Set(LimitId::kInstructions, 20'000);
  const std::string alone = RunIt().trace_hash;
  Start();
  TestHost other_host;
  auto other = *Box::Make(spec, tree, other_host);
  bool other_ended = false;
  for (Icount until = 500; box->Report().icount < 20'000 || !other_ended; until += 500) {
    ASSERT_TRUE(box->Run(until));
    other_ended = *other->Run(until) == RunState::kEnded;
  }
  Finish();
  EXPECT_EQ(box->Report().trace_hash, alone);
  EXPECT_EQ(other->Report().trace_hash, alone);
}

}  // namespace
}  // namespace glovebox::engine
