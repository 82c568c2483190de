// Guests that try to stay, to see what is not theirs, or to use up the host: with the real worker
// and the real engine.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <future>
#include <map>
#include <string>

#include "tests/hostile/guest_root.h"
#include "tests/unit/server/pool/pool_fixture.h"

namespace glovebox::server {
namespace {

using Kind = BoxEnd::Kind;

class HostileGuestTest : public testing::Test {
 protected:
  static RunRequest RequestOf(const std::string& guest, std::shared_ptr<GuestRoot> root) {
    root->AddCopy("bin/" + guest, std::string(GUEST_FOLDER) + "/" + guest);
    auto request = RequestFor("/bin/" + guest, {guest});
    request.working_directory = "/";
    request.root = root->Build();
    request.open_blob = [root](const Digest& digest) { return root->Open(digest); };
    return request;
  }
  static RunRequest RequestOf(const std::string& guest) {
    return RequestOf(guest, std::make_shared<GuestRoot>());
  }
  static std::unique_ptr<BoxLauncher> MakePool() {
    WorkerPoolOptions options;
    options.worker_path = GLOVEBOX_WORKER;
    options.warm = 1;
    // Long enough that only a worker that truly does not listen exceeds it.
    options.cancel_grace = std::chrono::seconds(30);
    return PoolOf(options);
  }
  Launched Launch(RunRequest request) { return LaunchOn(*pool_, std::move(request)); }
  static bool IsReady(const Recorder::Seen& seen) {
    return seen.out == "ready\n" || seen.end || seen.lost;
  }

  std::unique_ptr<BoxLauncher> pool_ = MakePool();
};

TEST_F(HostileGuestTest, HonestOneRunsToItsExit) {
  auto job = Launch(RequestOf("hello"));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << seen.lost.value_or("neither ended nor lost");
  EXPECT_EQ(seen.end->kind, Kind::kExited) << seen.end->failure_reason << ": " << seen.end->detail;
  EXPECT_EQ(seen.end->code, 0);
  EXPECT_EQ(seen.out, "hello\n");
  EXPECT_GT(seen.end->icount, 0u);
  EXPECT_GT(seen.end->peak_memory_bytes, 0u);
}

class GuestThatStays : public HostileGuestTest, public testing::WithParamInterface<const char*> {};

TEST_P(GuestThatStays, CannotOutlastACancel) {
  auto job = Launch(RequestOf(GetParam()));
  ASSERT_EQ(job.recorder->Await(IsReady).out, "ready\n");
  job.handle->Cancel("enough", false);
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << seen.lost.value_or("neither ended nor lost");
  EXPECT_EQ(seen.end->kind, Kind::kCancelled);
  EXPECT_GT(seen.end->icount, 0u);
  EXPECT_GT(seen.end->peak_memory_bytes, 0u);
}

TEST_P(GuestThatStays, CannotOutlastAFatalSignal) {
  auto job = Launch(RequestOf(GetParam()));
  ASSERT_EQ(job.recorder->Await(IsReady).out, "ready\n");
  job.handle->Signal(SIGINT);
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << seen.lost.value_or("neither ended nor lost");
  EXPECT_EQ(seen.end->kind, Kind::kSignaled);
  EXPECT_EQ(seen.end->code, SIGINT);
  EXPECT_EQ(seen.journal.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Guests, GuestThatStays,
                         testing::Values("spin", "rep", "flood", "sleeper", "count_signals"),
                         [](const auto& guest) { return std::string(guest.param); });

TEST_F(HostileGuestTest, OneThatWaitsForInputCannotOutlastACancel) {
  auto request = RequestOf("echo_input");
  request.has_stdin = true;
  auto job = Launch(std::move(request));
  job.recorder->Await([](const Recorder::Seen& seen) { return !seen.wishes.empty(); });
  job.handle->Cancel("enough", false);
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << seen.lost.value_or("neither ended nor lost");
  EXPECT_EQ(seen.end->kind, Kind::kCancelled);
}

TEST_F(HostileGuestTest, TwentyThousandOpenFilesNeedNoMoreThan256Descriptors) {
  pool_.reset();
  const rlimit small{256, 256};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  pool_ = MakePool();
  auto root = std::make_shared<GuestRoot>();
  for (int i = 0; i < 20'000; ++i) {
    const std::string name = std::to_string(100'000 + i).substr(1);
    root->Add("files/" + name, name);
  }
  auto job = Launch(RequestOf("open_many", root));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << seen.lost.value_or("neither ended nor lost");
  EXPECT_EQ(seen.end->kind, Kind::kExited) << seen.end->failure_reason << ": " << seen.end->detail;
  EXPECT_EQ(seen.out, "40000\n");
}

TEST_F(HostileGuestTest, CannotReadTheHostsFilesOrAnotherBoxs) {
  auto owners = std::make_shared<GuestRoot>();
  owners->Add("secret", "of the first box");
  auto owner = Launch(RequestOf("spin", owners));
  ASSERT_EQ(owner.recorder->Await(IsReady).out, "ready\n");
  auto stranger = Launch(RequestOf("open_secret"));
  const auto seen = stranger.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << seen.lost.value_or("neither ended nor lost");
  EXPECT_EQ(seen.end->code, 0) << "the name with this number, counted from 1, could be opened";
  EXPECT_EQ(seen.out, "nothing\n");
}

TEST_F(HostileGuestTest, SignalsTakeEffectAtTheSameInstructionWhenReplayed) {
  auto job = Launch(RequestOf("count_signals"));
  ASSERT_EQ(job.recorder->Await(IsReady).out, "ready\n");
  for (std::size_t i = 1; i <= 3; ++i) {
    job.handle->Signal(SIGUSR1);
    job.recorder->Await([&](const Recorder::Seen& seen) {
      return seen.journal.size() == i || seen.end || seen.lost;
    });
  }
  const auto first = job.recorder->AwaitEnd();
  ASSERT_TRUE(first.end) << *first.lost;
  ASSERT_EQ(first.journal.size(), 3u);

  auto again = RequestOf("count_signals");
  again.journal = first.journal;
  auto replay = Launch(std::move(again));
  const auto second = replay.recorder->AwaitEnd();
  ASSERT_TRUE(second.end) << *second.lost;
  EXPECT_EQ(second.out, first.out);
  EXPECT_EQ(second.output_icounts, first.output_icounts);
  EXPECT_EQ(second.end->icount, first.end->icount);
  EXPECT_EQ(second.end->trace_hash, first.end->trace_hash);
}

TEST_F(HostileGuestTest, StdinInPiecesLeavesNoMark) {
  const std::string text(5000, 'a');
  const auto run = [&](std::size_t piece_bytes) {
    auto request = RequestOf("echo_input");
    request.has_stdin = true;
    Launched job;
    std::promise<void> launched;
    auto ready = launched.get_future().share();
    job.recorder->on_wish = [&](std::uint64_t offset, std::uint32_t size) {
      ready.wait();
      const auto piece =
          std::string_view(text).substr(offset, std::min<std::size_t>(piece_bytes, size));
      job.handle->SupplyInput(std::as_bytes(std::span(piece)),
                              offset + piece.size() == text.size());
    };
    job.handle = pool_->Launch(std::move(request), job.recorder);
    launched.set_value();
    return job.recorder->AwaitEnd();
  };
  const auto whole = run(65536);
  const auto pieces = run(7);
  ASSERT_TRUE(whole.end) << *whole.lost;
  ASSERT_TRUE(pieces.end) << *pieces.lost;
  EXPECT_EQ(whole.out, text);
  EXPECT_EQ(pieces.out, text);
  EXPECT_EQ(pieces.end->icount, whole.end->icount);
  EXPECT_EQ(pieces.end->trace_hash, whole.end->trace_hash);
}

TEST_F(HostileGuestTest, WorkerThatIsKilledWhileAGuestRunsIsLostAlone) {
  auto victim = Launch(RequestOf("spin"));
  auto bystander = Launch(RequestOf("spin"));
  ASSERT_EQ(victim.recorder->Await(IsReady).out, "ready\n");
  ASSERT_EQ(bystander.recorder->Await(IsReady).out, "ready\n");
  ASSERT_EQ(::kill(victim.handle->pid(), SIGSEGV), 0);
  EXPECT_EQ(victim.recorder->AwaitEnd().lost, "worker killed by SIGSEGV");
  bystander.handle->Cancel("", false);
  EXPECT_EQ(bystander.recorder->AwaitEnd().end->kind, Kind::kCancelled);
}

TEST_F(HostileGuestTest, ProgramThatIsMissingIsToldAsTheGuestsOwnEnd) {
  auto request = RequestOf("hello");
  request.program = "/bin/nothing";
  auto job = Launch(std::move(request));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << seen.lost.value_or("neither ended nor lost");
  EXPECT_EQ(seen.end->kind, Kind::kNotStarted);
  EXPECT_EQ(seen.end->code, ENOENT);
}

// What a guest can use up ends in an errno that it is told, or in a limit that the job is told; a
// box beside it goes on.
struct Greed {
  const char* guest;
  Kind kind;
  const char* limit;  // of kLimit
  std::map<std::string, std::uint64_t> limits;
  const char* out;
};
// Without it the test's name holds addresses.
void PrintTo(const Greed& greed, std::ostream* out) { *out << greed.guest; }

class GreedyGuest : public HostileGuestTest, public testing::WithParamInterface<Greed> {
 protected:
  Recorder::Seen RunBesideAnother(RunRequest request) {
    auto bystander = Launch(RequestOf("spin"));
    EXPECT_EQ(bystander.recorder->Await(IsReady).out, "ready\n");
    auto job = Launch(std::move(request));
    auto seen = job.recorder->AwaitEnd();
    bystander.handle->Cancel("", false);
    const auto other = bystander.recorder->AwaitEnd();
    EXPECT_TRUE(other.end && other.end->kind == Kind::kCancelled);
    return seen;
  }
};

TEST_P(GreedyGuest, CannotUseUpTheHost) {
  const Greed& greed = GetParam();
  auto request = RequestOf(greed.guest);
  for (const auto& [name, value] : greed.limits) request.limits[name] = value;
  const auto seen = RunBesideAnother(std::move(request));
  ASSERT_TRUE(seen.end) << seen.lost.value_or("neither ended nor lost");
  EXPECT_EQ(seen.end->kind, greed.kind) << seen.end->failure_reason << ": " << seen.end->detail;
  EXPECT_EQ(seen.end->limit, greed.limit);
  EXPECT_EQ(seen.out.substr(0, std::string(greed.out).size()), greed.out);
}

INSTANTIATE_TEST_SUITE_P(
    Guests, GreedyGuest,
    testing::Values(
        Greed{"fork_bomb", Kind::kExited, "", {{"tasks", 200}}, "EAGAIN\n"},
        Greed{"thread_bomb", Kind::kExited, "", {{"tasks", 1000}}, "EAGAIN\n"},
        Greed{"memory_hog", Kind::kLimit, "mem", {{"mem", 64 << 20}}, ""},
        Greed{"address_sprawl", Kind::kLimit, "mem", {{"mem", 64 << 20}}, ""},
        Greed{"disk_filler",
              Kind::kExited,
              "",
              {{"disk", 2 << 20}},
              "a file: ENOSPC\nnames: ENOSPC\ndirectories: ENOSPC\n"},
        Greed{"descriptor_hog",
              Kind::kExited,
              "",
              {{"files", 100}},
              "pipes: EMFILE\ncopies: EMFILE\nfiles: EMFILE\n"},
        Greed{"output_flood", Kind::kLimit, "output", {{"output", 1 << 20}}, "ready\n"},
        Greed{"flood", Kind::kLimit, "insns", {{"insns", 1'000'000}}, "ready\n"},
        Greed{"spin", Kind::kLimit, "insns", {{"insns", 10'000'000}}, "ready\n"},
        Greed{"link_maze",
              Kind::kExited,
              "",
              {},
              "a circle: ELOOP\na chain: ELOOP\na long path: ENAMETOOLONG\n"},
        Greed{"mount_stack", Kind::kExited, "", {}, "mounts: ENOSPC\n"},
        Greed{"huge_vectors",
              Kind::kExited,
              "",
              {},
              "bytes: EINVAL\nentries: EINVAL\nminus one: EINVAL\npoll: EINVAL\nwords: E2BIG\n"}),
    [](const auto& greed) { return std::string(greed.param.guest); });

TEST_F(GreedyGuest, CannotHarmItsBoxWithBadPointers) {
  const auto seen = RunBesideAnother(RequestOf("bad_pointers"));
  ASSERT_TRUE(seen.end) << seen.lost.value_or("neither ended nor lost");
  EXPECT_EQ(seen.end->kind, Kind::kExited) << seen.end->failure_reason << ": " << seen.end->detail;
  EXPECT_EQ(seen.out, "survived\n");
}

class StormOfCalls : public GreedyGuest {
 protected:
  static RunRequest StormOf(const char* guest, const char* rounds, std::uint64_t seed) {
    auto root = std::make_shared<GuestRoot>();
    // Its processes execute it by this name.
    root->AddCopy("bin/call_storm", std::string(GUEST_FOLDER) + "/" + guest);
    auto request = RequestFor("/bin/call_storm", {"call_storm", rounds});
    request.working_directory = "/";
    request.seed = seed;
    request.root = root->Build();
    request.open_blob = [root](const Digest& digest) { return root->Open(digest); };
    return request;
  }
  static constexpr const char* kStorms[] = {"call_storm", "call_storm_i386"};
};

// A guest may well end itself or hit a limit; what must not happen is that its worker is lost.
TEST_F(StormOfCalls, CannotHarmItsBox) {
  for (const char* guest : kStorms) {
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
      SCOPED_TRACE(std::string(guest) + ", seed " + std::to_string(seed));
      const auto seen = RunBesideAnother(StormOf(guest, "2", seed));
      ASSERT_TRUE(seen.end) << seen.lost.value_or("neither ended nor lost");
      EXPECT_NE(seen.end->kind, Kind::kFailed)
          << seen.end->failure_reason << ": " << seen.end->detail;
      const auto again = Launch(StormOf(guest, "2", seed)).recorder->AwaitEnd();
      ASSERT_TRUE(again.end) << again.lost.value_or("neither ended nor lost");
      EXPECT_EQ(again.end->icount, seen.end->icount);
      EXPECT_EQ(again.end->trace_hash, seen.end->trace_hash);
    }
  }
}

TEST_F(StormOfCalls, CannotOutlastACancel) {
  for (const char* guest : kStorms) {
    auto job = Launch(StormOf(guest, "0", 1));
    job.recorder->Await([](const Recorder::Seen& seen) {
      return seen.out.starts_with("ready\n") || seen.end || seen.lost;
    });
    job.handle->Cancel("enough", false);
    const auto seen = job.recorder->AwaitEnd();
    ASSERT_TRUE(seen.end) << guest << ": " << seen.lost.value_or("neither ended nor lost");
    EXPECT_EQ(seen.end->kind, Kind::kCancelled) << guest;
  }
}

}  // namespace
}  // namespace glovebox::server
