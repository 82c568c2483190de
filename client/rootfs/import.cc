#include "client/rootfs/import.h"

#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "client/rootfs/archive.h"
#include "client/rootfs/host_directory.h"
#include "client/rootfs/oci_image.h"
#include "client/upload/uploader.h"

namespace glovebox::client {
namespace {

constexpr std::size_t kMaxLayoutFiles = 600;  // held open
constexpr std::uint64_t kMaxAccountFile = 4 << 20;

Result<HostFd, Error> OpenForReading(const std::string& path) {
  HostFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd) return fd;
  const bool absent = errno == ENOENT;
  return Fail(absent ? ErrorCode::kNotFound : ErrorCode::kFailedPrecondition,
              absent ? "FILE_NOT_FOUND" : "FILE_UNREADABLE",
              fmt::format("{}: {}", path, ErrnoText(errno)));
}

std::unexpected<Error> LayoutFileMissing(const std::string& name) {
  return Fail(ErrorCode::kNotFound, "OCI_BLOB_MISSING",
              fmt::format("OCI image layout: {} is not there", name));
}

bool IsLayout(const std::string& directory) {
  return ::access((directory + "/index.json").c_str(), F_OK) == 0 &&
         ::access((directory + "/oci-layout").c_str(), F_OK) == 0;
}

LayoutFiles FilesIn(const std::string& directory) {
  return [directory](const std::string& name) -> Result<HostFd, Error> {
    auto fd = OpenForReading(directory + "/" + name);
    if (!fd) return LayoutFileMissing(name);
    return fd;
  };
}

std::string WithoutDot(std::string name) {
  while (name.starts_with("./")) name.erase(0, 2);
  while (name.ends_with('/')) name.pop_back();
  return name;
}

// What an image's archive has at its top; anything else is a root.
bool IsLayoutName(const std::string& name) {
  return name.empty() || name == "." || name == "blobs" || name.starts_with("blobs/") ||
         name == "index.json" || name == "oci-layout" || name == "manifest.json" ||
         name == "repositories";
}

// Whether an archive that can be read twice is an image layout: the first name that no layout has
// says no.
Result<bool, Error> HoldsLayout(const HostFd& fd, const std::string& path) {
  auto archive = Archive::Open(fd, path);
  if (!archive) return std::unexpected(archive.error());
  bool index = false;
  while (true) {
    const auto entry = (*archive)->Next();
    if (!entry) return std::unexpected(entry.error());
    if (*entry == nullptr) return index;
    const std::string name = WithoutDot(::archive_entry_pathname(*entry));
    if (!IsLayoutName(name)) return false;
    index |= name == "index.json";
  }
}

// Takes the files of a layout out of its archive, each into a file without a name.
class LayoutArchive {
 public:
  Result<void, Error> Read(const HostFd& fd, const std::string& path, std::uint64_t max_bytes) {
    auto archive = Archive::Open(fd, path);
    if (!archive) return std::unexpected(archive.error());
    while (true) {
      const auto entry = (*archive)->Next();
      if (!entry) return std::unexpected(entry.error());
      if (*entry == nullptr) return {};
      if (::archive_entry_filetype(*entry) != S_IFREG) continue;
      if (files_.size() >= kMaxLayoutFiles) {
        return Fail(ErrorCode::kInvalidArgument, "OCI_FORM",
                    fmt::format("{}: an image of more than {} files", path, kMaxLayoutFiles));
      }
      auto file = MakeUnnamedFile();
      if (!file) return std::unexpected(file.error());
      while (true) {
        const auto piece = (*archive)->Read();
        if (!piece) return std::unexpected(piece.error());
        if (piece->empty()) break;
        if (piece->size() > max_bytes) {
          return Fail(ErrorCode::kResourceExhausted, "ROOT_TOO_LARGE",
                      path + " holds more than --max-size allows");
        }
        max_bytes -= piece->size();
        if (auto put = Append(**file, *piece); !put) return put;
      }
      files_.insert_or_assign(WithoutDot(::archive_entry_pathname(*entry)), *std::move(file));
    }
  }

  LayoutFiles Files() const {
    return [this](const std::string& name) -> Result<HostFd, Error> {
      const auto found = files_.find(name);
      if (found == files_.end()) return LayoutFileMissing(name);
      return OpenForReading(fmt::format("/proc/self/fd/{}", found->second->get()));
    };
  }

 private:
  std::map<std::string, std::shared_ptr<const HostFd>> files_;
};

Result<std::optional<ImageConfig>, Error> ReadImage(const LayoutFiles& files, ImportSink& sink) {
  auto image = ImportImage(files, sink);
  if (!image) return std::unexpected(image.error());
  return std::optional(*std::move(image));
}

// The path's root into the sink; an image's configuration where it is one.
Result<std::optional<ImageConfig>, Error> ReadPath(const std::string& path,
                                                   const ImportOptions& options, ImportSink& sink) {
  HostFd fd;
  if (path == "-") {
    fd = HostFd(::dup(STDIN_FILENO));
  } else {
    auto opened = OpenForReading(path);
    if (!opened) return std::unexpected(opened.error());
    fd = *std::move(opened);
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return LayoutFileMissing(path);
  if (S_ISDIR(status.st_mode)) {
    if (IsLayout(path)) return ReadImage(FilesIn(path), sink);
    if (auto read = ImportDirectory(path, sink); !read) return std::unexpected(read.error());
    return std::nullopt;
  }
  if (S_ISREG(status.st_mode)) {
    const off_t start = ::lseek(fd.get(), 0, SEEK_CUR);
    const auto layout = HoldsLayout(fd, path);
    if (!layout) return std::unexpected(layout.error());
    ::lseek(fd.get(), start, SEEK_SET);
    if (*layout) {
      LayoutArchive files;
      if (auto read = files.Read(fd, path, options.max_bytes); !read)
        return std::unexpected(read.error());
      return ReadImage(files.Files(), sink);
    }
  }
  auto archive = Archive::Open(fd, path == "-" ? "standard input" : path);
  if (!archive) return std::unexpected(archive.error());
  if (auto read = ImportArchive(**archive, /*whiteouts=*/false, sink); !read)
    return std::unexpected(read.error());
  return std::nullopt;
}

// The text of a file of the tree, read back from the server; empty where there is none.
Result<std::string, Error> TextOf(v1::BlobService::StubInterface& blobs, const RootTree& tree,
                                  std::string_view path) {
  const TreeNode::Body* const file = tree.FindFile(path);
  if (file == nullptr) return std::string();
  return ReadBlob(blobs, file->digest, kMaxAccountFile);
}

}  // namespace

Result<Imported, Error> Import(v1::BlobService::StubInterface& blobs, const std::string& path,
                               const ImportOptions& options) {
  BlobStream stream(blobs);
  ImportSink sink(stream, options.max_bytes, options.on_progress);
  auto image = ReadPath(path, options, sink);
  if (!image) return std::unexpected(image.error());
  const auto digest = BuildListings(sink.tree().root(),
                                    [&](BlobSource blob) { return stream.Add(std::move(blob)); });
  if (!digest) return std::unexpected(digest.error());
  if (auto sent = stream.Finish(); !sent) return std::unexpected(sent.error());

  Imported imported;
  *imported.root.mutable_tree() = ToProto(*digest);
  if (*image) {
    *imported.root.mutable_config() = std::move((*image)->root);
    const auto passwd = TextOf(blobs, sink.tree(), "etc/passwd");
    if (!passwd) return std::unexpected(passwd.error());
    const auto group = TextOf(blobs, sink.tree(), "etc/group");
    if (!group) return std::unexpected(group.error());
    const auto resolved =
        ResolveUser((*image)->user, *passwd, *group, *imported.root.mutable_config());
    if (!resolved) return std::unexpected(resolved.error());
  }
  imported.read = sink.progress();
  imported.left_out = sink.left_out();
  imported.sent_bytes = stream.sent_bytes();
  imported.sent_blobs = stream.sent_blobs();
  return imported;
}

}  // namespace glovebox::client
