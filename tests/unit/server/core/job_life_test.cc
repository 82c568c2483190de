// A job and its box: from the first word to the result.
#include <gmock/gmock.h>

#include "server/core/spec_check.h"
#include "tests/unit/server/core/manager_fixture.h"

namespace glovebox::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class JobLife : public ManagerFixture {
 protected:
  // A job whose box runs.
  std::string Run(const CreateRequest& request) {
    const std::string id = CreateId(request);
    box_ = boxes_.Next();
    box_->Lock(3);
    AwaitState(id, JobState::kRunning);
    return id;
  }
  std::shared_ptr<FakeBox> box_;
};

TEST_F(JobLife, AJobThatExitsSucceedsWithAllThatIsKnown) {
  CreateRequest request = Request();
  request.spec.trace_syscalls = true;
  const std::string id = Run(request);
  box_->Say("hello ");
  box_->Trace("write");
  box_->Say("world", 2);
  EXPECT_EQ(Output(id), "hello world");
  EXPECT_EQ(manager_->Get(id)->output_bytes, 11u);
  EXPECT_EQ(manager_->Get(id)->trace_events, 1u);
  box_->Exit(3);
  const JobView view = AwaitState(id, JobState::kSucceeded);
  EXPECT_EQ(view.outcome->end->code, 3);
  EXPECT_EQ(view.outcome->end->icount, 1'234u);
  EXPECT_EQ(view.outcome->sandbox.front().name, "seccomp");
  EXPECT_EQ(view.epoch, 3u);
  EXPECT_EQ(view.attempts, 1u);
  EXPECT_EQ(view.output_bytes, 11u);
  EXPECT_EQ(view.trace_events, 1u);
  EXPECT_GE(view.end_ns, view.start_ns);
  EXPECT_GE(view.start_ns, view.create_ns);
  EXPECT_THAT(States(id), ElementsAre(JobState::kQueued, JobState::kPreparing, JobState::kRunning,
                                      JobState::kFinalizing, JobState::kSucceeded));
  EXPECT_EQ(Output(id), "hello world");
  box_->AwaitDropped();
}

TEST_F(JobLife, ALimitIsAnEndOfTheGuestsOwn) {
  const std::string id = Run(Request());
  BoxEnd end;
  end.kind = BoxEnd::Kind::kLimit;
  end.limit = "insns";
  box_->End(end);
  EXPECT_EQ(AwaitState(id, JobState::kSucceeded).outcome->end->limit, "insns");
}

TEST_F(JobLife, AWorkerThatDiesFailsItsJobAndNoOther) {
  const std::string other = Run(Request());
  const auto other_box = box_;
  const std::string id = Run(Request());
  box_->Say("so far");
  box_->Lose("killed by SIGSEGV");
  const JobView view = AwaitState(id, JobState::kFailed);
  EXPECT_EQ(view.outcome->failure->reason, "WORKER_LOST");
  EXPECT_THAT(view.outcome->failure->message, HasSubstr("SIGSEGV"));
  EXPECT_FALSE(view.outcome->end.has_value());
  EXPECT_EQ(Output(id), "so far");
  other_box->Exit(0);
  AwaitState(other, JobState::kSucceeded);
}

TEST_F(JobLife, AWorkerThatDiesBeforeItIsReadyFailsItsJobToo) {
  const std::string id = CreateId(Request());
  boxes_.Next()->Lose("no memory");
  EXPECT_EQ(AwaitState(id, JobState::kFailed).outcome->failure->reason, "WORKER_LOST");
  EXPECT_THAT(States(id), ElementsAre(JobState::kQueued, JobState::kPreparing,
                                      JobState::kFinalizing, JobState::kFailed));
}

TEST_F(JobLife, AFailureOfOursKeepsItsReason) {
  const std::string id = Run(Request());
  BoxEnd end;
  end.kind = BoxEnd::Kind::kFailed;
  end.failure_reason = "SANDBOX_INCOMPLETE";
  end.detail = "no landlock";
  box_->End(end);
  EXPECT_EQ(AwaitState(id, JobState::kFailed).outcome->failure->reason, "SANDBOX_INCOMPLETE");
}

TEST_F(JobLife, ACancelledJobInTheQueueEndsAtOnce) {
  for (int i = 0; i < 2; ++i) CreateId(Request());
  const std::string id = CreateId(Request());
  const auto view = Cancel(id, "changed my mind");
  EXPECT_EQ(view->state, JobState::kCancelled);
  EXPECT_THAT(States(id), ElementsAre(JobState::kQueued, JobState::kCancelled));
  EXPECT_EQ(Cancel(id)->state, JobState::kCancelled);  // idempotent
}

TEST_F(JobLife, ACancelledRunningJobReportsWhatItDid) {
  const std::string id = Run(Request());
  EXPECT_EQ(Cancel(id, "enough")->state, JobState::kRunning);
  EXPECT_EQ(box_->AwaitCancel(), "enough");
  EXPECT_TRUE(Cancel(id, "again").has_value());
  BoxEnd end;
  end.kind = BoxEnd::Kind::kCancelled;
  end.icount = 99;
  box_->End(end);
  const JobView view = AwaitState(id, JobState::kCancelled);
  EXPECT_EQ(view.outcome->end->icount, 99u);
}

TEST_F(JobLife, ACancelBeforeTheWorkerIsReadyReachesIt) {
  const std::string id = CreateId(Request());
  box_ = boxes_.Next();
  ASSERT_TRUE(Cancel(id, "early").has_value());
  EXPECT_EQ(box_->AwaitCancel(), "early");
  box_->Lose("killed");
  AwaitState(id, JobState::kCancelled);
}

TEST_F(JobLife, TheWallLimitEndsABox) {
  CreateRequest request = Request();
  request.spec.limits["wall"] = 1;
  CreateId(request);
  EXPECT_TRUE(boxes_.Next()->AwaitWallLimit());
}

TEST_F(JobLife, AJobThatNobodyWatchesIsCancelledIfItsClientSaidSo) {
  CreateRequest request = Request();
  request.cancel_if_unwatched_s = 1;
  const std::string id = CreateId(request);
  box_ = boxes_.Next();
  EXPECT_THAT(box_->AwaitCancel(), HasSubstr("nobody watched"));
}

TEST_F(JobLife, SignalsWaitForTheWorkerAndThenReachIt) {
  const std::string id = CreateId(Request());
  box_ = boxes_.Next();
  ASSERT_TRUE(manager_->Signal(id, 2).has_value());
  box_->Lock();
  EXPECT_EQ(box_->AwaitSignal(), 2);
  AwaitState(id, JobState::kRunning);
  ASSERT_TRUE(manager_->Signal(id, 15).has_value());
  EXPECT_EQ(box_->AwaitSignal(), 15);
  EXPECT_EQ(manager_->Signal(id, 0).error().field, "signal");
  EXPECT_EQ(manager_->Signal(id, 65).error().reason, "SIGNAL_NUMBER");
  box_->Exit(0);
  AwaitState(id, JobState::kSucceeded);
  EXPECT_EQ(manager_->Signal(id, 15).error().reason, "JOB_NOT_RUNNING");
}

TEST_F(JobLife, OutputAfterAnInputIsSeenOnceTheInputIsDurable) {
  const std::string id = Run(Request());
  box_->Say("before ");
  box_->Journal(2);
  box_->Say("after");
  AwaitView(id, [](const JobView& view) { return view.output_bytes == 12; });
  EXPECT_EQ(store_->reader().Journal(id).value().front().signal, 2);
  box_->Exit(0);
  EXPECT_EQ(AwaitState(id, JobState::kSucceeded).outcome->journal_records, 1u);
  EXPECT_EQ(Output(id), "before after");
}

TEST_F(JobLife, StdinFromABlobIsHandedOutInPieces) {
  CreateRequest request = Request();
  request.spec.stdin_blob = PutBlob("0123456789");
  Run(request);
  EXPECT_TRUE(box_->request().has_stdin);
  box_->WantInput(0, 4);
  auto input = box_->AwaitInput();
  EXPECT_EQ(input.bytes, "0123");
  EXPECT_FALSE(input.end);
  box_->WantInput(4, 100);
  input = box_->AwaitInput();
  EXPECT_EQ(input.bytes, "456789");
  EXPECT_TRUE(input.end);
  box_->WantInput(10, 100);
  input = box_->AwaitInput();
  EXPECT_EQ(input.bytes, "");
  EXPECT_TRUE(input.end);
}

TEST_F(JobLife, StreamedStdinWaitsForItsBytesAndItsReaderForRoom) {
  StopDaemon();
  options_.input_window = 8;
  StartDaemon();
  CreateRequest request = Request();
  request.spec.stdin_stream = true;
  const std::string id = Run(request);
  box_->WantInput(0, 100);
  EXPECT_FALSE(box_->HasInput());
  auto taken = manager_->WriteInput(id, 0, BytesOf("12345"), false).value();
  EXPECT_EQ(taken.stored, 5u);
  EXPECT_EQ(box_->AwaitInput().bytes, "12345");
  taken = manager_->WriteInput(id, 5, BytesOf("6789"), false).value();
  EXPECT_TRUE(taken.full);  // 9 bytes, where the guest stands at 0 and may be 8 behind
  box_->WantInput(5, 100);
  EXPECT_FALSE(manager_->WriteInput(id, 5, BytesOf("6789"), true)->full);
  const auto input = box_->AwaitInput();
  EXPECT_EQ(input.bytes, "6789");
  EXPECT_TRUE(input.end);
  EXPECT_EQ(manager_->Get(id)->input_bytes, 9u);
  std::promise<std::uint64_t> durable;
  manager_->SyncInput(
      id, [&](const Result<std::uint64_t, Error>& size) { durable.set_value(size.value()); });
  EXPECT_EQ(durable.get_future().get(), 9u);
  EXPECT_TRUE(store_->reader().FindInput(id).value()->ended);
  EXPECT_EQ(manager_->WriteInput(id, 10, BytesOf("x"), false).error().reason, "OFFSET_MISMATCH");
  box_->Exit(0);
  AwaitState(id, JobState::kSucceeded);
  EXPECT_TRUE(manager_->WriteInput(id, 9, BytesOf("late"), false)->job_ended);
}

TEST_F(JobLife, LiveStdinIsTypedAsSoonAsItCanBeAndMakesRoomByTheJournal) {
  StopDaemon();
  options_.input_window = 8;
  StartDaemon();
  CreateRequest request = Request();
  request.spec.stdin_live = true;
  request.spec.terminal = TerminalSize{24, 80};
  const std::string id = CreateId(request);
  box_ = boxes_.Next();
  EXPECT_TRUE(box_->request().live_input);
  EXPECT_EQ(box_->request().terminal, (TerminalSize{24, 80}));
  ASSERT_TRUE(manager_->WriteInput(id, 0, BytesOf("ear"), false).has_value());
  ASSERT_TRUE(manager_->Resize(id, {30, 90}).has_value());
  box_->Lock();
  EXPECT_EQ(box_->AwaitTyped(3), "ear");
  EXPECT_EQ(box_->AwaitResize(), (TerminalSize{30, 90}));
  AwaitState(id, JobState::kRunning);
  ASSERT_TRUE(manager_->WriteInput(id, 3, BytesOf("ly123"), false).has_value());
  EXPECT_EQ(box_->AwaitTyped(8), "early123");
  EXPECT_TRUE(manager_->WriteInput(id, 8, BytesOf("4"), false)->full);
  box_->Journal({.icount = 7, .input = "early"});
  EXPECT_FALSE(manager_->WriteInput(id, 8, BytesOf("4"), true)->full);
  EXPECT_EQ(box_->AwaitTyped(9), "early1234");
  EXPECT_TRUE(box_->typed_end());
  EXPECT_EQ(manager_->Resize(id, {0, 90}).error().reason, "TERMINAL_SIZE");
  box_->Exit(0);
  AwaitState(id, JobState::kSucceeded);
  EXPECT_EQ(manager_->Resize(id, {1, 1}).error().reason, "JOB_NOT_RUNNING");
}

TEST_F(JobLife, OnlyATerminalIsResized) {
  const std::string id = Run(Request());
  EXPECT_EQ(manager_->Resize(id, {1, 1}).error().reason, "NO_TERMINAL");
  CreateRequest request = Request();
  request.spec.terminal = TerminalSize{24, 80};
  EXPECT_EQ(CheckSpec(request.spec).error().reason, "TERMINAL_NOT_LIVE");
  request.spec.stdin_live = true;
  request.spec.terminal->columns = 65536;
  EXPECT_EQ(CheckSpec(request.spec).error().field, "spec.terminal");
}

TEST_F(JobLife, OnlyAStreamedStdinIsWritten) {
  const std::string id = Run(Request());
  EXPECT_EQ(manager_->WriteInput(id, 0, BytesOf("x"), false).error().reason, "NO_STREAMED_STDIN");
}

TEST_F(JobLife, ATraceBeyondItsCeilingFailsTheJob) {
  StopDaemon();
  options_.max_trace_bytes = 100;
  StartDaemon();
  CreateRequest request = Request();
  request.spec.trace_syscalls = true;
  const std::string id = Run(request);
  for (int i = 0; i < 10; ++i) box_->Trace("write");
  box_->AwaitKilled();
  box_->Lose("killed");
  EXPECT_EQ(AwaitState(id, JobState::kFailed).outcome->failure->reason, "TRACE_TOO_LARGE");
}

TEST_F(JobLife, ADeletedJobIsGoneWithItsFiles) {
  const std::string id = Run(Request());
  EXPECT_EQ(Delete(id).error().reason, "JOB_NOT_ENDED");
  box_->Say(std::string(300 << 10, 'x'));
  box_->Exit(0);
  AwaitState(id, JobState::kSucceeded);
  EXPECT_TRUE(std::filesystem::exists(directory_->output_log(id)));
  EXPECT_EQ(Output(id).size(), 300u << 10);
  ASSERT_TRUE(Delete(id).has_value());
  EXPECT_EQ(manager_->Get(id).error().reason, "JOB_NOT_FOUND");
  EXPECT_FALSE(std::filesystem::exists(directory_->output_log(id)));
  EXPECT_EQ(Delete(id).error().reason, "JOB_NOT_FOUND");
}

TEST_F(JobLife, EventsAreResumable) {
  const std::string id = Run(Request());
  const auto first = manager_->Events(id, 0).value();
  ASSERT_EQ(first.size(), 3u);
  box_->Exit(0);
  AwaitState(id, JobState::kSucceeded);
  const auto rest = manager_->Events(id, first.back().sequence).value();
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest.front().sequence, first.back().sequence + 1);
  EXPECT_TRUE(manager_->Events(id, 99).value().empty());
}

TEST_F(JobLife, ADaemonThatEndsHandsItsJobsBackWithoutCountingTheAttempt) {
  const std::string id = Run(Request());
  manager_->StopAdmission();
  EXPECT_FALSE(manager_->AwaitQuiet(std::chrono::milliseconds(1)));
  manager_->HandBack();
  box_->AwaitDropped();
  EXPECT_TRUE(manager_->AwaitQuiet(std::chrono::seconds(30)));
  box_->Exit(0);  // too late, and ignored
  Restart();
  EXPECT_EQ(boxes_.Next()->request().job_name, "jobs/" + id);
  AwaitState(id, JobState::kPreparing);
  EXPECT_EQ(manager_->Get(id)->attempts, 1u);
}

}  // namespace
}  // namespace glovebox::server
