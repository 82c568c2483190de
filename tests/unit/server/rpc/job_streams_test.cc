// The streams of a job: followed, resumed, broken off.
#include <gmock/gmock.h>

#include <thread>

#include "tests/unit/server/rpc/rpc_fixture.h"

namespace glovebox::server {
namespace {

using enum grpc::StatusCode;
using ::testing::ElementsAre;

class JobStreamsTest : public RpcFixture {
 protected:
  std::string Output(const std::string& name, std::uint64_t offset = 0, bool follow = true) {
    grpc::ClientContext context;
    v1::ReadOutputRequest request;
    request.set_name(name);
    request.set_offset_bytes(offset);
    request.set_follow(follow);
    const auto reader = jobs_->ReadOutput(&context, request);
    std::string output;
    v1::OutputChunk chunk;
    while (reader->Read(&chunk)) {
      EXPECT_EQ(chunk.offset_bytes(), offset + output.size());
      EXPECT_LE(chunk.data().size(), 64u << 10);
      output += chunk.data();
    }
    status_ = reader->Finish();
    return output;
  }
};

TEST_F(JobStreamsTest, OutputIsFollowedWhileItComesAndReadAgainFromAnyByte) {
  const std::string name = Create(Request()).name();
  const auto box = boxes_.Next();
  grpc::ClientContext context;
  v1::ReadOutputRequest request;
  request.set_name(name);
  request.set_follow(true);
  const auto reader = jobs_->ReadOutput(&context, request);
  v1::OutputChunk chunk;
  box->Say("out", 1, 10);
  ASSERT_TRUE(reader->Read(&chunk));
  EXPECT_EQ(chunk.data(), "out");
  EXPECT_EQ(chunk.stream(), v1::OutputChunk::STDOUT);
  EXPECT_EQ(chunk.icount(), 10u);
  box->Say("err", 2, 20);
  ASSERT_TRUE(reader->Read(&chunk));
  EXPECT_EQ(chunk.data(), "err");
  EXPECT_EQ(chunk.stream(), v1::OutputChunk::STDERR);
  EXPECT_EQ(chunk.offset_bytes(), 3u);
  EXPECT_EQ(Output(name, 0, false), "outerr");  // without waiting for the end
  EXPECT_EQ(Describe(status_), "OK");
  box->Exit(0);
  EXPECT_FALSE(reader->Read(&chunk));
  EXPECT_EQ(Describe(reader->Finish()), "OK");
  EXPECT_EQ(Output(name, 2), "terr");
  EXPECT_EQ(Output(name, 6), "");
  EXPECT_EQ(Describe(status_), "OK");
  Output(name, 7);
  EXPECT_EQ(Describe(status_), Code(OUT_OF_RANGE, "BEYOND_END offset_bytes"));
}

TEST_F(JobStreamsTest, ALargeOutputComesWholeFromMemoryAndFromDisk) {
  const std::string name = Create(Request()).name();
  const auto box = boxes_.Next();
  std::string expected;
  for (int i = 0; i < 40; ++i) {
    const std::string piece(50'000, static_cast<char>('a' + i % 26));
    box->Say(piece);
    expected += piece;
  }
  box->Exit(0);
  Wait(name);
  EXPECT_EQ(Output(name), expected);
  daemon_.reset();
  StartDaemon();
  EXPECT_EQ(Output(name, 12'345), expected.substr(12'345));
}

TEST_F(JobStreamsTest, EventsComeInOrderAndAreResumable) {
  const std::string name = Create(Request()).name();
  const auto box = boxes_.Next();
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_name(name);
  const auto reader = jobs_->WatchJob(&context, request);
  v1::JobEvent event;
  std::vector<int> states;
  ASSERT_TRUE(reader->Read(&event));
  states.push_back(event.state());
  box->Lock();
  box->Exit(0);
  while (reader->Read(&event)) {
    states.push_back(event.state());
    EXPECT_EQ(event.sequence(), states.size());
  }
  EXPECT_EQ(Describe(reader->Finish()), "OK");
  EXPECT_THAT(states,
              ElementsAre(v1::QUEUED, v1::PREPARING, v1::RUNNING, v1::FINALIZING, v1::SUCCEEDED));
  grpc::ClientContext again;
  request.set_after_sequence(4);
  const auto rest = jobs_->WatchJob(&again, request);
  ASSERT_TRUE(rest->Read(&event));
  EXPECT_EQ(event.sequence(), 5u);
  EXPECT_FALSE(rest->Read(&event));
}

TEST_F(JobStreamsTest, ATraceIsStreamedWhereOneWasAskedFor) {
  v1::CreateJobRequest create = Request();
  create.mutable_spec()->set_trace_syscalls(true);
  const std::string name = Create(create).name();
  const auto box = boxes_.Next();
  for (const char* call : {"openat", "read", "write"}) box->Trace(call);
  box->Exit(0);
  Wait(name);
  grpc::ClientContext context;
  v1::StreamTraceRequest request;
  request.set_name(name);
  request.set_after_sequence(1);
  const auto reader = jobs_->StreamTrace(&context, request);
  v1::TraceEvent event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.name(), "read");
  EXPECT_EQ(event.sequence(), 2u);
  EXPECT_THAT(event.arguments(), ElementsAre("1", "\"x\""));
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_EQ(Describe(reader->Finish()), "OK");

  grpc::ClientContext refused;
  request.set_name(Create(Request()).name());
  const auto none = jobs_->StreamTrace(&refused, request);
  EXPECT_FALSE(none->Read(&event));
  EXPECT_EQ(Describe(none->Finish()), Code(FAILED_PRECONDITION, "NO_TRACE"));
}

TEST_F(JobStreamsTest, AClientThatVanishesInTheMiddleDisturbsNobody) {
  const std::string name = Create(Request()).name();
  const auto box = boxes_.Next();
  box->Say(std::string(1 << 20, 'x'));
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([this, &name] {
      grpc::ClientContext context;
      v1::ReadOutputRequest request;
      request.set_name(name);
      request.set_follow(true);
      const auto reader = jobs_->ReadOutput(&context, request);
      v1::OutputChunk chunk;
      EXPECT_TRUE(reader->Read(&chunk));
      context.TryCancel();
      while (reader->Read(&chunk)) {
      }
      EXPECT_EQ(reader->Finish().error_code(), CANCELLED);
    });
  }
  for (std::thread& client : clients) client.join();
  box->Say("more");
  box->Exit(0);
  EXPECT_EQ(Wait(name).state(), v1::SUCCEEDED);
  EXPECT_EQ(Output(name).size(), (1u << 20) + 4);
}

TEST_F(JobStreamsTest, ARunWhoseClientVanishesIsCancelled) {
  v1::CreateJobRequest create = Request();
  create.set_cancel_if_unwatched_s(1);
  const std::string name = Create(create).name();
  const auto box = boxes_.Next();
  {
    grpc::ClientContext context;
    v1::ReadOutputRequest request;
    request.set_name(name);
    request.set_follow(true);
    const auto reader = jobs_->ReadOutput(&context, request);
    box->Say("x");
    v1::OutputChunk chunk;
    ASSERT_TRUE(reader->Read(&chunk));
    context.TryCancel();
    reader->Finish();
  }
  EXPECT_EQ(box->AwaitCancel(), "nobody watched it for 1 s");
}

class Input : public JobStreamsTest {
 protected:
  void SetUp() override {
    options_.jobs.input_window = 100'000;
    JobStreamsTest::SetUp();
    v1::CreateJobRequest create = Request();
    create.mutable_spec()->set_stdin_stream(true);
    name_ = Create(create).name();
    box_ = boxes_.Next();
    box_->Lock();
    writer_ = jobs_->WriteInput(&context_, &response_);
  }
  bool Send(std::uint64_t offset, const std::string& data, bool end = false) {
    v1::WriteInputRequest request;
    request.set_name(name_);
    request.set_offset_bytes(offset);
    request.set_data(data);
    request.set_end(end);
    return writer_->Write(request);
  }
  std::string name_;
  std::shared_ptr<FakeBox> box_;
  grpc::ClientContext context_;
  v1::WriteInputResponse response_;
  std::unique_ptr<grpc::ClientWriter<v1::WriteInputRequest>> writer_;
};

TEST_F(Input, BytesReachTheGuestAndTheCallEndsWithThem) {
  box_->WantInput(0, 100);
  Send(0, "hello ");
  EXPECT_EQ(box_->AwaitInput().bytes, "hello ");
  Send(6, "world", true);
  EXPECT_EQ(Describe(writer_->Finish()), "OK");
  EXPECT_EQ(response_.accepted_bytes(), 11u);
  EXPECT_EQ(Get(name_).input_bytes(), 11u);
  box_->WantInput(6, 100);
  EXPECT_TRUE(box_->AwaitInput().end);
}

TEST_F(Input, ASenderIsHeldBackUntilTheGuestReads) {
  const std::string piece(60'000, 'x');
  for (int i = 0; i < 4; ++i) Send(static_cast<std::uint64_t>(i) * piece.size(), piece, i == 3);
  box_->WantInput(0, 60'000);
  std::uint64_t got = box_->AwaitInput().bytes.size();
  while (got < 4 * piece.size()) {
    EXPECT_LE(Get(name_).input_bytes(), got + 100'000);
    box_->WantInput(got, 60'000);
    got += box_->AwaitInput().bytes.size();
  }
  EXPECT_EQ(Describe(writer_->Finish()), "OK");
  EXPECT_EQ(response_.accepted_bytes(), 4 * piece.size());
}

TEST_F(Input, TheCallEndsWithTheJob) {
  Send(0, "never read");
  box_->WantInput(0, 1);
  EXPECT_EQ(box_->AwaitInput().bytes, "n");  // it is stored
  box_->Exit(0);
  Wait(name_);
  EXPECT_EQ(Describe(writer_->Finish()), "OK");
  EXPECT_EQ(response_.accepted_bytes(), 10u);
}

TEST_F(Input, AnOffsetThatDoesNotFitIsRefused) {
  Send(5, "gap");
  EXPECT_EQ(Describe(writer_->Finish()), Code(INVALID_ARGUMENT, "OFFSET_MISMATCH offset_bytes"));
}

TEST_F(Input, ASenderThatVanishesLeavesTheJobWaiting) {
  Send(0, "half");
  box_->WantInput(0, 10);
  EXPECT_EQ(box_->AwaitInput().bytes, "half");
  context_.TryCancel();
  EXPECT_EQ(writer_->Finish().error_code(), CANCELLED);
  grpc::ClientContext again;
  v1::WriteInputResponse response;
  const auto writer = jobs_->WriteInput(&again, &response);
  v1::WriteInputRequest request;
  request.set_name(name_);
  request.set_offset_bytes(Get(name_).input_bytes());
  request.set_data(" whole");
  request.set_end(true);
  writer->Write(request);
  EXPECT_EQ(Describe(writer->Finish()), "OK");
  EXPECT_EQ(response.accepted_bytes(), 10u);
}

TEST_F(Input, ACallWithoutANameIsRefused) {
  writer_->WritesDone();
  EXPECT_EQ(Describe(writer_->Finish()), Code(INVALID_ARGUMENT, "JOB_NAME name"));
}

}  // namespace
}  // namespace glovebox::server
