#include "server/store/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace glovebox::server {

Error FileError(int error_number, std::string_view attempt, const std::filesystem::path& path) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  return Error{full ? ErrorCode::kResourceExhausted : ErrorCode::kInternal,
               full ? "STORE_FULL" : "STORE_IO",
               fmt::format("{} of {}: {}", attempt, path.string(), std::strerror(error_number)),
               {}};
}

Result<HostFd, Error> OpenFile(const std::filesystem::path& path, int flags) {
  HostFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!fd) return std::unexpected(FileError(errno, "open", path));
  return fd;
}

Result<void, Error> WriteAll(int fd, std::span<const std::byte> bytes,
                             const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(FileError(errno, "write", path));
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::size_t, Error> ReadAt(int fd, std::uint64_t offset, std::span<std::byte> out,
                                  const std::filesystem::path& path) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n =
        ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(FileError(errno, "read", path));
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Result<std::uint64_t, Error> SizeOf(int fd, const std::filesystem::path& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return std::unexpected(FileError(errno, "stat", path));
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void, Error> SyncFile(int fd, const std::filesystem::path& path) {
  if (::fdatasync(fd) != 0) return std::unexpected(FileError(errno, "fdatasync", path));
  return {};
}

Result<void, Error> SyncDirectory(const std::filesystem::path& path) {
  auto directory = OpenFile(path, O_RDONLY | O_DIRECTORY);
  if (!directory) return std::unexpected(directory.error());
  if (::fsync(directory->get()) != 0) return std::unexpected(FileError(errno, "fsync", path));
  return {};
}

Result<void, Error> SyncFileSystem(const std::filesystem::path& path) {
  auto directory = OpenFile(path, O_RDONLY | O_DIRECTORY);
  if (!directory) return std::unexpected(directory.error());
  if (::syncfs(directory->get()) != 0) return std::unexpected(FileError(errno, "syncfs", path));
  return {};
}

Result<void, Error> MakePrivateDirectory(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return std::unexpected(FileError(errno, "mkdir", path));
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::unexpected(FileError(errno, "stat", path));
  if (!S_ISDIR(status.st_mode)) return std::unexpected(FileError(ENOTDIR, "mkdir", path));
  return {};
}

}  // namespace glovebox::server
