// The pool with the real worker program around scripted boxes (scripted_worker.cc).
#include "server/pool/worker_pool.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <set>

#include "engine/epoch.h"
#include "engine/process.h"
#include "pool_fixture.h"
#include "server/channel/frame.h"

namespace glovebox::server {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using Kind = BoxEnd::Kind;

HostFd BlobOf(std::string_view bytes) {
  HostFd fd(::memfd_create("blob", MFD_CLOEXEC));
  EXPECT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return fd;
}

class WorkerPoolTest : public testing::Test {
 protected:
  static WorkerPoolOptions Options() {
    WorkerPoolOptions options;
    options.worker_path = SCRIPTED_WORKER;
    options.warm = 1;
    return options;
  }
  Launched Launch(RunRequest request) { return LaunchOn(*pool_, std::move(request)); }

  std::unique_ptr<BoxLauncher> pool_ = PoolOf(Options());
};

TEST_F(WorkerPoolTest, RunsAJobToItsExit) {
  auto job = Launch(RequestFor("say", {"hello\n", "7"}));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.end->kind, Kind::kExited);
  EXPECT_EQ(seen.end->code, 7);
  EXPECT_EQ(seen.end->icount, 10u);
  EXPECT_EQ(seen.out, "hello\n");
  EXPECT_EQ(seen.order, "LoE");
  EXPECT_EQ(seen.epoch, engine::kEpoch);
  EXPECT_EQ(pool_->epoch(), engine::kEpoch);
}

TEST_F(WorkerPoolTest, ReportsEachLayerOfTheSandboxOnce) {
  auto job = Launch(RequestFor("say", {"x", "0"}));
  const auto seen = job.recorder->AwaitEnd();
  std::vector<std::string> names;
  for (const SandboxLayer& layer : seen.layers) names.push_back(layer.name);
  EXPECT_THAT(names, testing::ElementsAre("network_namespace", "ipc_uts_namespaces", "descriptors",
                                          "privileges", "lifeline", "rlimits", "not_dumpable",
                                          "no_new_privs", "landlock", "seccomp"));
  std::size_t missing = 0;
  for (const SandboxLayer& layer : seen.layers) missing += layer.in_force ? 0 : 1;
  EXPECT_EQ(pool_->Warnings().size(), missing);
}

TEST_F(WorkerPoolTest, RunsManyJobsAtOnceOnOneWarmWorker) {
  std::vector<Launched> jobs;
  for (int i = 0; i < 12; ++i)
    jobs.push_back(Launch(RequestFor("say", {std::to_string(i), std::to_string(i)})));
  for (int i = 0; i < 12; ++i) {
    const auto seen = jobs[static_cast<std::size_t>(i)].recorder->AwaitEnd();
    ASSERT_TRUE(seen.end) << *seen.lost;
    EXPECT_EQ(seen.end->code, i);
    EXPECT_EQ(seen.out, std::to_string(i));
  }
}

TEST_F(WorkerPoolTest, EachJobHasAProcessOfItsOwn) {
  auto first = Launch(RequestFor("spin"));
  auto second = Launch(RequestFor("spin"));
  const auto locked = [](const Recorder::Seen& seen) { return !seen.order.empty(); };
  first.recorder->Await(locked);
  second.recorder->Await(locked);
  // Set before the launch's first message goes out, which follows OnLocked on the same thread.
  first.handle->Cancel("", false);
  second.handle->Cancel("", false);
  first.recorder->AwaitEnd();
  second.recorder->AwaitEnd();
  EXPECT_GT(first.handle->pid(), 0);
  EXPECT_GT(second.handle->pid(), 0);
  EXPECT_NE(first.handle->pid(), second.handle->pid());
}

TEST_F(WorkerPoolTest, CancelEndsASpinningBoxWithItsFigures) {
  auto job = Launch(RequestFor("spin"));
  job.handle->Cancel("cancelled by test", false);
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.end->kind, Kind::kCancelled);
  EXPECT_EQ(seen.end->detail, "cancelled by test");
  EXPECT_GT(seen.end->icount, 0u);
  EXPECT_EQ(seen.end->peak_memory_bytes, 4096u);
}

TEST_F(WorkerPoolTest, WallLimitEndsABoxThatFloodsItsOutput) {
  auto request = RequestFor("flood");
  request.limits["wall"] = 1234;
  request.limits["output"] = engine::kNoLimit;
  auto job = Launch(std::move(request));
  job.recorder->Await([](const Recorder::Seen& seen) { return !seen.out.empty(); });
  job.handle->Cancel("wall limit", true);
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.end->kind, Kind::kLimit);
  EXPECT_EQ(seen.end->limit, "wall");
  EXPECT_EQ(seen.end->limit_value, 1234u);
  EXPECT_EQ(seen.end->output_bytes, seen.out.size());
}

TEST_F(WorkerPoolTest, CancelReachesABoxThatWaitsForInput) {
  auto request = RequestFor("cat", {"100"});
  request.has_stdin = true;
  auto job = Launch(std::move(request));
  job.recorder->Await([](const Recorder::Seen& seen) { return !seen.wishes.empty(); });
  job.handle->Cancel("", false);
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.end->kind, Kind::kCancelled);
}

TEST_F(WorkerPoolTest, StdinThatComesInPiecesIsReadInWholeReads) {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  auto request = RequestFor("cat", {"10"});
  request.has_stdin = true;
  Launched job;
  std::promise<void> launched;
  auto ready = launched.get_future().share();
  job.recorder->on_wish = [&](std::uint64_t offset, std::uint32_t) {
    ready.wait();
    const auto piece = std::string_view(text).substr(offset, 3);
    job.handle->SupplyInput(std::as_bytes(std::span(piece)), offset + piece.size() == text.size());
  };
  job.handle = pool_->Launch(std::move(request), job.recorder);
  launched.set_value();
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.out, text);
  // Reads of ten bytes, the rest, and the end: each advances the box by 100, so 600 says that none
  // was short.
  EXPECT_EQ(seen.end->icount, 600u);
}

TEST_F(WorkerPoolTest, JobWithoutStdinReadsTheEndAtOnce) {
  auto job = Launch(RequestFor("cat", {"10"}));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.out, "");
  EXPECT_TRUE(seen.wishes.empty());
}

TEST_F(WorkerPoolTest, SignalIsJournalledBeforeWhatFollowsFromIt) {
  auto job = Launch(RequestFor("tell-signals", {"1"}));
  job.handle->Signal(SIGUSR1);
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  ASSERT_EQ(seen.journal.size(), 1u);
  EXPECT_EQ(seen.journal[0].signal, SIGUSR1);
  EXPECT_FALSE(seen.journal[0].while_waiting);
  EXPECT_EQ(seen.order, "LjoE");
}

TEST_F(WorkerPoolTest, JournalReplaysSignalsAtTheirIcount) {
  auto request = RequestFor("tell-signals", {"2"});
  request.journal = {{.icount = 123'456, .signal = SIGHUP}, {.icount = 777'777, .signal = SIGINT}};
  auto job = Launch(std::move(request));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  // The script says what it got after its next slice of 100,000.
  EXPECT_EQ(seen.out, "1@223456 2@877777 ");
  EXPECT_TRUE(seen.journal.empty()) << "replayed inputs are not recorded again";
}

TEST_F(WorkerPoolTest, SignalWhileWaitingForInputReplaysInThatReadThoughItsBytesAreThere) {
  const std::string text = "0123456789";
  auto request = RequestFor("cat", {"5"});
  request.has_stdin = true;
  request.journal = {{.icount = 100, .signal = SIGINT, .while_waiting = true}};
  Launched job;
  std::promise<void> launched;
  auto ready = launched.get_future().share();
  job.recorder->on_wish = [&](std::uint64_t offset, std::uint32_t) {
    ready.wait();
    job.handle->SupplyInput(std::as_bytes(std::span(text)).subspan(offset), true);
  };
  job.handle = pool_->Launch(std::move(request), job.recorder);
  launched.set_value();
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  // The first read, at icount 0, gets its bytes; the second, at 100, was interrupted then and is
  // now.
  EXPECT_EQ(seen.out, "01234");
  EXPECT_EQ(seen.end->code, 128 + SIGINT);
}

TEST_F(WorkerPoolTest, JournalThatCannotHaveHappenedEndsAsDiverged) {
  auto request = RequestFor("cat", {"5"});  // no stdin: icounts are multiples of 100
  request.has_stdin = true;
  request.journal = {{.icount = 50, .signal = SIGINT, .while_waiting = true}};
  Launched job;
  std::promise<void> launched;
  auto ready = launched.get_future().share();
  job.recorder->on_wish = [&](std::uint64_t, std::uint32_t) {
    ready.wait();
    job.handle->SupplyInput(std::as_bytes(std::span("0123456789").first(10)), true);
  };
  job.handle = pool_->Launch(std::move(request), job.recorder);
  launched.set_value();
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.end->kind, Kind::kFailed);
  EXPECT_EQ(seen.end->failure_reason, "REPLAY_DIVERGED");
}

TEST_F(WorkerPoolTest, TraceKeepsItsPlaceAmongOutputAndIsCutToItsBounds) {
  auto request = RequestFor("trace");
  request.trace_syscalls = true;
  auto job = Launch(std::move(request));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.order, "LotoE");
  ASSERT_EQ(seen.trace.size(), 1u);
  EXPECT_EQ(seen.trace[0].name, "openat");
  EXPECT_EQ(seen.trace[0].output_offset_bytes, 6u);
  EXPECT_EQ(seen.trace[0].arguments[1].size(), 2048u);
  EXPECT_TRUE(seen.trace[0].arguments[1].ends_with("a..."));
  EXPECT_EQ(seen.trace[0].arguments[2], "??[2J");
}

TEST_F(WorkerPoolTest, BlobOfTheJobIsReadThroughItsDescriptor) {
  const std::string text = "bytes of a blob";
  const Digest digest = DigestOf(std::as_bytes(std::span(text)));
  auto request = RequestFor("show-blob", {HexOf(digest), std::to_string(digest.size_bytes)});
  request.open_blob = [&](const Digest& wanted) -> Result<HostFd, Error> {
    EXPECT_EQ(wanted, digest);
    return BlobOf(text);
  };
  auto job = Launch(std::move(request));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.out, text);
}

TEST_F(WorkerPoolTest, TwoBoxesDoNotSeeEachOthersBlobs) {
  const std::string text = "a secret of the first job";
  const Digest digest = DigestOf(std::as_bytes(std::span(text)));
  const std::vector<std::string> argv{HexOf(digest), std::to_string(digest.size_bytes)};
  auto mine = RequestFor("show-blob", argv);
  mine.open_blob = [&](const Digest&) -> Result<HostFd, Error> { return BlobOf(text); };
  auto owner = Launch(std::move(mine));
  auto stranger = Launch(RequestFor("show-blob", argv));
  const auto seen = stranger.recorder->AwaitEnd();
  ASSERT_TRUE(seen.lost);
  EXPECT_THAT(*seen.lost, HasSubstr("which is not of its job"));
  EXPECT_EQ(seen.out, "");
  EXPECT_EQ(owner.recorder->AwaitEnd().out, text);
}

TEST_F(WorkerPoolTest, DamagedBlobFailsTheJobWithTheStoresReason) {
  const Digest digest = DigestOf({});
  auto request = RequestFor("show-blob", {HexOf(digest), "0"});
  request.open_blob = [](const Digest&) -> Result<HostFd, Error> {
    return Fail(ErrorCode::kDataLoss, "BLOB_DAMAGED", "its bytes have another digest");
  };
  auto job = Launch(std::move(request));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.end->kind, Kind::kFailed);
  EXPECT_EQ(seen.end->failure_reason, "BLOB_DAMAGED");
  EXPECT_THAT(seen.end->detail, HasSubstr("another digest"));
}

TEST_F(WorkerPoolTest, RootThatIsNoListingFailsTheJob) {
  const std::string text = "this is not a directory";
  auto request = RequestFor("list-root");
  request.root = DigestOf(std::as_bytes(std::span(text)));
  request.open_blob = [&](const Digest&) -> Result<HostFd, Error> { return BlobOf(text); };
  auto job = Launch(std::move(request));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.end->failure_reason, "DIRECTORY_INVALID");
}

TEST_F(WorkerPoolTest, EngineErrorFailsTheJobWithItsReason) {
  auto job = Launch(RequestFor("fail"));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.end->kind, Kind::kFailed);
  EXPECT_EQ(seen.end->failure_reason, "SCRIPTED_FAILURE");
}

TEST_F(WorkerPoolTest, HostWithoutMemoryFailsTheJobClearly) {
  auto job = Launch(RequestFor("throw"));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.end->failure_reason, "OUT_OF_HOST_MEMORY");
}

TEST_F(WorkerPoolTest, MissingLimitFailsTheJob) {
  auto request = RequestFor("say", {"x", "0"});
  request.limits.erase("mem");
  auto job = Launch(std::move(request));
  EXPECT_EQ(job.recorder->AwaitEnd().end->failure_reason, "LIMIT_MISSING");
}

// How a worker ends that is broken, or does what its sandbox forbids.
struct DeathRow {
  const char* script;
  const char* what;
};
// Without it the test's name holds addresses.
void PrintTo(const DeathRow& row, std::ostream* out) { *out << row.script; }
class WorkerDeathTest : public WorkerPoolTest, public testing::WithParamInterface<DeathRow> {};

TEST_P(WorkerDeathTest, IsToldAsLostAndDisturbsNobodyElse) {
  auto other = Launch(RequestFor("spin"));
  auto job = Launch(RequestFor(GetParam().script));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.lost);
  EXPECT_THAT(*seen.lost, HasSubstr(GetParam().what));
  other.handle->Cancel("", false);
  EXPECT_EQ(other.recorder->AwaitEnd().end->kind, Kind::kCancelled);
  auto next = Launch(RequestFor("say", {"still here", "0"}));
  EXPECT_EQ(next.recorder->AwaitEnd().out, "still here");
}

INSTANTIATE_TEST_SUITE_P(Scripts, WorkerDeathTest,
                         testing::Values(DeathRow{"fault", "killed by SIGSEGV"},
                                         DeathRow{"break-invariant",
                                                  "check failed: box.icount() == 1"},
                                         DeathRow{"break-invariant", "killed by SIGABRT"},
                                         DeathRow{"raise", "killed by SIGSYS"},
                                         DeathRow{"open-socket", "killed by SIGSYS"}));

TEST_F(WorkerPoolTest, WorkerThatNeverAnswersCancelIsKilled) {
  auto options = Options();
  options.cancel_grace = std::chrono::milliseconds(50);
  pool_ = PoolOf(options);
  auto job = Launch(RequestFor("hang"));
  job.handle->Cancel("", false);
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.lost);
  EXPECT_THAT(*seen.lost, HasSubstr("did not end within 50 ms of being cancelled"));
}

TEST_F(WorkerPoolTest, KillEndsAWorkerInEachOfItsStates) {
  const auto launched_and = [](const char* letters) {
    return [letters](const Recorder::Seen& seen) { return seen.order.starts_with(letters); };
  };
  auto waiting = RequestFor("cat", {"10"});
  waiting.has_stdin = true;
  Launched preparing = Launch(RequestFor("spin"));
  Launched running = Launch(RequestFor("spin"));
  Launched wishing = Launch(std::move(waiting));
  running.recorder->Await(launched_and("L"));
  wishing.recorder->Await(launched_and("Li"));
  for (Launched* job : {&preparing, &running, &wishing}) {
    job->handle->Kill();
    const auto seen = job->recorder->AwaitEnd();
    ASSERT_TRUE(seen.lost);
    EXPECT_THAT(*seen.lost, HasSubstr("on request"));
  }
}

TEST_F(WorkerPoolTest, WorkerKilledFromOutsideIsLostWithItsSignal) {
  auto request = RequestFor("cat", {"10"});
  request.has_stdin = true;
  auto job = Launch(std::move(request));
  job.recorder->Await([](const Recorder::Seen& seen) { return !seen.wishes.empty(); });
  ASSERT_EQ(::kill(job.handle->pid(), SIGKILL), 0);
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.lost);
  EXPECT_EQ(*seen.lost, "worker killed by SIGKILL");
}

TEST_F(WorkerPoolTest, DroppedHandleKillsItsWorker) {
  auto job = Launch(RequestFor("spin"));
  job.handle.reset();
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.lost);
  EXPECT_THAT(*seen.lost, HasSubstr("handle was dropped"));
}

TEST_F(WorkerPoolTest, LaunchThatIsKilledBeforeItHasAWorkerIsLostOnce) {
  std::vector<Launched> jobs;
  for (int i = 0; i < 5; ++i) {
    jobs.push_back(Launch(RequestFor("spin")));
    jobs.back().handle->Kill();
  }
  for (Launched& job : jobs) {
    const auto seen = job.recorder->AwaitEnd();
    ASSERT_TRUE(seen.lost);
    EXPECT_EQ(std::ranges::count(seen.order, 'X'), 1);
  }
}

TEST_F(WorkerPoolTest, HandlesOutliveTheirPoolAndDoNothing) {
  auto job = Launch(RequestFor("spin"));
  job.recorder->Await([](const Recorder::Seen& seen) { return !seen.order.empty(); });
  pool_.reset();
  const std::string before = job.recorder->Now().order;
  job.handle->Cancel("", false);
  job.handle->Kill();
  job.handle.reset();
  EXPECT_EQ(job.recorder->Now().order, before);
}

TEST_F(WorkerPoolTest, PoolsEndLeavesNoChildBehind) {
  auto first = Launch(RequestFor("spin"));
  auto second = Launch(RequestFor("hang"));
  second.recorder->Await([](const Recorder::Seen& seen) { return !seen.order.empty(); });
  pool_.reset();
  errno = 0;
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(WorkerPoolTest, AnotherZygoteIsStartedAndRunningBoxesGoOn) {
  std::vector<std::string> lines;
  auto options = Options();
  options.log = [&](const std::string& line) { lines.push_back(line); };
  pool_ = PoolOf(options);
  ASSERT_FALSE(lines.empty());
  const auto pid = static_cast<pid_t>(std::stol(lines.at(0).substr(std::string("zygote ").size())));
  auto running = Launch(RequestFor("spin"));
  running.recorder->Await([](const Recorder::Seen& seen) { return !seen.order.empty(); });
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  for (int i = 0; i < 4; ++i) {
    auto job = Launch(RequestFor("say", {"again", "0"}));
    const auto seen = job.recorder->AwaitEnd();
    ASSERT_TRUE(seen.end) << *seen.lost;
  }
  running.handle->Cancel("", false);
  EXPECT_EQ(running.recorder->AwaitEnd().end->kind, Kind::kCancelled);
}

// Children of this process, in the order of their birth.
std::set<pid_t> Children() {
  std::set<pid_t> children;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(thread.path() / "children");
    for (pid_t pid = 0; file >> pid;) children.insert(pid);
  }
  return children;
}

TEST_F(WorkerPoolTest, IdleWorkerThatDiesIsReplaced) {
  // The zygote is the eldest; all others wait for a job.
  const std::set<pid_t> before = Children();
  ASSERT_GE(before.size(), 2u);
  for (auto idle = std::next(before.begin()); idle != before.end(); ++idle) ::kill(*idle, SIGKILL);
  auto job = Launch(RequestFor("say", {"here", "0"}));
  EXPECT_EQ(job.recorder->AwaitEnd().out, "here");
}

TEST_F(WorkerPoolTest, JobOfAWorkerThatDiesBeforeItLooksAtItGoesToAnother) {
  // Stopped, so that what it is given stays unread.
  const std::set<pid_t> before = Children();
  ASSERT_GE(before.size(), 2u);
  for (auto idle = std::next(before.begin()); idle != before.end(); ++idle) ::kill(*idle, SIGSTOP);
  auto job = Launch(RequestFor("say", {"here", "0"}));
  job.recorder->Await([](const Recorder::Seen& seen) { return !seen.order.empty(); });
  for (auto idle = std::next(before.begin()); idle != before.end(); ++idle) ::kill(*idle, SIGKILL);
  const auto seen = job.recorder->AwaitEnd();
  EXPECT_FALSE(seen.lost) << *seen.lost;
  EXPECT_EQ(seen.out, "here");
}

TEST_F(WorkerPoolTest, CancelledJobOfAWorkerThatDiesIsNotGivenToAnother) {
  const std::set<pid_t> before = Children();
  ASSERT_GE(before.size(), 2u);
  for (auto idle = std::next(before.begin()); idle != before.end(); ++idle) ::kill(*idle, SIGSTOP);
  auto job = Launch(RequestFor("spin"));
  job.recorder->Await([](const Recorder::Seen& seen) { return !seen.order.empty(); });
  job.handle->Cancel("asked for", /*wall_limit=*/false);
  for (auto idle = std::next(before.begin()); idle != before.end(); ++idle) ::kill(*idle, SIGKILL);
  EXPECT_EQ(job.recorder->AwaitEnd().lost, "worker killed by SIGKILL");
}

// A daemon that is killed takes its workers along, also one that hangs and one that nobody uses
// yet.
TEST(DaemonDeathTest, EndsItsWorkersAndItsZygote) {
  // Orphans come here, so that their end can be seen.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  auto pipe = channel::MakeSocketPair(SOCK_STREAM);
  ASSERT_TRUE(pipe.has_value());
  const pid_t daemon = ::fork();
  if (daemon == 0) {
    WorkerPoolOptions options;
    options.worker_path = SCRIPTED_WORKER;
    auto pool = MakeWorkerPool(options);
    if (!pool) ::_exit(1);
    auto job = LaunchOn(**pool, RequestFor("hang"));
    job.recorder->Await([](const Recorder::Seen& seen) { return !seen.order.empty(); });
    constexpr char kReady[] = {'r'};
    channel::SendSome(pipe->theirs.get(), kReady, -1, true);
    ::pause();
    ::_exit(0);
  }
  std::array<char, 1> ready{};
  ASSERT_EQ(channel::ReceiveSome(pipe->ours.get(), ready, nullptr, true).bytes, 1u);
  ASSERT_EQ(::kill(daemon, SIGKILL), 0);
  // The daemon, its zygote and all its workers; or the test's time is up.
  int ended = 0;
  while (::waitpid(-1, nullptr, 0) > 0) ++ended;
  EXPECT_EQ(errno, ECHILD);
  EXPECT_GE(ended, 3);
}

TEST_F(WorkerPoolTest, RequiredLayerThatIsMissingFailsTheJobBeforeItStarts) {
  auto options = Options();
  options.required_layers = {"seccomp", "tin_foil"};
  pool_ = PoolOf(options);
  auto job = Launch(RequestFor("say", {"x", "0"}));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.end) << *seen.lost;
  EXPECT_EQ(seen.end->kind, Kind::kFailed);
  EXPECT_EQ(seen.end->failure_reason, "SANDBOX_INCOMPLETE");
  EXPECT_THAT(seen.end->detail, HasSubstr("tin_foil"));
  EXPECT_EQ(seen.order, "LE");
  EXPECT_EQ(job.handle->pid(), 0);
}

TEST(MakeWorkerPoolTest, MissingProgramIsToldAtOnce) {
  WorkerPoolOptions options;
  options.worker_path = "/nonexistent/glovebox-worker";
  const auto pool = MakeWorkerPool(options);
  ASSERT_FALSE(pool.has_value());
  EXPECT_EQ(pool.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(pool.error().message, StartsWith("/nonexistent/glovebox-worker"));
}

TEST(MakeWorkerPoolTest, ProgramThatIsNoWorkerIsToldAtOnce) {
  WorkerPoolOptions options;
  options.worker_path = "/bin/true";
  const auto pool = MakeWorkerPool(options);
  ASSERT_FALSE(pool.has_value());
  EXPECT_EQ(pool.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace glovebox::server
