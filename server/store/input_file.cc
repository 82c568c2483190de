#include "server/store/input_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include <fmt/format.h>

#include "server/store/file_io.h"

namespace glovebox::server {

Result<std::shared_ptr<InputFile>, Error> InputFile::Open(std::filesystem::path path,
                                                          std::uint64_t size, bool ended) {
  std::shared_ptr<InputFile> input(new InputFile(path));
  absl::MutexLock lock(&input->mu_);
  input->state_ = {size, ended};
  if (size == 0) return input;
  auto file = OpenFile(path, O_RDWR | O_APPEND);
  if (!file) return Fail(ErrorCode::kDataLoss, "INPUT_DAMAGED", file.error().message);
  const auto stored = SizeOf(file->get(), path);
  if (!stored) return std::unexpected(stored.error());
  if (*stored < size) {
    return Fail(ErrorCode::kDataLoss, "INPUT_DAMAGED",
                fmt::format("{} holds {} of {} bytes", path.string(), *stored, size));
  }
  if (*stored > size && ::ftruncate(file->get(), static_cast<off_t>(size)) != 0) {
    return std::unexpected(FileError(errno, "truncate", path));
  }
  input->file_ = std::move(*file);
  return input;
}

Result<void, Error> InputFile::Write(std::uint64_t offset, std::span<const std::byte> bytes,
                                     bool end) {
  absl::MutexLock lock(&mu_);
  if (offset > state_.size) {
    return Fail(ErrorCode::kInvalidArgument, "OFFSET_MISMATCH",
                fmt::format("input at {} leaves a gap: {} bytes are stored", offset, state_.size),
                "offset_bytes");
  }
  const std::size_t known = std::min<std::size_t>(state_.size - offset, bytes.size());
  if (known > 0) {
    const auto before = ReadLocked(offset, known);
    if (!before) return std::unexpected(before.error());
    if (!std::ranges::equal(BytesOf(*before), bytes.first(known))) {
      return Fail(ErrorCode::kInvalidArgument, "OFFSET_MISMATCH",
                  fmt::format("input at {} differs from what is stored there", offset), "data");
    }
    bytes = bytes.subspan(known);
  }
  if (bytes.empty()) {
    // An end at an earlier place than before, or at another one than the end that is known, is a
    // gap seen from behind.
    if (end && offset + known < state_.size) {
      return Fail(
          ErrorCode::kInvalidArgument, "OFFSET_MISMATCH",
          fmt::format("input ends at {}, but {} bytes are stored", offset + known, state_.size),
          "end");
    }
    state_.ended |= end;
    return {};
  }
  if (state_.ended) {
    return Fail(ErrorCode::kFailedPrecondition, "INPUT_ENDED",
                fmt::format("the input ended at {} bytes", state_.size), "data");
  }
  if (broken_) {
    return Fail(ErrorCode::kInternal, "STORE_IO", "an earlier write of this input failed");
  }
  if (!file_) {
    auto file = OpenFile(path_, O_RDWR | O_CREAT | O_TRUNC | O_APPEND);
    if (!file) return std::unexpected(file.error());
    file_ = std::move(*file);
  }
  if (auto written = WriteAll(file_.get(), bytes, path_); !written) {
    // What a failed write left must not be followed by anything.
    if (::ftruncate(file_.get(), static_cast<off_t>(state_.size)) != 0) broken_ = true;
    return written;
  }
  state_.size += bytes.size();
  state_.ended |= end;
  return {};
}

Result<std::string, Error> InputFile::ReadLocked(std::uint64_t offset,
                                                 std::size_t size_bytes) const {
  std::string bytes(
      offset < state_.size ? std::min<std::uint64_t>(size_bytes, state_.size - offset) : 0, '\0');
  if (bytes.empty()) return bytes;
  const auto read = ReadAt(file_.get(), offset, std::as_writable_bytes(std::span(bytes)), path_);
  if (!read) return std::unexpected(read.error());
  if (*read != bytes.size()) {
    return Fail(ErrorCode::kDataLoss, "INPUT_DAMAGED",
                fmt::format("{} ends early", path_.string()));
  }
  return bytes;
}

Result<std::string, Error> InputFile::Read(std::uint64_t offset, std::size_t size_bytes) const {
  absl::MutexLock lock(&mu_);
  return ReadLocked(offset, size_bytes);
}

Result<void, Error> InputFile::Sync() {
  absl::MutexLock lock(&mu_);
  if (!file_) return {};
  if (auto synced = SyncFile(file_.get(), path_); !synced) return synced;
  return SyncDirectory(path_.parent_path());
}

InputFile::State InputFile::state() const {
  absl::MutexLock lock(&mu_);
  return state_;
}

}  // namespace glovebox::server
