#include "client/upload/blob_stream.h"

#include <utility>

#include "client/upload/uploader.h"

namespace glovebox::client {
namespace {

constexpr std::uint64_t kBatchBytes = 8 << 20;
constexpr std::size_t kBatchBlobs = 4'000;

class NoProgress : public UploadProgress {
 public:
  void OnStart(std::uint64_t) override {}
  void OnBytes(std::uint64_t) override {}
  void OnEnd() override {}
};

}  // namespace

BlobStream::~BlobStream() {
  if (sending_.valid()) sending_.wait();
}

Result<void, Error> BlobStream::Add(BlobSource blob) {
  if (!seen_.insert(blob.digest).second) return {};
  batch_bytes_ += blob.digest.size_bytes;
  batch_.push_back(std::move(blob));
  if (batch_bytes_ < kBatchBytes && batch_.size() < kBatchBlobs) return {};
  return Launch();
}

Result<void, Error> BlobStream::Launch() {
  if (auto done = Await(); !done) return done;
  under_way_ = std::exchange(batch_, {});
  batch_bytes_ = 0;
  sending_ = std::async(std::launch::async, [this]() -> Result<void, Error> {
    const auto missing = FindMissing(service_, under_way_);
    if (!missing) return std::unexpected(missing.error());
    for (const BlobSource* blob : *missing) sent_bytes_ += blob->digest.size_bytes;
    sent_blobs_ += missing->size();
    NoProgress progress;
    return Send(service_, *missing, progress);
  });
  return {};
}

Result<void, Error> BlobStream::Await() {
  if (!sending_.valid()) return {};
  auto done = sending_.get();
  under_way_.clear();
  return done;
}

Result<void, Error> BlobStream::Finish() {
  if (auto launched = Launch(); !launched) return launched;
  return Await();
}

}  // namespace glovebox::client
