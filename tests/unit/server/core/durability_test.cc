// What is on disk when, and what happens when a disk fails or the daemon dies in between.
#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>

#include <atomic>

#include "tests/unit/server/core/manager_fixture.h"
#include "tests/unit/server/store/sync_probe.h"

namespace glovebox::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::size_t kMoreThanMemory = FrameLog::kDefaultMemoryLimit + 1;

class Durable : public ManagerFixture {
 protected:
  std::shared_ptr<FakeBox> Run(const std::string& id) {
    auto box = boxes_.Next();
    box->Lock();
    AwaitState(id, JobState::kRunning);
    return box;
  }
};

TEST_F(Durable, AJobWhoseBlobsAreThereCostsTwoFsyncs) {
  CreateRequest request = Request();
  request.spec.trace_syscalls = true;
  const std::string first = CreateId(request);  // its closure is known from now on
  boxes_.Next()->Exit(0);
  AwaitState(first, JobState::kSucceeded);
  for (int i = 0; i < 5; ++i) {
    ResetSyncCount();
    const std::string id = CreateId(request);
    EXPECT_EQ(SyncCount(), 1u);  // accepted
    const auto box = Run(id);
    box->Say("hello\n");
    box->Trace("write");
    EXPECT_EQ(SyncCount(), 1u);  // PREPARING, RUNNING and output cost none
    box->Exit(0);
    AwaitState(id, JobState::kSucceeded);
    EXPECT_EQ(SyncCount(), 2u);  // the result
  }
}

TEST_F(Durable, ALargeLogIsDurableBeforeTheResultIsCommitted) {
  const std::string id = CreateId(Request());
  const auto box = Run(id);
  box->Say(std::string(kMoreThanMemory, 'x'));
  std::mutex mutex;
  std::vector<std::string> order;
  SetSyncHook([&](const std::string& path) {
    const std::lock_guard lock(mutex);
    order.push_back(path.ends_with("-wal")      ? "result"
                    : path.ends_with(".output") ? "log"
                                                : "directory");
    // Nothing is to be seen before everything is durable.
    EXPECT_EQ(manager_->Get(id)->outcome->end.has_value() && IsTerminal(manager_->Get(id)->state),
              false);
    return kPretend;
  });
  box->Exit(0);
  AwaitState(id, JobState::kSucceeded);
  SetSyncHook(nullptr);
  EXPECT_THAT(order, ElementsAre("log", "directory", "result"));
}

TEST_F(Durable, AnOutputThatCannotBeMadeDurableFailsTheJob) {
  const std::string id = CreateId(Request());
  const auto box = Run(id);
  box->Say(std::string(kMoreThanMemory, 'x'));
  SetSyncHook([](const std::string& path) { return path.ends_with(".output") ? EIO : kPretend; });
  box->Exit(0);
  const JobView view = AwaitState(id, JobState::kFailed);
  EXPECT_EQ(view.outcome->failure->reason, "OUTPUT_NOT_STORED");
}

// The box has ended well before anybody knows that the record of its input is lost: the job cannot
// be replayed, and what it wrote after the input was never to be seen.
TEST_F(Durable, AJournalThatCannotBeStoredFailsTheJobAlsoAfterItsEnd) {
  const std::string id = CreateId(Request());
  const auto box = Run(id);
  absl::Notification ended;
  std::atomic<bool> failed = false;
  SetSyncHook([&](const std::string& path) {
    if (!path.ends_with("-wal") || failed.exchange(true)) return kPretend;
    ended.WaitForNotification();
    return EIO;
  });
  box->Journal(10);
  box->Say("seen too early\n");
  box->Exit(0);
  ended.Notify();
  const JobView view = AwaitState(id, JobState::kFailed);
  SetSyncHook(nullptr);
  EXPECT_TRUE(failed);
  EXPECT_TRUE(view.outcome->failure.has_value());
}

TEST_F(Durable, AnOutputThatCannotBeWrittenEndsTheBox) {
  const std::string id = CreateId(Request());
  const auto box = Run(id);
  std::filesystem::create_directory(directory_->output_log(id));  // in the way of the log's file
  box->Say(std::string(kMoreThanMemory, 'x'));
  box->AwaitKilled();
  box->Lose("killed");
  EXPECT_EQ(AwaitState(id, JobState::kFailed).outcome->failure->reason, "STORE_IO");
}

TEST_F(Durable, AResultWhoseCommitFailsStaysUnseenUntilItSucceeds) {
  const std::string id = CreateId(Request());
  const auto box = Run(id);
  box->Say("output");
  std::atomic<int> failures = 3;
  std::atomic<bool> seen_early = false;
  SetSyncHook([&](const std::string& path) {
    if (!path.ends_with("-wal")) return kPretend;
    if (IsTerminal(manager_->Get(id)->state)) seen_early = true;
    return failures-- > 0 ? EIO : kPretend;
  });
  box->Exit(5);
  const JobView view = AwaitState(id, JobState::kSucceeded);
  SetSyncHook(nullptr);
  EXPECT_EQ(view.outcome->end->code, 5);
  EXPECT_FALSE(seen_early);
  EXPECT_LT(failures, 0);
  EXPECT_EQ(Output(id), "output");
  EXPECT_THAT(States(id), ElementsAre(JobState::kQueued, JobState::kPreparing, JobState::kRunning,
                                      JobState::kFinalizing, JobState::kSucceeded));
}

TEST_F(Durable, AJobWhoseAcceptanceCannotBeCommittedIsRefused) {
  const CreateRequest request = Request();
  SetSyncHook([](const std::string& path) { return path.ends_with("-wal") ? EIO : kPretend; });
  const auto refused = Create(request);
  SetSyncHook(nullptr);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().reason, "STORE_IO");
  EXPECT_TRUE(boxes_.Empty());
  EXPECT_TRUE(manager_->List({}).value().jobs.empty());
  EXPECT_TRUE(Create(request).has_value());
}

TEST_F(Durable, AJournalRecordThatCannotBeStoredFailsTheJobAndHidesWhatFollowed) {
  const std::string id = CreateId(Request());
  const auto box = Run(id);
  box->Say("before");
  SetSyncHook([](const std::string& path) { return path.ends_with("-wal") ? EIO : kPretend; });
  box->Journal(2);
  box->Say("after");
  box->AwaitKilled();
  EXPECT_EQ(Output(id), "before");
  SetSyncHook(nullptr);
  box->Lose("killed");
  EXPECT_EQ(AwaitState(id, JobState::kFailed).outcome->failure->reason, "STORE_IO");
}

TEST_F(Durable, AfterARestartWhatRanRunsAgainAndReadersNoticeNothing) {
  const std::string ended = CreateId(Request());
  {
    const auto box = Run(ended);
    box->Say("done");
    box->Exit(0);
    AwaitState(ended, JobState::kSucceeded);
  }
  const std::string running = CreateId(Request());
  Run(running)->Say("0123456789");
  const std::string large = CreateId(Request());
  const std::string big(kMoreThanMemory, 'y');
  Run(large)->Say(big);
  const std::string queued = CreateId(Request());
  ASSERT_TRUE(std::filesystem::exists(directory_->output_log(large)));
  Restart();

  EXPECT_EQ(manager_->Get(ended)->state, JobState::kSucceeded);
  EXPECT_EQ(Output(ended), "done");
  auto first = boxes_.Next();
  auto second = boxes_.Next();
  // Two threads start them.
  if (first->request().job_name != "jobs/" + running) std::swap(first, second);
  EXPECT_EQ(first->request().job_name, "jobs/" + running);
  EXPECT_EQ(second->request().job_name, "jobs/" + large);
  EXPECT_FALSE(std::filesystem::exists(directory_->output_log(large)));  // the first attempt's
  EXPECT_EQ(Output(running), "");
  // A reader that had seen six bytes waits until the second attempt is as far.
  const auto watch = manager_->Watch(running, [] {}).value();
  EXPECT_TRUE(watch->feed().output->Read(6, 100)->empty());
  first->Lock();
  first->Say("01234567");
  EXPECT_EQ(watch->feed().output->Read(6, 100)->front().payload, "67");
  first->Say("89");
  first->Exit(0);
  const JobView view = AwaitState(running, JobState::kSucceeded);
  EXPECT_EQ(view.attempts, 2u);
  EXPECT_EQ(Output(running), "0123456789");
  EXPECT_THAT(States(running),
              ElementsAre(JobState::kQueued, JobState::kPreparing, JobState::kRunning,
                          JobState::kQueued, JobState::kPreparing, JobState::kRunning,
                          JobState::kFinalizing, JobState::kSucceeded));
  EXPECT_EQ(boxes_.Next()->request().job_name, "jobs/" + queued);
}

TEST_F(Durable, AJobThatIsBrokenOffThreeTimesFails) {
  const std::string id = CreateId(Request());
  for (std::uint32_t attempt = 1; attempt <= kMaxAttempts; ++attempt) {
    Run(id);
    EXPECT_EQ(manager_->Get(id)->attempts, attempt);
    Restart();
  }
  const JobView view = AwaitState(id, JobState::kFailed);
  EXPECT_EQ(view.outcome->failure->reason, "TOO_MANY_ATTEMPTS");
  EXPECT_EQ(view.attempts, kMaxAttempts);
  EXPECT_TRUE(boxes_.Empty());
}

TEST_F(Durable, ARunAfterARestartReplaysTheJournal) {
  const std::string id = CreateId(Request());
  {
    const auto box = Run(id);
    EXPECT_TRUE(box->request().journal.empty());
    box->Journal(10);
    box->Say("x");
    AwaitView(id, [](const JobView& view) { return view.output_bytes == 1; });
  }
  Restart();
  const auto box = boxes_.Next();
  ASSERT_EQ(box->request().journal.size(), 1u);
  EXPECT_EQ(box->request().journal.front().signal, 10);
  EXPECT_EQ(box->request().journal.front().icount, 50u);
  EXPECT_TRUE(box->request().journal.front().while_waiting);
}

TEST_F(Durable, LiveInputGoesOnBehindTheJournalAfterARestart) {
  CreateRequest request = Request();
  request.spec.stdin_live = true;
  request.spec.terminal = TerminalSize{24, 80};
  const std::string id = CreateId(request);
  const JournalRecord typed{
      .icount = 50, .while_waiting = true, .step = 3, .input = std::string("ab\0\r", 4)};
  const JournalRecord resized{.icount = 60, .resize = TerminalSize{1, 2}};
  {
    const auto box = Run(id);
    ASSERT_TRUE(
        manager_->WriteInput(id, 0, BytesOf(std::string("ab\0\rrest", 8)), true).has_value());
    box->AwaitTyped(8);
    box->Journal(typed);
    box->Journal(resized);
    std::promise<void> durable;
    manager_->SyncInput(id, [&](const Result<std::uint64_t, Error>&) { durable.set_value(); });
    durable.get_future().wait();
    AwaitView(id, [](const JobView& view) { return view.outcome->journal_records == 2; });
  }
  Restart();
  const auto box = boxes_.Next();
  ASSERT_EQ(box->request().journal.size(), 2u);
  EXPECT_EQ(box->request().journal[0], typed);
  EXPECT_EQ(box->request().journal[1], resized);
  box->Lock();
  EXPECT_EQ(box->AwaitTyped(4), "rest");
  EXPECT_TRUE(box->typed_end());
}

TEST_F(Durable, InputsOfAnotherEpochAreNotReplayed) {
  const std::string id = CreateId(Request());
  Run(id)->Journal(10);
  AwaitView(id, [](const JobView& view) { return view.outcome->journal_records == 1; });
  Restart();
  const auto box = boxes_.Next();
  box->Lock(2);  // the first attempt was of epoch 1
  box->AwaitKilled();
  box->Lose("killed");
  const JobView view = AwaitState(id, JobState::kFailed);
  EXPECT_EQ(view.outcome->failure->reason, "EPOCH_UNAVAILABLE");
  EXPECT_EQ(view.epoch, 1u);
}

TEST_F(Durable, ACancelOutlivesTheDaemon) {
  const std::string id = CreateId(Request());
  Run(id);
  ASSERT_TRUE(Cancel(id, "stop it").has_value());
  Restart();
  AwaitState(id, JobState::kCancelled);
  EXPECT_TRUE(boxes_.Empty());
}

TEST_F(Durable, StreamedStdinIsReadAgainAfterARestart) {
  CreateRequest request = Request();
  request.spec.stdin_stream = true;
  const std::string id = CreateId(request);
  Run(id);
  ASSERT_TRUE(manager_->WriteInput(id, 0, BytesOf("typed once"), true).has_value());
  std::promise<void> durable;
  manager_->SyncInput(id, [&](const Result<std::uint64_t, Error>&) { durable.set_value(); });
  durable.get_future().wait();
  Restart();
  const auto box = Run(id);
  box->WantInput(0, 100);
  const auto input = box->AwaitInput();
  EXPECT_EQ(input.bytes, "typed once");
  EXPECT_TRUE(input.end);
}

TEST_F(Durable, OneDamagedJobKeepsNoOtherFromRunning) {
  StopDaemon();
  options_.concurrent_boxes = 1;
  StartDaemon();
  const std::string blocker = CreateId(Request());
  const std::string damaged = CreateId(Request());
  const std::string whole = CreateId(Request());
  boxes_.Next()->Exit(0);
  AwaitState(blocker, JobState::kSucceeded);
  StopDaemon();
  {
    auto database =
        Database::Open(scratch_ / "store/glovebox.db", Database::Mode::kReadWriteCreate).value();
    auto spoil = database.Prepare("UPDATE specs SET spec = x'017f' WHERE job = ?1").value();
    ASSERT_TRUE(spoil.Bind(std::string_view(damaged)).Run());
  }
  while (!boxes_.Empty()) boxes_.Next();
  StartDaemon();
  EXPECT_EQ(boxes_.Next()->request().job_name, "jobs/" + whole);
  EXPECT_EQ(manager_->Get(damaged).error().reason, "RECORD_DAMAGED");
}

}  // namespace
}  // namespace glovebox::server
