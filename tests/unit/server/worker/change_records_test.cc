// What debuggers change, in the journal's form.
#include "server/worker/change_records.h"

#include <gtest/gtest.h>

#include "server/channel/bounds.h"

namespace glovebox::worker {
namespace {

using engine::DebugChange;

RecordedChange Write(std::size_t bytes) {
  RecordedChange recorded;
  recorded.change.thread = {2, 3};
  recorded.change.address = 0x1000;
  recorded.change.bytes.resize(bytes, std::byte{0x5a});
  recorded.place = {ChangePlace::Kind::kDelivery, {2, 5}, 11, 0x4444};
  return recorded;
}

TEST(ChangeRecordsTest, EachKindAndPlaceComesBack) {
  for (const auto kind :
       {DebugChange::Kind::kMemory, DebugChange::Kind::kRegisters, DebugChange::Kind::kSignal,
        DebugChange::Kind::kSiginfo, DebugChange::Kind::kSchedule, DebugChange::Kind::kKill}) {
    for (const auto place : {ChangePlace::Kind::kInstruction, ChangePlace::Kind::kDelivery,
                             ChangePlace::Kind::kCallEntry}) {
      RecordedChange recorded = Write(3);
      recorded.change.kind = kind;
      recorded.change.number = 9;
      recorded.place.kind = place;
      const auto records = EncodeChange(recorded);
      ASSERT_EQ(records.size(), 1U);
      const auto back = DecodeChange(records[0]);
      ASSERT_TRUE(back.has_value());
      EXPECT_EQ(back->change.kind, kind);
      EXPECT_EQ(back->change.number, 9U);
      EXPECT_EQ(back->change.address, 0x1000U);
      EXPECT_EQ(back->change.thread, recorded.change.thread);
      EXPECT_EQ(back->change.bytes, recorded.change.bytes);
      EXPECT_EQ(back->place, recorded.place);
    }
  }
}

TEST(ChangeRecordsTest, MuchMemoryIsSeveralRecordsThatEachFit) {
  const auto records = EncodeChange(Write(200'000));
  ASSERT_GT(records.size(), 1U);
  engine::GuestAddr next = 0x1000;
  for (const std::string& record : records) {
    EXPECT_LE(record.size(), channel::kMaxChangeBytes);
    const auto back = DecodeChange(record);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->change.address, next);
    next += back->change.bytes.size();
  }
  EXPECT_EQ(next, 0x1000U + 200'000U);
}

TEST(ChangeRecordsTest, WhatNoWorkerWroteIsNothing) {
  EXPECT_FALSE(DecodeChange("\xff\xff\xff").has_value());
  EXPECT_FALSE(DecodeChange("").has_value());  // of no kind
  wire::DebugChange strange;
  strange.set_kind(static_cast<wire::DebugChange::Kind>(77));
  EXPECT_FALSE(DecodeChange(strange.SerializeAsString()).has_value());
}

TEST(ChangeRecordsTest, TheJournalHasABound) {
  std::size_t written = 0;
  ChangeJournal journal(channel::kMaxChangesBytes - 170'000,
                        [&](const std::string& record) { written += record.size(); });
  ASSERT_TRUE(journal.Takes(60'000));
  const RecordedChange recorded = Write(60'000);
  journal.Take(recorded.change, recorded.place);
  EXPECT_GT(written, 60'000U);
  EXPECT_FALSE(journal.Takes(60'000));
  EXPECT_TRUE(journal.Takes(100));
  // What is made again is on record already.
  journal.Pause(true);
  EXPECT_TRUE(journal.Takes(60'000));
  const std::size_t before = written;
  journal.Take(recorded.change, recorded.place);
  EXPECT_EQ(written, before);
}

TEST(ChangeRecordsTest, WhatIsNotMadeAgainIsSaidOnceAndWithoutItsBytes) {
  std::vector<std::string> records;
  ChangeJournal journal(0, [&](std::string record) { records.push_back(std::move(record)); });
  DebugChange change;
  change.kind = DebugChange::Kind::kFileWrite;
  change.bytes.resize(1 << 20);
  for (int i = 0; i < 100; ++i) journal.Take(change, {});
  change = {};
  change.kind = DebugChange::Kind::kLaunch;
  journal.Take(change, {});
  ASSERT_EQ(records.size(), 1U);
  EXPECT_FALSE(records[0].empty());
  EXPECT_LT(records[0].size(), 100U);
  EXPECT_FALSE(DecodeChange(records[0]).has_value());
}

TEST(ChangeRecordsTest, ThreadsOutOfTurnAreToldOnce) {
  int told = 0;
  ChangeJournal journal(0, [&](const std::string&) { ++told; });
  DebugChange change;
  change.kind = DebugChange::Kind::kSchedule;
  for (int i = 0; i < 1'000; ++i) journal.Take(change, {});
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace glovebox::worker
