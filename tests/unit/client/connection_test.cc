#include "client/rpc/connection.h"

#include <gmock/gmock.h>

#include "client/rpc/call.h"
#include "tests/unit/client/test_server.h"

namespace glovebox::client {
namespace {

// Writes the numbers from the asked offset on as chunks, and breaks off after each second one.
class FlakyOutput : public v1::JobService::Service {
 public:
  int calls = 0;
  grpc::StatusCode at_break = grpc::StatusCode::UNAVAILABLE;

  grpc::Status GetServerInfo(grpc::ServerContext*, const v1::GetServerInfoRequest*,
                             v1::ServerInfo* info) override {
    info->set_version("9.9");
    return grpc::Status::OK;
  }
  grpc::Status ReadOutput(grpc::ServerContext*, const v1::ReadOutputRequest* request,
                          grpc::ServerWriter<v1::OutputChunk>* writer) override {
    ++calls;
    std::uint64_t offset = request->offset_bytes();
    for (int sent = 0; offset < 10; ++offset) {
      if (++sent > 2) return {at_break, "broken off"};
      v1::OutputChunk chunk;
      chunk.set_offset_bytes(offset);
      chunk.set_data(std::to_string(offset));
      writer->Write(chunk);
    }
    return grpc::Status::OK;
  }
};

class ConnectionTest : public testing::Test {
 protected:
  Result<void, Error> ReadAll(std::string& text, std::size_t most = 100) {
    const auto connection = Connection::Open({.server = server_.address(), .command = {}});
    if (!connection) return std::unexpected(connection.error());
    CallStopper stopper;
    return ReadStream(connection->jobs(), &v1::JobService::StubInterface::ReadOutput,
                      v1::ReadOutputRequest(), stopper,
                      [&](const v1::OutputChunk& chunk, v1::ReadOutputRequest& next) {
                        text += chunk.data();
                        next.set_offset_bytes(chunk.offset_bytes() + chunk.data().size());
                        return text.size() < most;
                      });
  }

  FlakyOutput service_;
  TestServer server_{service_};
};

TEST_F(ConnectionTest, GoesOnReadingWhereABrokenStreamStopped) {
  std::string text;
  ASSERT_TRUE(ReadAll(text));
  EXPECT_EQ(text, "0123456789");
  EXPECT_EQ(service_.calls, 5);
}

TEST_F(ConnectionTest, GivesUpWhereTheServerRefuses) {
  service_.at_break = grpc::StatusCode::NOT_FOUND;
  std::string text;
  const auto read = ReadAll(text);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(text, "01");
}

TEST_F(ConnectionTest, EndsAStreamThatIsNoLongerWanted) {
  std::string text;
  ASSERT_TRUE(ReadAll(text, 1));
  EXPECT_EQ(text, "0");
}

TEST_F(ConnectionTest, LearnsWhatTheServerIs) {
  const auto connection = Connection::Open({.server = server_.address(), .command = {}});
  ASSERT_TRUE(connection);
  EXPECT_EQ(connection->info().version(), "9.9");
}

TEST(Connection, RefusesAddressesThatItCannotServe) {
  for (const char* address : {"localhost:1234", "unix:", "/run/x.sock"}) {
    const auto connection = Connection::Open({.server = address, .command = {}});
    ASSERT_FALSE(connection);
    EXPECT_EQ(connection.error().reason, "BAD_SERVER") << address;
  }
}

TEST(Connection, SaysThatNobodyAnswers) {
  const TempDir directory;
  const auto connection =
      Connection::Open({.server = "unix:" + directory.Path("s"), .command = {}});
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(connection.error().message, testing::HasSubstr("no daemon answers at unix:"));
}

}  // namespace
}  // namespace glovebox::client
