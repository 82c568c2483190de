#include "client/rootfs/host_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

namespace glovebox::client {
namespace {

constexpr std::size_t kPiece = 256 << 10;
constexpr std::size_t kMaxTarget = 4095;

std::unexpected<Error> Unreadable(const std::string& path) {
  return Fail(ErrorCode::kFailedPrecondition, "FILE_UNREADABLE",
              fmt::format("{}: {}", path, ErrnoText(errno)));
}

struct DirectoryCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

Result<std::vector<std::string>, Error> NamesIn(const std::string& path) {
  const std::unique_ptr<DIR, DirectoryCloser> directory(::opendir(path.c_str()));
  if (!directory) return Unreadable(path);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* row = ::readdir(directory.get())) {
    const std::string_view name = row->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return Unreadable(path);
  std::ranges::sort(names);
  return names;
}

Result<std::map<std::string, std::string>, Error> XattrsOf(const std::string& path) {
  std::map<std::string, std::string> xattrs;
  std::string names(RootTree::kMaxXattrBytes, '\0');
  const ssize_t length = ::llistxattr(path.c_str(), names.data(), names.size());
  if (length < 0 && errno == ENOTSUP) return xattrs;
  if (length < 0) return Unreadable(path);
  for (ssize_t at = 0; at < length;) {
    const std::string name = names.c_str() + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    std::string value(RootTree::kMaxXattrBytes, '\0');
    const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (size < 0) return Unreadable(path);
    value.resize(static_cast<std::size_t>(size));
    xattrs.emplace(name, std::move(value));
  }
  return xattrs;
}

class DirectoryWalk {
 public:
  explicit DirectoryWalk(ImportSink& sink) : sink_(sink), buffer_(kPiece) {}

  // The directory at `host`, which is `guest` in the root ("." for the root itself).
  Result<void, Error> Walk(const std::string& host, const std::string& guest) {
    const auto names = NamesIn(host);
    if (!names) return std::unexpected(names.error());
    for (const std::string& name : *names) {
      if (auto added = Add(host + "/" + name, guest == "." ? name : guest + "/" + name); !added)
        return added;
    }
    return {};
  }

  Result<void, Error> Start(const std::string& host) {
    struct stat status{};
    if (::stat(host.c_str(), &status) != 0) return Unreadable(host);
    device_ = status.st_dev;
    const auto attributes = AttributesOf(host, status);
    if (!attributes) return std::unexpected(attributes.error());
    if (auto added = sink_.tree().AddDirectory(".", *attributes); !added) return added;
    return Walk(host, ".");
  }

 private:
  static Result<NodeAttributes, Error> AttributesOf(const std::string& host,
                                                    const struct stat& status) {
    auto xattrs = XattrsOf(host);
    if (!xattrs) return std::unexpected(xattrs.error());
    return NodeAttributes{
        status.st_mode & 07777, status.st_uid, status.st_gid,
        static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec,
        *std::move(xattrs)};
  }

  Result<void, Error> Add(const std::string& host, const std::string& guest) {
    struct stat status{};
    if (::lstat(host.c_str(), &status) != 0) return Unreadable(host);
    const auto attributes = AttributesOf(host, status);
    if (!attributes) return std::unexpected(attributes.error());
    sink_.Count();
    switch (status.st_mode & S_IFMT) {
      case S_IFDIR: {
        if (auto added = sink_.tree().AddDirectory(guest, *attributes); !added) return added;
        if (status.st_dev == device_) return Walk(host, guest);
        sink_.LeaveOut("mounted file systems", guest);
        return {};
      }
      case S_IFLNK:
        return AddLink(host, guest, *attributes);
      case S_IFREG:
        return AddFile(host, guest, *attributes, status);
      case S_IFIFO:
        sink_.LeaveOut("FIFOs", guest);
        return {};
      case S_IFSOCK:
        sink_.LeaveOut("sockets", guest);
        return {};
      default:
        sink_.LeaveOut("device nodes", guest);
        return {};
    }
  }

  Result<void, Error> AddLink(const std::string& host, const std::string& guest,
                              const NodeAttributes& attributes) {
    std::string target(kMaxTarget + 1, '\0');
    const ssize_t length = ::readlink(host.c_str(), target.data(), target.size());
    if (length < 0) return Unreadable(host);
    target.resize(static_cast<std::size_t>(length));
    return sink_.tree().AddSymlink(guest, attributes, std::move(target));
  }

  Result<void, Error> AddFile(const std::string& host, const std::string& guest,
                              const NodeAttributes& attributes, const struct stat& status) {
    if (status.st_nlink > 1) {
      const auto [first, is_new] = linked_.try_emplace({status.st_dev, status.st_ino}, guest);
      if (!is_new) return sink_.tree().AddHardLink(guest, first->second);
    }
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (auto checked = sink_.CheckSize(guest, size); !checked) return checked;
    const HostFd fd(::open(host.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) return Unreadable(host);
    std::uint64_t had = 0;
    const auto read = [&]() -> Result<std::span<const std::byte>, Error> {
      const ssize_t count = ::read(fd.get(), buffer_.data(), buffer_.size());
      if (count < 0) return Unreadable(host);
      had += static_cast<std::uint64_t>(count);
      return std::span<const std::byte>(buffer_.data(), static_cast<std::size_t>(count));
    };
    if (auto added = sink_.AddFile(guest, attributes, read); !added) return added;
    if (had == size) return {};
    return Fail(ErrorCode::kFailedPrecondition, "FILE_CHANGED",
                fmt::format("{} changed while it was read", host));
  }

  ImportSink& sink_;
  std::vector<std::byte> buffer_;
  dev_t device_ = 0;
  std::map<std::pair<dev_t, ino_t>, std::string> linked_;  // to the first name
};

}  // namespace

Result<void, Error> ImportDirectory(const std::string& path, ImportSink& sink) {
  return DirectoryWalk(sink).Start(path);
}

}  // namespace glovebox::client
