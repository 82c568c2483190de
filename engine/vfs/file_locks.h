// Advisory locks of files: flock(2), and the record locks of fcntl(2), of processes and of open
// file descriptions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/errno.h"
#include "engine/base/result.h"
#include "engine/vfs/disk_charge.h"

namespace glovebox::engine {

class Inode;
struct VfsServices;

// kFlock: whole files, of an open file description. kPosix: ranges, of a table of descriptors,
// which is what a process is here (Linux' files_struct). kDescription: ranges, of a description.
enum class LockKind : std::uint8_t { kFlock, kPosix, kDescription };

// A lock, held or wanted. The owner is a name, never looked into.
struct FileLock {
  LockKind kind = LockKind::kFlock;
  bool exclusive = false;
  const void* owner = nullptr;
  std::int32_t pid = 0;  // of the owner, for others to see
  std::uint64_t first = 0;
  std::uint64_t last = kToTheEnd;

  static constexpr std::uint64_t kToTheEnd = 0x7fffffffffffffff;  // OFFSET_MAX

  bool SharesRange(const FileLock& other) const {
    return first <= other.last && other.first <= last;
  }
};

class FileLocks;

// What the locks of all files have in common.
class LockTable {
 public:
  void Add(FileLocks& locks) { files_.emplace(++count_, &locks); }
  void Remove(const FileLocks& locks);
  std::uint64_t NextNumber() { return ++count_; }
  // /proc/locks: in the order of their taking.
  std::string Text() const;

  // A process that waits for a lock which another one holds.
  struct Wait {
    FileLock wanted;
    const FileLocks* locks;
  };
  void AddWait(const Wait& wait) { waits_.push_back(&wait); }
  void RemoveWait(const Wait& wait) { std::erase(waits_, &wait); }
  // Whether `holder` waits, be it by way of others, for `owner`: it would wait for itself.
  bool WouldDeadlock(const void* owner, const void* holder) const;

 private:
  std::map<std::uint64_t, FileLocks*> files_;  // by their making
  std::vector<const Wait*> waits_;
  std::uint64_t count_ = 0;
};

// The locks of one file, and the channel of their events: somebody waits until one of them goes.
class FileLocks {
 public:
  struct Held {
    FileLock lock;
    std::uint64_t number;  // of its taking, over all files
  };

  explicit FileLocks(Inode& inode);
  ~FileLocks();
  FileLocks(const FileLocks&) = delete;
  FileLocks& operator=(const FileLocks&) = delete;

  // One that keeps `wanted` from being taken: flocks and ranges do not see each other.
  std::optional<FileLock> FindConflict(const FileLock& wanted) const;
  // Takes it: instead of what the owner has in the range, joined with equal ones beside it. ENOLCK
  // where there is no room for it. Conflicts are the caller's to find.
  Result<void, Errno> Take(const FileLock& lock);
  // The owner has nothing any more in the range of `lock`. ENOLCK where that would make two of one.
  Result<void, Errno> Release(const FileLock& lock);
  void ReleaseAll(LockKind kind, const void* owner);

  const std::vector<Held>& held() const { return held_; }
  const Inode& inode() const { return inode_; }

 private:
  bool Charge();
  // Cuts the range out of what the owner has; what is equal to `joined` and beside it is joined
  // with it. False: the owner had nothing there.
  bool Cut(const FileLock& range, FileLock* joined);

  Inode& inode_;
  const std::shared_ptr<VfsServices> services_;
  DiskCharge charge_;
  std::vector<Held> held_;  // in the order of their taking
};

}  // namespace glovebox::engine
