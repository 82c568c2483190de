// kill -9 of the daemon at each state of a job: no accepted job and no finished result is lost, and
// readers that resume by offset see the same bytes.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "glovebox/v1/blob_service.grpc.pb.h"
#include "glovebox/v1/job_service.grpc.pb.h"
#include "server/rpc/convert.h"
#include "server/store/file_io.h"
#include "tests/service/daemon_killed.h"
#include "tests/unit/server/store/scratch.h"

namespace glovebox::server {
namespace {

class DaemonKill : public ::testing::Test {
 protected:
  void TearDown() override {
    if (pid_ > 0) Kill();
  }

  void Start(KillPoint point) {
    const std::string socket = (scratch_ / "run/s").string();
    const std::string store = (scratch_ / "store").string();
    const std::string number = std::to_string(static_cast<int>(point));
    const char* const argv[] = {DAEMON_KILLED, socket.c_str(), store.c_str(), number.c_str(),
                                nullptr};
    ASSERT_EQ(
        ::posix_spawn(&pid_, DAEMON_KILLED, nullptr, nullptr, const_cast<char**>(argv), environ),
        0);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
                     1);  // no back-off left from the last daemon
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    channel_ =
        grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
    ASSERT_TRUE(
        channel_->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(30)));
    jobs_ = v1::JobService::NewStub(channel_);
    blobs_ = v1::BlobService::NewStub(channel_);
  }
  void Kill() {
    ::kill(pid_, SIGKILL);
    AwaitDeath();
  }
  void AwaitDeath() {
    int status = 0;
    ASSERT_EQ(::waitpid(std::exchange(pid_, -1), &status, 0) > 0, true);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }

  v1::Digest Put(const std::string& bytes) {
    grpc::ClientContext context;
    v1::WriteBlobResponse response;
    const auto writer = blobs_->Write(&context, &response);
    v1::WriteBlobRequest request;
    *request.mutable_digest() = MessageOf(DigestOf(BytesOf(bytes)));
    request.set_data(bytes);
    writer->Write(request);
    EXPECT_TRUE(writer->Finish().ok());
    return request.digest();
  }
  grpc::Status Create(const std::string& argument, const std::string& request_id, v1::Job* job) {
    v1::CreateJobRequest request;
    request.set_request_id(request_id);
    request.mutable_spec()->add_argv("/prog");
    request.mutable_spec()->add_argv(argument);
    *request.mutable_spec()->mutable_root() = Put("");
    grpc::ClientContext context;
    return jobs_->CreateJob(&context, request, job);
  }
  std::string Create(const std::string& argument) {
    v1::Job job;
    EXPECT_TRUE(Create(argument, "", &job).ok());
    return job.name();
  }
  v1::Job Get(const std::string& name) {
    grpc::ClientContext context;
    v1::GetJobRequest request;
    request.set_name(name);
    v1::Job job;
    EXPECT_TRUE(jobs_->GetJob(&context, request, &job).ok());
    return job;
  }
  v1::Job Wait(const std::string& name) {
    grpc::ClientContext context;
    v1::WaitJobRequest request;
    request.set_name(name);
    request.set_timeout_ms(60'000);
    v1::Job job;
    EXPECT_TRUE(jobs_->WaitJob(&context, request, &job).ok());
    return job;
  }
  void AwaitState(const std::string& name, v1::JobState state, std::uint32_t attempt = 1) {
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_name(name);
    const auto reader = jobs_->WatchJob(&context, request);
    v1::JobEvent event;
    while (reader->Read(&event)) {
      if (event.state() == state && event.attempt() == attempt) return context.TryCancel();
    }
    ADD_FAILURE() << "the state was not reached";
  }
  // At most `most` bytes from `offset` on; follows to the end otherwise.
  std::string Read(const std::string& name, std::uint64_t offset, std::size_t most) {
    grpc::ClientContext context;
    v1::ReadOutputRequest request;
    request.set_name(name);
    request.set_offset_bytes(offset);
    request.set_follow(true);
    const auto reader = jobs_->ReadOutput(&context, request);
    std::string output;
    v1::OutputChunk chunk;
    while (output.size() < most && reader->Read(&chunk)) output += chunk.data();
    context.TryCancel();
    return output.substr(0, most);
  }
  // The job ends as if nothing had happened.
  void ExpectWhole(const std::string& name, const std::string& argument, std::uint32_t attempts) {
    const v1::Job job = Wait(name);
    EXPECT_EQ(job.state(), v1::SUCCEEDED);
    EXPECT_EQ(job.result().termination().exited(), 7);
    EXPECT_EQ(job.attempts(), attempts);
    EXPECT_EQ(Read(name, 0, ~std::size_t{0}), KilledOutput(argument));
  }

  Scratch scratch_;
  pid_t pid_ = -1;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::BlobService::Stub> blobs_;
};

TEST_F(DaemonKill, WhileItAcceptsAJobARepeatedRequestMakesNoSecondOne) {
  Start(KillPoint::kAccepting);
  v1::Job job;
  EXPECT_EQ(Create("small", "request", &job).error_code(), grpc::StatusCode::UNAVAILABLE);
  AwaitDeath();
  Start(KillPoint::kNone);
  ASSERT_TRUE(Create("small", "request", &job).ok());
  ExpectWhole(job.name(), "small", 1);
  grpc::ClientContext context;
  v1::ListJobsResponse list;
  ASSERT_TRUE(jobs_->ListJobs(&context, {}, &list).ok());
  EXPECT_EQ(list.jobs_size(), 1);
}

TEST_F(DaemonKill, WhileAJobIsPreparingOrQueuedBothRunAfterwards) {
  Start(KillPoint::kPreparing);
  const std::string preparing = Create("small");
  const std::string queued = Create("small");
  AwaitState(preparing, v1::PREPARING);
  EXPECT_EQ(Get(queued).state(), v1::QUEUED);
  Kill();
  Start(KillPoint::kNone);
  ExpectWhole(preparing, "small", 2);
  ExpectWhole(queued, "small", 1);
}

TEST_F(DaemonKill, WhileAJobRunsItsReadersGoOnByOffset) {
  for (const std::string argument : {"small", "large"}) {
    Start(KillPoint::kRunning);
    const std::string name = Create(argument);
    const std::string expected = KilledOutput(argument);
    const std::string seen = Read(name, 0, expected.size() / 2);
    AwaitState(name, v1::RUNNING);
    Kill();
    Start(KillPoint::kNone);
    EXPECT_EQ(seen + Read(name, seen.size(), ~std::size_t{0}), expected);
    ExpectWhole(name, argument, 2);
    Kill();
  }
}

TEST_F(DaemonKill, WhileAJobIsFinalizingItRunsAgain) {
  Start(KillPoint::kOutputNotSynced);
  const std::string name = Create("large");
  AwaitState(name, v1::FINALIZING);
  EXPECT_FALSE(Get(name).has_result());  // not before the output is durable
  Kill();
  Start(KillPoint::kNone);
  ExpectWhole(name, "large", 2);
}

TEST_F(DaemonKill, WhileAResultIsCommittedItIsThereAfterwards) {
  Start(KillPoint::kCommitting);
  const std::string name = Create("small");
  AwaitDeath();
  Start(KillPoint::kNone);
  ExpectWhole(name, "small", 1);
}

TEST_F(DaemonKill, AFinishedResultStaysAsItIs) {
  Start(KillPoint::kNone);
  const std::string small = Create("small");
  const std::string large = Create("large");
  const std::string before = Wait(small).SerializeAsString() + Wait(large).SerializeAsString();
  Kill();
  Start(KillPoint::kNone);
  EXPECT_EQ(Get(small).SerializeAsString() + Get(large).SerializeAsString(), before);
  ExpectWhole(small, "small", 1);
  ExpectWhole(large, "large", 1);
}

TEST_F(DaemonKill, AJobThatTakesTheDaemonDownDoesSoThreeTimes) {
  std::string name;
  for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
    Start(KillPoint::kRunning);
    if (attempt == 1) name = Create("small");
    AwaitState(name, v1::RUNNING, attempt);
    Kill();
  }
  Start(KillPoint::kNone);
  const v1::Job job = Wait(name);
  EXPECT_EQ(job.state(), v1::FAILED);
  EXPECT_EQ(job.failure().reason(), "TOO_MANY_ATTEMPTS");
}

}  // namespace
}  // namespace glovebox::server
