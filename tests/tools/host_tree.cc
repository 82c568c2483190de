#include "tests/tools/host_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace glovebox::tests {
namespace {

using engine::NodeKind;
using engine::TreeEntry;

constexpr std::size_t kMaxTarget = 4095;

std::unexpected<Error> Failure(const std::string& path) {
  return Fail(ErrorCode::kNotFound, "BLOB_MISSING", path + ": " + std::strerror(errno));
}

struct DirectoryCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::optional<NodeKind> KindOf(const struct stat& status) {
  if (S_ISREG(status.st_mode)) return NodeKind::kFile;
  if (S_ISDIR(status.st_mode)) return NodeKind::kDirectory;
  if (S_ISLNK(status.st_mode)) return NodeKind::kSymlink;
  return std::nullopt;
}

std::int64_t Nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Digest HostTree::Name(const std::string& path, const std::string& identity,
                      std::uint64_t size_bytes) {
  const std::string text = identity + '\0' + path;
  Digest digest = DigestOf(std::as_bytes(std::span(text)));
  digest.size_bytes = size_bytes;
  paths_.emplace(digest, path);
  return digest;
}

Digest HostTree::Add(const std::string& path) { return Name(path, "directory", path.size()); }

Result<std::vector<TreeEntry>, Error> HostTree::List(const std::string& path) {
  const std::unique_ptr<DIR, DirectoryCloser> directory(::opendir(path.c_str()));
  if (!directory) return Failure(path);
  std::vector<TreeEntry> entries;
  while (const dirent* row = ::readdir(directory.get())) {
    TreeEntry entry;
    entry.name = row->d_name;
    if (entry.name == "." || entry.name == "..") continue;
    const std::string child = path + "/" + entry.name;
    struct stat status{};
    if (::lstat(child.c_str(), &status) != 0) return Failure(child);
    const std::optional<NodeKind> kind = KindOf(status);
    if (!kind) continue;
    entry.kind = *kind;
    entry.mode = status.st_mode & 07777;
    entry.uid = status.st_uid;
    entry.gid = status.st_gid;
    entry.mtime_ns = Nanoseconds(status.st_mtim);
    if (*kind == NodeKind::kFile) {
      entry.digest = Name(child, fmt::format("file {}", Nanoseconds(status.st_ctim)),
                          static_cast<std::uint64_t>(status.st_size));
      if (status.st_nlink > 1)
        entry.hard_link = {status.st_ino, static_cast<std::uint32_t>(status.st_nlink)};
    } else if (*kind == NodeKind::kDirectory) {
      entry.digest = Add(child);
    } else {
      entry.target.resize(kMaxTarget);
      const ssize_t length = ::readlink(child.c_str(), entry.target.data(), entry.target.size());
      if (length < 0) return Failure(child);
      entry.target.resize(static_cast<std::size_t>(length));
    }
    entries.push_back(std::move(entry));
  }
  std::ranges::sort(entries, {}, &TreeEntry::name);
  return entries;
}

Result<std::vector<TreeEntry>, Error> HostTree::ReadDirectory(const Digest& digest) {
  const auto path = paths_.find(digest);
  if (path == paths_.end()) {
    return Fail(ErrorCode::kNotFound, "BLOB_MISSING", "directory " + HexOf(digest));
  }
  return List(path->second);
}

Result<HostFd, Error> HostTree::OpenFile(const Digest& digest) {
  const auto path = paths_.find(digest);
  if (path == paths_.end()) return Fail(ErrorCode::kNotFound, "BLOB_MISSING", HexOf(digest));
  HostFd fd(::open(path->second.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Failure(path->second);
  return fd;
}

}  // namespace glovebox::tests
