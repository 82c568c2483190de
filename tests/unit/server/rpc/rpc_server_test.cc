// The socket, health, reflection; statuses and listings.
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <set>

#include "grpc/health/v1/health_service.grpc.pb.h"
#include "server/log_setup.h"
#include "server/rpc/status.h"
#include "tests/unit/server/rpc/rpc_fixture.h"

namespace glovebox::server {
namespace {

class RpcServerTest : public RpcFixture {};

TEST_F(RpcServerTest, TheSocketIsItsOwnersAlone) {
  struct stat status{};
  ASSERT_EQ(::stat(options_.socket.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat(options_.socket.parent_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(RpcServerTest, ASecondDaemonOnTheStoreIsRefused) {
  DaemonOptions second = options_;
  second.socket = scratch_ / "run/other";
  const auto refused = Daemon::Start(
      second,
      [this]() -> Result<std::unique_ptr<BoxLauncher>, Error> { return boxes_.Launcher(); });
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().reason, "STORE_IN_USE");
}

TEST_F(RpcServerTest, ASocketOnWhichSomebodyListensIsNotTaken) {
  DaemonOptions second = options_;
  second.store = scratch_ / "other-store";
  const auto refused = Daemon::Start(
      second,
      [this]() -> Result<std::unique_ptr<BoxLauncher>, Error> { return boxes_.Launcher(); });
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().reason, "SOCKET_IN_USE");
  v1::GetServerInfoRequest request;
  Call(&v1::JobService::Stub::GetServerInfo, request);
  EXPECT_EQ(Describe(status_), "OK");
}

TEST_F(RpcServerTest, ASocketThatWasLeftBehindIsReplacedAndAFileIsNot) {
  daemon_.reset();
  {
    const HostFd left(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, options_.socket.c_str(), sizeof(address.sun_path) - 1);
    ::unlink(options_.socket.c_str());
    ASSERT_EQ(::bind(left.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  StartDaemon();
  daemon_.reset();
  std::filesystem::remove(options_.socket);
  std::ofstream(options_.socket) << "precious";
  const auto refused = Daemon::Start(
      options_,
      [this]() -> Result<std::unique_ptr<BoxLauncher>, Error> { return boxes_.Launcher(); });
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().reason, "SOCKET_IN_USE");
}

TEST_F(RpcServerTest, APathThatIsNoSocketPathIsRefused) {
  daemon_.reset();
  for (const std::string& path : {std::string("relative"), "/" + std::string(200, 'x') + "/s"}) {
    options_.socket = path;
    const auto refused = Daemon::Start(
        options_,
        [this]() -> Result<std::unique_ptr<BoxLauncher>, Error> { return boxes_.Launcher(); });
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().reason, "SOCKET_PATH");
  }
  std::filesystem::create_directory(scratch_ / "open");
  std::filesystem::permissions(scratch_ / "open", std::filesystem::perms(0755));
  options_.socket = scratch_ / "open/s";
  const auto refused = Daemon::Start(
      options_,
      [this]() -> Result<std::unique_ptr<BoxLauncher>, Error> { return boxes_.Launcher(); });
  EXPECT_EQ(refused.error().reason, "SOCKET_NOT_PRIVATE");
}

TEST_F(RpcServerTest, HealthSaysServingUntilTheDrain) {
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  using grpc::health::v1::HealthCheckResponse;
  const auto check = [&](const char* service) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    HealthCheckResponse response;
    EXPECT_TRUE(health->Check(&context, request, &response).ok()) << service;
    return response.status();
  };
  const char* const kServices[] = {"", "glovebox.v1.JobService", "glovebox.v1.BlobService",
                                   "glovebox.v1.RootService", "glovebox.v1.SessionService"};
  for (const char* const service : kServices)
    EXPECT_EQ(check(service), HealthCheckResponse::SERVING) << service;
  daemon_->BeginDrain();
  for (const char* const service : kServices)
    EXPECT_EQ(check(service), HealthCheckResponse::NOT_SERVING) << service;
}

// The reflection protocol without its generated code: field 7 of the request asks for the services,
// and their names are in the answer as they are.
TEST_F(RpcServerTest, ReflectionNamesTheServices) {
  grpc::ClientContext context;
  grpc::internal::RpcMethod method("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                   grpc::internal::RpcMethod::BIDI_STREAMING, channel_);
  const std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream(
      grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
          channel_.get(), method, &context));
  const grpc::Slice ask(std::string("\x3a\x01*", 3));
  ASSERT_TRUE(stream->Write(grpc::ByteBuffer(&ask, 1)));
  grpc::ByteBuffer answer;
  ASSERT_TRUE(stream->Read(&answer));
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(answer.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& slice : slices)
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  EXPECT_THAT(text, ::testing::HasSubstr("glovebox.v1.JobService"));
  EXPECT_THAT(text, ::testing::HasSubstr("glovebox.v1.BlobService"));
  EXPECT_THAT(text, ::testing::HasSubstr("grpc.health.v1.Health"));
  context.TryCancel();
}

TEST(Status, EachErrorCodeHasItsOwnStatus) {
  std::set<int> seen;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    const grpc::Status status =
        StatusOf(Error{static_cast<ErrorCode>(code), "REASON", "message", "field"});
    EXPECT_TRUE(seen.insert(status.error_code()).second) << code;
    EXPECT_EQ(Describe(status), std::to_string(status.error_code()) + " REASON field");
  }
}

TEST(Status, ALongMessageIsCutAtACharacter) {
  std::string text(1'023, 'x');
  for (int i = 0; i < 2'000; ++i) text += "\u00fc";
  const grpc::Status status = StatusOf(Error{ErrorCode::kInternal, "R", text, text});
  EXPECT_EQ(status.error_message(), std::string(1'023, 'x') + "...");
  EXPECT_LT(status.error_details().size(), 8u << 10);
}

v1::Node Node(const std::string& name) {
  v1::Node node;
  node.set_name(name);
  node.set_symlink("target");
  return node;
}

std::string Listing(const std::vector<v1::Node>& nodes) {
  v1::Directory directory;
  for (const v1::Node& node : nodes) *directory.add_entries() = node;
  return directory.SerializeAsString();
}

TEST(Directory, OnlyTheCanonicalFormIsOne) {
  v1::Node file = Node("b");
  *file.mutable_file() = MessageOf(DigestOf(BytesOf("x")));
  v1::Node folder = Node("c");
  *folder.mutable_directory() = MessageOf(DigestOf(BytesOf("y")));
  const auto listing = ParseDirectory(Listing({Node("a"), file, folder}));
  ASSERT_TRUE(listing.has_value()) << listing.error().message;
  EXPECT_EQ(listing->files.size(), 1u);
  EXPECT_EQ(listing->directories.size(), 1u);
  EXPECT_TRUE(ParseDirectory("").has_value());

  v1::Node mode = Node("m");
  mode.set_mode(010000);
  v1::Node none;
  none.set_name("n");
  v1::Node target = Node("t");
  target.set_symlink("");
  v1::Node digest = file;
  digest.mutable_file()->set_sha256("short");
  const std::string good = Listing({Node("a")});
  const std::string bad[] = {
      Listing({Node("b"), Node("a")}),
      Listing({Node("a"), Node("a")}),
      Listing({Node("")}),
      Listing({Node(".")}),
      Listing({Node("..")}),
      Listing({Node("a/b")}),
      Listing({Node(std::string("a\0b", 3))}),
      Listing({Node(std::string(256, 'x'))}),
      Listing({mode}),
      Listing({none}),
      Listing({target}),
      Listing({digest}),
      good + std::string("\x10\x01", 2),  // an unknown field
      good.substr(0, good.size() - 1),
      "rubbish",
  };
  for (const std::string& bytes : bad) {
    const auto refused = ParseDirectory(bytes);
    ASSERT_FALSE(refused.has_value()) << bytes;
    EXPECT_EQ(refused.error().reason, "DIRECTORY_FORM");
  }
}

TEST(Log, JsonStringsAreEscapedAndAlwaysUtf8) {
  EXPECT_EQ(JsonEscaped("a\"b\\c\n\x01"), "a\\\"b\\\\c\\u000a\\u0001");
  EXPECT_EQ(JsonEscaped("\u00fc\U0001F600"), "\u00fc\U0001F600");
  EXPECT_EQ(JsonEscaped("\xff\xc0\x80\xed\xa0\x80z"),
            "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffdz");
  EXPECT_EQ(SetUpLog("xml", "info").error().reason, "LOG_FORMAT");
  EXPECT_EQ(SetUpLog("text", "loud").error().reason, "LOG_LEVEL");
}

}  // namespace
}  // namespace glovebox::server
