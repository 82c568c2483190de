#include "client/upload/uploader.h"

#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <mutex>

#include "tests/unit/client/test_server.h"

namespace glovebox::client {
namespace {

using testing::HasSubstr;

// Keeps blobs in memory; breaks off calls where it is told to.
class FakeBlobs : public v1::BlobService::Service {
 public:
  std::map<std::string, std::string> stored;  // by digest
  std::map<std::string, std::string> partial;
  std::map<std::string, int> writes;  // calls, by digest
  std::size_t largest_message = 0;
  std::uint64_t bytes_received = 0;
  int break_after_messages = -1;  // the next Write breaks off after so many

  grpc::Status FindMissing(grpc::ServerContext*, const v1::FindMissingRequest* request,
                           v1::FindMissingResponse* response) override {
    EXPECT_LE(request->digests_size(), 10'000);
    for (const v1::Digest& digest : request->digests()) {
      if (!stored.contains(digest.sha256())) *response->add_missing() = digest;
    }
    return grpc::Status::OK;
  }

  grpc::Status QueryWrite(grpc::ServerContext*, const v1::QueryWriteRequest* request,
                          v1::QueryWriteResponse* response) override {
    response->set_committed_bytes(partial[request->digest().sha256()].size());
    response->set_complete(stored.contains(request->digest().sha256()));
    return grpc::Status::OK;
  }

  grpc::Status Write(grpc::ServerContext*, grpc::ServerReader<v1::WriteBlobRequest>* reader,
                     v1::WriteBlobResponse* response) override {
    v1::WriteBlobRequest message;
    v1::Digest digest;
    int messages = 0;
    while (reader->Read(&message)) {
      if (message.has_digest()) {
        digest = message.digest();
        ++writes[digest.sha256()];
      }
      std::string& bytes = partial[digest.sha256()];
      if (message.offset_bytes() != bytes.size()) return {grpc::StatusCode::ABORTED, "offset"};
      bytes += message.data();
      bytes_received += message.data().size();
      largest_message = std::max(largest_message, message.data().size());
      if (++messages == break_after_messages) {
        break_after_messages = -1;
        return {grpc::StatusCode::UNAVAILABLE, "broken off"};
      }
    }
    std::string bytes = std::exchange(partial[digest.sha256()], {});
    if (HexOf(DigestOf(std::as_bytes(std::span(bytes)))) != digest.sha256()) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "digest mismatch"};
    }
    response->set_committed_bytes(bytes.size());
    stored[digest.sha256()] = std::move(bytes);
    return grpc::Status::OK;
  }
};

class NotedProgress : public UploadProgress {
 public:
  void OnStart(std::uint64_t total_bytes) override { total = total_bytes; }
  void OnBytes(std::uint64_t sent_bytes) override { sent = sent_bytes; }
  void OnEnd() override { ++ends; }
  std::uint64_t total = 0, sent = 0;
  int ends = 0;
};

BlobSource Bytes(std::string bytes) {
  const Digest digest = DigestOf(std::as_bytes(std::span(bytes)));
  return {digest, std::move(bytes)};
}

class UploaderTest : public testing::Test {
 protected:
  Result<void, Error> Send(const std::vector<BlobSource>& blobs) {
    return Upload(*stub_, blobs, progress_);
  }

  TempDir host_;
  FakeBlobs service_;
  TestServer server_{service_};
  std::unique_ptr<v1::BlobService::Stub> stub_ = v1::BlobService::NewStub(server_.Channel());
  NotedProgress progress_;
};

std::string Pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 13);
  return bytes;
}

TEST_F(UploaderTest, SendsOnlyWhatIsMissing) {
  const std::vector<BlobSource> blobs{Bytes("one"), Bytes("two"), Bytes("")};
  service_.stored[HexOf(blobs[0].digest)] = "one";
  ASSERT_TRUE(Send(blobs));
  EXPECT_EQ(service_.writes.count(HexOf(blobs[0].digest)), 0u);
  EXPECT_EQ(service_.stored.at(HexOf(blobs[1].digest)), "two");
  EXPECT_TRUE(service_.stored.contains(HexOf(blobs[2].digest)));
  EXPECT_EQ(progress_.total, 3u);
  EXPECT_EQ(progress_.sent, 3u);
  EXPECT_EQ(progress_.ends, 1);
  service_.writes.clear();
  ASSERT_TRUE(Send(blobs));
  EXPECT_TRUE(service_.writes.empty());
}

TEST_F(UploaderTest, SendsAFileInPiecesOfOneMebibyte) {
  const std::string bytes = Pattern((5 << 20) + 17);
  const auto source = HashHostFile(host_.Write("big", bytes));
  ASSERT_TRUE(source);
  ASSERT_TRUE(Send({*source}));
  EXPECT_EQ(service_.stored.at(HexOf(source->digest)), bytes);
  EXPECT_EQ(service_.largest_message, std::size_t{1} << 20);
}

TEST_F(UploaderTest, GoesOnWhereABrokenUploadStopped) {
  const std::string bytes = Pattern(6 << 20);
  const auto source = HashHostFile(host_.Write("big", bytes));
  service_.break_after_messages = 2;
  ASSERT_TRUE(Send({*source}));
  EXPECT_EQ(service_.stored.at(HexOf(source->digest)), bytes);
  EXPECT_EQ(service_.writes.at(HexOf(source->digest)), 2);
  EXPECT_EQ(service_.bytes_received, bytes.size());  // not one byte twice
}

TEST_F(UploaderTest, GoesOnWithWhatAnEarlierClientLeft) {
  const std::string bytes = Pattern(6 << 20);
  const auto source = HashHostFile(host_.Write("big", bytes));
  service_.partial[HexOf(source->digest)] = bytes.substr(0, 12'345);
  ASSERT_TRUE(Send({*source}));
  EXPECT_EQ(service_.stored.at(HexOf(source->digest)), bytes);
  EXPECT_EQ(service_.bytes_received, bytes.size() - 12'345);
}

TEST_F(UploaderTest, AsksAgainWhereASmallOneIsHalfThere) {
  const BlobSource blob = Bytes("hello world");
  service_.partial[HexOf(blob.digest)] = "hello";
  ASSERT_TRUE(Send({blob}));
  EXPECT_EQ(service_.stored.at(HexOf(blob.digest)), "hello world");
}

TEST_F(UploaderTest, RefusesAFileThatChangedInBetween) {
  const std::string path = host_.Write("f", "before");
  const auto source = HashHostFile(path);
  std::ofstream(path, std::ios::app) << "!";
  const auto sent = Send({*source});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().reason, "FILE_CHANGED");
  EXPECT_THAT(sent.error().message, HasSubstr(path));
  EXPECT_TRUE(service_.stored.empty());
}

}  // namespace
}  // namespace glovebox::client
