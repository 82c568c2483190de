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
  input->file_ = std::make_shared<const HostFd>(std::move(*file));
  return input;
}

Result<void, Error> InputFile::Write(std::uint64_t offset, std::span<const std::byte> bytes,
                                     bool end) {
  absl::MutexLock writer(&write_mu_);
  const State before = state();
  if (offset > before.size) {
    return Fail(ErrorCode::kInvalidArgument, "OFFSET_MISMATCH",
                fmt::format("input at {} leaves a gap: {} bytes are stored", offset, before.size),
                "offset_bytes");
  }
  const std::size_t known = std::min<std::size_t>(before.size - offset, bytes.size());
  if (auto same = CheckKnown(offset, bytes.first(known)); !same) return same;
  const std::uint64_t input_end = offset + bytes.size();
  if (end && input_end < before.size) {
    return Fail(ErrorCode::kInvalidArgument, "OFFSET_MISMATCH",
                fmt::format("input ends at {}, but {} bytes are stored", input_end, before.size),
                "end");
  }
  bytes = bytes.subspan(known);
  if (before.ended && !bytes.empty()) {
    return Fail(ErrorCode::kFailedPrecondition, "INPUT_ENDED",
                fmt::format("the input ended at {} bytes", before.size), "data");
  }
  if (!bytes.empty()) {
    if (auto appended = Append(before, bytes); !appended) return appended;
  }
  absl::MutexLock lock(&mu_);
  state_.size += bytes.size();
  state_.ended |= end;
  return {};
}

// What is sent again must be what is stored.
Result<void, Error> InputFile::CheckKnown(std::uint64_t offset,
                                          std::span<const std::byte> bytes) const {
  if (bytes.empty()) return {};
  const auto stored = Read(offset, bytes.size());
  if (!stored) return std::unexpected(stored.error());
  if (std::ranges::equal(BytesOf(*stored), bytes)) return {};
  return Fail(ErrorCode::kInvalidArgument, "OFFSET_MISMATCH",
              fmt::format("input at {} differs from what is stored there", offset), "data");
}

Result<void, Error> InputFile::Append(const State& before, std::span<const std::byte> bytes) {
  File file;
  {
    absl::MutexLock lock(&mu_);
    if (broken_) {
      return Fail(ErrorCode::kInternal, "STORE_IO", "an earlier write of this input failed");
    }
    file = file_;
  }
  if (!file) {
    auto opened = OpenFile(path_, O_RDWR | O_CREAT | O_TRUNC | O_APPEND);
    if (!opened) return std::unexpected(opened.error());
    file = std::make_shared<const HostFd>(std::move(*opened));
  }
  auto written = WriteAll(file->get(), bytes, path_);
  // What a failed write left must not be followed by anything.
  const bool undone = written || ::ftruncate(file->get(), static_cast<off_t>(before.size)) == 0;
  absl::MutexLock lock(&mu_);
  file_ = std::move(file);
  broken_ = !undone;
  return written;
}

Result<std::string, Error> InputFile::Read(std::uint64_t offset, std::size_t size_bytes) const {
  File file;
  std::string bytes;
  {
    absl::MutexLock lock(&mu_);
    if (offset >= state_.size) return bytes;
    bytes.resize(std::min<std::uint64_t>(size_bytes, state_.size - offset));
    file = file_;
  }
  const auto read = ReadAt(file->get(), offset, std::as_writable_bytes(std::span(bytes)), path_);
  if (!read) return std::unexpected(read.error());
  if (*read != bytes.size()) {
    return Fail(ErrorCode::kDataLoss, "INPUT_DAMAGED",
                fmt::format("{} ends early", path_.string()));
  }
  return bytes;
}

Result<void, Error> InputFile::Sync() {
  File file;
  {
    absl::MutexLock lock(&mu_);
    file = file_;
  }
  if (!file) return {};
  if (auto synced = SyncFile(file->get(), path_); !synced) return synced;
  return SyncDirectory(path_.parent_path());
}

InputFile::State InputFile::state() const {
  absl::MutexLock lock(&mu_);
  return state_;
}

}  // namespace glovebox::server
