#include "client/rootfs/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <utility>

namespace glovebox::client {
namespace {

constexpr std::size_t kPiece = 256 << 10;
constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";

// What a root does not hold; the box has device files of its own.
struct LeftOutRow {
  mode_t type;
  const char* kind;
};
constexpr LeftOutRow kLeftOut[] = {{S_IFBLK, "device nodes"},
                                   {S_IFCHR, "device nodes"},
                                   {S_IFIFO, "FIFOs"},
                                   {S_IFSOCK, "sockets"}};

std::string_view View(const char* text) { return text == nullptr ? std::string_view() : text; }

NodeAttributes AttributesOf(archive_entry* entry) {
  NodeAttributes attributes;
  attributes.mode = ::archive_entry_perm(entry);
  attributes.uid = static_cast<std::uint32_t>(::archive_entry_uid(entry));
  attributes.gid = static_cast<std::uint32_t>(::archive_entry_gid(entry));
  attributes.mtime_ns = static_cast<std::int64_t>(
      static_cast<std::uint64_t>(::archive_entry_mtime(entry)) * 1'000'000'000 +
      static_cast<std::uint64_t>(::archive_entry_mtime_nsec(entry)));
  ::archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (::archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    if (name != nullptr) attributes.xattrs[name].assign(static_cast<const char*>(value), size);
  }
  return attributes;
}

// Whiteouts of an image's layer; false for every other entry.
Result<bool, Error> TakeWhiteout(std::string_view path, RootTree& tree) {
  while (path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (!name.starts_with(kWhiteout)) return false;
  const std::string directory(slash == std::string_view::npos ? "." : path.substr(0, slash));
  const auto removed =
      name == kOpaque
          ? tree.RemoveLowerChildren(directory)
          : tree.RemoveLower(directory + "/" + std::string(name.substr(kWhiteout.size())));
  if (!removed) return std::unexpected(removed.error());
  return true;
}

Result<void, Error> AddEntry(Archive& archive, archive_entry* entry, std::string_view path,
                             ImportSink& sink) {
  if (const char* target = ::archive_entry_hardlink(entry))
    return sink.tree().AddHardLink(path, target);
  const mode_t type = ::archive_entry_filetype(entry);
  for (const LeftOutRow& row : kLeftOut) {
    if (row.type != type) continue;
    sink.LeaveOut(row.kind, path);
    return {};
  }
  const NodeAttributes attributes = AttributesOf(entry);
  if (type == S_IFDIR) return sink.tree().AddDirectory(path, attributes);
  if (type == S_IFLNK)
    return sink.tree().AddSymlink(path, attributes,
                                  std::string(View(::archive_entry_symlink(entry))));
  if (type != S_IFREG) {
    return Fail(ErrorCode::kInvalidArgument, "ARCHIVE_DAMAGED",
                fmt::format("\"{}\" is of a type that no file has", ShownPath(path)));
  }
  // Before a byte is read: a sparse file of terabytes costs its archive nothing.
  if (::archive_entry_size_is_set(entry) != 0) {
    const auto size = static_cast<std::uint64_t>(::archive_entry_size(entry));
    if (auto checked = sink.CheckSize(path, size); !checked) return checked;
  }
  return sink.AddFile(path, attributes, [&] { return archive.Read(); });
}

}  // namespace

Archive::Archive(archive* handle, std::string name)
    : handle_(handle), name_(std::move(name)), buffer_(kPiece, '\0') {}

Archive::~Archive() { ::archive_read_free(handle_); }

std::unexpected<Error> Archive::Damaged() const {
  const char* why = ::archive_error_string(handle_);
  return Fail(ErrorCode::kInvalidArgument, "ARCHIVE_DAMAGED",
              fmt::format("{}: {}", name_, why != nullptr ? ShownPath(why) : "is damaged"));
}

Result<std::unique_ptr<Archive>, Error> Archive::Open(const HostFd& fd, std::string name) {
  std::unique_ptr<Archive> opened(new Archive(::archive_read_new(), std::move(name)));
  archive* const handle = opened->handle_;
  ::archive_read_support_format_tar(handle);
  ::archive_read_support_filter_gzip(handle);
  ::archive_read_support_filter_xz(handle);
  ::archive_read_support_filter_zstd(handle);
  // Names are bytes, whatever the archive and our locale call them.
  ::archive_read_set_options(handle, "hdrcharset=BINARY");
  if (::archive_read_open_fd(handle, fd.get(), kPiece) != ARCHIVE_OK) {
    // archive_errno(3): ARCHIVE_ERRNO_FILE_FORMAT, which libarchive keeps to itself on Linux, is
    // EILSEQ.
    if (::archive_errno(handle) != EILSEQ) return opened->Damaged();
    return Fail(ErrorCode::kInvalidArgument, "NOT_AN_ARCHIVE",
                fmt::format("{} is no tar archive, plain or compressed with gzip, xz or zstd: {}",
                            opened->name_, ShownPath(View(::archive_error_string(handle)))));
  }
  return opened;
}

Result<archive_entry*, Error> Archive::Next() {
  archive_entry* entry = nullptr;
  const int result = ::archive_read_next_header(handle_, &entry);
  if (result == ARCHIVE_EOF) return nullptr;
  // A warning is about a name or an attribute that could not be turned into ours.
  if (result != ARCHIVE_OK && result != ARCHIVE_WARN) return Damaged();
  if (::archive_entry_pathname(entry) == nullptr) return Damaged();
  return entry;
}

Result<std::span<const std::byte>, Error> Archive::Read() {
  const la_ssize_t count = ::archive_read_data(handle_, buffer_.data(), buffer_.size());
  if (count < 0) return Damaged();
  return std::as_bytes(std::span(buffer_.data(), static_cast<std::size_t>(count)));
}

Result<void, Error> ImportArchive(Archive& archive, bool whiteouts, ImportSink& sink) {
  while (true) {
    const auto entry = archive.Next();
    if (!entry) return std::unexpected(entry.error());
    if (*entry == nullptr) return {};
    const std::string path = ::archive_entry_pathname(*entry);
    if (whiteouts) {
      const auto taken = TakeWhiteout(path, sink.tree());
      if (!taken) return std::unexpected(taken.error());
      if (*taken) continue;
    }
    if (auto added = AddEntry(archive, *entry, path, sink); !added) return added;
    sink.Count();
  }
}

}  // namespace glovebox::client
