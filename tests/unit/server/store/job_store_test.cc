#include "server/store/job_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>

#include "server/store/schema.h"
#include "tests/unit/server/store/scratch.h"
#include "tests/unit/server/store/sync_probe.h"

namespace glovebox::server {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

JobRow Row(const std::string& id) {
  JobRow row;
  row.id = id;
  row.state = 1;
  row.create_ns = 5;
  return row;
}

JobStore::Write Insert(const std::string& id) {
  return [id](Transaction& transaction) { return transaction.InsertJob(Row(id), "spec of " + id); };
}

std::unique_ptr<JobStore> Open(const Scratch& scratch) {
  auto store = JobStore::Open(scratch / "db");
  EXPECT_TRUE(store.has_value()) << store.error().message;
  return std::move(*store);
}

TEST(JobStore, WhatIsCommittedIsThereAfterReopening) {
  const Scratch scratch;
  {
    auto store = Open(scratch);
    ASSERT_TRUE(store->Commit(Insert("A"), Durability::kPower));
    JobRow changed = Row("A");
    changed.state = 3;
    changed.attempts = 2;
    changed.outcome = std::string("\0\xff", 2);
    ASSERT_TRUE(store->Commit(
        [&](Transaction& t) -> Result<void, Error> {
          const EventRow events[] = {{1, 10, 1, 0, "accepted"}, {2, 20, 3, 2, "runs"}};
          auto written = t.UpdateJob(changed);
          if (written) written = t.AddEvents("A", events);
          if (written) {
            written = t.AddJournal("A", 1,
                                   {.icount = 77,
                                    .signal = 9,
                                    .while_waiting = true,
                                    .step = 5,
                                    .input = std::string("a\0b", 3),
                                    .input_end = true,
                                    .rows = 30,
                                    .columns = 90});
          }
          if (written) written = t.PutLog("A", {LogKind::kOutput, 3, "abc"});
          if (written) written = t.PutLog("A", {LogKind::kTrace, 9, std::nullopt});
          if (written) written = t.PutInput("A", {12, true});
          return written;
        },
        Durability::kPower));
  }
  auto store = Open(scratch);
  JobReader& reader = store->reader();
  const auto row = reader.FindJob("A").value();
  ASSERT_TRUE(row);
  EXPECT_EQ(row->state, 3);
  EXPECT_EQ(row->attempts, 2u);
  EXPECT_EQ(row->create_ns, 5);
  EXPECT_EQ(row->tenant, "default");
  EXPECT_EQ(row->outcome, std::string("\0\xff", 2));
  EXPECT_EQ(reader.FindSpec("A").value(), "spec of A");
  EXPECT_THAT(reader.Events("A", 1).value(), SizeIs(1));
  EXPECT_EQ(reader.Events("A", 0).value().front().message, "accepted");
  const JournalRow record = reader.Journal("A").value().front();
  EXPECT_EQ(record.icount, 77u);
  EXPECT_EQ(record.step, 5u);
  EXPECT_EQ(record.input, std::string("a\0b", 3));
  EXPECT_TRUE(record.input_end);
  EXPECT_EQ(record.rows, 30u);
  EXPECT_EQ(record.columns, 90u);
  EXPECT_EQ(reader.FindLog("A", LogKind::kOutput).value()->frames, "abc");
  EXPECT_FALSE(reader.FindLog("A", LogKind::kTrace).value()->frames.has_value());
  EXPECT_EQ(reader.LogUnits("A", LogKind::kTrace).value(), 9u);
  EXPECT_TRUE(reader.FindInput("A").value()->ended);
}

TEST(JobStore, AFailingUnitTakesNothingElseWithIt) {
  const Scratch scratch;
  auto store = Open(scratch);
  // The first unit keeps the writer busy, so that the other three wait together and share a
  // transaction.
  std::promise<void> begun;
  std::promise<void> go;
  std::vector<bool> results;
  std::promise<void> all;
  const auto note = [&](const Result<void, Error>& result) {
    results.push_back(result.has_value());
    if (results.size() == 4) all.set_value();
  };
  store->Submit(
      [&](Transaction&) {
        begun.set_value();
        go.get_future().wait();
        return Result<void, Error>();
      },
      Durability::kCrash, note);
  begun.get_future().wait();
  store->Submit(Insert("A"), Durability::kPower, note);
  store->Submit(
      [](Transaction& t) -> Result<void, Error> {
        EXPECT_TRUE(t.InsertJob(Row("B"), "half done"));
        return Fail(ErrorCode::kInternal, "WHATEVER", "the second half fails");
      },
      Durability::kPower, note);
  store->Submit(Insert("C"), Durability::kPower, note);
  go.set_value();
  all.get_future().wait();
  EXPECT_THAT(results, ElementsAre(true, true, false, true));
  EXPECT_TRUE(store->reader().FindJob("A").value());
  EXPECT_FALSE(store->reader().FindJob("B").value());
  EXPECT_TRUE(store->reader().FindJob("C").value());
}

TEST(JobStore, UnitsThatWaitTogetherShareOneFsync) {
  const Scratch scratch;
  auto store = Open(scratch);
  ASSERT_TRUE(store->Commit(Insert("first"), Durability::kPower));  // the log file is there now
  std::promise<void> begun;
  std::promise<void> go;
  store->Submit(
      [&](Transaction&) {
        begun.set_value();
        go.get_future().wait();
        return Result<void, Error>();
      },
      Durability::kCrash, [](const Result<void, Error>&) {});
  begun.get_future().wait();
  ResetSyncCount();
  std::promise<void> last;
  for (int i = 0; i < 50; ++i) {
    store->Submit(Insert("job" + std::to_string(i)), Durability::kPower,
                  [&last, i](const Result<void, Error>& result) {
                    EXPECT_TRUE(result.has_value());
                    if (i == 49) last.set_value();
                  });
  }
  go.set_value();
  last.get_future().wait();
  EXPECT_EQ(SyncCount(), 1u);
}

TEST(JobStore, WhatNeedsToOutliveOnlyTheDaemonIsNotSynced) {
  const Scratch scratch;
  auto store = Open(scratch);
  ASSERT_TRUE(store->Commit(Insert("A"), Durability::kPower));
  ResetSyncCount();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(
        store->Commit([](Transaction& t) { return t.UpdateJob(Row("A")); }, Durability::kCrash));
  }
  EXPECT_EQ(SyncCount(), 0u);
}

TEST(JobStore, AFailedFsyncFailsTheCommitAndTheNextOneWorks) {
  const Scratch scratch;
  auto store = Open(scratch);
  ASSERT_TRUE(store->Commit(Insert("A"), Durability::kPower));
  SetSyncHook([](const std::string& path) { return path.ends_with("-wal") ? EIO : 0; });
  const auto failed = store->Commit(Insert("B"), Durability::kPower);
  SetSyncHook(nullptr);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().reason, "STORE_IO");
  EXPECT_FALSE(store->reader().FindJob("B").value());
  EXPECT_TRUE(store->Commit(Insert("C"), Durability::kPower));
  EXPECT_TRUE(store->reader().FindJob("C").value());
}

TEST(JobStore, ListsNewestFirstByStateAndInPages) {
  const Scratch scratch;
  auto store = Open(scratch);
  for (const char* id : {"01", "02", "03", "04"}) {
    ASSERT_TRUE(store->Commit(
        [id](Transaction& t) {
          JobRow row = Row(id);
          row.state = id[1] == '2' ? 6 : 1;
          return t.InsertJob(row, "");
        },
        Durability::kCrash));
  }
  const auto ids = [&](const JobQuery& query) {
    std::vector<std::string> found;
    const auto rows = store->reader().ListJobs(query);
    for (const JobRow& row : rows.value()) found.push_back(row.id);
    return found;
  };
  EXPECT_THAT(ids({}), ElementsAre("04", "03", "02", "01"));
  EXPECT_THAT(ids({.before_id = "03", .states = {}, .limit = 1}), ElementsAre("02"));
  EXPECT_THAT(ids({.before_id = "", .states = {6}, .limit = 9}), ElementsAre("02"));
  EXPECT_THAT(ids({.tenant = "somebody else", .before_id = "", .states = {}, .limit = 9}),
              ElementsAre());
}

TEST(JobStore, DeletingAJobLeavesNothingOfIt) {
  const Scratch scratch;
  auto store = Open(scratch);
  const Digest blob = DigestOf({});
  ASSERT_TRUE(store->Commit(
      [&](Transaction& t) -> Result<void, Error> {
        auto written = t.InsertJob(Row("A"), "spec");
        if (written) written = t.PutRequestId("default", "r", {"A", "body"});
        if (written) written = t.PutBlobRef("default", {blob, "A"});
        return written;
      },
      Durability::kPower));
  EXPECT_EQ(store->reader().FindRequestId("default", "r").value()->body, "body");
  ASSERT_TRUE(store->Commit([](Transaction& t) { return t.DeleteJob("A"); }, Durability::kPower));
  EXPECT_FALSE(store->reader().FindJob("A").value());
  EXPECT_FALSE(store->reader().FindSpec("A").value());
  EXPECT_FALSE(store->reader().FindRequestId("default", "r").value());
}

TEST(JobStore, KeepsTheClosureOfARoot) {
  const Scratch scratch;
  auto store = Open(scratch);
  Digest root = DigestOf({});
  std::vector<Digest> blobs = {root, DigestOf(std::as_bytes(std::span("x", 1)))};
  std::sort(blobs.begin(), blobs.end());
  EXPECT_FALSE(store->reader().FindRoot(root).value());
  ASSERT_TRUE(
      store->Commit([&](Transaction& t) { return t.PutRoot(root, blobs); }, Durability::kPower));
  EXPECT_EQ(store->reader().FindRoot(root).value(), blobs);
  root.size_bytes = 1;  // another name
  EXPECT_FALSE(store->reader().FindRoot(root).value());
}

TEST(JobStore, AStoreOfALaterGloveboxIsRefused) {
  const Scratch scratch;
  Open(scratch).reset();
  {
    auto database = Database::Open(scratch / "db", Database::Mode::kReadWriteCreate).value();
    ASSERT_TRUE(database.Execute("INSERT INTO schema_migrations VALUES (99, 'of tomorrow')"));
  }
  const auto store = JobStore::Open(scratch / "db");
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().reason, "STORE_TOO_NEW");
}

TEST(JobStore, AFileThatIsNoDatabaseIsRefused) {
  const Scratch scratch;
  {
    auto store = Open(scratch);
    ASSERT_TRUE(store->Commit(Insert("A"), Durability::kPower));
  }
  std::filesystem::resize_file(scratch / "db", 0);
  std::filesystem::resize_file(scratch / "db", 8192);
  const auto store = JobStore::Open(scratch / "db");
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().reason, "STORE_DAMAGED");
}

TEST(JobStore, ALongLogIsCopiedIntoTheDatabase) {
  const Scratch scratch;
  auto store = Open(scratch);
  const std::string big(1 << 20, 'x');
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(
        store->Commit([&](Transaction& t) { return t.PutMeta("k" + std::to_string(i), big); },
                      Durability::kPower));
  }
  store.reset();  // the writer has done what it had to
  EXPECT_GT(std::filesystem::file_size(scratch / "db"), 4u << 20);
}

}  // namespace
}  // namespace glovebox::server
