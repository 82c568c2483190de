#include "server/store/frame_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/server/store/scratch.h"
#include "tests/unit/server/store/sync_probe.h"

namespace glovebox::server {
namespace {

using Unit = FrameLog::Unit;

Result<void, Error> Add(FrameLog& log, std::string_view payload, std::uint32_t kind = 1,
                        std::uint64_t icount = 7) {
  const FrameLog::NewFrame frame{kind, icount, payload};
  return log.Append(std::span(&frame, 1));
}

// Everything from `position` on, read in pieces.
std::string ReadAll(const FrameLog& log, std::uint64_t position = 0, std::size_t piece = 64 << 10) {
  std::string all;
  while (true) {
    const auto frames = log.Read(position, piece).value();
    if (frames.empty()) return all;
    for (const Frame& frame : frames) {
      EXPECT_EQ(frame.position, position);
      position += frame.payload.size();
      all += frame.payload;
    }
  }
}

TEST(FrameLog, ReadsFromAnyByteOnInMemoryAndInAFile) {
  for (const std::size_t memory : {std::size_t{1} << 20, std::size_t{100}}) {
    const Scratch scratch;
    FrameLog log(Unit::kBytes, scratch / "log", memory);
    std::string expected;
    for (int i = 0; i < 200; ++i) {
      const std::string payload(static_cast<std::size_t>(i % 17 + 1),
                                static_cast<char>('a' + i % 26));
      ASSERT_TRUE(Add(log, payload, 1 + i % 2, static_cast<std::uint64_t>(i)));
      expected += payload;
    }
    EXPECT_EQ(log.spilled(), memory == 100);
    EXPECT_EQ(log.visible_end(), expected.size());
    for (const std::size_t from : {0u, 1u, 16u, 17u, 500u}) {
      EXPECT_EQ(ReadAll(log, from, 50), expected.substr(from)) << "from " << from;
    }
    const auto tail = log.Read(expected.size() - 1, 1'000).value();
    ASSERT_EQ(tail.size(), 1u);
    EXPECT_EQ(tail.front().icount, 199u);
    EXPECT_EQ(tail.front().kind, 2u);
    EXPECT_TRUE(log.Read(expected.size(), 10).value().empty());
    EXPECT_TRUE(log.Read(expected.size() + 10, 10).value().empty());
  }
}

TEST(FrameLog, FramesLargerThanAReadComeWhole) {
  const Scratch scratch;
  FrameLog log(Unit::kFrames, scratch / "log", 0);
  const std::string big(3 << 20, 'x');
  ASSERT_TRUE(Add(log, "small"));
  ASSERT_TRUE(Add(log, big));
  ASSERT_TRUE(Add(log, "last"));
  const auto frames = log.Read(1, 1).value();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames.front().payload, big);
  EXPECT_EQ(log.Read(2, 1).value().front().payload, "last");
}

TEST(FrameLog, PositionsOfATraceCountFrames) {
  const Scratch scratch;
  FrameLog log(Unit::kFrames, scratch / "log", 64);
  for (int i = 0; i < 5'000; ++i) ASSERT_TRUE(Add(log, "event " + std::to_string(i)));
  EXPECT_EQ(log.visible_end(), 5'000u);
  const auto frames = log.Read(4'321, 1).value();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames.front().position, 4'321u);
  EXPECT_EQ(frames.front().payload, "event 4321");
}

TEST(FrameLog, WhatComesAfterAHoldIsSeenWhenItIsReleased) {
  const Scratch scratch;
  FrameLog log(Unit::kBytes, scratch / "log");
  ASSERT_TRUE(Add(log, "before"));
  log.Hold();
  ASSERT_TRUE(Add(log, "first"));
  log.Hold();
  ASSERT_TRUE(Add(log, "second"));
  EXPECT_EQ(ReadAll(log), "before");
  EXPECT_EQ(log.end(), 17u);
  log.Release();
  EXPECT_EQ(ReadAll(log), "beforefirst");
  log.Release();
  EXPECT_EQ(ReadAll(log), "beforefirstsecond");
}

TEST(FrameLog, ALogOfAnEndedJobReadsTheSameFromMemoryAndFile) {
  const Scratch scratch;
  FrameLog small(Unit::kBytes, scratch / "small");
  FrameLog large(Unit::kBytes, scratch / "large", 10);
  for (int i = 0; i < 3'000; ++i) {
    ASSERT_TRUE(Add(small, "line " + std::to_string(i) + "\n"));
    ASSERT_TRUE(Add(large, "line " + std::to_string(i) + "\n"));
  }
  const auto frames = small.FramesForCommit();
  ASSERT_TRUE(frames.has_value());
  EXPECT_FALSE(large.FramesForCommit().has_value());
  const auto from_memory = FrameLog::FromMemory(Unit::kBytes, *frames, small.end()).value();
  const auto from_file = FrameLog::FromFile(Unit::kBytes, scratch / "large", large.end()).value();
  EXPECT_EQ(ReadAll(*from_memory, 5), ReadAll(small, 5));
  EXPECT_EQ(ReadAll(*from_file, 5), ReadAll(small, 5));
}

TEST(FrameLog, AStoredLogThatLostItsTailIsDamaged) {
  const Scratch scratch;
  FrameLog log(Unit::kBytes, scratch / "log", 0);
  ASSERT_TRUE(Add(log, "hello"));
  ASSERT_TRUE(Add(log, "world"));
  std::filesystem::resize_file(scratch / "log", std::filesystem::file_size(scratch / "log") - 1);
  const auto reopened = FrameLog::FromFile(Unit::kBytes, scratch / "log", 10);
  ASSERT_FALSE(reopened.has_value());
  EXPECT_EQ(reopened.error().reason, "OUTPUT_DAMAGED");
  EXPECT_EQ(FrameLog::FromFile(Unit::kBytes, scratch / "none", 10).error().code,
            ErrorCode::kDataLoss);
  EXPECT_EQ(FrameLog::FromMemory(Unit::kBytes, "rubbish that is no frame", 3).error().reason,
            "OUTPUT_DAMAGED");
}

TEST(FrameLog, OnlyASpilledLogIsSynced) {
  const Scratch scratch;
  FrameLog small(Unit::kBytes, scratch / "small");
  ASSERT_TRUE(Add(small, "x"));
  ResetSyncCount();
  ASSERT_TRUE(small.Sync());
  EXPECT_EQ(SyncCount(), 0u);
  EXPECT_FALSE(std::filesystem::exists(scratch / "small"));
  FrameLog large(Unit::kBytes, scratch / "large", 0);
  ASSERT_TRUE(Add(large, "x"));
  ASSERT_TRUE(large.Sync());
  EXPECT_EQ(SyncCount(), 2u);  // the file, and its directory
}

TEST(FrameLog, AfterAFailedWriteNothingMoreIsTaken) {
  const Scratch scratch;
  std::filesystem::create_directory(scratch / "log");  // so it cannot be opened
  FrameLog log(Unit::kBytes, scratch / "log", 40);
  ASSERT_TRUE(Add(log, "fits"));
  EXPECT_FALSE(Add(log, "too much for memory"));
  EXPECT_FALSE(Add(log, "y"));
  EXPECT_EQ(ReadAll(log), "fits");
}

TEST(FrameLog, ALogFromAnEarlierAttemptIsReplaced) {
  const Scratch scratch;
  std::ofstream(scratch / "log") << "what an attempt left that was killed";
  FrameLog log(Unit::kBytes, scratch / "log", 0);
  ASSERT_TRUE(Add(log, "new"));
  EXPECT_EQ(ReadAll(log), "new");
  EXPECT_EQ(ReadAll(*FrameLog::FromFile(Unit::kBytes, scratch / "log", 3).value()), "new");
}

}  // namespace
}  // namespace glovebox::server
