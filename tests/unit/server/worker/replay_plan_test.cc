// Where the replay of a job stands, by how the job ended.
#include "server/worker/replay_plan.h"

#include <gtest/gtest.h>

#include <string>

namespace glovebox::worker {
namespace {

using engine::DebugEvent;
using engine::Moment;

wire::Replay Of(wire::Ended::Kind kind, std::uint64_t icount, std::optional<std::uint64_t> step,
                int code = 0, const std::string& limit = "") {
  wire::Replay replay;
  wire::Ended& end = *replay.mutable_end();
  end.set_kind(kind);
  end.set_icount(icount);
  if (step) end.set_step(*step);
  end.set_code(code);
  end.set_limit(limit);
  end.set_output_bytes(5);
  end.set_trace_hash("aa");
  return replay;
}

engine::BoxReport At(std::uint64_t icount, std::uint64_t output_bytes = 5) {
  engine::BoxReport report;
  report.icount = icount;
  report.output_bytes = output_bytes;
  report.trace_hash = "aa";
  return report;
}

bool Says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(ReplayPlanTest, AnExitStandsBeforeItsCallIsServed) {
  const ReplayPlan plan(Of(wire::Ended::EXITED, 100, 1, 7));
  EXPECT_EQ(plan.stand(), Moment(100, 0));
  EXPECT_FALSE(plan.awaits_event());
  EXPECT_TRUE(plan.at_end());
  EXPECT_TRUE(Says(plan.Describe(At(100)), "status 7"));
  EXPECT_FALSE(Says(plan.Describe(At(100)), "DIFFERS"));
}

TEST(ReplayPlanTest, ResultsThatDoNotKnowTheirStepStandAtTheirLastInstruction) {
  EXPECT_EQ(ReplayPlan(Of(wire::Ended::EXITED, 100, std::nullopt)).stand(), Moment(100, 0));
  EXPECT_EQ(ReplayPlan(Of(wire::Ended::SIGNALED, 100, std::nullopt, 11)).stand(), Moment(100, 0));
}

TEST(ReplayPlanTest, AFatalSignalIsWaitedFor) {
  const ReplayPlan plan(Of(wire::Ended::SIGNALED, 100, 3, 11));
  EXPECT_EQ(plan.stand(), Moment(100, 2));
  ASSERT_TRUE(plan.awaits_event());
  DebugEvent event;
  event.kind = DebugEvent::Kind::kSignal;
  event.signal = 11;
  EXPECT_FALSE(plan.IsAwaited(event));  // it has a handler
  event.fatal = true;
  EXPECT_TRUE(plan.IsAwaited(event));
  event.signal = 10;
  EXPECT_FALSE(plan.IsAwaited(event));
}

TEST(ReplayPlanTest, WhatNobodyCanStopBeforeIsNotWaitedFor) {
  EXPECT_FALSE(ReplayPlan(Of(wire::Ended::SIGNALED, 100, 2, 9)).awaits_event());
  const ReplayPlan by_seccomp(Of(wire::Ended::SIGNALED, 100, 0, 31));
  EXPECT_FALSE(by_seccomp.awaits_event());
  EXPECT_EQ(by_seccomp.stand(), Moment(99));
}

TEST(ReplayPlanTest, LimitsAreStoodBefore) {
  EXPECT_EQ(ReplayPlan(Of(wire::Ended::LIMIT, 100, 0, 0, "insns")).stand(), Moment(99));
  EXPECT_EQ(ReplayPlan(Of(wire::Ended::LIMIT, 100, 0, 0, "mem")).stand(), Moment(100));
  EXPECT_EQ(ReplayPlan(Of(wire::Ended::LIMIT, 100, 4, 0, "output")).stand(), Moment(100, 3));
  EXPECT_EQ(ReplayPlan(Of(wire::Ended::LIMIT, 0, 0, 0, "insns")).stand(), Moment(0));
}

TEST(ReplayPlanTest, WhoWasEndedFromOutsideStandsThere) {
  EXPECT_EQ(ReplayPlan(Of(wire::Ended::CANCELLED, 100, 5)).stand(), Moment(100, 5));
  EXPECT_EQ(ReplayPlan(Of(wire::Ended::LIMIT, 100, 5, 0, "wall")).stand(), Moment(100, 5));
}

TEST(ReplayPlanTest, AnIcountMayBeChosen) {
  wire::Replay replay = Of(wire::Ended::SIGNALED, 100, 1, 11);
  replay.set_icount(40);
  const ReplayPlan plan(replay);
  EXPECT_EQ(plan.stand(), Moment(40));
  EXPECT_FALSE(plan.at_end());
  EXPECT_FALSE(plan.awaits_event());
  EXPECT_TRUE(Says(plan.Describe(At(40)), "40 of 100"));
  replay.set_icount(101);
  const ReplayPlan beyond(replay);
  EXPECT_TRUE(beyond.at_end());
  EXPECT_TRUE(Says(beyond.Describe(At(100)), "101 is beyond its end at icount 100"));
  replay.clear_end();
  const ReplayPlan unknown(replay);
  EXPECT_EQ(unknown.stand(), Moment(101));
  EXPECT_FALSE(unknown.at_end());
}

TEST(ReplayPlanTest, WhatDiffersIsSaid) {
  const ReplayPlan plan(Of(wire::Ended::EXITED, 100, 1));
  EXPECT_TRUE(Says(plan.Describe(At(97)), "DIFFERS"));
  EXPECT_TRUE(Says(plan.Describe(At(100, 4)), "DIFFERS"));
  EXPECT_FALSE(Says(plan.Compare(At(100)), "DIFFERS"));
  EXPECT_TRUE(Says(plan.Compare(At(101)), "DIFFERS"));
  engine::BoxReport other = At(100);
  other.trace_hash = "bb";
  EXPECT_TRUE(Says(plan.Compare(other), "DIFFERS"));
  EXPECT_EQ(ReplayPlan(Of(wire::Ended::CANCELLED, 100, 0)).Compare(At(3)), "");
}

}  // namespace
}  // namespace glovebox::worker
