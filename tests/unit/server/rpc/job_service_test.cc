// Each call of JobService: in the right state, in the wrong one, over its limit, cancelled half
// way.
#include <gmock/gmock.h>

#include "tests/unit/server/rpc/rpc_fixture.h"

namespace glovebox::server {
namespace {

using enum grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Stub = v1::JobService::Stub;

const std::string kNoJob = "jobs/" + std::string(26, '0');

class JobServiceTest : public RpcFixture {};

TEST_F(JobServiceTest, AJobGoesTheWholeWay) {
  v1::CreateJobRequest request = Request();
  (*request.mutable_spec()->mutable_labels())["who"] = "me";
  const v1::Job created = Create(request);
  ASSERT_EQ(Describe(status_), "OK");
  EXPECT_THAT(created.name(), StartsWith("jobs/"));
  EXPECT_EQ(created.state(), v1::QUEUED);
  EXPECT_EQ(created.spec().labels().at("who"), "me");
  const auto box = boxes_.Next();
  box->Lock(4);
  box->Say("hi\n");
  BoxEnd end;
  end.code = 3;
  end.icount = 77;
  end.trace_hash = std::string(32, 'f');
  end.absent_syscalls = {{"io_uring_setup", 2}};
  end.unimplemented_mnemonic = "vaddpd";
  end.unimplemented_code = "\xc5\xf9";
  box->End(end);
  const v1::Job job = Wait(created.name());
  ASSERT_EQ(Describe(status_), "OK");
  EXPECT_EQ(job.state(), v1::SUCCEEDED);
  EXPECT_EQ(job.result().termination().exited(), 3);
  EXPECT_EQ(job.result().icount(), 77u);
  EXPECT_EQ(job.result().absent_syscalls().at("io_uring_setup"), 2u);
  EXPECT_EQ(job.result().unimplemented_instruction().mnemonic(), "vaddpd");
  EXPECT_EQ(job.epoch(), 4u);
  EXPECT_EQ(job.attempts(), 1u);
  EXPECT_EQ(job.output_bytes(), 3u);
  EXPECT_EQ(job.sandbox().layers(0).name(), "seccomp");
  EXPECT_GT(job.end_time().seconds(), 1'600'000'000);
  EXPECT_EQ(Get(created.name()).SerializeAsString(), job.SerializeAsString());
}

TEST_F(JobServiceTest, EachEndHasItsTermination) {
  struct Row {
    BoxEnd::Kind kind;
    int code;
    std::string limit;
    std::string expected;
  };
  const Row kRows[] = {
      {BoxEnd::Kind::kSignaled, 11, "", "signaled: 11 core_available: true"},
      {BoxEnd::Kind::kLimit, 0, "mem",
       "limit { limit: \"mem\" value: 5 unit: \"bytes\" } core_available: true"},
      {BoxEnd::Kind::kDeadlock, 0, "", "deadlock: \"why\" core_available: true"},
      {BoxEnd::Kind::kNotStarted, 2, "",
       "not_started { error_number: 2 error_name: \"ENOENT\" detail: \"why\" } core_available: "
       "true"},
  };
  for (const Row& row : kRows) {
    const v1::Job created = Create(Request());
    BoxEnd end;
    end.kind = row.kind;
    end.code = row.code;
    end.limit = row.limit;
    end.limit_value = 5;
    end.detail = "why";
    end.core_available = true;
    boxes_.Next()->End(end);
    std::string text = Wait(created.name()).result().termination().ShortDebugString();
    if (row.kind != BoxEnd::Kind::kSignaled) text += " core_available: true";
    EXPECT_EQ(text, row.expected);
  }
}

TEST_F(JobServiceTest, BadRequestsNameTheirField) {
  v1::CreateJobRequest request = Request();
  request.mutable_spec()->set_program("/a/../../etc/passwd");
  Create(request);
  EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "PATH_HAS_DOT_DOT spec.program"));
  request = Request();
  request.mutable_spec()->mutable_root()->set_sha256("ABC");
  Create(request);
  EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "DIGEST_FORM spec.root.sha256"));
  request = Request();
  request.mutable_spec()->clear_root();
  Create(request);
  EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "DIGEST_FORM spec.root.sha256"));
  request = Request();
  request.mutable_spec()->mutable_root()->set_sha256(std::string(64, '0'));
  Create(request);
  EXPECT_EQ(Describe(status_), Code(FAILED_PRECONDITION, "BLOB_MISSING spec.root"));
  request = Request();
  request.mutable_spec()->add_argv(std::string(10 << 20, 'x'));
  Create(request);
  EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "ARGUMENTS_TOO_LARGE spec.argv"));
  request = Request();
  (*request.mutable_spec()->mutable_limits())["speed"] = 1;
  Create(request);
  EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "UNKNOWN_LIMIT spec.limits[\"speed\"]"));
}

TEST_F(JobServiceTest, ARequestBeyondAllLimitsIsRefusedByTheTransport) {
  v1::CreateJobRequest request = Request();
  request.mutable_spec()->add_argv(std::string(20 << 20, 'x'));
  Create(request);
  EXPECT_EQ(status_.error_code(), RESOURCE_EXHAUSTED);
  Create(Request());
  EXPECT_EQ(Describe(status_), "OK");
}

TEST_F(JobServiceTest, ARequestIdIsOneJob) {
  v1::CreateJobRequest request = Request();
  request.set_request_id("r");
  const std::string name = Create(request).name();
  EXPECT_EQ(Create(request).name(), name);
  request.mutable_spec()->set_seed(1);
  Create(request);
  EXPECT_EQ(Describe(status_), Code(ALREADY_EXISTS, "REQUEST_ID_REUSED request_id"));
}

TEST_F(JobServiceTest, NamesThatAreNoneAndJobsThatAreNotThere) {
  for (const char* name :
       {"", "jobs/", "jobs/x", "01M7WA0742BSYQD0M95J39072G", "jobs/../../../../etc/passwd"}) {
    Get(name);
    EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "JOB_NAME name")) << name;
  }
  Get(kNoJob);
  EXPECT_EQ(Describe(status_), Code(NOT_FOUND, "JOB_NOT_FOUND name"));
  Wait(kNoJob);
  EXPECT_EQ(Describe(status_), Code(NOT_FOUND, "JOB_NOT_FOUND name"));
  v1::CancelJobRequest cancel;
  cancel.set_name(kNoJob);
  Call(&Stub::CancelJob, cancel);
  EXPECT_EQ(Describe(status_), Code(NOT_FOUND, "JOB_NOT_FOUND name"));
}

TEST_F(JobServiceTest, ListsInPages) {
  std::vector<std::string> names;
  for (int i = 0; i < 3; ++i) names.insert(names.begin(), Create(Request()).name());
  v1::ListJobsRequest request;
  request.set_page_size(2);
  v1::ListJobsResponse page = Call(&Stub::ListJobs, request);
  ASSERT_EQ(page.jobs_size(), 2);
  EXPECT_EQ(page.jobs(0).name(), names[0]);
  request.set_page_token(page.next_page_token());
  page = Call(&Stub::ListJobs, request);
  ASSERT_EQ(page.jobs_size(), 1);
  EXPECT_EQ(page.jobs(0).name(), names[2]);
  EXPECT_EQ(page.next_page_token(), "");
  request.add_states(v1::QUEUED);
  Call(&Stub::ListJobs, request);
  EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "PAGE_TOKEN page_token"));
  request.clear_page_token();
  request.add_states(static_cast<v1::JobState>(99));
  Call(&Stub::ListJobs, request);
  EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "UNKNOWN_STATE states[1]"));
}

TEST_F(JobServiceTest, CancelSignalAndDeleteInTheirStates) {
  const std::string name = Create(Request()).name();
  const auto box = boxes_.Next();
  box->Lock();
  v1::SignalJobRequest signal;
  signal.set_name(name);
  signal.set_signal(2);
  Call(&Stub::SignalJob, signal);
  EXPECT_EQ(Describe(status_), "OK");
  EXPECT_EQ(box->AwaitSignal(), 2);
  signal.set_signal(65);
  Call(&Stub::SignalJob, signal);
  EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "SIGNAL_NUMBER signal"));
  v1::DeleteJobRequest remove;
  remove.set_name(name);
  Call(&Stub::DeleteJob, remove);
  EXPECT_EQ(Describe(status_), Code(FAILED_PRECONDITION, "JOB_NOT_ENDED"));
  v1::CancelJobRequest cancel;
  cancel.set_name(name);
  cancel.set_reason(std::string(1'025, 'x'));
  Call(&Stub::CancelJob, cancel);
  EXPECT_EQ(Describe(status_), Code(INVALID_ARGUMENT, "REASON_TOO_LONG reason"));
  cancel.set_reason("enough");
  Call(&Stub::CancelJob, cancel);
  EXPECT_EQ(Describe(status_), "OK");
  EXPECT_EQ(box->AwaitCancel(), "enough");
  BoxEnd end;
  end.kind = BoxEnd::Kind::kCancelled;
  end.icount = 5;
  box->End(end);
  const v1::Job job = Wait(name);
  EXPECT_EQ(job.state(), v1::CANCELLED);
  EXPECT_FALSE(job.result().has_termination());
  EXPECT_EQ(job.result().icount(), 5u);
  signal.set_signal(2);
  Call(&Stub::SignalJob, signal);
  EXPECT_EQ(Describe(status_), Code(FAILED_PRECONDITION, "JOB_NOT_RUNNING"));
  Call(&Stub::DeleteJob, remove);
  EXPECT_EQ(Describe(status_), "OK");
  Get(name);
  EXPECT_EQ(Describe(status_), Code(NOT_FOUND, "JOB_NOT_FOUND name"));
}

TEST_F(JobServiceTest, AFailedJobSaysWhy) {
  const std::string name = Create(Request()).name();
  boxes_.Next()->Lose("killed by SIGKILL");
  const v1::Job job = Wait(name);
  EXPECT_EQ(job.state(), v1::FAILED);
  EXPECT_EQ(job.failure().reason(), "WORKER_LOST");
  EXPECT_THAT(job.failure().message(), HasSubstr("SIGKILL"));
  EXPECT_FALSE(job.has_result());
}

TEST_F(JobServiceTest, AWaitEndsWithItsTimeoutOrItsDeadlineAndNotTheJob) {
  const std::string name = Create(Request()).name();
  const auto box = boxes_.Next();
  EXPECT_NE(Wait(name, 1).state(), v1::SUCCEEDED);
  EXPECT_EQ(Describe(status_), "OK");
  {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(20));
    v1::WaitJobRequest request;
    request.set_name(name);
    v1::Job job;
    EXPECT_EQ(jobs_->WaitJob(&context, request, &job).error_code(), DEADLINE_EXCEEDED);
  }
  box->Exit(0);
  EXPECT_EQ(Wait(name).state(), v1::SUCCEEDED);
}

TEST_F(JobServiceTest, TheServerSaysWhatItIs) {
  const v1::ServerInfo info = Call(&Stub::GetServerInfo, v1::GetServerInfoRequest());
  EXPECT_EQ(info.version(), "1.2.3");
  EXPECT_EQ(info.concurrent_boxes(), 2u);
  EXPECT_THAT(info.warnings(), ElementsAre("no landlock here"));
}

TEST_F(JobServiceTest, ADrainingDaemonRefusesJobsAndServesTheRest) {
  const std::string name = Create(Request()).name();
  const auto box = boxes_.Next();
  const v1::CreateJobRequest request = Request();
  daemon_->BeginDrain();
  Create(request);
  EXPECT_EQ(Describe(status_), Code(UNAVAILABLE, "DRAINING"));
  EXPECT_FALSE(daemon_->AwaitDrained(std::chrono::milliseconds(0)));
  box->Exit(0);
  EXPECT_EQ(Wait(name).state(), v1::SUCCEEDED);
  EXPECT_TRUE(daemon_->AwaitDrained(std::chrono::seconds(30)));
}

TEST_F(JobServiceTest, QuietMeansNeitherJobsNorCalls) {
  const std::string name = Create(Request()).name();
  const auto box = boxes_.Next();
  EXPECT_EQ(daemon_->QuietFor().count(), 0);
  box->Exit(0);
  Wait(name);
  // A call is counted out a moment after its client has its answer.
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (daemon_->QuietFor().count() == 0 && std::chrono::steady_clock::now() < give_up) {
  }
  EXPECT_GT(daemon_->QuietFor().count(), 0);
  grpc::ClientContext context;
  v1::WatchJobRequest watch;
  watch.set_name(Create(Request()).name());
  const auto reader = jobs_->WatchJob(&context, watch);
  EXPECT_EQ(daemon_->QuietFor().count(), 0);
  context.TryCancel();
  reader->Finish();
}

}  // namespace
}  // namespace glovebox::server
