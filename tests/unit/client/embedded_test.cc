#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "client/embedded/daemon.h"
#include "client/embedded/paths.h"
#include "tests/unit/client/temp_dir.h"

namespace glovebox::client {
namespace {

using testing::HasSubstr;

std::string Failure(const Result<void, Error>& result) {
  return result ? "none" : result.error().reason;
}

Result<EmbeddedPaths, Error> PathsFrom(const std::map<std::string, std::string>& environment) {
  return FindEmbeddedPaths(
      [&](std::string_view name) {
        const auto found = environment.find(std::string(name));
        return found == environment.end() ? "" : found->second;
      },
      1000);
}

TEST(EmbeddedPaths, FollowsTheBaseDirectorySpecification) {
  const auto paths =
      PathsFrom({{"XDG_RUNTIME_DIR", "/run/user/1000"}, {"XDG_STATE_HOME", "/s"}, {"HOME", "/h"}});
  EXPECT_EQ(paths->Socket(), "/run/user/1000/glovebox/gloveboxd.sock");
  EXPECT_EQ(paths->Store(), "/s/glovebox/store");
}

TEST(EmbeddedPaths, FallsBackOnTmpAndHome) {
  const auto paths = PathsFrom({{"XDG_RUNTIME_DIR", "relative/is/invalid"}, {"HOME", "/h"}});
  EXPECT_EQ(paths->runtime_directory, "/tmp/glovebox-1000");
  EXPECT_EQ(paths->state_directory, "/h/.local/state/glovebox");
}

TEST(EmbeddedPaths, SaysWhatIsMissingOrTooLong) {
  EXPECT_EQ(PathsFrom({}).error().reason, "NO_HOME");
  EXPECT_EQ(
      PathsFrom({{"XDG_RUNTIME_DIR", "/" + std::string(120, 'x')}, {"HOME", "/h"}}).error().reason,
      "SOCKET_PATH_TOO_LONG");
}

TEST(MakePrivateDirectory, MakesItForItsUserAlone) {
  const TempDir base;
  ASSERT_TRUE(MakePrivateDirectory(base.Path("a/b/c")));
  struct stat status;
  ASSERT_EQ(::stat(base.Path("a/b/c").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  EXPECT_TRUE(MakePrivateDirectory(base.Path("a/b/c")));
}

TEST(MakePrivateDirectory, RefusesWhatSomebodyElseMayHavePlaced) {
  const TempDir base;
  ASSERT_EQ(::mkdir(base.Path("open").c_str(), 0700), 0);
  ASSERT_EQ(::chmod(base.Path("open").c_str(), 0770), 0);
  EXPECT_EQ(Failure(MakePrivateDirectory(base.Path("open"))), "UNSAFE_DIRECTORY");
  ASSERT_EQ(::mkdir(base.Path("real").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("real", base.Path("link").c_str()), 0);
  EXPECT_EQ(Failure(MakePrivateDirectory(base.Path("link"))), "UNSAFE_DIRECTORY");
  base.Write("file", "");
  EXPECT_EQ(Failure(MakePrivateDirectory(base.Path("file"))), "UNSAFE_DIRECTORY");
  if (::geteuid() == 0) {
    ASSERT_EQ(::mkdir(base.Path("theirs").c_str(), 0700), 0);
    ASSERT_EQ(::chown(base.Path("theirs").c_str(), 12345, 12345), 0);
    EXPECT_EQ(Failure(MakePrivateDirectory(base.Path("theirs"))), "UNSAFE_DIRECTORY");
  }
}

// A script in PATH stands for gloveboxd: the real one is met in tests/service.
class EmbeddedDaemonTest : public testing::Test {
 protected:
  EmbeddedDaemonTest() {
    const char* path = std::getenv("PATH");
    saved_path_ = path != nullptr ? path : "";
    ::setenv("PATH", (base_.Path("bin") + ":/usr/bin:/bin").c_str(), 1);
  }
  ~EmbeddedDaemonTest() override { ::setenv("PATH", saved_path_.c_str(), 1); }

  TempDir base_;
  std::string saved_path_;
  EmbeddedDaemon daemon_{{base_.Path("run"), base_.Path("state")}, [](const std::string&) {}};
};

TEST_F(EmbeddedDaemonTest, QuotesTheLogOfADaemonThatDoesNotComeUp) {
  base_.Write("bin/gloveboxd", "#!/bin/sh\necho store is damaged >&2\nexit 7\n", 0755);
  const auto peer = daemon_.Ensure();
  ASSERT_FALSE(peer);
  EXPECT_EQ(peer.error().reason, "DAEMON_FAILED");
  EXPECT_THAT(peer.error().message, HasSubstr("it exited with status 7"));
  EXPECT_THAT(peer.error().message, HasSubstr("  store is damaged"));
  EXPECT_THAT(peer.error().message, HasSubstr(base_.Path("state/gloveboxd.log")));
}

TEST_F(EmbeddedDaemonTest, QuotesOnlyWhatThisStartWrote) {
  base_.Write("state/gloveboxd.log", "an old line\n");
  ::chmod(base_.Path("state").c_str(), 0700);
  base_.Write("bin/gloveboxd", "#!/bin/sh\necho a new line\nkill -9 $$\n", 0755);
  const auto peer = daemon_.Ensure();
  ASSERT_FALSE(peer);
  EXPECT_THAT(peer.error().message, HasSubstr("killed by signal 9"));
  EXPECT_THAT(peer.error().message, HasSubstr("a new line"));
  EXPECT_EQ(peer.error().message.find("an old line"), std::string::npos);
}

TEST_F(EmbeddedDaemonTest, SaysWhereItLookedForTheProgram) {
  const auto peer = daemon_.Ensure();
  ASSERT_FALSE(peer);
  EXPECT_EQ(peer.error().reason, "DAEMON_NOT_FOUND");
}

TEST_F(EmbeddedDaemonTest, FindsNobodyWhereNobodyServes) {
  const auto peer = daemon_.Find();
  ASSERT_TRUE(peer);
  EXPECT_FALSE(peer->has_value());
}

}  // namespace
}  // namespace glovebox::client
