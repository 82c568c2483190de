#include "client/commands/job_options.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "engine/linux/default_root.h"
#include "tests/unit/client/temp_dir.h"

namespace glovebox::client {
namespace {

using testing::Contains;
using testing::ElementsAreArray;
using testing::HasSubstr;

class JobOptionsTest : public testing::Test {
 protected:
  v1::JobSpec Planned(const std::vector<std::string>& command) {
    const auto plan = PlanJob(options_, command);
    EXPECT_TRUE(plan) << plan.error().message;
    return plan ? plan->spec : v1::JobSpec();
  }
  std::string Refusal(const std::vector<std::string>& command = {"true"}) {
    const auto plan = PlanJob(options_, command);
    return plan ? "none" : plan.error().reason + ": " + plan.error().message;
  }

  TempDir host_;
  JobOptions options_;
};

TEST_F(JobOptionsTest, SendsAProgramOfThisMachineAlongAtItsPath) {
  const std::string program = host_.Write("prog", "x", 0755);
  const v1::JobSpec with = Planned({program, "arg"});
  EXPECT_EQ(with.program(), program);
  EXPECT_EQ(with.argv(0), program);
  EXPECT_EQ(with.argv(1), "arg");
  const v1::JobSpec without = Planned({host_.Path("absent")});
  EXPECT_NE(with.root().sha256(), without.root().sha256());
  EXPECT_EQ(without.program(), host_.Path("absent"));
}

TEST_F(JobOptionsTest, LeavesABareNameToTheBox) {
  const v1::JobSpec spec = Planned({"true"});
  EXPECT_EQ(spec.program(), "true");
  EXPECT_EQ(spec.root().sha256(), Planned({"false"}).root().sha256());
}

TEST_F(JobOptionsTest, LetsAFileOptionTakeTheProgramsPlace) {
  const std::string program = host_.Write("prog", "mine", 0755);
  const std::string other = host_.Write("other", "another", 0755);
  options_.files = {other + ":" + program};
  const std::string with_option = Planned({program}).root().sha256();
  std::filesystem::remove(program);
  EXPECT_EQ(Planned({program}).root().sha256(), with_option);
}

TEST_F(JobOptionsTest, RefusesAProgramThatIsADirectory) {
  EXPECT_THAT(Refusal({host_.Path("")}), HasSubstr("CANNOT_RUN"));
}

TEST_F(JobOptionsTest, StartsFromTheDefaultEnvironment) {
  const std::vector<std::string> expected(engine::kDefaultEnvironment.begin(),
                                          engine::kDefaultEnvironment.end());
  EXPECT_THAT(Planned({"true"}).env(), ElementsAreArray(expected));
}

TEST_F(JobOptionsTest, ReplacesAVariableInItsPlaceAndAppendsOthers) {
  std::vector<std::string> expected(engine::kDefaultEnvironment.begin(),
                                    engine::kDefaultEnvironment.end());
  for (std::string& entry : expected) {
    if (entry.starts_with("HOME=")) entry = "HOME=/a=b";
  }
  expected.insert(expected.end(), {"X=1", "Y="});
  options_.environment = {"X=0", "HOME=/a=b", "Y=", "X=1"};
  EXPECT_THAT(Planned({"true"}).env(), ElementsAreArray(expected));
}

TEST_F(JobOptionsTest, TakesSeveralLimitsAtATime) {
  options_.limits = {"insns=5M,mem=64M", "wall=30s", "mem=32M"};
  const v1::JobSpec spec = Planned({"true"});
  EXPECT_EQ(spec.limits().at("insns"), 5'000'000u);
  EXPECT_EQ(spec.limits().at("mem"), 32u << 20);
  EXPECT_EQ(spec.limits().at("wall"), 30'000u);
}

TEST_F(JobOptionsTest, MakesTheWorkingDirectoryAndTakesRelativePathsFromIt) {
  const std::string file = host_.Write("in.txt", "x");
  options_.working_directory = "/site";
  options_.files = {file + ":in.txt"};
  const v1::JobSpec relative = Planned({"true"});
  EXPECT_EQ(relative.working_directory(), "/site");
  options_.files = {file + ":/site/in.txt"};
  EXPECT_EQ(Planned({"true"}).root().sha256(), relative.root().sha256());
  options_.files = {file + ":/site/"};
  EXPECT_EQ(Planned({"true"}).root().sha256(), relative.root().sha256());
}

TEST_F(JobOptionsTest, SendsAFileAsStandardInput) {
  options_.stdin_file = host_.Write("in", "hello");
  EXPECT_EQ(Planned({"true"}).stdin_blob().size_bytes(), 5u);
}

// One row a wrong option: what is set, and what the message has to say.
TEST_F(JobOptionsTest, RefusesWrongOptionsByName) {
  const std::string file = host_.Write("f", "x");
  struct Row {
    std::vector<std::string> JobOptions::* option;
    std::string value;
    std::string message;
  };
  const Row rows[] = {
      {&JobOptions::files, "nocolon", "has to be SRC:DST"},
      {&JobOptions::files, "-:/x", "standard input"},
      {&JobOptions::files, file + ":/a/../b", "'..'"},
      {&JobOptions::files, host_.Path("absent") + ":/x", "FILE_NOT_FOUND"},
      {&JobOptions::files, host_.Path("") + ":/x", "NOT_A_FILE"},
      {&JobOptions::files, "/dev/null:/x", "NOT_A_FILE"},
      {&JobOptions::files, file + ":/tmp", "PATH_CONFLICT"},
      {&JobOptions::directories, file + ":/x", "NOT_A_DIRECTORY"},
      {&JobOptions::environment, "NOVALUE", "--env 'NOVALUE': has to be KEY=VALUE"},
      {&JobOptions::environment, "=x", "has to be KEY=VALUE"},
      {&JobOptions::environment, "K=\xff", "UTF-8"},
      {&JobOptions::limits, "speed=1", "no such limit; there are insns mem"},
      {&JobOptions::limits, "mem", "has to be KEY=VALUE"},
      {&JobOptions::limits, "mem=lots", "limit mem=lots"},
      {&JobOptions::limits, "mem=1M,", "has to be KEY=VALUE"},
      {&JobOptions::world, "moon=full", "`glovebox world` lists them"},
      {&JobOptions::world, "cpus=4", "cannot be set"},
      {&JobOptions::world, "uid", "has to be KEY=VALUE"},
      {&JobOptions::world, "uid=4294967295", "no number from 0 to 4294967294"},
      {&JobOptions::world, "umask=9", "no octal number from 0 to 777"},
      {&JobOptions::world, "hostname=a b", "printable ASCII"},
      {&JobOptions::labels, "x", "has to be KEY=VALUE"},
  };
  for (const Row& row : rows) {
    options_ = {};
    options_.*row.option = {row.value};
    EXPECT_THAT(Refusal(), HasSubstr(row.message)) << row.value;
  }
  options_ = {};
  options_.user = "4294967296";
  EXPECT_THAT(Refusal(), HasSubstr("--user '4294967296': \"4294967296\" is no number"));
  options_ = {};
  options_.schedule = "fair";
  EXPECT_THAT(Refusal(), HasSubstr("--schedule 'fair': one of round-robin,chaos is allowed"));
  options_ = {};
  EXPECT_THAT(Refusal({"prog", "\xff"}), HasSubstr("UTF-8"));
  EXPECT_THAT(Refusal({}), HasSubstr("NO_COMMAND"));
  EXPECT_THAT(Refusal({""}), HasSubstr("NO_COMMAND"));
  options_.stdin_file = host_.Path("absent");
  EXPECT_THAT(Refusal(), HasSubstr("--stdin"));
}

// A root that the server has: /bin is a link to usr/bin, where prog lies.
class BaseRootTest : public JobOptionsTest {
 protected:
  void SetUp() override {
    host_.Write("root/usr/bin/prog", "x", 0755);
    ASSERT_EQ(::symlink("usr/bin", host_.Path("root/bin").c_str()), 0);
    TreeBuilder builder({});
    ASSERT_TRUE(builder.AddDirectory(host_.Path("root"), "/"));
    tree_ = *builder.Build();
    for (const BlobSource& blob : tree_.blobs) {
      if (const auto* bytes = std::get_if<std::string>(&blob.content))
        stored_[blob.digest] = *bytes;
    }
    *base_.root.mutable_tree() = ToProto(tree_.root);
    base_.reader = [this](const Digest& digest) -> Result<std::string, Error> {
      ++reads_;
      return stored_.at(digest);
    };
  }
  Result<JobPlan, Error> PlanOn(const std::vector<std::string>& command) {
    return PlanJob(options_, command, base_);
  }

  Tree tree_;
  std::map<Digest, std::string> stored_;
  BaseRoot base_;
  int reads_ = 0;
};

TEST_F(BaseRootTest, NothingIsSentWhereNothingLiesOnTop) {
  const auto plan = PlanOn({"/bin/prog"});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->tree.root, tree_.root);
  EXPECT_EQ(plan->spec.program(), "/bin/prog");
  EXPECT_LE(plan->tree.blobs.size(), 1u);  // the listing of the root at most
  EXPECT_LE(reads_, 1);
}

TEST_F(BaseRootTest, AFileThroughALinkArrivesBehindIt) {
  options_.files = {host_.Write("extra", "e") + ":/bin/extra"};
  const auto plan = PlanOn({"extra"});
  ASSERT_TRUE(plan) << plan.error().message;
  TreeBuilder expected({});
  ASSERT_TRUE(expected.AddDirectory(host_.Path("root"), "/"));
  ASSERT_TRUE(expected.AddFile(host_.Path("extra"), "/usr/bin/extra"));
  EXPECT_EQ(plan->tree.root, expected.Build()->root);
}

TEST_F(BaseRootTest, TheRootsConfigurationFillsInWhatIsNotSaid) {
  base_.root.mutable_config()->add_command("/bin/prog");
  base_.root.mutable_config()->add_command("arg");
  base_.root.mutable_config()->add_env("PATH=/only");
  base_.root.mutable_config()->add_env("WORD=root's");
  base_.root.mutable_config()->set_working_directory("/usr");
  base_.root.mutable_config()->set_uid(7);
  const auto plan = PlanOn({});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->spec.argv_size(), 2);
  EXPECT_EQ(plan->spec.working_directory(), "/usr");
  EXPECT_EQ(plan->spec.world().at("uid"), "7");
  EXPECT_THAT(plan->spec.env(), Contains("PATH=/only"));
  options_.environment = {"WORD=ours"};
  options_.working_directory = "/";
  options_.world = {"uid=8"};
  const auto said = PlanOn({"other"});
  ASSERT_TRUE(said) << said.error().message;
  EXPECT_EQ(said->spec.argv(0), "other");
  EXPECT_EQ(said->spec.working_directory(), "/");
  EXPECT_EQ(said->spec.world().at("uid"), "8");
  EXPECT_THAT(said->spec.env(), Contains("WORD=ours"));
}

TEST_F(BaseRootTest, AnAbsoluteProgramIsTheRootsAndARelativeOneIsSentAlong) {
  const std::string here = host_.Write("local", "x", 0755);
  const auto absolute = PlanOn({here});
  ASSERT_TRUE(absolute) << absolute.error().message;
  EXPECT_EQ(absolute->tree.root, tree_.root);
  const std::string relative = std::filesystem::relative(here).string();
  const auto sent = PlanOn({relative});
  ASSERT_TRUE(sent) << sent.error().message;
  EXPECT_NE(sent->tree.root, tree_.root);
}

}  // namespace
}  // namespace glovebox::client
