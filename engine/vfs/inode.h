// The nodes of a box' file system.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/errno.h"
#include "engine/base/result.h"
#include "engine/memory/page_source.h"
#include "engine/vfs/file_content.h"
#include "engine/vfs/services.h"
#include "engine/vfs/shared_file.h"
#include "engine/vfs/tree_source.h"

namespace glovebox::engine {

// S_IFMT, inode(7).
enum FileType : std::uint32_t {
  kTypeNone = 0,  // of nodes that no directory has: anonymous.h
  kTypeFifo = 0010000,
  kTypeCharDevice = 0020000,
  kTypeDirectory = 0040000,
  kTypeBlockDevice = 0060000,
  kTypeRegular = 0100000,
  kTypeSymlink = 0120000,
  kTypeSocket = 0140000,
  kTypeMask = 0170000,
};

// fcntl(2), F_ADD_SEALS.
enum Seal : std::uint32_t {
  kSealSeal = 1,
  kSealShrink = 2,
  kSealGrow = 4,
  kSealWrite = 8,
  kSealFutureWrite = 16,
};

enum ModeBit : std::uint32_t { kSetUid = 04000, kSetGid = 02000, kSticky = 01000 };

// st_dev of the parts that the guest sees as separate file systems.
enum DeviceNumber : std::uint64_t {
  kRootDevice = 0x801,
  kDevDevice = 0x5,
  kProcDevice = 0x15,
  kSysDevice = 0x17,
  kPipeDevice = 0xd,
  kMemoryDevice = 0x1,  // memfd_create(2)
  kShmDevice = 0x18,    // /dev/shm
  kAnonymousDevice = 0xe,
  kSocketDevice = 0x8,
  kDevPtsDevice = 0x16,
};

class Directory;
class Inode;
class NodeWatcher;
class OpenFile;

// A node and the name by which it was reached; what a dentry is to Linux.
struct PathRef {
  std::shared_ptr<Inode> inode;       // null: no such entry
  std::shared_ptr<Directory> parent;  // null: not reached through a directory (pipes)
  std::string name;                   // within `parent`; empty for the root
};

// Why an operation did not happen: an errno, or "not yet".
enum class Wait : std::uint8_t {
  kNone,    // `error` is the answer
  kEvent,   // something in the box must happen first
  kInput,   // bytes of the box' stdin, from outside
  kSignal,  // one that has just been sent to the caller: it stops, is interrupted, or tries again
};
struct IoFailure {
  Errno error = kEAGAIN;
  Wait wait = Wait::kNone;
  const void* channel = nullptr;  // whose events are to be waited for; VfsServices::file_event
  Nanoseconds deadline = ~Nanoseconds{0};  // since the box' start; when to try again at the latest
  IoFailure(Errno e) : error(e) {}         // NOLINT: an errno is the common case
  explicit IoFailure(Wait w, const void* on = nullptr) : wait(w), channel(on) {}
};
using IoResult = Result<std::size_t, IoFailure>;

class Inode : public std::enable_shared_from_this<Inode> {
 public:
  Inode(std::shared_ptr<VfsServices> services, FileType type, std::uint32_t permissions,
        std::uint64_t device = kRootDevice);
  virtual ~Inode();
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;

  FileType type() const { return type_; }
  bool is(FileType type) const { return type_ == type; }
  virtual std::uint64_t size_bytes() const { return 0; }
  virtual std::uint64_t allocated_bytes() const { return 0; }
  // Makes size and link count true; for nodes that are filled in when they are first looked into.
  virtual Result<void, Errno> Refresh() { return {}; }
  // What links of /proc show of a node that has no name: "pipe:[7]"; empty: it has a path.
  virtual std::string NamelessText() const { return {}; }

  // An open file description, open(2); `flags` are those of the guest, access already checked.
  virtual Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) = 0;

  // Now, for each time that is asked for.
  void TouchAccessed();  // relatime: mount(8)
  void TouchModified();  // mtime and ctime
  void TouchChanged();   // ctime

  const std::shared_ptr<VfsServices>& services() const { return services_; }
  // Is its file system mounted with one of these options? VolumeOption.
  bool LiesOn(std::uint32_t options) const;
  bool ChargeDisk(std::uint64_t bytes) { return charge_.Add(services_, bytes); }
  void ReleaseDisk(std::uint64_t bytes) { charge_.Release(bytes); }

  // Made when the first one is asked for; null before.
  FileLocks* locks() const { return locks_.get(); }
  FileLocks& MakeLocks();

  // inotify(7): node_watch.h says what happens.
  void AddWatcher(NodeWatcher& watcher);
  void RemoveWatcher(const NodeWatcher& watcher);
  bool is_watched() const { return !watchers_.empty(); }
  void TellWatchers(std::uint32_t events, std::uint32_t cookie, const std::string& name);

  // Plain data, kept true by Filesystem.
  std::uint64_t number = 0;
  std::uint64_t device = kRootDevice;
  std::uint32_t permissions = 0;  // 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t link_count = 1;
  std::uint64_t special_device = 0;  // st_rdev
  bool may_get_name = false;         // without one, and linkat(2) may give it one: O_TMPFILE
  // What mount(2) has put over it; mount_table.h.
  std::shared_ptr<Inode> mounted;
  std::map<std::string, std::string> attributes;  // xattr(7), charged to the disk limit
  std::int64_t atime_ns = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;

 private:
  std::shared_ptr<VfsServices> services_;
  FileType type_;
  DiskCharge charge_;
  std::unique_ptr<FileLocks> locks_;
  std::vector<NodeWatcher*> watchers_;
};

class RegularFile : public Inode, public PageSource {
 public:
  RegularFile(std::shared_ptr<VfsServices> services, std::uint32_t permissions);
  RegularFile(std::shared_ptr<VfsServices> services, std::uint32_t permissions, const Digest& blob);
  std::uint64_t size_bytes() const override { return content.size_bytes(); }
  std::uint64_t allocated_bytes() const override { return content.allocated_bytes(); }
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override;
  bool ReadPage(std::uint64_t offset_bytes, std::span<std::byte> out) override;

  // The memory that shared mappings of [0, end) show, made when it is first asked for. Errors:
  // ENOMEM; EIO where the host failed, see BlobCache::failure.
  Result<std::shared_ptr<SharedObject>, Errno> Share(std::uint64_t end_bytes);
  // Null: never mapped shared.
  const SharedFile* shared() const { return shared_.get(); }
  std::shared_ptr<RegularFile> SharedFromThis() {
    return std::static_pointer_cast<RegularFile>(shared_from_this());
  }

  // Of memfd_create(2): what F_ADD_SEALS has forbidden. Other files have none.
  std::optional<std::uint32_t> seals;
  // May [offset, offset + size) be written to, may the size become `size`? EPERM: sealed.
  Errno CheckWrite(std::uint64_t offset, std::uint64_t size) const;
  Errno CheckResize(std::uint64_t size) const;

  FileContent content;

 private:
  std::unique_ptr<SharedFile> shared_;
};

class Symlink : public Inode {
 public:
  Symlink(std::shared_ptr<VfsServices> services, std::string target,
          std::uint64_t device = kRootDevice);
  std::uint64_t size_bytes() const override { return target_.size(); }
  // What readlink(2) says.
  virtual Result<std::string, Errno> Target() const { return target_; }
  // Links of /proc that lead to a node whatever its name is by now; empty: resolve Target().
  virtual Result<std::optional<PathRef>, Errno> Jump() const { return std::nullopt; }
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override;

 private:
  std::string target_;
};

struct DirectoryEntry {
  std::string name;
  std::uint64_t inode_number = 0;
  FileType type = kTypeRegular;
  std::uint64_t next_cookie = 0;  // d_off: where the listing goes on behind this entry
};

class Directory : public Inode {
 public:
  Directory(std::shared_ptr<VfsServices> services, std::uint32_t permissions,
            std::uint64_t device = kRootDevice);

  // ENOENT, or EIO where the root cannot be read.
  virtual Result<std::shared_ptr<Inode>, Errno> Find(const std::string& name) = 0;
  // At most `max` entries from `cookie` on; "." and ".." are not among them.
  virtual Result<std::vector<DirectoryEntry>, Errno> List(std::uint64_t cookie,
                                                          std::size_t max) = 0;
  // Directories whose entries are made up (/proc) refuse both.
  virtual Result<void, Errno> Insert(const std::string& name, std::shared_ptr<Inode> inode);
  virtual Result<void, Errno> Erase(const std::string& name);
  virtual Result<bool, Errno> IsEmpty();

  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override;

  // The directory above; itself for the root; null for one that was removed together with its
  // parent.
  std::shared_ptr<Directory> parent();
  const std::string& name() const { return name_; }
  void SetParent(const std::shared_ptr<Directory>& parent, std::string name);
  void MarkRemoved() { removed_ = true; }
  bool removed() const { return removed_; }
  // rmdir and rename of it answer EBUSY.
  bool is_mount_point = false;

  std::shared_ptr<Directory> SharedDirectory();

 private:
  std::weak_ptr<Directory> parent_;
  std::string name_;
  bool removed_ = false;
};

// Entries in memory, filled from a listing of the root when it is first looked into.
class TreeDirectory : public Directory {
 public:
  using Directory::Directory;
  TreeDirectory(std::shared_ptr<VfsServices> services, std::uint32_t permissions,
                const Digest& listing);
  // Takes what lies beneath apart without recursion: a guest may nest directories as deep as its
  // disk limit allows.
  ~TreeDirectory() override;

  std::uint64_t size_bytes() const override { return FileContent::kBlockBytes; }
  std::uint64_t allocated_bytes() const override { return FileContent::kBlockBytes; }
  Result<void, Errno> Refresh() override;
  Result<std::shared_ptr<Inode>, Errno> Find(const std::string& name) override;
  Result<std::vector<DirectoryEntry>, Errno> List(std::uint64_t cookie, std::size_t max) override;
  Result<void, Errno> Insert(const std::string& name, std::shared_ptr<Inode> inode) override;
  Result<void, Errno> Erase(const std::string& name) override;
  Result<bool, Errno> IsEmpty() override;

  // For who looks without a trace: the listing that nobody has read yet, and, where it was read,
  // an entry (null: there is none).
  const std::optional<Digest>& unread() const { return listing_; }
  std::shared_ptr<Inode> Peek(const std::string& name) const;

 private:
  struct Entry {
    std::shared_ptr<Inode> inode;
    std::uint64_t cookie = 0;
  };
  std::optional<Digest> listing_;  // empty once it was read
  std::map<std::string, Entry> entries_;
  // Cookies grow with each insertion, so a listing that goes on sees each entry at most once
  // whatever was added or removed meanwhile (`rm -r` relies on it), and the order is that of
  // creation, names in order for the root's.
  std::map<std::uint64_t, std::string> by_cookie_;
  std::uint64_t next_cookie_ = 3;  // 0, 1, 2: before ".", before "..", behind ".."
};

inline constexpr std::uint64_t kFirstCookie = 2;

}  // namespace glovebox::engine
