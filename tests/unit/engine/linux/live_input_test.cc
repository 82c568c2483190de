// Boxes with live input: what is typed takes effect where it came, and replays there.
#include <gtest/gtest.h>

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

enum Number : std::uint64_t { kRead = 0, kWrite = 1, kPause = 34, kAlarm = 37, kExitGroup = 231 };
constexpr std::uint64_t kData = ElfBuilder::kData;
constexpr Icount kFarAway = 1'000'000'000'000;

class ScreenHost : public BoxHost {
 public:
  void OnOutput(OutputStream, std::span<const std::byte> bytes, Icount) override {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void OnTrace(const TraceEvent&) override {}
  Result<Input, Error> ReadStdin(std::uint64_t, std::size_t) override {
    ADD_FAILURE() << "a box with live input asks for none";
    return Input{.bytes = {}, .end = true, .not_yet = false};
  }
  std::string out;
};

struct Typed {
  Moment at = 0;
  bool waiting = false;
  std::string text;
};

class LiveInputTest : public testing::Test {
 protected:
  void Program(const Code& code) {
    tree.AddFile("/p", ElfBuilder().WithCode(code).WithData(std::string(16, '.')).Build(), 0755);
  }
  void Start(bool terminal) {
    spec.argv = {"/p"};
    spec.root = tree.Root();
    spec.live_input = true;
    spec.terminal.reset();
    if (terminal) spec.terminal = TerminalSize{30, 100};
    host.out.clear();
    auto made = Box::Make(spec, tree, host);
    ASSERT_TRUE(made.has_value()) << made.error().message;
    box = std::move(*made);
  }
  RunState RunTo(Moment until = kFarAway) {
    while (true) {
      const auto state = box->Run(until);
      EXPECT_TRUE(state.has_value());
      if (!state) return RunState::kEnded;
      if (*state != RunState::kRunning || box->At() >= until) return *state;
    }
  }
  std::size_t Inject(std::string_view text, bool end = false) {
    const auto taken = box->InjectInput(std::as_bytes(std::span(text)), end);
    EXPECT_TRUE(taken.has_value());
    return taken.value_or(0);
  }
  void Type(std::string_view text, RunState state) {
    journal.push_back({box->At(), state == RunState::kWaitsForInput, std::string(text)});
    EXPECT_EQ(Inject(text), text.size());
  }
  // The same inputs at the same moments give the same box.
  void ExpectReplay(bool terminal) {
    const BoxReport live = box->Report();
    const std::string shown = host.out;
    Start(terminal);
    for (const Typed& typed : journal) {
      const RunState state = RunTo({typed.at.icount, typed.at.step + (typed.waiting ? 1 : 0)});
      ASSERT_EQ(box->At(), typed.at);
      ASSERT_EQ(state == RunState::kWaitsForInput, typed.waiting);
      ASSERT_TRUE(typed.waiting || box->TakesInput());
      Inject(typed.text);
    }
    RunTo();
    EXPECT_EQ(box->Report().trace_hash, live.trace_hash);
    EXPECT_EQ(box->Report().icount, live.icount);
    EXPECT_EQ(box->Report().virtual_time, live.virtual_time);
    EXPECT_EQ(host.out, shown);
  }

  tests::MemoryTree tree;
  BoxSpec spec;
  ScreenHost host;
  std::vector<Typed> journal;
  std::unique_ptr<Box> box;
};

TEST_F(LiveInputTest, LineThatIsTypedInPiecesIsEchoedReadAndReplayed) {
  Program(Code()
              .Syscall(kRead, {0, kData, 16})
              .Syscall(kWrite, {1, kData, 4})
              .Syscall(kExitGroup, {7}));
  Start(true);
  Type("a", RunTo());
  EXPECT_EQ(host.out, "a");
  const BoxReport before = box->Report();
  Type("bc\n", RunTo());
  EXPECT_EQ(before.virtual_time, box->Report().virtual_time) << "time stands still meanwhile";
  EXPECT_EQ(RunTo(), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->code, 7);
  EXPECT_EQ(host.out, "abc\r\nabc\r\n");
  ExpectReplay(true);
}

TEST_F(LiveInputTest, KeyThatMeetsABusyGuestReplaysAtItsMoment) {
  Program(Code().LoopForEver());
  spec.limits.Set(LimitId::kInstructions, 20'000);
  Start(true);
  Type("x", RunTo(5'000));
  Type("yz", RunTo(9'999));
  EXPECT_EQ(RunTo(), RunState::kEnded);
  EXPECT_EQ(host.out, "xyz");
  ExpectReplay(true);
}

TEST_F(LiveInputTest, InterruptKeyEndsTheForeground) {
  Program(Code().Syscall(kRead, {0, kData, 16}).Syscall(kExitGroup, {0}));
  Start(true);
  Type("\003", RunTo());
  EXPECT_EQ(RunTo(), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->kind, Termination::Kind::kSignaled);
  EXPECT_EQ(box->Report().termination->code, 2);
  EXPECT_EQ(host.out, "^C");
  ExpectReplay(true);
}

TEST_F(LiveInputTest, SignalFromOutsideGoesToTheForegroundOfTheTerminal) {
  Program(Code().Syscall(kPause, {}).Syscall(kExitGroup, {0}));
  Start(true);
  ASSERT_EQ(RunTo(), RunState::kWaitsForInput);
  ASSERT_TRUE(box->InjectSignal(15));
  EXPECT_EQ(RunTo(), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->code, 15);
}

TEST_F(LiveInputTest, PipeGivesWhatCameAndThenItsEnd) {
  Program(Code()
              .Syscall(kRead, {0, kData, 16})
              .Syscall(kWrite, {1, kData, 2})
              .Syscall(kRead, {0, kData, 16})
              .ExitWithResult());
  Start(false);
  ASSERT_EQ(RunTo(), RunState::kWaitsForInput);
  EXPECT_EQ(Inject("hi"), 2u);
  ASSERT_EQ(RunTo(), RunState::kWaitsForInput);
  EXPECT_EQ(host.out, "hi");
  Inject("", true);
  EXPECT_EQ(RunTo(), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->code, 0);
}

TEST_F(LiveInputTest, PipeTakesNoMoreThanItHolds) {
  Program(Code().Syscall(kPause, {}).Syscall(kExitGroup, {0}));
  Start(false);
  ASSERT_EQ(RunTo(), RunState::kWaitsForInput);
  const std::string much(100'000, 'x');
  EXPECT_EQ(Inject(much, true), 65'536u);
  EXPECT_EQ(Inject(std::string_view(much).substr(65'536), true), 0u);
  EXPECT_EQ(RunTo(), RunState::kWaitsForInput) << "its end has not been taken";
}

TEST_F(LiveInputTest, WaitWithoutAnybodyWhoCouldTypeIsADeadlock) {
  Program(Code().Syscall(kPause, {}).Syscall(kExitGroup, {0}));
  Start(false);
  ASSERT_EQ(RunTo(), RunState::kWaitsForInput);
  Inject("", true);
  EXPECT_EQ(RunTo(), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->kind, Termination::Kind::kDeadlock);
}

TEST_F(LiveInputTest, TimerIsNotHeldBackByLiveInput) {
  Program(Code().Syscall(kAlarm, {100}).Syscall(kPause, {}).Syscall(kExitGroup, {0}));
  Start(true);
  EXPECT_EQ(RunTo(), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->code, 14);
}

TEST_F(LiveInputTest, HangupOfTheTerminalReachesItsSession) {
  Program(Code().Syscall(kPause, {}).Syscall(kExitGroup, {0}));
  Start(true);
  ASSERT_EQ(RunTo(), RunState::kWaitsForInput);
  Inject("", true);
  EXPECT_EQ(RunTo(), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->kind, Termination::Kind::kSignaled);
  EXPECT_EQ(box->Report().termination->code, 1);
}

TEST_F(LiveInputTest, SleepLastsUntilARealClockSaysThatItIsOver) {
  Program(Code().Syscall(kAlarm, {2}).Syscall(kPause, {}).Syscall(kExitGroup, {0}));
  spec.real_clock = true;
  Start(true);
  ASSERT_EQ(RunTo(), RunState::kWaitsForClock);
  const Nanoseconds wake = box->WakeTime();
  EXPECT_GE(wake, 2'000'000'000u);
  ASSERT_TRUE(box->InjectTime(wake - 1));
  ASSERT_EQ(RunTo(), RunState::kWaitsForClock);
  EXPECT_EQ(box->Report().virtual_time, wake - 1);
  ASSERT_TRUE(box->InjectTime(5)) << "time never moves back";
  EXPECT_EQ(box->Report().virtual_time, wake - 1);
  ASSERT_TRUE(box->InjectTime(wake));
  EXPECT_EQ(RunTo(), RunState::kEnded);
  EXPECT_EQ(box->Report().termination->code, 14);
}

TEST_F(LiveInputTest, BoxThatIsNotLiveRefusesInput) {
  Program(Code().LoopForEver());
  Start(false);
  ASSERT_TRUE(box->Run(100));
  EXPECT_EQ(box->InjectResize({1, 1}).error().reason, "NOT_LIVE");
  spec.live_input = false;
  box = *Box::Make(spec, tree, host);
  ASSERT_TRUE(box->Run(100));
  EXPECT_EQ(box->InjectInput({}, true).error().reason, "NOT_LIVE");
  EXPECT_EQ(box->InjectTime(1).error().reason, "NOT_LIVE");
}

TEST_F(LiveInputTest, TerminalWithoutLiveInputIsRefused) {
  Program(Code().LoopForEver());
  spec.argv = {"/p"};
  spec.root = tree.Root();
  spec.terminal = TerminalSize{};
  EXPECT_EQ(Box::Make(spec, tree, host).error().field, "spec.terminal");
}

}  // namespace
}  // namespace glovebox::engine
