// A regular file of the client's machine, read in pieces and watched for changes while we need it
// to stay as it is.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "engine/base/host_fd.h"
#include "engine/base/result.h"

namespace glovebox::client {

// What of a file changes when its bytes do.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  mode_t mode = 0;

  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

struct OpenedFile {
  HostFd fd;
  FileIdentity identity;
};

// Opens a regular file without waiting for anything. Errors: kNotFound FILE_NOT_FOUND,
// kInvalidArgument NOT_A_FILE (directory, pipe, device), kFailedPrecondition FILE_UNREADABLE.
Result<OpenedFile, Error> OpenHostFile(const std::string& path);

// As OpenHostFile, and FILE_CHANGED where it is not as it was.
Result<HostFd, Error> ReopenHostFile(const std::string& path, const FileIdentity& identity);

// Hands out the bytes of [offset, size) in pieces of at most `piece` bytes, until `sink` returns
// false. Errors: FILE_CHANGED where the file turns out shorter than its identity says, or has
// changed by the end.
Result<void, Error> ReadPieces(const HostFd& fd, const std::string& path,
                               const FileIdentity& identity, std::uint64_t offset,
                               std::size_t piece,
                               const std::function<bool(std::span<const std::byte>)>& sink);

// "Permission denied" and the like, for messages.
std::string ErrnoText(int number);

}  // namespace glovebox::client
