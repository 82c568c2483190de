#include "server/store/blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "server/store/file_io.h"

namespace glovebox::server {
namespace {

constexpr std::string_view kPartialSuffix = ".part";
constexpr auto kPartialsKept = std::chrono::hours(7 * 24);
constexpr std::size_t kHashChunk = 1 << 20;

std::string Describe(const Digest& digest) {
  return fmt::format("blob {} of {} bytes", HexOf(digest), digest.size_bytes);
}

std::unexpected<Error> Missing(const Digest& digest) {
  return Fail(ErrorCode::kNotFound, "BLOB_MISSING", Describe(digest) + " is not stored");
}

// Feeds `size` bytes from the start of a file to a hasher; fewer where the file is shorter.
Result<void, Error> HashFile(int fd, std::uint64_t size, Hasher& hasher,
                             const std::filesystem::path& path) {
  std::vector<std::byte> buffer(std::min<std::uint64_t>(size, kHashChunk));
  for (std::uint64_t offset = 0; offset < size;) {
    const auto read = ReadAt(
        fd, offset, std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), size - offset)),
        path);
    if (!read) return std::unexpected(read.error());
    if (*read == 0) break;
    hasher.Update(std::span(buffer).first(*read));
    offset += *read;
  }
  return {};
}

}  // namespace

class BlobStore::Upload : public BlobUpload {
 public:
  Upload(BlobStore& store, const Digest& digest) : store_(store), digest_(digest) {}
  ~Upload() override;

  // Finds or makes the file, and hashes what it holds already.
  Result<void, Error> Begin();
  Result<void, Error> Write(std::uint64_t offset, std::span<const std::byte> bytes) override;
  std::uint64_t committed_bytes() const override { return committed_; }
  bool complete() const override { return complete_; }

 private:
  Result<void, Error> Finish();

  BlobStore& store_;
  const Digest digest_;
  std::filesystem::path path_;
  HostFd file_;
  Hasher hasher_;
  std::uint64_t committed_ = 0;
  bool resumable_ = false;  // holds the digest's place in uploading_
  bool complete_ = false;
};

Result<std::unique_ptr<BlobStore>, Error> BlobStore::Open(const std::filesystem::path& directory) {
  std::unique_ptr<BlobStore> store(new BlobStore(directory));
  for (const char* name : {"blobs", "uploads"}) {
    if (auto made = MakePrivateDirectory(directory / name); !made) {
      return std::unexpected(made.error());
    }
  }
  if (auto swept = store->SweepUploads(); !swept) return std::unexpected(swept.error());
  return store;
}

// What may be resumed is kept for a week; everything else under uploads/ has no owner any more.
Result<void, Error> BlobStore::SweepUploads() {
  std::error_code error;
  const auto now = std::filesystem::file_time_type::clock::now();
  for (const auto& entry : std::filesystem::directory_iterator(directory_ / "uploads", error)) {
    const bool partial = entry.path().extension() == kPartialSuffix;
    if (partial && now - entry.last_write_time(error) < kPartialsKept) continue;
    std::filesystem::remove(entry.path(), error);
  }
  if (error) return std::unexpected(FileError(error.value(), "sweep", directory_ / "uploads"));
  return {};
}

std::filesystem::path BlobStore::BlobPath(const Digest& digest) const {
  const std::string hex = HexOf(digest);
  return directory_ / "blobs" / hex.substr(0, 2) / hex;
}

std::filesystem::path BlobStore::PartialPath(const Digest& digest) const {
  return directory_ / "uploads" /
         fmt::format("{}-{}{}", HexOf(digest), digest.size_bytes, kPartialSuffix);
}

bool BlobStore::Has(const Digest& digest) const {
  {
    absl::MutexLock lock(&mu_);
    if (verified_.contains(digest)) return true;
  }
  struct stat status{};
  return ::stat(BlobPath(digest).c_str(), &status) == 0 &&
         static_cast<std::uint64_t>(status.st_size) == digest.size_bytes;
}

std::vector<Digest> BlobStore::FindMissing(std::span<const Digest> digests) const {
  std::vector<Digest> missing;
  for (const Digest& digest : digests) {
    if (!Has(digest)) missing.push_back(digest);
  }
  return missing;
}

std::uint64_t BlobStore::losses() const {
  absl::MutexLock lock(&mu_);
  return losses_;
}

Result<HostFd, Error> BlobStore::OpenVerified(const Digest& digest) {
  const std::filesystem::path path = BlobPath(digest);
  HostFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT) return Missing(digest);
    return std::unexpected(FileError(errno, "open", path));
  }
  {
    absl::MutexLock lock(&mu_);
    if (verified_.contains(digest)) return file;
  }
  if (auto verified = Verify(digest, file.get(), path); !verified) {
    return std::unexpected(verified.error());
  }
  return file;
}

Result<void, Error> BlobStore::Verify(const Digest& digest, int fd,
                                      const std::filesystem::path& path) {
  const auto size = SizeOf(fd, path);
  if (!size) return std::unexpected(size.error());
  Hasher hasher;
  if (auto hashed = HashFile(fd, *size, hasher, path); !hashed) return hashed;
  const Digest found = hasher.Finish();
  absl::MutexLock lock(&mu_);
  if (found == digest) {
    verified_.insert(digest);
    return {};
  }
  if (found.sha256 == digest.sha256)
    return Missing(digest);  // there, but the caller's size is wrong
  ++losses_;
  ::unlink(path.c_str());
  return Fail(
      ErrorCode::kDataLoss, "BLOB_DAMAGED",
      fmt::format("{} is damaged on disk and was dropped; send it again", Describe(digest)));
}

Result<std::string, Error> BlobStore::ReadAll(const Digest& digest, std::size_t max_bytes) {
  if (digest.size_bytes > max_bytes) {
    return Fail(ErrorCode::kResourceExhausted, "BLOB_TOO_LARGE",
                fmt::format("{} exceeds {} bytes", Describe(digest), max_bytes));
  }
  auto file = OpenVerified(digest);
  if (!file) return std::unexpected(file.error());
  std::string bytes(digest.size_bytes, '\0');
  const auto read =
      ReadAt(file->get(), 0, std::as_writable_bytes(std::span(bytes)), BlobPath(digest));
  if (!read) return std::unexpected(read.error());
  if (*read != bytes.size()) return Missing(digest);
  return bytes;
}

BlobStore::UploadState BlobStore::QueryUpload(const Digest& digest) const {
  if (Has(digest)) return {digest.size_bytes, true};
  {
    absl::MutexLock lock(&mu_);
    if (uploading_.contains(digest)) return {};  // a second upload begins at 0
  }
  struct stat status{};
  if (::stat(PartialPath(digest).c_str(), &status) != 0) return {};
  return {static_cast<std::uint64_t>(status.st_size), false};
}

Result<std::unique_ptr<BlobUpload>, Error> BlobStore::BeginUpload(const Digest& digest) {
  if (digest.size_bytes > kMaxBlobBytes) {
    return Fail(ErrorCode::kInvalidArgument, "BLOB_TOO_LARGE",
                fmt::format("{} exceeds {} bytes", Describe(digest), kMaxBlobBytes),
                "digest.size_bytes");
  }
  auto upload = std::make_unique<Upload>(*this, digest);
  if (auto begun = upload->Begin(); !begun) return std::unexpected(begun.error());
  return upload;
}

Result<void, Error> BlobStore::Upload::Begin() {
  if (store_.Has(digest_)) {
    committed_ = digest_.size_bytes;
    complete_ = true;
    return {};
  }
  {
    absl::MutexLock lock(&store_.mu_);
    resumable_ = store_.uploading_.insert(digest_).second;
  }
  path_ = resumable_ ? store_.PartialPath(digest_) : store_.NewTemporary(digest_);
  auto file = OpenFile(path_, O_RDWR | O_CREAT | O_APPEND | (resumable_ ? 0 : O_TRUNC));
  if (!file) return std::unexpected(file.error());
  file_ = std::move(*file);
  auto size = SizeOf(file_.get(), path_);
  if (!size) return std::unexpected(size.error());
  if (*size > digest_.size_bytes) {  // cannot be this blob's
    if (::ftruncate(file_.get(), 0) != 0)
      return std::unexpected(FileError(errno, "truncate", path_));
    size = 0;
  }
  committed_ = *size;
  if (auto hashed = HashFile(file_.get(), *size, hasher_, path_); !hashed) return hashed;
  return committed_ == digest_.size_bytes ? Finish() : Result<void, Error>();
}

std::filesystem::path BlobStore::NewTemporary(const Digest& digest) {
  absl::MutexLock lock(&mu_);
  return directory_ / "uploads" / fmt::format("{}.{}", HexOf(digest), ++temporaries_);
}

Result<void, Error> BlobStore::StoreAll(std::span<const Whole> blobs) {
  struct Temporary {
    const Whole* blob;
    std::filesystem::path path;
  };
  std::vector<Temporary> written;
  const auto store = [&]() -> Result<void, Error> {
    for (const Whole& blob : blobs) {
      const Digest found = DigestOf(blob.bytes);
      if (found != blob.digest) {
        return Fail(ErrorCode::kInvalidArgument, "DIGEST_MISMATCH",
                    fmt::format("{}: the bytes sent are {}", Describe(blob.digest), HexOf(found)),
                    fmt::format("blobs[{}].digest", &blob - blobs.data()));
      }
    }
    for (const Whole& blob : blobs) {
      if (Has(blob.digest)) continue;
      if (auto made = MakePrivateDirectory(BlobPath(blob.digest).parent_path()); !made) return made;
      written.push_back({&blob, NewTemporary(blob.digest)});
      auto file = OpenFile(written.back().path, O_WRONLY | O_CREAT | O_TRUNC);
      if (!file) return std::unexpected(file.error());
      if (auto all = WriteAll(file->get(), blob.bytes, written.back().path); !all) return all;
      if (::fchmod(file->get(), 0400) != 0)
        return std::unexpected(FileError(errno, "chmod", written.back().path));
    }
    if (written.empty()) return {};
    if (auto synced = SyncFileSystem(directory_); !synced) return synced;
    for (const Temporary& temporary : written) {
      if (::rename(temporary.path.c_str(), BlobPath(temporary.blob->digest).c_str()) != 0)
        return std::unexpected(FileError(errno, "rename", temporary.path));
    }
    if (auto synced = SyncFileSystem(directory_); !synced) return synced;
    absl::MutexLock lock(&mu_);
    for (const Temporary& temporary : written) verified_.insert(temporary.blob->digest);
    return {};
  };
  auto stored = store();
  // What was renamed already is a whole blob and may stay.
  if (!stored) {
    for (const Temporary& temporary : written) ::unlink(temporary.path.c_str());
  }
  return stored;
}

Result<void, Error> BlobStore::Publish(const Digest& digest, int fd,
                                       const std::filesystem::path& temporary) {
  const std::filesystem::path path = BlobPath(digest);
  if (::fchmod(fd, 0400) != 0) return std::unexpected(FileError(errno, "chmod", temporary));
  if (auto synced = SyncFile(fd, temporary); !synced) return synced;
  if (::access(path.parent_path().c_str(), F_OK) != 0) {  // the first blob with these two digits
    if (auto made = MakePrivateDirectory(path.parent_path()); !made) return made;
    if (auto synced = SyncDirectory(directory_ / "blobs"); !synced) return synced;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return std::unexpected(FileError(errno, "rename", temporary));
  }
  if (auto synced = SyncDirectory(path.parent_path()); !synced) return synced;
  absl::MutexLock lock(&mu_);
  verified_.insert(digest);
  return {};
}

BlobStore::Upload::~Upload() {
  if (file_ && !resumable_ && !complete_) ::unlink(path_.c_str());
  if (!resumable_) return;
  absl::MutexLock lock(&store_.mu_);
  store_.uploading_.erase(digest_);
}

Result<void, Error> BlobStore::Upload::Write(std::uint64_t offset,
                                             std::span<const std::byte> bytes) {
  if (complete_ && offset + bytes.size() <= digest_.size_bytes)
    return {};  // stored already, perhaps by another
  if (offset != committed_) {
    return Fail(
        ErrorCode::kInvalidArgument, "OFFSET_MISMATCH",
        fmt::format("{}: bytes at {}, but {} are stored", Describe(digest_), offset, committed_),
        "offset_bytes");
  }
  if (bytes.size() > digest_.size_bytes - committed_) {
    return Fail(
        ErrorCode::kInvalidArgument, "BLOB_TOO_LONG",
        fmt::format("{}: bytes up to {} were sent", Describe(digest_), offset + bytes.size()),
        "data");
  }
  if (auto written = WriteAll(file_.get(), bytes, path_); !written) {
    // The hash and the file must go on from the same place.
    if (::ftruncate(file_.get(), static_cast<off_t>(committed_)) != 0) ::unlink(path_.c_str());
    return written;
  }
  hasher_.Update(bytes);
  committed_ += bytes.size();
  return committed_ == digest_.size_bytes ? Finish() : Result<void, Error>();
}

Result<void, Error> BlobStore::Upload::Finish() {
  const Digest found = hasher_.Finish();
  if (found != digest_) {
    ::unlink(path_.c_str());
    committed_ = 0;
    return Fail(ErrorCode::kInvalidArgument, "DIGEST_MISMATCH",
                fmt::format("{}: the bytes sent are {}; they were dropped", Describe(digest_),
                            HexOf(found)),
                "digest.sha256");
  }
  if (auto published = store_.Publish(digest_, file_.get(), path_); !published) return published;
  complete_ = true;
  return {};
}

}  // namespace glovebox::server
