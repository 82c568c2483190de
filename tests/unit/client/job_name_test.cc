#include "client/rpc/job_name.h"

#include <gmock/gmock.h>

#include "client/rpc/call.h"
#include "tests/unit/client/test_server.h"

namespace glovebox::client {
namespace {

using testing::HasSubstr;

// Lists its jobs two a page, whatever is asked, and loses the first call of each.
class FakeJobs : public v1::JobService::Service {
 public:
  std::vector<std::string> names;
  int calls = 0;

  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override {
    if (++calls % 2 == 1) return {grpc::StatusCode::UNAVAILABLE, "lost"};
    std::size_t i = request->page_token().empty() ? 0 : std::stoul(request->page_token());
    for (const std::size_t end = std::min(i + 2, names.size()); i < end; ++i)
      response->add_jobs()->set_name(names[i]);
    if (i < names.size()) response->set_next_page_token(std::to_string(i));
    return grpc::Status::OK;
  }
};

class JobNameTest : public testing::Test {
 protected:
  JobNameTest() {
    service_.names = {"jobs/01KAGF3Z7QJ8Y5D2X4C6V8B0NM", "jobs/01KAGF3Z7QJ8Y5D2X4C6V8B0NN",
                      "jobs/01KBGF3Z7QJ8Y5D2X4C6V8B0NM"};
  }
  std::string Resolve(std::string_view text) {
    const auto name = ResolveJobName(*stub_, text);
    return name ? *name : name.error().reason + ": " + name.error().message;
  }

  FakeJobs service_;
  TestServer server_{service_};
  std::unique_ptr<v1::JobService::Stub> stub_ = v1::JobService::NewStub(server_.Channel());
};

TEST_F(JobNameTest, TakesAFullNameWithoutAsking) {
  EXPECT_EQ(Resolve("jobs/01KZZZZZZZZZZZZZZZZZZZZZZZ"), "jobs/01KZZZZZZZZZZZZZZZZZZZZZZZ");
  EXPECT_EQ(Resolve("01kzzzzzzzzzzzzzzzzzzzzzzz"), "jobs/01KZZZZZZZZZZZZZZZZZZZZZZZ");
  EXPECT_EQ(service_.calls, 0);
}

TEST_F(JobNameTest, FindsAUniqueBeginningOnALaterPage) {
  EXPECT_EQ(Resolve("01KB"), "jobs/01KBGF3Z7QJ8Y5D2X4C6V8B0NM");
  EXPECT_EQ(Resolve("jobs/01kb"), "jobs/01KBGF3Z7QJ8Y5D2X4C6V8B0NM");
}

TEST_F(JobNameTest, RefusesABeginningOfSeveralOrNone) {
  EXPECT_THAT(
      Resolve("01KA"),
      HasSubstr(
          "AMBIGUOUS_JOB: several job ids begin with '01KA': jobs/01KAGF3Z7QJ8Y5D2X4C6V8B0NM"));
  EXPECT_THAT(Resolve("02"), HasSubstr("JOB_NOT_FOUND"));
}

TEST_F(JobNameTest, RefusesWhatIsNoId) {
  for (const char* text : {"", "jobs/", "01K-A", "../x", "01KAGF3Z7QJ8Y5D2X4C6V8B0NMX"}) {
    EXPECT_THAT(Resolve(text), HasSubstr("BAD_JOB_NAME")) << text;
  }
}

}  // namespace
}  // namespace glovebox::client
