// Blobs by digest, in a directory: blobs/ab/abcdef... with a fan-out of two hexadecimal digits.
//
// A blob is written under a temporary name while it is hashed, fsynced, renamed to its digest, and
// its directory fsynced; so a name in blobs/ is always a whole blob, whatever was killed when.
// Blobs are never rewritten. The first open in a run of the daemon hashes the bytes again: a disk
// that lost some is found before a guest is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "engine/base/digest.h"
#include "engine/base/host_fd.h"
#include "engine/base/result.h"

namespace glovebox::server {

// One upload. Dropping it keeps what was written for a later one. Not thread-safe; must not outlive
// its store.
class BlobUpload {
 public:
  virtual ~BlobUpload() = default;
  // Bytes at `offset`, which must be committed_bytes(). With the last byte the blob is checked and
  // made durable. Errors: INVALID_ARGUMENT OFFSET_MISMATCH, BLOB_TOO_LONG, DIGEST_MISMATCH (what
  // was sent is dropped).
  virtual Result<void, Error> Write(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  virtual std::uint64_t committed_bytes() const = 0;
  // The blob is stored, checked and durable.
  virtual bool complete() const = 0;
};

// Threads: any.
class BlobStore {
 public:
  static constexpr std::uint64_t kMaxBlobBytes = std::uint64_t{64} << 30;

  // `directory` exists. Removes what broken-off uploads left that cannot be resumed.
  static Result<std::unique_ptr<BlobStore>, Error> Open(const std::filesystem::path& directory);

  bool Has(const Digest& digest) const;
  std::vector<Digest> FindMissing(std::span<const Digest> digests) const;
  // Raised whenever a blob that was there is there no more.
  std::uint64_t losses() const;

  // A read-only descriptor of the blob. Reads the whole blob when it is opened for the first time.
  // Errors: NOT_FOUND BLOB_MISSING; DATA_LOSS BLOB_DAMAGED (the blob is then dropped, so that it
  // can be sent again).
  Result<HostFd, Error> OpenVerified(const Digest& digest);
  // The bytes of a blob of at most `max_bytes`. RESOURCE_EXHAUSTED BLOB_TOO_LARGE for a larger one.
  Result<std::string, Error> ReadAll(const Digest& digest, std::size_t max_bytes);

  // Begins an upload, or resumes the one that broke off. While another one of the same blob is
  // under way, this one begins at 0 on its own and cannot be resumed.
  Result<std::unique_ptr<BlobUpload>, Error> BeginUpload(const Digest& digest);

  struct Whole {
    Digest digest;
    std::span<const std::byte> bytes;
  };
  // Stores blobs that are here as a whole, all of them or none. They become durable together: two
  // waits for the disk, however many they are. Errors: INVALID_ARGUMENT DIGEST_MISMATCH.
  Result<void, Error> StoreAll(std::span<const Whole> blobs);

  struct UploadState {
    std::uint64_t committed_bytes = 0;
    bool complete = false;
  };
  UploadState QueryUpload(const Digest& digest) const;

 private:
  class Upload;

  explicit BlobStore(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path BlobPath(const Digest& digest) const;
  std::filesystem::path PartialPath(const Digest& digest) const;
  Result<void, Error> SweepUploads();
  std::filesystem::path NewTemporary(const Digest& digest);
  Result<void, Error> Publish(const Digest& digest, int fd, const std::filesystem::path& temporary);
  Result<void, Error> Verify(const Digest& digest, int fd, const std::filesystem::path& path);

  const std::filesystem::path directory_;
  mutable absl::Mutex mu_;
  std::set<Digest> verified_ ABSL_GUARDED_BY(mu_);   // in this run
  std::set<Digest> uploading_ ABSL_GUARDED_BY(mu_);  // whose partial file is in use
  std::uint64_t temporaries_ ABSL_GUARDED_BY(mu_) = 0;
  std::uint64_t losses_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace glovebox::server
