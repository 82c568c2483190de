// How jobs get in, and how clients find them.
#include <gmock/gmock.h>

#include "engine/limits/limit_table.h"
#include "tests/unit/server/core/manager_fixture.h"

namespace glovebox::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class Admission : public ManagerFixture {};

TEST_F(Admission, AnAcceptedJobIsQueuedAndHandedToABox) {
  CreateRequest request = Request();
  request.spec.labels = {{"who", "me"}};
  const auto view = Create(request);
  ASSERT_TRUE(view.has_value()) << view.error().message;
  EXPECT_EQ(view->spec->labels.at("who"), "me");
  EXPECT_NE(view->create_ns, 0);
  const auto box = boxes_.Next();
  EXPECT_EQ(box->request().job_name, "jobs/" + view->id);
  EXPECT_EQ(box->request().program, "/bin/prog");
  EXPECT_EQ(box->request().working_directory, "/");
  EXPECT_EQ(box->request().limits.size(), engine::kLimits.size());
  EXPECT_FALSE(box->request().has_stdin);
}

TEST_F(Admission, ABoxGetsTheBlobsOfItsRootAndNoOthers) {
  const Digest other = PutBlob("of another job");
  const Digest deep = PutBlob("deep");
  const Digest inner = PutBlob(ListingLine('f', deep));
  CreateRequest request = Request();
  request.spec.root = PutBlob(ListingLine('d', inner));
  CreateId(request);
  const auto box = boxes_.Next();
  for (const Digest& digest : {request.spec.root, inner, deep}) {
    EXPECT_TRUE(box->request().open_blob(digest).has_value());
  }
  EXPECT_EQ(box->request().open_blob(other).error().code, ErrorCode::kNotFound);
}

TEST_F(Admission, AMissingBlobIsNamed) {
  CreateRequest request = Request();
  const Digest missing = DigestOf(BytesOf("never sent"));
  request.spec.root = PutBlob(ListingLine('f', missing));
  auto refused = Create(request);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(refused.error().reason, "BLOB_MISSING");
  EXPECT_EQ(refused.error().field, "spec.root");
  EXPECT_THAT(refused.error().message, HasSubstr(HexOf(missing)));
  request.spec.root = missing;  // the listing itself
  EXPECT_EQ(Create(request).error().reason, "BLOB_MISSING");
  request = Request();
  request.spec.stdin_blob = missing;
  EXPECT_EQ(Create(request).error().field, "spec.stdin_blob");
  PutBlob("never sent");
  EXPECT_TRUE(Create(request).has_value());
}

TEST_F(Admission, ARootThatIsNoTreeIsRefused) {
  CreateRequest request = Request();
  request.spec.root = PutBlob("no listing");
  EXPECT_EQ(Create(request).error().reason, "DIRECTORY_FORM");
  Digest directory = PutBlob("");
  for (std::size_t i = 0; i < kMaxTreeDepth; ++i) directory = PutBlob(ListingLine('d', directory));
  request.spec.root = directory;
  EXPECT_EQ(Create(request).error().reason, "TREE_TOO_DEEP");
}

TEST_F(Admission, AClosureIsComputedOnceAndKept) {
  const CreateRequest request = Request();
  CreateId(request);
  const auto stored = store_->reader().FindRoot(request.spec.root).value();
  ASSERT_TRUE(stored.has_value());
  EXPECT_THAT(*stored, SizeIs(2));
  Restart();
  CreateId(request);
}

TEST_F(Admission, ABlobThatIsLostLaterIsMissedAgain) {
  const CreateRequest request = Request();
  CreateId(request);
  const Digest program = DigestOf(BytesOf("a program"));
  Restart();  // nothing is known to be whole now
  CreateId(request);
  const auto path = directory_->root() / "blobs" / HexOf(program).substr(0, 2) / HexOf(program);
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::filesystem::resize_file(path, 3);
  EXPECT_EQ(blobs_->OpenVerified(program).error().reason, "BLOB_DAMAGED");
  EXPECT_EQ(Create(request).error().reason, "BLOB_MISSING");
}

TEST_F(Admission, TheSameRequestIdAndBodyIsTheSameJob) {
  CreateRequest request = Request();
  request.request_id = "r1";
  const std::string id = CreateId(request);
  EXPECT_EQ(CreateId(request), id);
  Restart();
  EXPECT_EQ(CreateId(request), id);
  request.spec.seed = 7;
  const auto reused = Create(request);
  EXPECT_EQ(reused.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(reused.error().reason, "REQUEST_ID_REUSED");
  EXPECT_EQ(reused.error().field, "request_id");
  request.request_id = std::string(129, 'x');
  EXPECT_EQ(Create(request).error().reason, "REQUEST_ID_TOO_LONG");
}

TEST_F(Admission, TheSameRequestManyTimesAtOnceIsOneJob) {
  CreateRequest request = Request();
  request.request_id = "at once";
  std::vector<std::promise<std::string>> promises(20);
  for (auto& promise : promises) {
    manager_->Create(request, [&promise](const Result<JobView, Error>& view) {
      promise.set_value(view.value().id);
    });
  }
  std::set<std::string> ids;
  for (auto& promise : promises) ids.insert(promise.get_future().get());
  EXPECT_THAT(ids, SizeIs(1));
}

TEST_F(Admission, AFullQueueRefusesAndTheNextOneFitsAgain) {
  StopDaemon();
  options_.max_queued = 2;
  options_.concurrent_boxes = 1;
  StartDaemon();
  const std::string running = CreateId(Request());
  const auto box = boxes_.Next();
  CreateId(Request());
  const std::string last = CreateId(Request());
  const auto refused = Create(Request());
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(refused.error().reason, "QUEUE_FULL");
  ASSERT_TRUE(Cancel(last).has_value());
  EXPECT_TRUE(Create(Request()).has_value());
}

TEST_F(Admission, NoMoreThanTheGivenBoxesRunAndTheRestInOrder) {
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(CreateId(Request()));
  const auto first = boxes_.Next();
  const auto second = boxes_.Next();
  EXPECT_EQ(manager_->Info().running, 2u);
  EXPECT_EQ(manager_->Info().queued, 2u);
  EXPECT_TRUE(boxes_.Empty());
  first->Exit(0);
  EXPECT_EQ(boxes_.Next()->request().job_name, "jobs/" + ids[2]);
}

TEST_F(Admission, ADrainingDaemonTakesNothing) {
  manager_->StopAdmission();
  const auto refused = Create(Request());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(refused.error().reason, "DRAINING");
}

TEST_F(Admission, PagesHoldTogetherAndTokensAreOfOneListing) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.insert(ids.begin(), CreateId(Request()));
  ListRequest request;
  request.page_size = 2;
  std::vector<std::string> seen;
  std::string token;
  do {
    request.page_token = token;
    const ListPage page = manager_->List(request).value();
    for (const JobView& view : page.jobs) seen.push_back(view.id);
    token = page.next_page_token;
    if (!token.empty()) {
      ListRequest other = request;
      other.page_token = token;
      other.states = {JobState::kQueued};
      EXPECT_EQ(manager_->List(other).error().reason, "PAGE_TOKEN");
    }
  } while (!token.empty());
  EXPECT_EQ(seen, ids);
  request.page_token = "made up";
  EXPECT_EQ(manager_->List(request).error().reason, "PAGE_TOKEN");
  EXPECT_EQ(manager_->List(request).error().field, "page_token");
}

TEST_F(Admission, APageOfLargeJobsEndsEarly) {
  CreateRequest request = Request();
  request.spec.argv.push_back(std::string(600 << 10, 'x'));
  for (int i = 0; i < 3; ++i) CreateId(request);
  std::size_t seen = 0;
  ListRequest list;
  do {
    const ListPage page = manager_->List(list).value();
    EXPECT_EQ(page.jobs.size(), 1u);
    seen += page.jobs.size();
    list.page_token = page.next_page_token;
  } while (!list.page_token.empty());
  EXPECT_EQ(seen, 3u);
}

TEST_F(Admission, ATokenOfAnotherStoreIsRefused) {
  for (int i = 0; i < 2; ++i) CreateId(Request());
  ListRequest request;
  request.page_size = 1;
  request.page_token = manager_->List(request).value().next_page_token;
  ASSERT_FALSE(request.page_token.empty());
  ASSERT_TRUE(manager_->List(request).has_value());
  StopDaemon();
  std::filesystem::remove_all(scratch_ / "store");
  StartDaemon();
  EXPECT_EQ(manager_->List(request).error().reason, "PAGE_TOKEN");
}

TEST_F(Admission, AListFiltersByTheStateThatClientsSee) {
  const std::string ended = CreateId(Request());
  boxes_.Next()->Exit(0);
  AwaitState(ended, JobState::kSucceeded);
  const std::string running = CreateId(Request());
  boxes_.Next()->Lock();
  AwaitState(running, JobState::kRunning);
  const auto ids = [&](std::vector<JobState> states) {
    std::vector<std::string> found;
    const auto page = manager_->List({.page_size = 10, .page_token = "", .states = states});
    for (const JobView& view : page.value().jobs) found.push_back(view.id);
    return found;
  };
  EXPECT_THAT(ids({}), ElementsAre(running, ended));
  EXPECT_THAT(ids({JobState::kRunning}), ElementsAre(running));
  EXPECT_THAT(ids({JobState::kSucceeded, JobState::kFailed}), ElementsAre(ended));
  EXPECT_THAT(ids({JobState::kCancelled}), ElementsAre());
}

TEST_F(Admission, AJobThatIsNotThereIsNotFound) {
  const std::string id(26, '0');
  EXPECT_EQ(manager_->Get(id).error().reason, "JOB_NOT_FOUND");
  EXPECT_EQ(manager_->Watch(id, [] {}).error().reason, "JOB_NOT_FOUND");
  EXPECT_EQ(manager_->Events(id, 0).error().reason, "JOB_NOT_FOUND");
  EXPECT_EQ(manager_->Signal(id, 15).error().reason, "JOB_NOT_FOUND");
  EXPECT_EQ(Cancel(id).error().reason, "JOB_NOT_FOUND");
  EXPECT_EQ(Delete(id).error().reason, "JOB_NOT_FOUND");
}

}  // namespace
}  // namespace glovebox::server
