// What a debugger changed is made again, at the same place: the box ends as it did then.
#include "server/worker/change_player.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/tools/elf_builder.h"
#include "tests/tools/memory_tree.h"

namespace glovebox::worker {
namespace {

using engine::Moment;
using engine::RunState;
using gdbstub::ResumeAction;
using gdbstub::ResumeKind;
using gdbstub::StopEvent;
using gdbstub::StopReason;
using tests::Code;
using tests::ElfBuilder;

constexpr std::uint64_t kWrite = 1, kPause = 34, kKill = 62, kAlarm = 37, kExitGroup = 231;
constexpr engine::GuestAddr kLoop = ElfBuilder::kCode + 5;
constexpr gdbstub::RegisterNumber kRax = 0, kRcx = 2, kRdi = 5, kRip = 16;
constexpr gdbstub::RegisterNumber kOrigRax = gdbstub::kAmd64OrigRax;

class Doors : public engine::BoxHost {
 public:
  void OnOutput(engine::OutputStream, std::span<const std::byte> bytes, engine::Icount) override {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void OnTrace(const engine::TraceEvent&) override {}
  Result<Input, Error> ReadStdin(std::uint64_t, std::size_t) override {
    return Input{.bytes = {}, .end = true};
  }
  std::string out;
};

struct Record {
  Moment moment = 0;
  std::string bytes;
};

// mov ecx, 1000; then 1000 times: add eax, 1; sub ecx, 1; jnz. Then it writes, and exits with 7.
Code Counting() {
  return Code()
      .Bytes({0xb9, 0xe8, 0x03, 0, 0})
      .Bytes({0x83, 0xc0, 0x01, 0x83, 0xe9, 0x01, 0x75, 0xf8})
      .Syscall(kWrite, {1, ElfBuilder::kData, 5})
      .Syscall(kExitGroup, {7});
}

class ChangePlayerTest : public testing::Test, private gdbstub::Listener {
 protected:
  void Start(const Code& code) {
    tree_.AddFile("/p", ElfBuilder().WithCode(code).WithData("hello").Build(), 0755);
    spec_.argv = {"/p"};
    spec_.root = tree_.Root();
    Make();
    journal_ = std::make_unique<ChangeJournal>(
        0, [this](std::string bytes) { records_.push_back({box_->At(), std::move(bytes)}); });
    debuggee_ = std::make_unique<BoxDebuggee>(*box_, spec_.limits, journal_.get());
    ASSERT_TRUE(debuggee_->Begin());
    ASSERT_EQ(RunOn(), RunState::kStopped);
    debuggee_->TakeInitialStop();
    debuggee_->Listen(this);
    main_ = debuggee_->InitialStop()->thread;
  }
  // Lets it go on, and returns the next stop.
  StopEvent Go(int signal = 0) {
    ResumeAction action;
    action.thread = main_;
    action.kind = ResumeKind::kContinue;
    action.signal = signal;
    EXPECT_TRUE(debuggee_->Resume(std::span(&action, 1)));
    RunOn();
    debuggee_->Pump();
    EXPECT_FALSE(stops_.empty());
    if (stops_.empty()) return {};
    StopEvent stop = stops_.front();
    stops_.pop_front();
    return stop;
  }
  void SetRegister(gdbstub::RegisterNumber number, std::uint64_t value) {
    EXPECT_TRUE(debuggee_->WriteRegister(main_, number, std::as_bytes(std::span(&value, 1))));
  }
  void SetMemory(engine::GuestAddr address, std::string_view text) {
    EXPECT_TRUE(debuggee_->WriteMemory(main_.pid, address, std::as_bytes(std::span(text))));
  }
  // The debugger leaves; the box runs to its end, and again, with what was changed alone.
  void EndAndCompare(std::size_t least_records = 1) {
    debuggee_->LetGo();
    if (!box_->Report().termination) {
      EXPECT_EQ(RunOn(), RunState::kEnded);
    }
    const engine::BoxReport first = box_->Report();
    const std::string out = doors_.out;
    EXPECT_GE(records_.size(), least_records);
    EXPECT_TRUE(debuggee_->altered());
    PlayAgain();
    const engine::BoxReport second = box_->Report();
    EXPECT_EQ(doors_.out, out);
    EXPECT_EQ(second.icount, first.icount);
    EXPECT_EQ(second.trace_hash, first.trace_hash);
    ASSERT_TRUE(first.termination && second.termination);
    EXPECT_EQ(second.termination->kind, first.termination->kind);
    EXPECT_EQ(second.termination->code, first.termination->code);
  }

  // In a box of its own.
  ChangePlayer::Found Look(Moment moment, const ChangePlace& place) {
    Make();
    debuggee_ = std::make_unique<BoxDebuggee>(*box_, spec_.limits);
    ChangePlayer player(*box_, *debuggee_);
    player.Plan(moment, place);
    auto found = ChangePlayer::Found::kNotYet;
    while (found == ChangePlayer::Found::kNotYet) found = player.AfterRun(RunOn(&player));
    return found;
  }

  gdbstub::ThreadRef main_;
  std::unique_ptr<BoxDebuggee> debuggee_;
  std::unique_ptr<engine::Box> box_;
  Doors doors_;
  std::deque<Record> records_;

 private:
  void Make() {
    doors_.out.clear();
    debuggee_.reset();
    box_ = std::move(*engine::Box::Make(spec_, tree_, doors_));
  }
  RunState RunOn(const ChangePlayer* player = nullptr) {
    while (true) {
      const auto state =
          box_->Run(player != nullptr && player->busy() ? player->until() : engine::kNoLimit);
      EXPECT_TRUE(state.has_value());
      if (!state) return RunState::kEnded;
      if (*state != RunState::kRunning || player != nullptr) return *state;
    }
  }
  // As the worker does.
  void PlayAgain() {
    Make();
    debuggee_ = std::make_unique<BoxDebuggee>(*box_, spec_.limits);
    ChangePlayer player(*box_, *debuggee_);
    while (!records_.empty()) {
      const auto next = DecodeChange(records_.front().bytes);
      ASSERT_TRUE(next.has_value());
      player.Plan(records_.front().moment, next->place);
      auto found = ChangePlayer::Found::kNotYet;
      while (found == ChangePlayer::Found::kNotYet) found = player.AfterRun(RunOn(&player));
      ASSERT_EQ(found, ChangePlayer::Found::kHere);
      while (!records_.empty()) {
        const auto change = DecodeChange(records_.front().bytes);
        ASSERT_TRUE(change.has_value());
        if (!player.IsHere(records_.front().moment, change->place)) break;
        ASSERT_TRUE(player.Make(*change));
        records_.pop_front();
      }
      player.Leave();
    }
    EXPECT_EQ(RunOn(), RunState::kEnded);
  }
  void OnStop(const StopEvent& event) override { stops_.push_back(event); }
  void OnLaunchRefused(const gdbstub::Refusal&) override {}

  engine::BoxSpec spec_;
  tests::MemoryTree tree_;
  std::unique_ptr<ChangeJournal> journal_;
  std::deque<StopEvent> stops_;
};

TEST_F(ChangePlayerTest, MemoryAndRegistersAtABreakpoint) {
  Start(Counting());
  ASSERT_TRUE(debuggee_->breakpoints()->Insert(main_.pid, gdbstub::BreakpointKind::kSoftware, kLoop,
                                               nullptr));
  EXPECT_EQ(Go().reason, StopReason::kSoftwareBreakpoint);
  SetMemory(ElfBuilder::kData, "HE");
  SetRegister(kRax, 1'000'000);
  SetRegister(kRcx, 2);
  EndAndCompare(3);
  EXPECT_EQ(doors_.out, "HEllo");
}

TEST_F(ChangePlayerTest, ChangesAtTheFirstInstruction) {
  Start(Counting());
  SetRegister(kRip, kLoop + 8);
  SetRegister(kRcx, 5);
  SetMemory(ElfBuilder::kData, "J");
  EndAndCompare(3);
  EXPECT_EQ(doors_.out, "Jello");
}

TEST_F(ChangePlayerTest, ASignalThatWasDropped) {
  Start(Code()
            .Syscall(kKill, {0, 10})
            .Syscall(kWrite, {1, ElfBuilder::kData, 5})
            .Syscall(kExitGroup, {3}));
  EXPECT_EQ(Go().signal, 10);
  EXPECT_EQ(Go(0).reason, StopReason::kProcessExited);
  EndAndCompare();
  EXPECT_EQ(doors_.out, "hello");
}

TEST_F(ChangePlayerTest, AnotherSignalThanTheFaultsOwn) {
  Start(Code().Bytes({0x0f, 0x0b}).Syscall(kExitGroup, {3}));  // ud2
  EXPECT_EQ(Go().signal, 4);
  EXPECT_EQ(Go(15).reason, StopReason::kProcessSignaled);
  EndAndCompare();
}

TEST_F(ChangePlayerTest, AFaultThatWasSteppedOver) {
  Start(Code().Bytes({0x0f, 0x0b}).Syscall(kExitGroup, {3}));
  EXPECT_EQ(Go().signal, 4);
  SetRegister(kRip, ElfBuilder::kCode + 2);
  EXPECT_EQ(Go(0).reason, StopReason::kProcessExited);
  EndAndCompare(2);
}

TEST_F(ChangePlayerTest, AnArgumentOfACallThatBegins) {
  Start(Counting());
  ASSERT_TRUE(debuggee_->syscall_catch()->Catch(main_.pid, std::vector<std::uint64_t>{kExitGroup}));
  EXPECT_EQ(Go().reason, StopReason::kSyscallEntry);
  SetRegister(kRdi, 99);
  const StopEvent end = Go();
  EXPECT_EQ(end.reason, StopReason::kProcessExited);
  EXPECT_EQ(end.code, 99);
  EndAndCompare();
}

TEST_F(ChangePlayerTest, AResultOfACallThatIsOver) {
  Start(Counting());
  ASSERT_TRUE(debuggee_->syscall_catch()->Catch(main_.pid, std::vector<std::uint64_t>{kWrite}));
  EXPECT_EQ(Go().reason, StopReason::kSyscallEntry);
  EXPECT_EQ(Go().reason, StopReason::kSyscallReturn);
  SetRegister(kRax, 77);
  EndAndCompare();
}

TEST_F(ChangePlayerTest, ACallThatWasTakenOutOfItsWait) {
  Start(Code().Syscall(kPause).Syscall(kExitGroup, {4}));
  Go();  // the deadlock
  SetRegister(kOrigRax, ~std::uint64_t{0});
  SetRegister(kRax, 0);
  EXPECT_EQ(Go().code, 4);
  EndAndCompare(2);
}

TEST_F(ChangePlayerTest, AnAlarmsSignalThatWasDropped) {
  Start(Code().Syscall(kAlarm, {1}).Syscall(kPause).Syscall(kExitGroup, {6}));
  EXPECT_EQ(Go().signal, 14);
  SetRegister(kOrigRax, ~std::uint64_t{0});
  SetRegister(kRax, 0);
  EXPECT_EQ(Go(0).code, 6);
  EndAndCompare(2);
}

TEST_F(ChangePlayerTest, AProcessThatWasKilled) {
  Start(Code().LoopForEver());
  EXPECT_TRUE(debuggee_->Kill(main_.pid));
  EndAndCompare();
}

TEST_F(ChangePlayerTest, APlaceThatNeverComesIsMissed) {
  Start(Counting());
  EXPECT_EQ(Look(30, {.thread = {main_.pid, main_.tid}, .rip = kLoop + 1}),
            ChangePlayer::Found::kMissed);
  EXPECT_EQ(Look(30, {.thread = {77, 77}, .rip = kLoop}), ChangePlayer::Found::kMissed);
  EXPECT_EQ(Look(9'000'000, {}), ChangePlayer::Found::kMissed);
  using Place = ChangePlace::Kind;
  EXPECT_EQ(Look(30, {.kind = Place::kDelivery, .thread = {main_.pid, main_.tid}, .number = 11}),
            ChangePlayer::Found::kMissed);
  EXPECT_EQ(Look(30, {.kind = Place::kCallEntry, .thread = {77, 77}, .number = kWrite}),
            ChangePlayer::Found::kMissed);
}

}  // namespace
}  // namespace glovebox::worker
