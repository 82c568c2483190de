#include "client/tree/host_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

namespace glovebox::client {
namespace {

std::int64_t Nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

Result<struct stat, Error> Stat(const HostFd& fd, const std::string& path) {
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) {
    return Fail(ErrorCode::kInternal, "FILE_UNREADABLE",
                fmt::format("{}: {}", path, ErrnoText(errno)));
  }
  return status;
}

FileIdentity IdentityOf(const struct stat& status) {
  return {status.st_dev,
          status.st_ino,
          status.st_size,
          Nanoseconds(status.st_mtim),
          Nanoseconds(status.st_ctim),
          status.st_mode};
}

std::unexpected<Error> Changed(const std::string& path) {
  return Fail(
      ErrorCode::kFailedPrecondition, "FILE_CHANGED",
      fmt::format(
          "{} changed while it was read; try again when it is at rest (what is in /proc never is)",
          path));
}

}  // namespace

std::string ErrnoText(int number) { return std::generic_category().message(number); }

Result<OpenedFile, Error> OpenHostFile(const std::string& path) {
  // O_NONBLOCK: a named pipe without a writer must not hold us up.
  HostFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) {
    const int number = errno;
    const bool absent = number == ENOENT || number == ENOTDIR;
    return Fail(absent ? ErrorCode::kNotFound : ErrorCode::kFailedPrecondition,
                absent ? "FILE_NOT_FOUND" : "FILE_UNREADABLE",
                fmt::format("{}: {}", path, ErrnoText(number)));
  }
  const auto status = Stat(fd, path);
  if (!status) return std::unexpected(status.error());
  if (!S_ISREG(status->st_mode)) {
    return Fail(ErrorCode::kInvalidArgument, "NOT_A_FILE",
                fmt::format("{} is {}, not a regular file", path,
                            S_ISDIR(status->st_mode) ? "a directory" : "a pipe, device or socket"));
  }
  return OpenedFile{std::move(fd), IdentityOf(*status)};
}

Result<HostFd, Error> ReopenHostFile(const std::string& path, const FileIdentity& identity) {
  auto file = OpenHostFile(path);
  if (!file) return std::unexpected(file.error());
  if (file->identity != identity) return Changed(path);
  return std::move(file->fd);
}

Result<void, Error> ReadPieces(const HostFd& fd, const std::string& path,
                               const FileIdentity& identity, std::uint64_t offset,
                               std::size_t piece,
                               const std::function<bool(std::span<const std::byte>)>& sink) {
  const auto size = static_cast<std::uint64_t>(identity.size);
  std::vector<std::byte> buffer(static_cast<std::size_t>(
      std::min<std::uint64_t>(piece, std::max<std::uint64_t>(size - std::min(offset, size), 1))));
  while (offset < size) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - offset));
    const ssize_t count = ::pread(fd.get(), buffer.data(), wanted, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return Fail(ErrorCode::kFailedPrecondition, "FILE_UNREADABLE",
                  fmt::format("{}: {}", path, ErrnoText(errno)));
    }
    if (count == 0) return Changed(path);
    if (!sink({buffer.data(), static_cast<std::size_t>(count)})) return {};
    offset += static_cast<std::uint64_t>(count);
  }
  // Longer than it says: it grew, or is one of those in /proc whose size is always 0.
  if (::pread(fd.get(), buffer.data(), 1, static_cast<off_t>(size)) > 0) return Changed(path);
  const auto status = Stat(fd, path);
  if (!status) return std::unexpected(status.error());
  if (IdentityOf(*status) != identity) return Changed(path);
  return {};
}

}  // namespace glovebox::client
