#include "engine/vfs/inode.h"

#include <algorithm>
#include <utility>

#include "engine/vfs/node_watch.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine {

Inode::Inode(std::shared_ptr<VfsServices> services, FileType type, std::uint32_t mode,
             std::uint64_t device_number)
    : device(device_number),
      permissions(mode & 07777),
      services_(std::move(services)),
      type_(type) {
  number = services_->next_inode++;
  atime_ns = mtime_ns = ctime_ns = services_->now_ns();
}

Inode::~Inode() {
  TellWatchers(kNodeDeleteSelf, 0, {});
  for (NodeWatcher* const watcher : std::exchange(watchers_, {})) {
    --services_->node_watchers;
    watcher->OnNodeGone();
  }
}

void Inode::AddWatcher(NodeWatcher& watcher) {
  watchers_.push_back(&watcher);
  ++services_->node_watchers;
}

void Inode::RemoveWatcher(const NodeWatcher& watcher) {
  services_->node_watchers -= static_cast<int>(std::erase(watchers_, &watcher));
}

void Inode::TellWatchers(std::uint32_t events, std::uint32_t cookie, const std::string& name) {
  // A copy: who is told may cease to watch.
  for (NodeWatcher* const watcher : std::vector(watchers_)) {
    if (std::ranges::find(watchers_, watcher) != watchers_.end())
      watcher->OnNodeEvent(events, cookie, name);
  }
}

FileLocks& Inode::MakeLocks() {
  if (!locks_) locks_ = std::make_unique<FileLocks>(*this);
  return *locks_;
}

bool Inode::LiesOn(std::uint32_t options) const {
  if (services_->volumes.empty()) return false;
  const auto volume = services_->FindVolume(device);
  return volume && (volume->options & options) != 0;
}

void Inode::TouchAccessed() {
  constexpr std::int64_t kDay = 86'400'000'000'000;
  if (LiesOn(kVolumeReadOnly | kVolumeNoAccessTimes)) return;
  const std::int64_t now = services_->now_ns();
  if (LiesOn(kVolumeStrictAccessTimes) || atime_ns <= mtime_ns || atime_ns <= ctime_ns ||
      now - atime_ns >= kDay)
    atime_ns = now;
}

void Inode::TouchModified() { mtime_ns = ctime_ns = services_->now_ns(); }

void Inode::TouchChanged() { ctime_ns = services_->now_ns(); }

RegularFile::RegularFile(std::shared_ptr<VfsServices> services, std::uint32_t mode)
    : Inode(services, kTypeRegular, mode), content(services) {}

RegularFile::RegularFile(std::shared_ptr<VfsServices> services, std::uint32_t mode,
                         const Digest& blob)
    : Inode(services, kTypeRegular, mode), content(services, blob) {}

Result<std::shared_ptr<OpenFile>, IoFailure> RegularFile::Open(const PathRef& path, int flags) {
  return std::make_shared<OpenRegular>(path, flags);
}

bool RegularFile::ReadPage(std::uint64_t offset, std::span<std::byte> out) {
  const auto read = content.Read(offset, out);
  if (!read) return false;
  std::ranges::fill(out.subspan(*read), std::byte{0});
  return true;
}

Result<std::shared_ptr<SharedObject>, Errno> RegularFile::Share(std::uint64_t end_bytes) {
  if (!shared_) {
    shared_ = std::make_unique<SharedFile>(*this, services()->disk);
    content.SetShared(shared_.get());
  }
  switch (shared_->Reserve(end_bytes)) {
    case SharedObject::Failure::kNone:
      break;
    case SharedObject::Failure::kNoRoom:
      return std::unexpected(kENOMEM);
    case SharedObject::Failure::kHost:
      return std::unexpected(services()->blobs.ReportFailure(
          {ErrorCode::kResourceExhausted,
           "NO_ADDRESS_SPACE",
           "the host did not map the memory of a file that is mapped shared",
           {}}));
  }
  return std::shared_ptr<SharedObject>(shared_from_this(), shared_.get());
}

Errno RegularFile::CheckWrite(std::uint64_t offset, std::uint64_t size) const {
  if (!seals || size == 0) return Errno{};
  if ((*seals & (kSealWrite | kSealFutureWrite)) != 0) return kEPERM;
  return (*seals & kSealGrow) != 0 && offset + size > size_bytes() ? kEPERM : Errno{};
}

Errno RegularFile::CheckResize(std::uint64_t size) const {
  if (!seals) return Errno{};
  const bool refused = ((*seals & kSealShrink) != 0 && size < size_bytes()) ||
                       ((*seals & kSealGrow) != 0 && size > size_bytes());
  return refused ? kEPERM : Errno{};
}

Symlink::Symlink(std::shared_ptr<VfsServices> services, std::string target,
                 std::uint64_t device_number)
    : Inode(std::move(services), kTypeSymlink, 0777, device_number), target_(std::move(target)) {}

Result<std::shared_ptr<OpenFile>, IoFailure> Symlink::Open(const PathRef&, int) {
  return std::unexpected(kELOOP);
}

Directory::Directory(std::shared_ptr<VfsServices> services, std::uint32_t mode,
                     std::uint64_t device_number)
    : Inode(std::move(services), kTypeDirectory, mode, device_number) {
  link_count = 2;
}

Result<void, Errno> Directory::Insert(const std::string&, std::shared_ptr<Inode>) {
  return std::unexpected(kEPERM);
}

Result<void, Errno> Directory::Erase(const std::string&) { return std::unexpected(kEPERM); }

Result<bool, Errno> Directory::IsEmpty() { return false; }

Result<std::shared_ptr<OpenFile>, IoFailure> Directory::Open(const PathRef& path, int flags) {
  return std::make_shared<OpenDirectory>(path, flags);
}

std::shared_ptr<Directory> Directory::SharedDirectory() {
  return std::static_pointer_cast<Directory>(shared_from_this());
}

std::shared_ptr<Directory> Directory::parent() { return parent_.lock(); }

void Directory::SetParent(const std::shared_ptr<Directory>& parent, std::string name) {
  parent_ = parent;
  name_ = std::move(name);
}

TreeDirectory::TreeDirectory(std::shared_ptr<VfsServices> services, std::uint32_t mode,
                             const Digest& listing)
    : Directory(std::move(services), mode), listing_(listing) {}

TreeDirectory::~TreeDirectory() {
  std::vector<std::shared_ptr<Inode>> pending;
  const auto take = [&pending](TreeDirectory& directory) {
    for (auto& [name, entry] : directory.entries_) pending.push_back(std::move(entry.inode));
    directory.entries_.clear();
  };
  take(*this);
  while (!pending.empty()) {
    const std::shared_ptr<Inode> inode = std::move(pending.back());
    pending.pop_back();
    // Only what nobody else holds goes now.
    auto* directory = dynamic_cast<TreeDirectory*>(inode.get());
    if (directory != nullptr && inode.use_count() == 1) take(*directory);
  }
}

namespace {

void Describe(Inode& inode, const TreeEntry& row) {
  inode.uid = row.uid;
  inode.gid = row.gid;
  inode.atime_ns = inode.mtime_ns = inode.ctime_ns = row.mtime_ns;
}

// The file of an entry: a new one, or the one that another name of it stands for already and that
// the guest may have changed since.
std::shared_ptr<Inode> FileOf(const std::shared_ptr<VfsServices>& services, const TreeEntry& row) {
  const bool linked = row.hard_link.id != 0;
  if (linked) {
    const auto known = services->hard_links.find(row.hard_link.id);
    if (known != services->hard_links.end()) return known->second;
  }
  auto file = std::make_shared<RegularFile>(services, row.mode, row.digest);
  Describe(*file, row);
  if (linked) {
    file->link_count = row.hard_link.count;
    services->hard_links.emplace(row.hard_link.id, file);
  }
  return file;
}

}  // namespace

Result<void, Errno> TreeDirectory::Refresh() {
  if (!listing_) return {};
  const auto listed = services()->blobs.ReadDirectory(*listing_);
  if (!listed) return std::unexpected(listed.error());
  listing_.reset();
  for (const TreeEntry& row : *listed) {
    std::shared_ptr<Inode> inode;
    switch (row.kind) {
      case NodeKind::kFile:
        inode = FileOf(services(), row);
        break;
      case NodeKind::kDirectory: {
        auto directory = std::make_shared<TreeDirectory>(services(), row.mode, row.digest);
        Describe(*directory, row);
        directory->SetParent(SharedDirectory(), row.name);
        ++link_count;
        inode = std::move(directory);
        break;
      }
      case NodeKind::kSymlink:
        inode = std::make_shared<Symlink>(services(), row.target);
        Describe(*inode, row);
        break;
    }
    const std::uint64_t cookie = next_cookie_++;
    entries_.emplace(row.name, Entry{std::move(inode), cookie});
    by_cookie_.emplace(cookie, row.name);
  }
  return {};
}

Result<std::shared_ptr<Inode>, Errno> TreeDirectory::Find(const std::string& name) {
  if (const auto ready = Refresh(); !ready) return std::unexpected(ready.error());
  const auto found = entries_.find(name);
  if (found == entries_.end()) return std::unexpected(kENOENT);
  return found->second.inode;
}

std::shared_ptr<Inode> TreeDirectory::Peek(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second.inode;
}

Result<std::vector<DirectoryEntry>, Errno> TreeDirectory::List(std::uint64_t cookie,
                                                               std::size_t max) {
  if (const auto ready = Refresh(); !ready) return std::unexpected(ready.error());
  std::vector<DirectoryEntry> out;
  for (auto it = by_cookie_.upper_bound(cookie); it != by_cookie_.end() && out.size() < max; ++it) {
    const Inode& inode = *entries_.at(it->second).inode;
    out.push_back({it->second, inode.number, inode.type(), it->first});
  }
  return out;
}

Result<void, Errno> TreeDirectory::Insert(const std::string& name, std::shared_ptr<Inode> inode) {
  if (const auto ready = Refresh(); !ready) return std::unexpected(ready.error());
  // A removed directory takes no new entries: Linux, IS_DEADDIR.
  if (removed()) return std::unexpected(kENOENT);
  if (entries_.contains(name)) return std::unexpected(kEEXIST);
  if (auto* directory = dynamic_cast<Directory*>(inode.get())) {
    directory->SetParent(SharedDirectory(), name);
    ++link_count;
  }
  const std::uint64_t cookie = next_cookie_++;
  entries_.emplace(name, Entry{std::move(inode), cookie});
  by_cookie_.emplace(cookie, name);
  return {};
}

Result<void, Errno> TreeDirectory::Erase(const std::string& name) {
  if (const auto ready = Refresh(); !ready) return std::unexpected(ready.error());
  const auto found = entries_.find(name);
  if (found == entries_.end()) return std::unexpected(kENOENT);
  if (found->second.inode->is(kTypeDirectory)) --link_count;
  by_cookie_.erase(found->second.cookie);
  entries_.erase(found);
  return {};
}

Result<bool, Errno> TreeDirectory::IsEmpty() {
  if (const auto ready = Refresh(); !ready) return std::unexpected(ready.error());
  return entries_.empty();
}

}  // namespace glovebox::engine
