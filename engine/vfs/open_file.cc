#include "engine/vfs/open_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/vfs/node_watch.h"

namespace glovebox::engine {
namespace {

class OpenText : public OpenFile {
 public:
  OpenText(PathRef path, int flags, std::string text)
      : OpenFile(std::move(path), flags), text_(std::move(text)) {}
  // Counted like a file of the guest's, or a thousand descriptors of /proc/self/maps would fill the
  // host.
  bool ChargeDisk() { return charge_.Add(inode().services(), text_.size()); }

  IoResult Read(std::uint64_t from, std::span<std::byte> out) override {
    if (from >= text_.size()) return 0;
    const std::size_t count = std::min(out.size(), text_.size() - static_cast<std::size_t>(from));
    std::ranges::copy(
        std::as_bytes(std::span(text_)).subspan(static_cast<std::size_t>(from), count),
        out.begin());
    return count;
  }
  bool seekable() const override { return true; }

 private:
  std::string text_;
  DiskCharge charge_;
};

}  // namespace

OpenFile::~OpenFile() {
  if (!path_only()) TellFile(path_, writable() ? kNodeCloseWrite : kNodeCloseNoWrite);
  // Each takes itself off the list.
  while (!observers_.empty()) {
    CloseObserver* const observer = observers_.back();
    observers_.pop_back();
    observer->OnLastClose(*this);
  }
  if (FileLocks* const locks = path_.inode->locks()) {
    locks->ReleaseAll(LockKind::kFlock, this);
    locks->ReleaseAll(LockKind::kDescription, this);
  }
}

IoResult OpenFile::Read(std::uint64_t, std::span<std::byte>) { return std::unexpected(kEINVAL); }

IoResult OpenFile::Write(std::uint64_t, std::span<const std::byte>) {
  return std::unexpected(kEINVAL);
}

Result<std::uint16_t, IoFailure> OpenFile::Poll() {
  // Files and directories are always ready: poll(2).
  return static_cast<std::uint16_t>(kPollIn | kPollOut);
}

OpenRegular::OpenRegular(PathRef path, int flags) : OpenFile(std::move(path), flags) {}

IoResult OpenRegular::Read(std::uint64_t from, std::span<std::byte> out) {
  const auto read = file().content.Read(from, out);
  if (!read) return std::unexpected(read.error());
  if ((flags() & kOpenNoAtime) == 0 && !out.empty()) inode().TouchAccessed();
  return *read;
}

IoResult OpenRegular::Write(std::uint64_t to, std::span<const std::byte> bytes) {
  if (const Errno error = file().CheckWrite(to, bytes.size()); error != Errno{})
    return std::unexpected(error);
  const auto written = file().content.Write(to, bytes);
  if (!written) return std::unexpected(written.error());
  if (*written > 0) inode().TouchModified();
  return *written;
}

Result<std::uint64_t, IoFailure> OpenRegular::Available() {
  const std::uint64_t size = inode().size_bytes();
  return size > offset ? size - offset : 0;
}

Result<std::vector<DirectoryEntry>, Errno> OpenDirectory::Entries(std::size_t max) {
  // An open directory that was removed lists nothing, not even itself: Linux answers ENOENT.
  if (directory().removed()) return std::unexpected(kENOENT);
  std::vector<DirectoryEntry> out;
  if (offset == 0) out.push_back({".", inode().number, kTypeDirectory, 1});
  if (offset <= 1) {
    const auto above = directory().parent();
    out.push_back({"..", above ? above->number : inode().number, kTypeDirectory, kFirstCookie});
  }
  auto rest = directory().List(std::max(offset, kFirstCookie), max);
  if (!rest) return std::unexpected(rest.error());
  std::ranges::move(*rest, std::back_inserter(out));
  return out;
}

GeneratedFile::GeneratedFile(std::shared_ptr<VfsServices> services, std::uint32_t mode,
                             std::uint64_t device_number, Generator generate)
    : Inode(std::move(services), kTypeRegular, mode, device_number),
      generate_(std::move(generate)) {}

Result<std::shared_ptr<OpenFile>, IoFailure> GeneratedFile::Open(const PathRef& path, int flags) {
  auto file = std::make_shared<OpenText>(path, flags, generate_());
  if (!file->ChargeDisk()) return std::unexpected(kENOMEM);
  return file;
}

}  // namespace glovebox::engine
