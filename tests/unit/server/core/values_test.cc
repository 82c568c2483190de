// The plain values of the core: states, codec, ids, page tokens, checks of specs, timers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>

#include "engine/limits/limit_table.h"
#include "server/core/codec.h"
#include "server/core/job_id.h"
#include "server/core/job_state.h"
#include "server/core/page_token.h"
#include "server/core/spec_check.h"
#include "server/core/task_pool.h"
#include "server/core/timer_queue.h"
#include "server/store/file_io.h"

namespace glovebox::server {
namespace {

TEST(JobStateTable, EachMoveThatIsNotARowIsRefused) {
  std::size_t legal = 0;
  for (const JobStateName& state : kJobStateNames) {
    for (int move = 0; move <= static_cast<int>(JobMove::kGiveUp); ++move) {
      legal += Next(state.state, static_cast<JobMove>(move)).has_value() ? 1u : 0u;
    }
  }
  EXPECT_EQ(legal, kTransitions.size());
  EXPECT_EQ(Next(JobState::kSucceeded, JobMove::kCancel), std::nullopt);
  EXPECT_EQ(Next(JobState::kQueued, JobMove::kBoxEnd), std::nullopt);
}

TEST(JobStateTable, WhatAWorkerHoldsGoesBackToTheQueueWhenTheDaemonDies) {
  for (const JobState state :
       {JobState::kPreparing, JobState::kRunning, JobState::kStopped, JobState::kFinalizing}) {
    EXPECT_EQ(Next(state, JobMove::kInterrupt), JobState::kQueued);
  }
  EXPECT_FALSE(IsInterruptible(JobState::kQueued));
  EXPECT_EQ(NameOf(JobState::kFinalizing), "FINALIZING");
}

JobSpec FullSpec() {
  JobSpec spec;
  spec.argv = {"/bin/busybox", "echo", ""};
  spec.env = {"PATH=/bin"};
  spec.program = "/bin/busybox";
  spec.working_directory = "/tmp";
  spec.root = DigestOf(BytesOf("root"));
  spec.stdin_blob = DigestOf(BytesOf(""));
  spec.seed = 300;
  spec.limits = {{"mem", 1 << 20}, {"insns", 5}};
  spec.trace_syscalls = true;
  spec.world = {{"hostname", "build-7"}};
  spec.labels = {{"b", "2"}, {"a", "1"}};
  return spec;
}

TEST(Codec, ASpecComesBackAsItWas) {
  JobSpec spec = FullSpec();
  EXPECT_EQ(DecodeSpec(Encode(spec)).value(), spec);
  spec.stdin_blob.reset();
  spec.stdin_stream = true;
  EXPECT_EQ(DecodeSpec(Encode(spec)).value(), spec);
  spec.stdin_live = true;
  spec.terminal = TerminalSize{24, 80};
  EXPECT_EQ(DecodeSpec(Encode(spec)).value(), spec);
  EXPECT_EQ(DecodeSpec(Encode(JobSpec{})).value(), JobSpec{});
}

// Golden: request ids, and later the keys of cached results, stand on these bytes. They may never
// change.
TEST(Codec, TheCanonicalEncodingOfASpecIsFixed) {
  JobSpec spec;
  spec.argv = {"a", ""};
  spec.seed = 300;
  spec.stdin_stream = true;
  spec.limits = {{"mem", 129}};
  const std::string encoded = Encode(spec);
  // An unset root is its default and left out.
  EXPECT_EQ(encoded, std::string("\x01\x03\x01"
                                 "a"
                                 "\x00"
                                 "\x07\x01\x01"
                                 "\x08\x02\xac\x02"
                                 "\x09\x07\x03"
                                 "mem"
                                 "\x02\x81\x01",
                                 21));
  EXPECT_EQ(HexOf(DigestOf(BytesOf(Encode(FullSpec())))),
            "1ca7d251f71278c0fd7c3eceb9fe49ec3fbb834f54007d8adcd9b7b2599bd953");
}

TEST(Codec, AnOutcomeAndATraceEventComeBackAsTheyWere) {
  JobOutcome outcome;
  outcome.end.emplace();
  outcome.end->kind = BoxEnd::Kind::kSignaled;
  outcome.end->code = -7;
  outcome.end->absent_syscalls = {{"io_uring_setup", 3}};
  outcome.end->unimplemented_code = std::string("\x0f\x00", 2);
  outcome.failure = JobFailure{"WORKER_LOST", ""};
  outcome.sandbox = {{"seccomp", true, ""}, {"landlock", false, "no such"}};
  outcome.journal_records = 2;
  const JobOutcome back = DecodeOutcome(Encode(outcome)).value();
  EXPECT_EQ(back.end->kind, BoxEnd::Kind::kSignaled);
  EXPECT_EQ(back.end->code, -7);
  EXPECT_EQ(back.end->absent_syscalls.at("io_uring_setup"), 3u);
  EXPECT_EQ(back.end->unimplemented_code, outcome.end->unimplemented_code);
  EXPECT_EQ(back.failure->reason, "WORKER_LOST");
  ASSERT_EQ(back.sandbox.size(), 2u);
  EXPECT_EQ(back.sandbox[1].detail, "no such");
  EXPECT_EQ(back.journal_records, 2u);
  // An end of which everything has its default value is still an end.
  outcome = {};
  outcome.end.emplace();
  EXPECT_TRUE(DecodeOutcome(Encode(outcome)).value().end.has_value());

  TraceRecord record;
  record.name = "write";
  record.arguments = {"1", "\"hi\"", "2"};
  record.result = "2";
  record.icount = ~std::uint64_t{0};
  const TraceRecord read = DecodeTrace(Encode(record)).value();
  EXPECT_EQ(read.arguments, record.arguments);
  EXPECT_EQ(read.icount, record.icount);
}

TEST(Codec, DamagedBytesAreRefusedAndUnknownTagsSkipped) {
  const std::string bytes = Encode(FullSpec());
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    const auto decoded = DecodeSpec(bytes.substr(0, cut));
    EXPECT_TRUE(!decoded || *decoded != FullSpec()) << "cut at " << cut;
  }
  EXPECT_EQ(DecodeSpec("\x01\x7f").error().reason, "RECORD_DAMAGED");
  EXPECT_EQ(DecodeSpec(bytes + std::string("\x63\x02xy", 4)).value(), FullSpec());
}

TEST(JobId, IdsRiseAlsoWhenTheClockStepsBack) {
  JobIdMaker ids("");
  std::string last;
  for (const std::int64_t now : {5'000, 5'000, 5'000, 4'000, 6'000, 1}) {
    const std::string id = ids.Next(now);
    EXPECT_TRUE(IsJobId(id)) << id;
    EXPECT_GT(id, last);
    last = id;
  }
  EXPECT_GT(JobIdMaker("7ZZZZZZZZZZZZZZZZZZZZZZZZY").Next(0), "7ZZZZZZZZZZZZZZZZZZZZZZZZY");
  for (const char* bad : {"", "short", "01M7WA0742BSYQD0M95J39072I", "01M7WA0742BSYQD0M95J39072gg",
                          "../../../../../etc/passwd_"}) {
    EXPECT_FALSE(IsJobId(bad)) << bad;
  }
}

TEST(PageToken, OpensOnlyWithItsKeyAndFilter) {
  const std::string id(26, '0');
  const std::string token = SealPageToken("key", "filter", id);
  EXPECT_EQ(OpenPageToken("key", "filter", token), id);
  EXPECT_EQ(OpenPageToken("other key", "filter", token), std::nullopt);
  EXPECT_EQ(OpenPageToken("key", "other filter", token), std::nullopt);
  std::string forged = token;
  forged[25] = '1';
  EXPECT_EQ(OpenPageToken("key", "filter", forged), std::nullopt);
  EXPECT_EQ(OpenPageToken("key", "filter", ""), std::nullopt);
  EXPECT_EQ(OpenPageToken("key", "filter", token + "0"), std::nullopt);
}

struct BadSpec {
  const char* what;
  std::function<void(JobSpec&)> spoil;
  const char* reason;
  const char* field;
};

TEST(SpecCheck, EachFaultNamesItsField) {
  const BadSpec kBad[] = {
      {"no argv", [](JobSpec& s) { s.argv.clear(); }, "ARGV_EMPTY", "spec.argv"},
      {"argv of 10 MiB", [](JobSpec& s) { s.argv[1].assign(10 << 20, 'x'); }, "ARGUMENTS_TOO_LARGE",
       "spec.argv"},
      {"NUL", [](JobSpec& s) { s.argv[1] = std::string("a\0b", 3); }, "STRING_HAS_NUL",
       "spec.argv[1]"},
      {"env", [](JobSpec& s) { s.env = {"A=1", "B"}; }, "ENV_FORM", "spec.env[1]"},
      {"env key", [](JobSpec& s) { s.env = {"=1"}; }, "ENV_FORM", "spec.env[0]"},
      {"dot dot", [](JobSpec& s) { s.program = "/a/../b"; }, "PATH_HAS_DOT_DOT", "spec.program"},
      {"dot dot at the end", [](JobSpec& s) { s.program = "/a/.."; }, "PATH_HAS_DOT_DOT",
       "spec.program"},
      {"relative", [](JobSpec& s) { s.program = "a/b"; }, "PATH_NOT_ABSOLUTE", "spec.program"},
      {"relative argv[0]",
       [](JobSpec& s) {
         s.program.clear();
         s.argv[0] = "./x";
       },
       "PATH_NOT_ABSOLUTE", "spec.argv[0]"},
      {"cwd", [](JobSpec& s) { s.working_directory = "tmp"; }, "PATH_NOT_ABSOLUTE",
       "spec.working_directory"},
      {"cwd ..", [](JobSpec& s) { s.working_directory = "/tmp/../.."; }, "PATH_HAS_DOT_DOT",
       "spec.working_directory"},
      {"long path", [](JobSpec& s) { s.program = "/" + std::string(4095, 'x'); }, "PATH_TOO_LONG",
       "spec.program"},
      {"limit", [](JobSpec& s) { s.limits["speed"] = 1; }, "UNKNOWN_LIMIT",
       "spec.limits[\"speed\"]"},
      {"too much", [](JobSpec& s) { s.limits["files"] = 1'000'000; }, "LIMIT_TOO_HIGH",
       "spec.limits[\"files\"]"},
      {"world", [](JobSpec& s) { s.world["colour"] = "red"; }, "UNKNOWN_WORLD_ROW",
       "spec.world[\"colour\"]"},
      {"world fact", [](JobSpec& s) { s.world["cpus"] = "2"; }, "WORLD_FACT",
       "spec.world[\"cpus\"]"},
      {"world number", [](JobSpec& s) { s.world["uid"] = "4294967295"; }, "WORLD_INVALID",
       "spec.world[\"uid\"]"},
      {"world text", [](JobSpec& s) { s.world["hostname"] = "a b"; }, "WORLD_INVALID",
       "spec.world[\"hostname\"]"},
      {"world octal", [](JobSpec& s) { s.world["umask"] = "8"; }, "WORLD_INVALID",
       "spec.world[\"umask\"]"},
      {"world choice", [](JobSpec& s) { s.world["scheduling"] = "robin"; }, "WORLD_INVALID",
       "spec.world[\"scheduling\"]"},
      {"label", [](JobSpec& s) { s.labels["k"] = std::string(257, 'x'); }, "ENTRY_TOO_LONG",
       "spec.labels[\"k\"]"},
      {"labels",
       [](JobSpec& s) {
         for (int i = 0; i < 65; ++i) s.labels[std::to_string(i)];
       },
       "TOO_MANY_ENTRIES", "spec.labels"},
      {"empty key", [](JobSpec& s) { s.labels[""] = "x"; }, "KEY_EMPTY", "spec.labels"},
  };
  ASSERT_TRUE(CheckSpec(FullSpec()).has_value());
  for (const BadSpec& bad : kBad) {
    JobSpec spec = FullSpec();
    bad.spoil(spec);
    const auto checked = CheckSpec(spec);
    ASSERT_FALSE(checked.has_value()) << bad.what;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument) << bad.what;
    EXPECT_EQ(checked.error().reason, bad.reason) << bad.what;
    EXPECT_EQ(checked.error().field, bad.field) << bad.what;
  }
}

TEST(SpecCheck, ANameWithDotsIsNotAWayUp) {
  JobSpec spec = FullSpec();
  spec.program = "/a/..b/c../...";
  EXPECT_TRUE(CheckSpec(spec).has_value());
  spec.program = "prog";  // looked for in PATH
  EXPECT_TRUE(CheckSpec(spec).has_value());
}

TEST(SpecCheck, LimitsAreCompletedByTheTable) {
  const auto limits = CompleteLimits(FullSpec());
  EXPECT_EQ(limits.size(), engine::kLimits.size());
  EXPECT_EQ(limits.at("insns"), 5u);
  EXPECT_EQ(limits.at("files"), 1024u);
}

TEST(TimerQueue, CallsInTheOrderOfTimeAndNotWhatWasCancelled) {
  TimerQueue timers;
  std::promise<void> last;
  std::atomic<int> calls = 0;
  const auto never = timers.After(std::chrono::milliseconds(5), [&] { calls += 100; });
  timers.After(std::chrono::milliseconds(20), [&] {
    ++calls;
    last.set_value();
  });
  timers.After(std::chrono::milliseconds(1), [&] { ++calls; });
  timers.Cancel(never);
  timers.Cancel(0);
  last.get_future().wait();
  timers.Stop();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(timers.After(std::chrono::milliseconds(0), [&] { ++calls; }), 0u);
}

TEST(TaskPool, RunsWhatWasPostedBeforeItEnds) {
  std::atomic<int> ran = 0;
  {
    TaskPool pool(3);
    for (int i = 0; i < 100; ++i) pool.Post([&] { ++ran; });
  }
  EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace glovebox::server
