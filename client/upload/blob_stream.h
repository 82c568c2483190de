// Blobs to the server while they are found: what comes is collected, and sent in batches on a
// thread beside the one that reads and hashes.
#pragma once

#include <cstdint>
#include <future>
#include <set>
#include <string>
#include <vector>

#include "client/tree/tree_node.h"
#include "engine/base/result.h"
#include "glovebox/v1/blob_service.grpc.pb.h"

namespace glovebox::client {

class BlobStream {
 public:
  explicit BlobStream(v1::BlobService::StubInterface& service) : service_(service) {}
  // Waits for what is on its way.
  ~BlobStream();
  BlobStream(const BlobStream&) = delete;
  BlobStream& operator=(const BlobStream&) = delete;

  // Takes a blob; each digest is looked at once. Errors are those of earlier blobs, too.
  Result<void, Error> Add(BlobSource blob);
  // Returns when the server has everything.
  Result<void, Error> Finish();

  std::uint64_t sent_bytes() const { return sent_bytes_; }  // after Finish
  std::uint64_t sent_blobs() const { return sent_blobs_; }

 private:
  Result<void, Error> Launch();
  Result<void, Error> Await();

  v1::BlobService::StubInterface& service_;
  std::set<Digest> seen_;
  std::vector<BlobSource> batch_;
  std::uint64_t batch_bytes_ = 0;
  std::vector<BlobSource> under_way_;
  std::future<Result<void, Error>> sending_;
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t sent_blobs_ = 0;
};

}  // namespace glovebox::client
