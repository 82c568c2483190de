#include "client/upload/uploader.h"

#include <gmock/gmock.h>

#include <fstream>

#include "client/tree/tree_builder.h"
#include "tests/unit/client/fake_blobs.h"
#include "tests/unit/client/test_server.h"

namespace glovebox::client {
namespace {

using testing::HasSubstr;

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

TEST_F(UploaderTest, SendsSmallOnesTogetherAndLargeOnesAlone) {
  std::vector<BlobSource> blobs;
  for (int i = 0; i < 2'500; ++i) blobs.push_back(Bytes("small " + std::to_string(i)));
  blobs.push_back(Bytes(Pattern(300 << 10)));
  ASSERT_TRUE(Send(blobs));
  EXPECT_EQ(service_.stored.size(), blobs.size());
  EXPECT_EQ(service_.batches, 3);
  EXPECT_EQ(service_.writes.size(), 1u);
  EXPECT_EQ(progress_.sent, progress_.total);
}

TEST_F(UploaderTest, ReadsABlobBackAndChecksIt) {
  const BlobSource blob = Bytes(Pattern(200'000));
  ASSERT_TRUE(Send({blob}));
  EXPECT_EQ(ReadBlob(*stub_, blob.digest, 1 << 20), std::get<std::string>(blob.content));
  EXPECT_EQ(ReadBlob(*stub_, blob.digest, 1'000).error().reason, "BLOB_TOO_LARGE");
  service_.stored[HexOf(blob.digest)][7] ^= 1;
  EXPECT_EQ(ReadBlob(*stub_, blob.digest, 1 << 20).error().reason, "BLOB_DAMAGED");
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
