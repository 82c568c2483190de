#include "server/store/store_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "server/store/file_io.h"

namespace glovebox::server {

Result<StoreDirectory, Error> StoreDirectory::Acquire(const std::filesystem::path& directory) {
  std::error_code error;
  if (directory.has_parent_path())
    std::filesystem::create_directories(directory.parent_path(), error);
  if (auto made = MakePrivateDirectory(directory); !made) return std::unexpected(made.error());
  struct stat status{};
  if (::stat(directory.c_str(), &status) != 0) {
    return std::unexpected(FileError(errno, "stat", directory));
  }
  if (status.st_uid != ::geteuid() || (status.st_mode & 022) != 0) {
    return Fail(ErrorCode::kFailedPrecondition, "STORE_NOT_PRIVATE",
                fmt::format("store {} must belong to user {} and be writable for nobody else",
                            directory.string(), ::geteuid()));
  }

  StoreDirectory store;
  store.directory_ = directory;
  const std::filesystem::path lock_path = directory / "lock";
  auto lock = OpenFile(lock_path, O_RDWR | O_CREAT);
  if (!lock) return std::unexpected(lock.error());
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 32> holder{};
    const auto read =
        ReadAt(lock->get(), 0, std::as_writable_bytes(std::span(holder)).first(holder.size() - 1),
               lock_path);
    return Fail(ErrorCode::kFailedPrecondition, "STORE_IN_USE",
                fmt::format("store {} is in use by the gloveboxd with pid {}", directory.string(),
                            read && *read > 0 ? std::string(holder.data()) : "unknown"));
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock->get(), 0) != 0)
    return std::unexpected(FileError(errno, "truncate", lock_path));
  if (auto written = WriteAll(lock->get(), BytesOf(pid), lock_path); !written) {
    return std::unexpected(written.error());
  }
  store.lock_ = std::move(*lock);
  for (const char* name : {"logs", "inputs"}) {
    if (auto made = MakePrivateDirectory(directory / name); !made)
      return std::unexpected(made.error());
  }
  if (auto synced = SyncDirectory(directory); !synced) return std::unexpected(synced.error());
  return store;
}

std::filesystem::path StoreDirectory::output_log(std::string_view job) const {
  return directory_ / "logs" / fmt::format("{}.output", job);
}

std::filesystem::path StoreDirectory::trace_log(std::string_view job) const {
  return directory_ / "logs" / fmt::format("{}.trace", job);
}

std::filesystem::path StoreDirectory::input(std::string_view job) const {
  return directory_ / "inputs" / job;
}

void StoreDirectory::RemoveLogs(std::string_view job) const {
  ::unlink(output_log(job).c_str());
  ::unlink(trace_log(job).c_str());
}

void StoreDirectory::RemoveInput(std::string_view job) const { ::unlink(input(job).c_str()); }

Result<void, Error> StoreDirectory::Sweep(
    const std::function<Kept(std::string_view job)>& kept) const {
  std::error_code error;
  const auto sweep = [&](const char* folder, Kept needed) {
    for (const auto& entry : std::filesystem::directory_iterator(directory_ / folder, error)) {
      if (kept(entry.path().stem().string()) < needed) std::filesystem::remove(entry.path(), error);
    }
  };
  sweep("logs", Kept::kAll);
  sweep("inputs", Kept::kInputOnly);
  if (error) return std::unexpected(FileError(error.value(), "sweep", directory_));
  return {};
}

}  // namespace glovebox::server
