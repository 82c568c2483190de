#include <gmock/gmock.h>

#include "tests/unit/server/rpc/rpc_fixture.h"

namespace glovebox::server {
namespace {

using enum grpc::StatusCode;

class BlobServiceTest : public RpcFixture {
 protected:
  std::string Read(const v1::Digest& digest, std::uint64_t offset = 0, std::uint64_t length = 0) {
    grpc::ClientContext context;
    v1::ReadBlobRequest request;
    *request.mutable_digest() = digest;
    request.set_offset_bytes(offset);
    request.set_length_bytes(length);
    const auto reader = blobs_->Read(&context, request);
    std::string bytes;
    v1::ReadBlobResponse response;
    while (reader->Read(&response)) bytes += response.data();
    status_ = reader->Finish();
    return bytes;
  }
  v1::QueryWriteResponse Query(const v1::Digest& digest) {
    grpc::ClientContext context;
    v1::QueryWriteRequest request;
    *request.mutable_digest() = digest;
    v1::QueryWriteResponse response;
    status_ = blobs_->QueryWrite(&context, request, &response);
    return response;
  }
  const std::string text_ = std::string(3 << 20, 'x') + "end";
  const v1::Digest digest_ = MessageOf(DigestOf(BytesOf(text_)));
};

TEST_F(BlobServiceTest, ABlobGoesInInPiecesAndComesOutFromAnyByte) {
  grpc::ClientContext context;
  v1::WriteBlobResponse response;
  const auto writer = blobs_->Write(&context, &response);
  for (std::size_t at = 0; at < text_.size(); at += 1 << 20) {
    v1::WriteBlobRequest request;
    if (at == 0) *request.mutable_digest() = digest_;
    request.set_offset_bytes(at);
    request.set_data(text_.substr(at, 1 << 20));
    ASSERT_TRUE(writer->Write(request));
  }
  writer->WritesDone();
  ASSERT_EQ(Describe(writer->Finish()), "OK");
  EXPECT_EQ(response.committed_bytes(), text_.size());
  EXPECT_EQ(Read(digest_), text_);
  EXPECT_EQ(Read(digest_, text_.size() - 3), "end");
  EXPECT_EQ(Read(digest_, 1, 2), "xx");
  EXPECT_EQ(Read(digest_, text_.size()), "");
  EXPECT_EQ(Describe(status_), "OK");
  Read(digest_, text_.size() + 1);
  EXPECT_EQ(Describe(status_), Code(OUT_OF_RANGE, "BEYOND_END offset_bytes"));
}

TEST_F(BlobServiceTest, FindsWhatIsMissing) {
  grpc::ClientContext context;
  v1::FindMissingRequest request;
  *request.add_digests() = Put("here");
  *request.add_digests() = digest_;
  v1::FindMissingResponse response;
  ASSERT_TRUE(blobs_->FindMissing(&context, request, &response).ok());
  ASSERT_EQ(response.missing_size(), 1);
  EXPECT_EQ(response.missing(0).sha256(), digest_.sha256());

  grpc::ClientContext refused;
  request.add_digests()->set_sha256("no digest");
  EXPECT_EQ(Describe(blobs_->FindMissing(&refused, request, &response)),
            Code(INVALID_ARGUMENT, "DIGEST_FORM digests[2].sha256"));
  grpc::ClientContext many;
  for (int i = 0; i < 10'000; ++i) *request.add_digests() = digest_;
  EXPECT_EQ(Describe(blobs_->FindMissing(&many, request, &response)),
            Code(INVALID_ARGUMENT, "TOO_MANY_DIGESTS digests"));
}

TEST_F(BlobServiceTest, BytesOfAnotherDigestAreRefusedAndDropped) {
  const v1::Digest digest = MessageOf(DigestOf(BytesOf("right")));
  EXPECT_EQ(Describe(Upload("wrong", digest)),
            Code(INVALID_ARGUMENT, "DIGEST_MISMATCH digest.sha256"));
  EXPECT_FALSE(Query(digest).complete());
  EXPECT_EQ(Query(digest).committed_bytes(), 0u);
  EXPECT_EQ(Describe(Upload("right", digest)), "OK");
  EXPECT_TRUE(Query(digest).complete());
}

TEST_F(BlobServiceTest, AnUploadWhoseClientVanishesGoesOnWhereItBrokeOff) {
  {
    grpc::ClientContext context;
    v1::WriteBlobResponse response;
    const auto writer = blobs_->Write(&context, &response);
    v1::WriteBlobRequest request;
    *request.mutable_digest() = digest_;
    request.set_data(text_.substr(0, 1 << 20));
    ASSERT_TRUE(writer->Write(request));
    writer->WritesDone();
    EXPECT_EQ(Describe(writer->Finish()), Code(ABORTED, "UPLOAD_INCOMPLETE"));
  }
  EXPECT_EQ(Query(digest_).committed_bytes(), 1u << 20);
  {
    grpc::ClientContext context;  // and one that is cancelled
    v1::WriteBlobResponse response;
    const auto writer = blobs_->Write(&context, &response);
    v1::WriteBlobRequest request;
    *request.mutable_digest() = digest_;
    request.set_offset_bytes(1 << 20);
    request.set_data(text_.substr(1 << 20, 100));
    ASSERT_TRUE(writer->Write(request));
    context.TryCancel();
    EXPECT_EQ(writer->Finish().error_code(), CANCELLED);
  }
  // The server lets go of the upload a moment after its client has, perhaps with some bytes more:
  // as clients do, ask how far it got and go on from there, again if need be.
  const auto go_on = [&] {
    std::uint64_t at = Query(digest_).committed_bytes();
    grpc::ClientContext context;
    v1::WriteBlobResponse response;
    const auto writer = blobs_->Write(&context, &response);
    bool taken = true;
    for (; taken && at < text_.size(); at += 1 << 20) {
      v1::WriteBlobRequest request;
      *request.mutable_digest() = digest_;
      request.set_offset_bytes(at);
      request.set_data(text_.substr(at, 1 << 20));
      taken = writer->Write(request);
    }
    return Describe(writer->Finish());
  };
  std::string outcome = go_on();
  for (const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
       outcome != "OK" && std::chrono::steady_clock::now() < give_up;) {
    outcome = go_on();
  }
  EXPECT_EQ(outcome, "OK");
  EXPECT_EQ(Read(digest_), text_);
}

TEST_F(BlobServiceTest, MessagesThatDoNotFitAreRefused) {
  struct Row {
    const char* what;
    std::function<void(v1::WriteBlobRequest&)> spoil;
    std::string expected;
  };
  const Row kRows[] = {
      {"no digest", [](auto& r) { r.clear_digest(); },
       Code(INVALID_ARGUMENT, "DIGEST_FORM digest.sha256")},
      {"offset", [](auto& r) { r.set_offset_bytes(5); },
       Code(INVALID_ARGUMENT, "OFFSET_MISMATCH offset_bytes")},
      {"too long", [](auto& r) { r.mutable_digest()->set_size_bytes(2); },
       Code(INVALID_ARGUMENT, "BLOB_TOO_LONG data")},
      {"too much", [](auto& r) { r.set_data(std::string((1 << 20) + 1, 'x')); },
       Code(INVALID_ARGUMENT, "DATA_TOO_LARGE data")},
      {"too large", [](auto& r) { r.mutable_digest()->set_size_bytes(std::uint64_t{1} << 40); },
       Code(INVALID_ARGUMENT, "BLOB_TOO_LARGE digest.size_bytes")},
  };
  for (const Row& row : kRows) {
    grpc::ClientContext context;
    v1::WriteBlobResponse response;
    const auto writer = blobs_->Write(&context, &response);
    v1::WriteBlobRequest request;
    *request.mutable_digest() = digest_;
    request.set_data("some");
    row.spoil(request);
    writer->Write(request);
    EXPECT_EQ(Describe(writer->Finish()), row.expected) << row.what;
  }
}

TEST_F(BlobServiceTest, AWriteWithoutAMessageIsRefused) {
  grpc::ClientContext context;
  v1::WriteBlobResponse response;
  const auto writer = blobs_->Write(&context, &response);
  writer->WritesDone();
  EXPECT_EQ(Describe(writer->Finish()), Code(INVALID_ARGUMENT, "DIGEST_FORM digest"));
}

TEST_F(BlobServiceTest, ABlobThatIsNotThereIsNotFound) {
  Read(digest_);
  EXPECT_EQ(Describe(status_), Code(NOT_FOUND, "BLOB_MISSING"));
}

TEST_F(BlobServiceTest, AReaderThatVanishesDisturbsNobody) {
  Put(std::string(1 << 20, 'y'));
  const v1::Digest digest = MessageOf(DigestOf(BytesOf(std::string(1 << 20, 'y'))));
  grpc::ClientContext context;
  v1::ReadBlobRequest request;
  *request.mutable_digest() = digest;
  const auto reader = blobs_->Read(&context, request);
  v1::ReadBlobResponse response;
  ASSERT_TRUE(reader->Read(&response));
  context.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), CANCELLED);
  EXPECT_EQ(Read(digest).size(), 1u << 20);
}

}  // namespace
}  // namespace glovebox::server
