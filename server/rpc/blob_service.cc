#include "server/rpc/blob_service.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/rpc/convert.h"
#include "server/rpc/status.h"
#include "server/store/file_io.h"

namespace glovebox::server {
namespace {

constexpr unsigned kThreads = 4;
constexpr int kMaxDigests = 10'000;
constexpr std::size_t kMaxWrite = 1 << 20;
constexpr int kMaxBatch = 4'096;
constexpr std::size_t kMaxBatchBytes = 8 << 20;
constexpr std::size_t kMaxRead = 64 << 10;

// One message at a time: the next is read when this one is on its way to the disk.
class WriteCall : public grpc::ServerReadReactor<v1::WriteBlobRequest> {
 public:
  WriteCall(Activity& activity, BlobStore& blobs, TaskPool& pool, v1::WriteBlobResponse* response)
      : call_(activity), blobs_(blobs), pool_(pool), response_(response) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    pool_.Post([this, ok] {
      if (ok) return Take();
      if (upload_) return End(Incomplete());
      End(StatusOf(Error{ErrorCode::kInvalidArgument, "DIGEST_FORM",
                         "the first message names the blob", "digest"}));
    });
  }
  // The read that is under way, or the task after it, sees the end of the call: nothing runs beside
  // them.
  void OnDone() override { delete this; }

 private:
  void Take() {
    if (auto taken = TakeMessage(); !taken) return End(StatusOf(taken.error()));
    if (!upload_->complete()) return StartRead(&request_);
    response_->set_committed_bytes(upload_->committed_bytes());
    End(grpc::Status::OK);
  }

  // The upload is let go first: a client that has its answer may ask at once how far it got.
  void End(const grpc::Status& status) {
    upload_.reset();
    Finish(status);
  }

  Result<void, Error> TakeMessage() {
    if (request_.data().size() > kMaxWrite) {
      return Fail(ErrorCode::kInvalidArgument, "DATA_TOO_LARGE",
                  fmt::format("{} bytes exceed {}", request_.data().size(), kMaxWrite), "data");
    }
    if (!upload_ || request_.has_digest()) {
      const auto digest = ParseDigest(request_.digest(), "digest");
      if (!digest) return std::unexpected(digest.error());
      if (upload_ && *digest != digest_) {
        return Fail(ErrorCode::kInvalidArgument, "DIGEST_CHANGED",
                    "later messages are of the same blob", "digest");
      }
      digest_ = *digest;
    }
    if (!upload_) {
      auto upload = blobs_.BeginUpload(digest_);
      if (!upload) return std::unexpected(upload.error());
      upload_ = std::move(*upload);
    }
    return upload_->Write(request_.offset_bytes(), BytesOf(request_.data()));
  }

  grpc::Status Incomplete() const {
    return StatusOf(Error{ErrorCode::kAborted,
                          "UPLOAD_INCOMPLETE",
                          fmt::format("the upload ended at {} of {} bytes; go on from there",
                                      upload_ ? upload_->committed_bytes() : 0, digest_.size_bytes),
                          {}});
  }

  const Activity::Call call_;
  BlobStore& blobs_;
  TaskPool& pool_;
  v1::WriteBlobResponse* const response_;
  v1::WriteBlobRequest request_;
  Digest digest_;
  std::unique_ptr<BlobUpload> upload_;
};

class ReadCall : public grpc::ServerWriteReactor<v1::ReadBlobResponse> {
 public:
  ReadCall(Activity& activity, BlobStore& blobs, TaskPool& pool, const v1::ReadBlobRequest& request)
      : call_(activity), blobs_(blobs), pool_(pool), offset_(request.offset_bytes()) {
    pool_.Post([this, request] {
      if (auto begun = Begin(request); !begun) return Finish(StatusOf(begun.error()));
      Continue();
    });
  }

  void OnWriteDone(bool ok) override {
    pool_.Post([this, ok] {
      if (ok) return Continue();
      Finish(grpc::Status::CANCELLED);
    });
  }
  void OnDone() override { delete this; }

 private:
  Result<void, Error> Begin(const v1::ReadBlobRequest& request) {
    const auto digest = ParseDigest(request.digest(), "digest");
    if (!digest) return std::unexpected(digest.error());
    auto file = blobs_.OpenVerified(*digest);
    if (!file) return std::unexpected(file.error());
    if (offset_ > digest->size_bytes) {
      return Fail(
          ErrorCode::kOutOfRange, "BEYOND_END",
          fmt::format("offset {} is beyond the blob's {} bytes", offset_, digest->size_bytes),
          "offset_bytes");
    }
    file_ = std::move(*file);
    left_ = digest->size_bytes - offset_;
    if (request.length_bytes() != 0) left_ = std::min(left_, request.length_bytes());
    return {};
  }

  void Continue() {
    if (left_ == 0) return Finish(grpc::Status::OK);
    std::string& data = *response_.mutable_data();
    data.resize(std::min<std::uint64_t>(left_, kMaxRead));
    const auto read = ReadAt(file_.get(), offset_, std::as_writable_bytes(std::span(data)), "blob");
    if (!read) return Finish(StatusOf(read.error()));
    if (*read != data.size()) {
      return Finish(
          StatusOf(Error{ErrorCode::kDataLoss, "BLOB_DAMAGED", "the blob ends early", {}}));
    }
    offset_ += data.size();
    left_ -= data.size();
    StartWrite(&response_);
  }

  const Activity::Call call_;
  BlobStore& blobs_;
  TaskPool& pool_;
  v1::ReadBlobResponse response_;
  HostFd file_;
  std::uint64_t offset_ = 0;
  std::uint64_t left_ = 0;
};

}  // namespace

BlobServiceImpl::BlobServiceImpl(BlobStore& blobs, Activity& activity)
    : blobs_(blobs), activity_(activity), pool_(kThreads) {}

grpc::ServerUnaryReactor* BlobServiceImpl::FindMissing(grpc::CallbackServerContext* context,
                                                       const v1::FindMissingRequest* request,
                                                       v1::FindMissingResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const auto find = [this, request, response]() -> Result<void, Error> {
    if (request->digests_size() > kMaxDigests) {
      return Fail(ErrorCode::kInvalidArgument, "TOO_MANY_DIGESTS",
                  fmt::format("{} digests exceed {}", request->digests_size(), kMaxDigests),
                  "digests");
    }
    std::vector<Digest> digests;
    for (int i = 0; i < request->digests_size(); ++i) {
      const auto digest = ParseDigest(request->digests(i), fmt::format("digests[{}]", i));
      if (!digest) return std::unexpected(digest.error());
      digests.push_back(*digest);
    }
    for (const Digest& digest : blobs_.FindMissing(digests))
      *response->add_missing() = MessageOf(digest);
    return {};
  };
  pool_.Post([reactor, find, call = std::make_shared<Activity::Call>(activity_)] {
    reactor->Finish(StatusOf(find()));
  });
  return reactor;
}

grpc::ServerReadReactor<v1::WriteBlobRequest>* BlobServiceImpl::Write(
    grpc::CallbackServerContext*, v1::WriteBlobResponse* response) {
  return new WriteCall(activity_, blobs_, pool_, response);
}

grpc::ServerUnaryReactor* BlobServiceImpl::WriteBatch(grpc::CallbackServerContext* context,
                                                      const v1::WriteBatchRequest* request,
                                                      v1::WriteBatchResponse*) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const auto write = [this, request]() -> Result<void, Error> {
    std::vector<BlobStore::Whole> blobs;
    std::size_t bytes = 0;
    for (int i = 0; i < request->blobs_size(); ++i) {
      const v1::WriteBatchRequest::Blob& blob = request->blobs(i);
      const auto digest = ParseDigest(blob.digest(), fmt::format("blobs[{}].digest", i));
      if (!digest) return std::unexpected(digest.error());
      blobs.push_back({*digest, BytesOf(blob.data())});
      bytes += blob.data().size();
    }
    if (request->blobs_size() > kMaxBatch || bytes > kMaxBatchBytes) {
      return Fail(ErrorCode::kInvalidArgument, "BATCH_TOO_LARGE",
                  fmt::format("{} blobs of {} bytes exceed {} of {}", request->blobs_size(), bytes,
                              kMaxBatch, kMaxBatchBytes),
                  "blobs");
    }
    return blobs_.StoreAll(blobs);
  };
  pool_.Post([reactor, write, call = std::make_shared<Activity::Call>(activity_)] {
    reactor->Finish(StatusOf(write()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* BlobServiceImpl::QueryWrite(grpc::CallbackServerContext* context,
                                                      const v1::QueryWriteRequest* request,
                                                      v1::QueryWriteResponse* response) {
  const Activity::Call call(activity_);
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const auto digest = ParseDigest(request->digest(), "digest");
  if (digest) {
    const BlobStore::UploadState state = blobs_.QueryUpload(*digest);
    response->set_committed_bytes(state.committed_bytes);
    response->set_complete(state.complete);
  }
  reactor->Finish(StatusOf(digest));
  return reactor;
}

grpc::ServerWriteReactor<v1::ReadBlobResponse>* BlobServiceImpl::Read(
    grpc::CallbackServerContext*, const v1::ReadBlobRequest* request) {
  return new ReadCall(activity_, blobs_, pool_, *request);
}

}  // namespace glovebox::server
