// A process' descriptors.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/errno.h"
#include "engine/base/result.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine {

class FdTable {
 public:
  struct Slot {
    std::shared_ptr<OpenFile> file;  // null: free
    bool close_on_exec = false;
  };

  FdTable() = default;
  // fork(2): the same files, none of the locks.
  FdTable(const FdTable&) = default;
  FdTable& operator=(const FdTable&) = delete;
  ~FdTable() {
    for (Slot& slot : slots_) Clear(slot);
  }

  std::shared_ptr<OpenFile> Get(int fd) const {
    return IsOpen(fd) ? slots_[static_cast<std::size_t>(fd)].file : nullptr;
  }
  bool IsOpen(int fd) const {
    return fd >= 0 && static_cast<std::size_t>(fd) < slots_.size() &&
           slots_[static_cast<std::size_t>(fd)].file;
  }
  Slot* Find(int fd) { return IsOpen(fd) ? &slots_[static_cast<std::size_t>(fd)] : nullptr; }

  // The lowest free descriptor that is at least `least`. EMFILE where it is not below `limit`
  // (RLIMIT_NOFILE).
  Result<int, Errno> Add(std::shared_ptr<OpenFile> file, bool close_on_exec, std::uint64_t limit,
                         int least = 0) {
    auto fd = static_cast<std::size_t>(least);
    while (fd < slots_.size() && slots_[fd].file) ++fd;
    if (fd >= limit) return std::unexpected(kEMFILE);
    Put(static_cast<int>(fd), {std::move(file), close_on_exec});
    return static_cast<int>(fd);
  }
  // Whether Add would find one.
  bool HasFree(std::uint64_t limit) const {
    for (std::size_t fd = 0; fd < limit; ++fd) {
      if (fd >= slots_.size() || !slots_[fd].file) return true;
    }
    return false;
  }
  void Put(int fd, Slot slot) {
    if (static_cast<std::size_t>(fd) >= slots_.size())
      slots_.resize(static_cast<std::size_t>(fd) + 1);
    Slot& place = slots_[static_cast<std::size_t>(fd)];
    Clear(place);
    place = std::move(slot);
  }
  bool Close(int fd) {
    if (!IsOpen(fd)) return false;
    Clear(slots_[static_cast<std::size_t>(fd)]);
    return true;
  }
  void CloseOnExec() {
    for (Slot& slot : slots_) {
      if (slot.close_on_exec) Clear(slot);
    }
  }
  int size() const { return static_cast<int>(slots_.size()); }

 private:
  // Whoever closes any of its descriptors of a file loses all its record locks of that file:
  // fcntl(2), "Advisory record locking".
  void Clear(Slot& slot) {
    if (!slot.file) return;
    const std::shared_ptr<OpenFile> file = std::move(slot.file);
    slot = {};
    if (FileLocks* const locks = file->inode().locks()) locks->ReleaseAll(LockKind::kPosix, this);
  }

  std::vector<Slot> slots_;
};

}  // namespace glovebox::engine
