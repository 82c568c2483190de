// A debugger at a job's box: it joins, holds it, lets it go, leaves; and it is one at a time.
#include <gmock/gmock.h>

#include "server/core/debugger.h"
#include "tests/unit/server/core/manager_fixture.h"

namespace glovebox::server {
namespace {

// Notes what it hears: "joined", bytes, "closed", notices, pieces of a core, why it failed.
class FakeDebugger : public DebuggerEvents {
 public:
  void OnJoined() override { Note("joined"); }
  void OnBytes(std::span<const std::byte> bytes) override {
    Note(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  void OnClosed() override { Note("closed"); }
  void OnFailed(const Error& error) override { Note(error.reason); }
  void OnNotice(std::string_view text) override { Note("notice " + std::string(text)); }
  void OnCore(const CorePiece& piece) override {
    const auto* const data = reinterpret_cast<const char*>(piece.bytes.data());
    Note(std::to_string(piece.offset_bytes) + " " + std::string(data, piece.bytes.size()) +
         (piece.end ? " end" : ""));
  }
  std::string Next() {
    const auto there = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return !heard_.empty(); };
    absl::MutexLock lock(&mu_);
    GB_CHECK(mu_.AwaitWithTimeout(absl::Condition(&there), kTestPatience));
    std::string first = std::move(heard_.front());
    heard_.pop_front();
    return first;
  }

 private:
  void Note(std::string what) {
    absl::MutexLock lock(&mu_);
    heard_.push_back(std::move(what));
  }
  absl::Mutex mu_;
  std::deque<std::string> heard_ ABSL_GUARDED_BY(mu_);
};

class DebuggingTest : public ManagerFixture {
 protected:
  std::string Run(const CreateRequest& request) {
    const std::string id = CreateId(request);
    box_ = boxes_.Next();
    box_->Lock(3);
    AwaitState(id, JobState::kRunning);
    return id;
  }
  std::unique_ptr<DebugSession> Join(const std::string& id) {
    auto session = manager_->Debug(id, debugger_);
    EXPECT_TRUE(session.has_value()) << session.error().message;
    return std::move(*session);
  }
  std::shared_ptr<FakeBox> box_;
  std::shared_ptr<FakeDebugger> debugger_ = std::make_shared<FakeDebugger>();
};

TEST_F(DebuggingTest, BytesGoBothWays) {
  const std::string id = Run(Request());
  const auto session = Join(id);
  EXPECT_EQ(box_->AwaitDebugger(), "open");
  EXPECT_EQ(debugger_->Next(), "joined");
  bool sent = false;
  session->Tell(BytesOf("$?#3f"), [&sent] { sent = true; });
  EXPECT_TRUE(sent);
  EXPECT_EQ(box_->AwaitDebugger(), "$?#3f");
  box_->TellDebugger("+$T05#b9");
  EXPECT_EQ(debugger_->Next(), "+$T05#b9");
  box_->Exit(0);
  EXPECT_EQ(debugger_->Next(), "closed");
  AwaitState(id, JobState::kSucceeded);
}

TEST_F(DebuggingTest, AQueuedJobIsWaitedForAndThenStandsAtItsFirstInstruction) {
  const std::string id = CreateId(Request());
  const auto session = Join(id);
  const auto box = boxes_.Next();
  box->Lock();
  EXPECT_EQ(box->AwaitDebugger(), "open");
  EXPECT_EQ(debugger_->Next(), "joined");
  box->Exit(0);
  AwaitState(id, JobState::kSucceeded);
}

TEST_F(DebuggingTest, AJobMayWaitForItsDebugger) {
  CreateRequest request = Request();
  request.wait_for_debugger = true;
  Run(request);
  EXPECT_TRUE(box_->request().waits_for_debugger);
  Run(Request());
  EXPECT_FALSE(box_->request().waits_for_debugger);
}

TEST_F(DebuggingTest, TheSecondDebuggerIsRefusedUntilTheFirstHasLeft) {
  const std::string id = Run(Request());
  auto session = Join(id);
  EXPECT_EQ(debugger_->Next(), "joined");
  const auto second = manager_->Debug(id, std::make_shared<FakeDebugger>());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().reason, "DEBUGGER_BUSY");
  session.reset();
  EXPECT_EQ(box_->AwaitDebugger(), "open");
  EXPECT_EQ(box_->AwaitDebugger(), "close");
  session = Join(id);
  EXPECT_EQ(box_->AwaitDebugger(), "open");
}

TEST_F(DebuggingTest, ADebuggerThatTakesItsLeaveMakesRoomForTheNext) {
  const std::string id = Run(Request());
  const auto session = Join(id);
  EXPECT_EQ(debugger_->Next(), "joined");
  box_->LeaveDebugger();
  EXPECT_EQ(debugger_->Next(), "closed");
  EXPECT_TRUE(manager_->Debug(id, std::make_shared<FakeDebugger>()).has_value());
}

TEST_F(DebuggingTest, ThereIsNoDebuggerWithoutAJob) {
  const auto nowhere = manager_->Debug("0000000000000000000000000A", debugger_);
  ASSERT_FALSE(nowhere.has_value());
  EXPECT_EQ(nowhere.error().reason, "JOB_NOT_FOUND");
}

TEST_F(DebuggingTest, ABoxThatStandsIsAStoppedJob) {
  const std::string id = Run(Request());
  const auto session = Join(id);
  box_->Stand(true);
  AwaitState(id, JobState::kStopped);
  // Steps do not show.
  for (int i = 0; i < 100; ++i) {
    box_->Stand(false);
    box_->Stand(true);
  }
  AwaitState(id, JobState::kStopped);
  EXPECT_LT(States(id).size(), 50U);
  box_->Stand(false);
  AwaitState(id, JobState::kRunning);
  box_->Stand(true);
  AwaitState(id, JobState::kStopped);
  box_->Exit(0);
  AwaitState(id, JobState::kSucceeded);
}

TEST_F(DebuggingTest, TheWallLimitDoesNotRunWhileTheBoxStands) {
  CreateRequest request = Request();
  request.spec.limits["wall"] = 200;
  const std::string id = CreateId(request);
  const auto session = Join(id);
  box_ = boxes_.Next();
  box_->Lock();
  box_->Stand(true);
  AwaitState(id, JobState::kStopped);
  // Another job with the same limit, begun later, reaches it; this one does not.
  const std::string other = CreateId(request);
  const auto runs = boxes_.Next();
  runs->Lock();
  EXPECT_TRUE(runs->AwaitWallLimit());
  EXPECT_EQ(manager_->Get(id)->state, JobState::kStopped);
  EXPECT_FALSE(box_->cancelled());
  box_->Stand(false);
  EXPECT_TRUE(box_->AwaitWallLimit());
}

TEST_F(DebuggingTest, AJobWaitsForItsDebuggerAcrossARestartUntilOneHasCome) {
  CreateRequest request = Request();
  request.wait_for_debugger = true;
  const std::string id = Run(request);
  Restart();
  auto box = boxes_.Next();
  EXPECT_TRUE(box->request().waits_for_debugger);
  box->Lock(3);
  auto session = Join(id);
  EXPECT_EQ(debugger_->Next(), "joined");
  // What it was told is on disk when anything later is.
  AwaitState(id, JobState::kRunning);
  box->Journal(10);
  box->Stand(true);
  AwaitState(id, JobState::kStopped);
  session.reset();
  Restart();
  EXPECT_FALSE(boxes_.Next()->request().waits_for_debugger);
}

TEST_F(DebuggingTest, AnAlteredJobSaysSoInAllThatFollows) {
  const std::string id = Run(Request());
  EXPECT_FALSE(manager_->Get(id)->outcome->altered);
  auto session = Join(id);
  box_->Alter();
  box_->Journal(JournalRecord{.icount = 7, .step = 2, .change = "what it was"});
  AwaitView(id, [](const JobView& view) { return view.outcome->altered; });
  session.reset();
  Restart();
  const auto box = boxes_.Next();
  ASSERT_EQ(box->request().journal.size(), 1U);
  EXPECT_EQ(box->request().journal[0].change, "what it was");
  EXPECT_EQ(box->request().journal[0].step, 2U);
  box->Lock(3);
  box->Exit(0);
  EXPECT_TRUE(AwaitState(id, JobState::kSucceeded).outcome->altered);
  Restart();
  EXPECT_TRUE(manager_->Get(id)->outcome->altered);
}

TEST_F(DebuggingTest, ACoreTakesADebuggersPlace) {
  const std::string id = Run(Request());
  auto session = manager_->Debug(id, debugger_, {.at_icount = {}, .core = 7}).value();
  EXPECT_EQ(box_->AwaitDebugger(), "core 7");
  EXPECT_EQ(debugger_->Next(), "joined");
  EXPECT_EQ(manager_->Debug(id, std::make_shared<FakeDebugger>()).error().reason, "DEBUGGER_BUSY");
  session->MoreCore();
  EXPECT_EQ(box_->AwaitDebugger(), "more");
  box_->Core(4096, "bytes", false);
  EXPECT_EQ(debugger_->Next(), "4096 bytes");
  box_->Core(8192, "", true);
  EXPECT_EQ(debugger_->Next(), "8192  end");
  session.reset();
  EXPECT_EQ(box_->AwaitDebugger(), "close");
}

TEST_F(DebuggingTest, WhatADebuggerAlteredIsNoted) {
  const std::string id = Run(Request());
  const auto session = Join(id);
  box_->Alter();
  box_->Alter();
  box_->Exit(0);
  AwaitState(id, JobState::kSucceeded);
  int noted = 0;
  const auto events = manager_->Events(id, 0);
  ASSERT_TRUE(events);
  for (const JobEvent& event : *events) {
    if (event.message.find("altered") != std::string::npos) ++noted;
  }
  EXPECT_EQ(noted, 1);
}

// Jobs that have ended, with everything that came from outside on record.
class ReplayTest : public DebuggingTest {
 protected:
  std::string Ended(const CreateRequest& request, BoxEnd end = {}) {
    const std::string id = Run(request);
    box_->Journal(JournalRecord{.icount = 40, .signal = 10, .step = 3});
    box_->Say("its output");
    end.step = 1;
    box_->End(std::move(end));
    AwaitView(id, [](const JobView& view) { return IsTerminal(view.state); });
    return id;
  }
  std::unique_ptr<DebugSession> Replay(const std::string& id, const DebugOptions& options = {}) {
    auto session = manager_->Debug(id, debugger_, options);
    EXPECT_TRUE(session.has_value()) << session.error().message;
    replay_ = boxes_.Next();
    return std::move(*session);
  }
  std::string Refusal(const std::string& id, const DebugOptions& options = {}) {
    const auto session = manager_->Debug(id, debugger_, options);
    return session ? "none" : session.error().reason;
  }
  std::shared_ptr<FakeBox> replay_;
};

TEST_F(ReplayTest, AJobThatHasEndedRunsAgainAndStaysAsItIs) {
  BoxEnd end;
  end.kind = BoxEnd::Kind::kSignaled;
  end.code = 11;
  end.icount = 1'000;
  const std::string id = Ended(Request(), end);
  const JobView before = manager_->Get(id).value();
  const std::size_t events = States(id).size();
  auto session = Replay(id);
  ASSERT_TRUE(replay_->request().replay.has_value());
  const RunRequest::Replay& how = *replay_->request().replay;
  EXPECT_EQ(how.end->kind, BoxEnd::Kind::kSignaled);
  EXPECT_EQ(how.end->icount, 1'000U);
  EXPECT_EQ(how.end->step, 1U);
  EXPECT_FALSE(how.icount.has_value());
  EXPECT_FALSE(how.core.has_value());
  ASSERT_EQ(replay_->request().journal.size(), 1U);
  EXPECT_EQ(replay_->request().journal[0].signal, 10);
  EXPECT_EQ(replay_->request().argv, before.spec->argv);
  replay_->Lock(3);
  replay_->Notice("it stands");
  EXPECT_EQ(debugger_->Next(), "notice it stands");
  replay_->Stand(true);
  EXPECT_EQ(debugger_->Next(), "joined");
  session->Tell(BytesOf("$?#3f"), [] {});
  EXPECT_EQ(replay_->AwaitDebugger(), "$?#3f");
  replay_->TellDebugger("+$T0b#00");
  EXPECT_EQ(debugger_->Next(), "+$T0b#00");
  // Whatever the box may say: nothing of it is the job's.
  replay_->Say("something else");
  replay_->Journal(9);
  replay_->Alter();
  session.reset();
  replay_->AwaitDropped();
  EXPECT_EQ(Output(id), "its output");
  EXPECT_EQ(States(id).size(), events);
  const JobView after = manager_->Get(id).value();
  EXPECT_EQ(after.state, before.state);
  EXPECT_EQ(after.attempts, before.attempts);
  EXPECT_FALSE(after.outcome->altered);
  EXPECT_TRUE(manager_->AwaitQuiet(absl::ToChronoMilliseconds(kTestPatience)));
  EXPECT_TRUE(manager_->Idle());
}

TEST_F(ReplayTest, ItsJournalOutlivesTheDaemon) {
  const std::string id = Ended(Request());
  Restart();
  const auto session = Replay(id, {.at_icount = 77, .core = {}});
  EXPECT_EQ(replay_->request().journal.size(), 1U);
  EXPECT_EQ(replay_->request().replay->icount, 77U);
  EXPECT_EQ(replay_->request().replay->end->step, 1U);
}

TEST_F(ReplayTest, StreamedInputIsSuppliedFromTheStore) {
  CreateRequest request = Request();
  request.spec.stdin_stream = true;
  const std::string id = CreateId(request);
  box_ = boxes_.Next();
  box_->Lock(3);
  ASSERT_TRUE(manager_->WriteInput(id, 0, BytesOf("typed"), true).has_value());
  box_->Exit(0);
  AwaitState(id, JobState::kSucceeded);
  const auto session = Replay(id);
  replay_->Lock(3);
  replay_->WantInput(2, 100);
  const FakeBox::Input input = replay_->AwaitInput();
  EXPECT_EQ(input.bytes, "ped");
  EXPECT_TRUE(input.end);
}

TEST_F(ReplayTest, SeveralUsersMayReplayOneJobUpToALimit) {
  options_.max_replays = 2;
  Restart();
  const std::string id = Ended(Request());
  auto first = Replay(id);
  const auto one = replay_;
  const auto second = manager_->Debug(id, std::make_shared<FakeDebugger>()).value();
  EXPECT_NE(boxes_.Next(), nullptr);
  EXPECT_EQ(Refusal(id), "REPLAYS_BUSY");
  first.reset();
  one->AwaitDropped();
  EXPECT_EQ(Refusal(id), "none");
}

TEST_F(ReplayTest, WhatFailsIsTold) {
  const std::string id = Ended(Request());
  auto session = Replay(id);
  BoxEnd end;
  end.kind = BoxEnd::Kind::kFailed;
  end.failure_reason = "REPLAY_DIVERGED";
  replay_->End(end);
  EXPECT_EQ(debugger_->Next(), "REPLAY_DIVERGED");
  session = Replay(id);
  replay_->Lose("killed by SIGSEGV");
  EXPECT_EQ(debugger_->Next(), "WORKER_LOST");
  session = Replay(id);
  replay_->Lock(4);  // workers were exchanged
  EXPECT_EQ(debugger_->Next(), "EPOCH_UNAVAILABLE");
  replay_->AwaitDropped();
  session = Replay(id);
  replay_->LeaveDebugger();
  EXPECT_EQ(debugger_->Next(), "closed");
  replay_->AwaitDropped();
}

TEST_F(ReplayTest, WhatCannotBeReplayedIsRefused) {
  BoxEnd never;
  never.kind = BoxEnd::Kind::kNotStarted;
  never.code = 2;
  EXPECT_EQ(Refusal(Ended(Request(), never)), "NOTHING_TO_REPLAY");
  const std::string lost = Run(Request());
  box_->Lose("killed by SIGSEGV");
  AwaitState(lost, JobState::kFailed);
  EXPECT_EQ(Refusal(lost), "NOTHING_TO_REPLAY");
  const std::string running = Run(Request());
  EXPECT_EQ(Refusal(running, {.at_icount = 5, .core = {}}), "JOB_NOT_ENDED");
  const std::string deleted = Ended(Request());
  ASSERT_TRUE(Delete(deleted).has_value());
  EXPECT_EQ(Refusal(deleted), "JOB_NOT_FOUND");
  EXPECT_EQ(Refusal(lost, {.at_icount = 5, .core = {}}), "none");
}

TEST_F(ReplayTest, ADaemonThatEndsLeavesNoReplayBehind) {
  const std::string id = Ended(Request());
  const auto session = Replay(id);
  manager_->StopAdmission();
  EXPECT_EQ(Refusal(id), "DRAINING");
  EXPECT_TRUE(manager_->AwaitQuiet(std::chrono::seconds(30)));
  manager_->HandBack();
  EXPECT_EQ(debugger_->Next(), "closed");
  replay_->AwaitDropped();
}

}  // namespace
}  // namespace glovebox::server
