// A worker that was taken over cannot do more than lose its own job.
#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/unit/server/pool/pool_fixture.h"

namespace glovebox::server {
namespace {

using testing::HasSubstr;

struct TrickRow {
  const char* program;
  const char* what;  // in OnLost
};
// Without it the test's name holds addresses.
void PrintTo(const TrickRow& row, std::ostream* out) { *out << row.program; }

class HostileWorkerTest : public testing::TestWithParam<TrickRow> {
 protected:
  static WorkerPoolOptions Options() {
    WorkerPoolOptions options;
    options.worker_path = HOSTILE_WORKER;
    options.cancel_grace = std::chrono::milliseconds(50);
    return options;
  }
  std::unique_ptr<BoxLauncher> pool_ = PoolOf(Options());
};

TEST_P(HostileWorkerTest, LosesItsJobAndDisturbsNobodyElse) {
  auto neighbour = LaunchOn(*pool_, RequestFor("deaf"));
  auto job = LaunchOn(*pool_, RequestFor(GetParam().program));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.lost) << "believed: " << GetParam().program;
  EXPECT_THAT(*seen.lost, HasSubstr(GetParam().what));
  EXPECT_FALSE(neighbour.recorder->Now().lost);
  // The pool still hands out workers.
  auto next = LaunchOn(*pool_, RequestFor("exit-without-a-word"));
  EXPECT_EQ(next.recorder->AwaitEnd().lost, "worker exited with status 0");
}

INSTANTIATE_TEST_SUITE_P(Tricks, HostileWorkerTest,
                         testing::Values(TrickRow{"garbage", "exceeds the bound"},
                                         TrickRow{"huge-frame", "exceeds the bound"},
                                         TrickRow{"frame-above-bound", "exceeds the bound"},
                                         TrickRow{"not-a-message", "not a message"},
                                         TrickRow{"empty-message", "an empty message"},
                                         TrickRow{"half-a-frame-and-death", "exited with status 3"},
                                         TrickRow{"foreign-blob", "which is not of its job"},
                                         TrickRow{"output-without-end",
                                                  "more output than the job's limit"},
                                         TrickRow{"cancelled-by-itself", "though nobody asked"},
                                         TrickRow{"locked-twice", "Locked out of turn"},
                                         TrickRow{"exit-without-a-word", "exited with status 0"}),
                         [](const auto& trick) {
                           std::string name = trick.param.program;
                           std::erase(name, '-');
                           return name;
                         });

using HostileWorker = HostileWorkerTest;

TEST_F(HostileWorker, IsNotHeardAfterItsEnd) {
  for (const char* program : {"words-after-the-end", "two-ends"}) {
    auto job = LaunchOn(*pool_, RequestFor(program));
    EXPECT_TRUE(job.recorder->AwaitEnd().end) << program;
    // A later job has been through the same thread, so what followed would have been heard by now.
    auto next = LaunchOn(*pool_, RequestFor("exit-without-a-word"));
    next.recorder->AwaitEnd();
    EXPECT_EQ(job.recorder->Now().order, "LE") << program;
  }
}

TEST_F(HostileWorker, ThatIsDeafToCancelIsKilled) {
  auto job = LaunchOn(*pool_, RequestFor("deaf"));
  job.handle->Cancel("", false);
  EXPECT_THAT(*job.recorder->AwaitEnd().lost, HasSubstr("being cancelled"));
}

TEST_F(HostileWorker, CannotMakeDescriptorsPileUpInTheDaemon) {
  auto request = RequestFor("wishes-without-end");
  std::atomic<int> opened = 0;
  request.open_blob = [&](const Digest&) -> Result<HostFd, Error> {
    ++opened;
    return HostFd(::dup(STDIN_FILENO));
  };
  auto job = LaunchOn(*pool_, std::move(request));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.lost);
  EXPECT_THAT(*seen.lost, HasSubstr("before the first was answered"));
  // Those that its socket holds; the daemon itself holds one.
  EXPECT_LT(opened, 2000);
}

TEST_F(HostileWorker, CannotForgeLogLines) {
  auto job = LaunchOn(*pool_, RequestFor("last-words-without-end"));
  const auto seen = job.recorder->AwaitEnd();
  ASSERT_TRUE(seen.lost);
  EXPECT_EQ(seen.lost->find('\x1b'), std::string::npos);
  EXPECT_LT(seen.lost->size(), 2000u);
}

// Workers that misbehave before they have a job: the pool does not come up, and says why.
TEST(HostileBirthTest, IsToldToWhoeverMakesThePool) {
  std::string folder = testing::TempDir() + "/hostile-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  for (const auto& [name, what] : std::initializer_list<std::pair<const char*, const char*>>{
           {"born-dead", "exited with status 5"},
           {"born-talking", "exceeds the bound"},
           {"born-running", "Output out of turn"}}) {
    WorkerPoolOptions options;
    options.worker_path = folder + "/" + name;
    std::filesystem::create_symlink(HOSTILE_WORKER, options.worker_path);
    const auto pool = MakeWorkerPool(options);
    ASSERT_FALSE(pool.has_value()) << name;
    EXPECT_THAT(pool.error().message, HasSubstr(what)) << name;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace glovebox::server
