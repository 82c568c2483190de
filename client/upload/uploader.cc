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

using Service = v1::BlobService::StubInterface;

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
    const auto read = ReadContent(offset, send);
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
    return Explain(ErrorOf(status));
  }

  Result<void, Error> ReadContent(std::uint64_t offset,
                                  const std::function<bool(std::span<const std::byte>)>& send) {
    if (const auto* bytes = std::get_if<std::string>(&blob_.content)) {
      auto rest =
          std::as_bytes(std::span(*bytes)).subspan(std::min<std::size_t>(offset, bytes->size()));
      while (!rest.empty()) {
        const auto piece = rest.first(std::min(rest.size(), kChunk));
        rest = rest.subspan(piece.size());
        if (!send(piece)) break;
      }
      return {};
    }
    const auto& file = std::get<BlobSource::File>(blob_.content);
    const auto fd = ReopenHostFile(file.path, file.identity);
    if (!fd) return std::unexpected(fd.error());
    return ReadPieces(*fd, file.path, file.identity, offset, kChunk, send);
  }

  // Bytes that do not have the digest of a moment ago are a file that was rewritten behind its
  // times.
  Error Explain(Error error) const {
    const auto* file = std::get_if<BlobSource::File>(&blob_.content);
    if (file != nullptr && error.reason == "DIGEST_MISMATCH") {
      error.message = file->path + " changed while it was being sent: " + error.message;
    }
    return error;
  }

  Service& service_;
  const BlobSource& blob_;
  UploadProgress& progress_;
  std::uint64_t sent_before_;
};

}  // namespace

Result<void, Error> Upload(Service& service, std::span<const BlobSource> blobs,
                           UploadProgress& progress) {
  const auto missing = FindMissing(service, blobs);
  if (!missing) return std::unexpected(missing.error());
  std::uint64_t total = 0;
  for (const BlobSource* blob : *missing) total += blob->digest.size_bytes;
  progress.OnStart(total);
  std::uint64_t sent = 0;
  Result<void, Error> result;
  for (const BlobSource* blob : *missing) {
    result = BlobWriter(service, *blob, progress, sent).Write();
    if (!result) break;
    sent += blob->digest.size_bytes;
  }
  progress.OnEnd();
  return result;
}

}  // namespace glovebox::client
