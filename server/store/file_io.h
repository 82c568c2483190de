// Files of the store: whole writes, reads at an offset, and what makes them survive a power cut.
// Every failure is an Error that names the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/host_fd.h"
#include "engine/base/result.h"

namespace glovebox::server {

// RESOURCE_EXHAUSTED STORE_FULL where the disk or quota is full, INTERNAL STORE_IO for all others.
Error FileError(int error_number, std::string_view attempt, const std::filesystem::path& path);

// open(2) with O_CLOEXEC; new files get mode 0600.
Result<HostFd, Error> OpenFile(const std::filesystem::path& path, int flags);

Result<void, Error> WriteAll(int fd, std::span<const std::byte> bytes,
                             const std::filesystem::path& path);

// Returns: bytes read; fewer than out.size() only at the end of the file.
Result<std::size_t, Error> ReadAt(int fd, std::uint64_t offset, std::span<std::byte> out,
                                  const std::filesystem::path& path);

Result<std::uint64_t, Error> SizeOf(int fd, const std::filesystem::path& path);

// fdatasync(2): the file's bytes and size, not its name.
Result<void, Error> SyncFile(int fd, const std::filesystem::path& path);

// Makes the names in a directory durable: what was created in, renamed to or removed from it.
Result<void, Error> SyncDirectory(const std::filesystem::path& path);

// syncfs(2): all that was written to the file system in which `directory` lies.
Result<void, Error> SyncFileSystem(const std::filesystem::path& directory);

// Creates the directory with mode 0700 if it is not there (its parent must be).
Result<void, Error> MakePrivateDirectory(const std::filesystem::path& path);

inline std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace glovebox::server
