#include "client/upload/uploader.h"

#include <algorithm>
#include <map>
#include <vector>

#include "client/rpc/call.h"

namespace glovebox::client {
namespace {

constexpr std::size_t kDigestsPerCall = 10'000;   // blob_service.proto, FindMissing
constexpr std::size_t kChunk = 1 << 20;           // blob_service.proto, WriteBlobRequest.data
constexpr std::uint64_t kResumable = 4 * kChunk;  // smaller blobs are not worth a question

constexpr std::uint64_t kSmall = 256 << 10;     // goes with others
constexpr std::uint64_t kBatchBytes = 4 << 20;  // blob_service.proto, WriteBatchRequest: 8 MiB
constexpr std::size_t kBatchBlobs = 1'000;      // and 4,096 blobs

using Service = v1::BlobService::StubInterface;

// Bytes of a blob from `offset` on, in pieces.
Result<void, Error> ReadContent(const BlobSource& blob, std::uint64_t offset,
                                const std::function<bool(std::span<const std::byte>)>& send) {
  if (const auto* bytes = std::get_if<std::string>(&blob.content)) {
    auto rest =
        std::as_bytes(std::span(*bytes)).subspan(std::min<std::size_t>(offset, bytes->size()));
    while (!rest.empty()) {
      const auto piece = rest.first(std::min(rest.size(), kChunk));
      rest = rest.subspan(piece.size());
      if (!send(piece)) break;
    }
    return {};
  }
  const auto& file = std::get<BlobSource::File>(blob.content);
  const auto fd = ReopenHostFile(file.path, file.identity);
  if (!fd) return std::unexpected(fd.error());
  return ReadPieces(*fd, file.path, file.identity, offset, kChunk, send);
}

// Bytes that do not have the digest of a moment ago are a file that was rewritten behind its times.
Error Explain(const BlobSource& blob, Error error) {
  const auto* file = std::get_if<BlobSource::File>(&blob.content);
  if (file != nullptr && error.reason == "DIGEST_MISMATCH") {
    error.message = file->path + " changed while it was being sent: " + error.message;
  }
  return error;
}

// Many small blobs in one call. On a mismatch the file at fault is the one that the message names.
Result<void, Error> SendBatch(Service& service, std::span<const BlobSource* const> blobs) {
  v1::WriteBatchRequest request;
  for (const BlobSource* blob : blobs) {
    v1::WriteBatchRequest::Blob& message = *request.add_blobs();
    *message.mutable_digest() = ToProto(blob->digest);
    std::string& data = *message.mutable_data();
    data.reserve(blob->digest.size_bytes);
    const auto read = ReadContent(*blob, 0, [&](std::span<const std::byte> piece) {
      data.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return true;
    });
    if (!read) return read;
    if (DigestOf(std::as_bytes(std::span(data))) != blob->digest) {
      const auto* file = std::get_if<BlobSource::File>(&blob->content);
      return Fail(ErrorCode::kFailedPrecondition, "FILE_CHANGED",
                  (file != nullptr ? file->path : HexOf(blob->digest)) +
                      " changed while it was being sent");
    }
  }
  const auto done = Call(service, &Service::WriteBatch, request);
  if (!done) return std::unexpected(done.error());
  return {};
}

// One blob on its way. An attempt begins where the server is.
class BlobWriter {
 public:
  BlobWriter(Service& service, const BlobSource& blob, UploadProgress& progress,
             std::uint64_t sent_before)
      : service_(service), blob_(blob), progress_(progress), sent_before_(sent_before) {}

  Result<void, Error> Write() {
    Patience patience;
    bool ask = blob_.digest.size_bytes >= kResumable;
    while (true) {
      std::uint64_t offset = 0;
      if (ask) {
        v1::QueryWriteRequest request;
        *request.mutable_digest() = ToProto(blob_.digest);
        const auto position = Call(service_, &Service::QueryWrite, request);
        if (!position) return std::unexpected(position.error());
        if (position->complete()) return {};
        offset = position->committed_bytes();
      }
      auto error = Attempt(offset);
      if (!error.has_value()) return {};
      ask = true;
      const bool again = error->code == ErrorCode::kUnavailable ||
                         error->code == ErrorCode::kAborted || error->reason == "OFFSET_MISMATCH";
      if (!again || !patience.Wait()) return std::unexpected(*std::move(error));
    }
  }

 private:
  // Nothing when the blob is stored.
  std::optional<Error> Attempt(std::uint64_t offset) {
    grpc::ClientContext context;
    v1::WriteBlobResponse response;
    const auto writer = service_.Write(&context, &response);
    v1::WriteBlobRequest message;
    *message.mutable_digest() = ToProto(blob_.digest);
    bool first = true;
    bool open = true;
    const auto send = [&](std::span<const std::byte> bytes) {
      message.set_offset_bytes(offset);
      message.set_data(bytes.data(), bytes.size());
      open = writer->Write(message);
      message.clear_digest();
      first = false;
      offset += bytes.size();
      progress_.OnBytes(sent_before_ + offset);
      return open;
    };
    const auto read = ReadContent(blob_, offset, send);
    if (!read) {
      context.TryCancel();
      static_cast<void>(writer->Finish());
      return read.error();
    }
    // An empty blob, or one of which only the check was missing, takes a message without bytes.
    if (first) send({});
    if (open) writer->WritesDone();
    const grpc::Status status = writer->Finish();
    if (status.ok()) return std::nullopt;
    return Explain(blob_, ErrorOf(status));
  }

  Service& service_;
  const BlobSource& blob_;
  UploadProgress& progress_;
  std::uint64_t sent_before_;
};

}  // namespace

Result<std::vector<const BlobSource*>, Error> FindMissing(Service& service,
                                                          std::span<const BlobSource> blobs) {
  std::vector<const BlobSource*> missing;
  while (!blobs.empty()) {
    const auto batch = blobs.first(std::min(blobs.size(), kDigestsPerCall));
    blobs = blobs.subspan(batch.size());
    v1::FindMissingRequest request;
    std::map<std::string, const BlobSource*> by_hex;
    for (const BlobSource& blob : batch) {
      *request.add_digests() = ToProto(blob.digest);
      by_hex.emplace(HexOf(blob.digest), &blob);
    }
    const auto response = Call(service, &Service::FindMissing, request);
    if (!response) return std::unexpected(response.error());
    for (const v1::Digest& digest : response->missing()) {
      const auto found = by_hex.find(digest.sha256());
      if (found != by_hex.end()) missing.push_back(found->second);
    }
  }
  return missing;
}

Result<void, Error> Send(Service& service, std::span<const BlobSource* const> blobs,
                         UploadProgress& progress) {
  std::uint64_t total = 0;
  for (const BlobSource* blob : blobs) total += blob->digest.size_bytes;
  progress.OnStart(total);
  std::uint64_t sent = 0;
  std::uint64_t batch_bytes = 0;
  std::vector<const BlobSource*> batch;
  const auto flush = [&]() -> Result<void, Error> {
    if (batch.empty()) return {};
    auto done = SendBatch(service, batch);
    if (done) sent += batch_bytes;
    progress.OnBytes(sent);
    batch.clear();
    batch_bytes = 0;
    return done;
  };
  Result<void, Error> result;
  for (const BlobSource* blob : blobs) {
    if (blob->digest.size_bytes <= kSmall) {
      batch.push_back(blob);
      batch_bytes += blob->digest.size_bytes;
      if (batch_bytes >= kBatchBytes || batch.size() >= kBatchBlobs) result = flush();
    } else {
      result = BlobWriter(service, *blob, progress, sent).Write();
      sent += blob->digest.size_bytes;
    }
    if (!result) break;
  }
  // Listings name what comes before them, and a blob is looked for only when all are there.
  if (result) result = flush();
  progress.OnEnd();
  return result;
}

Result<void, Error> Upload(Service& service, std::span<const BlobSource> blobs,
                           UploadProgress& progress) {
  const auto missing = FindMissing(service, blobs);
  if (!missing) return std::unexpected(missing.error());
  return Send(service, *missing, progress);
}

Result<std::string, Error> ReadBlob(Service& service, const Digest& digest,
                                    std::uint64_t max_bytes) {
  if (digest.size_bytes > max_bytes) {
    return Fail(ErrorCode::kInvalidArgument, "BLOB_TOO_LARGE",
                "blob " + HexOf(digest) + " is larger than it may be");
  }
  v1::ReadBlobRequest request;
  *request.mutable_digest() = ToProto(digest);
  std::string bytes;
  CallStopper stopper;
  const auto read = ReadStream<Service, v1::ReadBlobRequest, v1::ReadBlobResponse>(
      service, &Service::Read, request, stopper,
      [&](const v1::ReadBlobResponse& piece, v1::ReadBlobRequest& again) {
        bytes += piece.data();
        again.set_offset_bytes(bytes.size());
        return true;
      });
  if (!read) return std::unexpected(read.error());
  if (DigestOf(std::as_bytes(std::span(bytes))) != digest)
    return Fail(ErrorCode::kDataLoss, "BLOB_DAMAGED", "blob " + HexOf(digest) + " is damaged");
  return bytes;
}

}  // namespace glovebox::client
