// SessionService.Debug: bytes both ways, and each way in which the call ends.
#include <gmock/gmock.h>

#include "tests/unit/server/rpc/rpc_fixture.h"

namespace glovebox::server {
namespace {

using enum grpc::StatusCode;

class SessionServiceTest : public RpcFixture {
 protected:
  void SetUp() override {
    RpcFixture::SetUp();
    sessions_ = v1::SessionService::NewStub(channel_);
  }
  struct Call {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriterInterface<v1::DebugRequest, v1::DebugResponse>> stream;

    void Say(const std::string& name, const std::string& data = {}) const {
      v1::DebugRequest request;
      request.set_name(name);
      request.set_data(data);
      stream->Write(request);
    }
    // What comes next; "(end)" where nothing does.
    std::string Hear() const {
      v1::DebugResponse response;
      if (!stream->Read(&response)) return "(end)";
      return response.attached() ? "(attached)" : response.data();
    }
  };
  std::unique_ptr<Call> Debug(const std::string& name) {
    auto call = std::make_unique<Call>();
    call->stream = sessions_->Debug(&call->context);
    call->Say(name);
    return call;
  }
  // A job whose box runs.
  std::string Run() {
    const std::string name = Create(Request()).name();
    box_ = boxes_.Next();
    box_->Lock();
    return name;
  }

  std::unique_ptr<v1::SessionService::Stub> sessions_;
  std::shared_ptr<FakeBox> box_;
};

TEST_F(SessionServiceTest, BytesGoBothWaysUntilTheJobEnds) {
  const auto call = Debug(Run());
  EXPECT_EQ(call->Hear(), "(attached)");
  EXPECT_EQ(box_->AwaitDebugger(), "open");
  for (int i = 0; i < 50; ++i) {
    call->Say("", "$g#67");
    EXPECT_EQ(box_->AwaitDebugger(), "$g#67");
    box_->TellDebugger("+$00#60");
    EXPECT_EQ(call->Hear(), "+$00#60");
  }
  box_->TellDebugger("$W00#b7");
  box_->Exit(0);
  EXPECT_EQ(call->Hear(), "$W00#b7");
  EXPECT_EQ(call->Hear(), "(end)");
  EXPECT_EQ(Describe(call->stream->Finish()), "OK");
}

TEST_F(SessionServiceTest, AClientThatGoesLetsTheBoxGo) {
  const std::string name = Run();
  {
    const auto call = Debug(name);
    EXPECT_EQ(call->Hear(), "(attached)");
    EXPECT_EQ(box_->AwaitDebugger(), "open");
    call->context.TryCancel();
    call->stream->Finish();
  }
  EXPECT_EQ(box_->AwaitDebugger(), "close");
  const auto call = Debug(name);
  EXPECT_EQ(call->Hear(), "(attached)");
  call->stream->WritesDone();
  EXPECT_EQ(call->Hear(), "(end)");
  EXPECT_EQ(Describe(call->stream->Finish()), "OK");
}

TEST_F(SessionServiceTest, RefusalsNameTheirReason) {
  const std::string name = Run();
  const auto first = Debug(name);
  EXPECT_EQ(first->Hear(), "(attached)");
  const auto second = Debug(name);
  EXPECT_EQ(second->Hear(), "(end)");
  EXPECT_EQ(Describe(second->stream->Finish()), Code(FAILED_PRECONDITION, "DEBUGGER_BUSY name"));
  const auto unnamed = Debug("");
  EXPECT_EQ(unnamed->Hear(), "(end)");
  EXPECT_EQ(Describe(unnamed->stream->Finish()), Code(INVALID_ARGUMENT, "JOB_NAME name"));
  const auto nowhere = Debug("jobs/0000000000000000000000000A");
  EXPECT_EQ(nowhere->Hear(), "(end)");
  EXPECT_EQ(Describe(nowhere->stream->Finish()), Code(NOT_FOUND, "JOB_NOT_FOUND name"));
  first->Say("", std::string((64 << 10) + 1, 'x'));
  EXPECT_EQ(first->Hear(), "(end)");
  EXPECT_EQ(Describe(first->stream->Finish()), Code(INVALID_ARGUMENT, "DATA_TOO_LARGE data"));
}

TEST_F(SessionServiceTest, AReplayTellsAPersonAndThenADebugger) {
  const std::string name = Run();
  box_->Exit(0);
  Wait(name);
  const auto call = std::make_unique<Call>();
  call->stream = sessions_->Debug(&call->context);
  v1::DebugRequest request;
  request.set_name(name);
  request.set_at_icount(17);
  call->stream->Write(request);
  const auto replay = boxes_.Next();
  ASSERT_TRUE(replay->request().replay.has_value());
  EXPECT_EQ(replay->request().replay->icount, 17U);
  replay->Lock();
  replay->Notice("it stands at 17");
  replay->Stand(true);
  v1::DebugResponse response;
  ASSERT_TRUE(call->stream->Read(&response));
  EXPECT_EQ(response.notice(), "it stands at 17");
  EXPECT_FALSE(response.attached());
  EXPECT_EQ(call->Hear(), "(attached)");
  call->Say("", "$g#67");
  EXPECT_EQ(replay->AwaitDebugger(), "$g#67");
  // A notice is not lost when the session fails with it.
  replay->Notice("it differs");
  BoxEnd end;
  end.kind = BoxEnd::Kind::kFailed;
  end.failure_reason = "REPLAY_DIVERGED";
  replay->End(end);
  ASSERT_TRUE(call->stream->Read(&response));
  EXPECT_EQ(response.notice(), "it differs");
  EXPECT_EQ(call->Hear(), "(end)");
  EXPECT_EQ(Describe(call->stream->Finish()), Code(FAILED_PRECONDITION, "REPLAY_DIVERGED"));
}

TEST_F(SessionServiceTest, ACoreComesInPiecesAndEnds) {
  const std::string name = Run();
  grpc::ClientContext context;
  v1::ReadCoreRequest request;
  request.set_name(name);
  request.set_pid(3);
  const auto reader = sessions_->ReadCore(&context, request);
  EXPECT_EQ(box_->AwaitDebugger(), "core 3");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(box_->AwaitDebugger(), "more");
    box_->Core(static_cast<std::uint64_t>(i) * 4096, "piece", false);
  }
  v1::CoreChunk chunk;
  for (std::uint64_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(reader->Read(&chunk));
    EXPECT_EQ(chunk.offset_bytes(), i * 4096);
    EXPECT_EQ(chunk.data(), "piece");
  }
  box_->Core(99'000, "", true);
  ASSERT_TRUE(reader->Read(&chunk));
  EXPECT_TRUE(chunk.end());
  EXPECT_EQ(chunk.offset_bytes(), 99'000U);
  EXPECT_FALSE(reader->Read(&chunk));
  EXPECT_EQ(Describe(reader->Finish()), "OK");
}

TEST_F(SessionServiceTest, ACoreThatCannotBeHadSaysWhy) {
  const std::string name = Run();
  grpc::ClientContext context;
  v1::ReadCoreRequest request;
  request.set_name(name);
  const auto reader = sessions_->ReadCore(&context, request);
  EXPECT_EQ(box_->AwaitDebugger(), "core 0");
  box_->Notice("there is no process 0");
  box_->LeaveDebugger();
  v1::CoreChunk chunk;
  while (reader->Read(&chunk)) {
  }
  EXPECT_EQ(Describe(reader->Finish()), Code(NOT_FOUND, "PROCESS_NOT_FOUND pid"));
  grpc::ClientContext second;
  request.set_at_icount(4);
  const auto refused = sessions_->ReadCore(&second, request);
  EXPECT_FALSE(refused->Read(&chunk));
  EXPECT_EQ(Describe(refused->Finish()), Code(FAILED_PRECONDITION, "JOB_NOT_ENDED at_icount"));
}

TEST_F(SessionServiceTest, ADebuggerThatDoesNotReadIsCutOff) {
  const auto call = Debug(Run());
  EXPECT_EQ(call->Hear(), "(attached)");
  EXPECT_EQ(box_->AwaitDebugger(), "open");
  const std::string piece(64 << 10, 'x');
  // Far more than it may leave unread and gRPC keeps on the way.
  for (int i = 0; i < 1024; ++i) box_->TellDebugger(piece);
  std::string last;
  while ((last = call->Hear()) != "(end)") {
  }
  EXPECT_EQ(Describe(call->stream->Finish()), Code(RESOURCE_EXHAUSTED, "DEBUGGER_TOO_SLOW"));
}

}  // namespace
}  // namespace glovebox::server
