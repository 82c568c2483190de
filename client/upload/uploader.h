// Brings blobs to the server: asks what it lacks, sends only that, goes on where a broken upload
// stopped.
#pragma once

#include <cstdint>
#include <span>

#include "client/tree/tree_builder.h"
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

// Errors: FILE_CHANGED where a file is no longer what was hashed; what the server says otherwise.
Result<void, Error> Upload(v1::BlobService::StubInterface& service,
                           std::span<const BlobSource> blobs, UploadProgress& progress);

}  // namespace glovebox::client
