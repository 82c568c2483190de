// A debugger at a job's box: it joins, holds it, lets it go, leaves; and it is one at a time.
#include <gmock/gmock.h>

#include "server/core/debugger.h"
#include "tests/unit/server/core/manager_fixture.h"

namespace glovebox::server {
namespace {

// Notes what it hears: "joined", bytes, "closed".
class FakeDebugger : public DebuggerEvents {
 public:
  void OnJoined() override { Note("joined"); }
  void OnBytes(std::span<const std::byte> bytes) override {
    Note(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  void OnClosed() override { Note("closed"); }
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

TEST_F(DebuggingTest, AJobThatHasEndedTakesNone) {
  const std::string id = Run(Request());
  box_->Exit(0);
  AwaitState(id, JobState::kSucceeded);
  const auto session = manager_->Debug(id, debugger_);
  ASSERT_FALSE(session.has_value());
  EXPECT_EQ(session.error().reason, "JOB_NOT_RUNNING");
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

}  // namespace
}  // namespace glovebox::server
