// Brings blobs to the server: asks what it lacks, sends only that, goes on where a broken upload
// stopped.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "client/tree/tree_node.h"
#include "engine/base/result.h"
#include "glovebox/v1/blob_service.grpc.pb.h"

namespace glovebox::client {

// Who watches an upload.
class UploadProgress {
 public:
  virtual ~UploadProgress() = default;
  virtual void OnStart(std::uint64_t total_bytes) = 0;
  virtual void OnBytes(std::uint64_t sent_bytes) = 0;  // of the total, so far
  virtual void OnEnd() = 0;
};

// Small blobs go many in a call, large ones each by itself. Errors: FILE_CHANGED where a file is no
// longer what was hashed; what the server says otherwise.
Result<void, Error> Upload(v1::BlobService::StubInterface& service,
                           std::span<const BlobSource> blobs, UploadProgress& progress);

// Which of these the server lacks, in their order.
Result<std::vector<const BlobSource*>, Error> FindMissing(v1::BlobService::StubInterface& service,
                                                          std::span<const BlobSource> blobs);

// Sends these, whatever the server has.
Result<void, Error> Send(v1::BlobService::StubInterface& service,
                         std::span<const BlobSource* const> blobs, UploadProgress& progress);

// The bytes of a blob of at most `max_bytes` that the server has.
Result<std::string, Error> ReadBlob(v1::BlobService::StubInterface& service, const Digest& digest,
                                    std::uint64_t max_bytes);

}  // namespace glovebox::client
