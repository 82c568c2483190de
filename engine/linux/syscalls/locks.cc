// Advisory locks: flock(2); fcntl(2), "Advisory record locking" and "Open file description locks".
#include "engine/linux/syscalls/locks.h"

#include <limits>
#include <utility>

#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"

namespace glovebox::engine {
namespace {

enum Command : int {
  kGet = 5,
  kSet,
  kSetWait,
  kGet64 = 12,  // to 14: of i386, whose first three have 32 bits
  kSet64,
  kSetWait64,
  kOfdGet = 36,
  kOfdSet,
  kOfdSetWait,
};
enum LockType : std::int16_t { kReadLock, kWriteLock, kUnlock };
enum Whence : std::int16_t { kFromStart, kFromPosition, kFromEnd };

bool IsOfDescription(int command) { return command >= kOfdGet; }
bool Waits(int command) { return command == kSetWait || command == kOfdSetWait; }

// fs/locks.c, flock64_to_posix_lock.
Result<void, Errno> SetRange(const OpenFile& file, const abi::Flock& from, FileLock& to) {
  std::int64_t start = 0;
  switch (from.whence) {
    case kFromStart:
      break;
    case kFromPosition:
      start = static_cast<std::int64_t>(file.offset);
      break;
    case kFromEnd:
      start = static_cast<std::int64_t>(file.inode().size_bytes());
      break;
    default:
      return std::unexpected(kEINVAL);
  }
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  if (from.start > kMost - start) return std::unexpected(kEOVERFLOW);
  start += from.start;
  if (start < 0) return std::unexpected(kEINVAL);
  std::int64_t last = kMost;
  if (from.length > 0) {
    if (from.length - 1 > kMost - start) return std::unexpected(kEOVERFLOW);
    last = start + (from.length - 1);
  } else if (from.length < 0) {
    if (start + from.length < 0) return std::unexpected(kEINVAL);
    last = start - 1;
    start += from.length;
  }
  to.first = static_cast<std::uint64_t>(start);
  to.last = static_cast<std::uint64_t>(last);
  return {};
}

// What a process waits for, as long as its call lasts: deadlocks are found by it.
class LockWait {
 public:
  LockWait(std::shared_ptr<Inode> inode, const FileLock& wanted)
      : inode_(std::move(inode)), wait_{wanted, inode_->locks()} {
    inode_->services()->locks.AddWait(wait_);
  }
  ~LockWait() { inode_->services()->locks.RemoveWait(wait_); }
  LockWait(const LockWait&) = delete;
  LockWait& operator=(const LockWait&) = delete;

 private:
  const std::shared_ptr<Inode> inode_;  // whose locks they are
  const LockTable::Wait wait_;
};

SyscallResult AwaitRelease(const FileLocks& locks) {
  return SyscallResult::Block({kNever, Wait::kEvent, OnSignal::kRestartIfAsked, 0, &locks});
}

SyscallResult Get(Task& task, OpenFile& file, const FileLock& wanted, GuestPtr<abi::Flock> pointer,
                  abi::Flock told) {
  const FileLocks* const locks = file.inode().locks();
  const auto conflict = locks == nullptr ? std::nullopt : locks->FindConflict(wanted);
  told.type = kUnlock;
  if (conflict) {
    const bool to_the_end = conflict->last == FileLock::kToTheEnd;
    told = {conflict->exclusive ? kWriteLock : kReadLock,
            kFromStart,
            0,
            static_cast<std::int64_t>(conflict->first),
            to_the_end ? 0 : static_cast<std::int64_t>(conflict->last - conflict->first + 1),
            conflict->pid,
            0};
  }
  return FromResult(task.memory().Write(pointer, told));
}

SyscallResult Set(Task& task, OpenFile& file, const FileLock& lock, bool waits) {
  FileLocks& locks = file.inode().MakeLocks();
  task.call->state.reset();
  if (const auto conflict = locks.FindConflict(lock)) {
    if (!waits) return kEAGAIN;
    if (lock.kind == LockKind::kPosix && conflict->kind == LockKind::kPosix) {
      if (file.inode().services()->locks.WouldDeadlock(lock.owner, conflict->owner))
        return kEDEADLK;
      task.call->state = std::make_shared<LockWait>(file.path().inode, lock);
    }
    return AwaitRelease(locks);
  }
  return FromResult(locks.Take(lock));
}

SyscallResult RecordLock(Task& task, OpenFile& file, int command, GuestPtr<abi::Flock> pointer) {
  const auto asked = task.memory().Read(pointer);
  if (!asked) return asked.error();
  const bool of_description = IsOfDescription(command);
  FileLock lock{.kind = of_description ? LockKind::kDescription : LockKind::kPosix,
                .exclusive = asked->type == kWriteLock,
                .owner = of_description ? static_cast<const void*>(&file) : &task.fds(),
                .pid = of_description ? -1 : static_cast<std::int32_t>(task.process.pid)};
  const bool gets = command == kGet || command == kOfdGet;
  if (gets && asked->type != kReadLock && asked->type != kWriteLock) return kEINVAL;
  if (const auto ok = SetRange(file, *asked, lock); !ok) return ok.error();
  if (of_description && asked->pid != 0) return kEINVAL;
  if (gets) return Get(task, file, lock, pointer, *asked);
  switch (asked->type) {
    case kReadLock:
      if (!file.readable()) return kEBADF;
      break;
    case kWriteLock:
      if (!file.writable()) return kEBADF;
      break;
    case kUnlock: {
      FileLocks* const locks = file.inode().locks();
      return locks == nullptr ? SyscallResult(0) : FromResult(locks->Release(lock));
    }
    default:
      return kEINVAL;
  }
  return Set(task, file, lock, Waits(command));
}

}  // namespace

// On i386 the command says how wide the structure is: fs/fcntl.c, do_compat_fcntl64, which is
// behind both of its numbers.
std::optional<SyscallResult> LockCommand(Task& task, OpenFile& file, int command,
                                         GuestAddr argument) {
  GuestPtr<abi::Flock> pointer{argument, task.call->layout};
  const bool is_wide = command >= kGet64 && command <= kSetWait64;
  const bool is_of_description = command >= kOfdGet && command <= kOfdSetWait;
  if (!is_wide && !is_of_description && (command < kGet || command > kSetWait)) return std::nullopt;
  if (abi::IsI386(pointer.layout)) {
    pointer.layout = is_wide || is_of_description ? abi::Layout::kI386Wide : abi::Layout::kI386;
    if (is_wide) command = command - kGet64 + kGet;
  } else if (is_wide) {
    return std::nullopt;
  }
  return RecordLock(task, file, command, pointer);
}

SyscallResult SysFlock(Task& task, Fd fd, FlockOperation operation) {
  constexpr std::uint64_t kShared = 1, kExclusive = 2, kNonBlocking = 4, kRelease = 8;
  const std::uint64_t asked = operation.value & 0xffffffff;
  const std::uint64_t what = asked & ~kNonBlocking;
  if (what != kShared && what != kExclusive && what != kRelease) return kEINVAL;
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  const FileLock lock{.kind = LockKind::kFlock,
                      .exclusive = what == kExclusive,
                      .owner = file->get(),
                      .pid = static_cast<std::int32_t>(task.process.pid)};
  FileLocks& locks = (*file)->inode().MakeLocks();
  if (what == kRelease) return FromResult(locks.Release(lock));
  if (!locks.FindConflict(lock)) return FromResult(locks.Take(lock));
  // Another kind of lock is not waited for with the old one in hand: flock(2), "Notes".
  if (const auto released = locks.Release(lock); !released) return released.error();
  if (!locks.FindConflict(lock)) return FromResult(locks.Take(lock));
  return (asked & kNonBlocking) != 0 ? SyscallResult(kEAGAIN) : AwaitRelease(locks);
}

}  // namespace glovebox::engine
