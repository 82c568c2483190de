// A BlobService in memory.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "engine/base/digest.h"
#include "glovebox/v1/blob_service.grpc.pb.h"

namespace glovebox::client {

// Keeps blobs in memory; breaks off calls where it is told to.
class FakeBlobs : public v1::BlobService::Service {
 public:
  std::map<std::string, std::string> stored;  // by digest
  std::map<std::string, std::string> partial;
  std::map<std::string, int> writes;  // calls, by digest
  int batches = 0;
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

  grpc::Status WriteBatch(grpc::ServerContext*, const v1::WriteBatchRequest* request,
                          v1::WriteBatchResponse*) override {
    ++batches;
    EXPECT_LE(request->blobs_size(), 4'096);
    EXPECT_LE(request->ByteSizeLong(), std::size_t{9} << 20);
    for (const auto& blob : request->blobs()) {
      if (HexOf(DigestOf(std::as_bytes(std::span(blob.data())))) != blob.digest().sha256())
        return {grpc::StatusCode::INVALID_ARGUMENT, "digest mismatch"};
      stored[blob.digest().sha256()] = blob.data();
    }
    return grpc::Status::OK;
  }

  grpc::Status Read(grpc::ServerContext*, const v1::ReadBlobRequest* request,
                    grpc::ServerWriter<v1::ReadBlobResponse>* writer) override {
    const auto found = stored.find(request->digest().sha256());
    if (found == stored.end()) return {grpc::StatusCode::NOT_FOUND, "no such blob"};
    constexpr std::size_t kPiece = 64 << 10;
    for (std::size_t at = request->offset_bytes(); at < found->second.size(); at += kPiece) {
      v1::ReadBlobResponse piece;
      piece.set_data(found->second.substr(at, kPiece));
      writer->Write(piece);
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

}  // namespace glovebox::client
