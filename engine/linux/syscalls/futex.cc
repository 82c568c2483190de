// Waiting for words of memory: futex(2).
#include <algorithm>
#include <optional>
#include <vector>

#include "engine/linux/syscalls/event_handlers.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

// include/uapi/linux/futex.h.
enum Command : std::uint64_t {
  kWait = 0,
  kWake,
  kRequeue = 3,
  kCmpRequeue,
  kWakeOp,
  kLockPi,
  kUnlockPi,
  kTryLockPi,
  kWaitBitset,
  kWakeBitset,
  kWaitRequeuePi,
  kCmpRequeuePi,
  kLockPi2,
};
constexpr std::uint64_t kPrivate = 0x80;
constexpr std::uint64_t kClockRealtime = 0x100;
constexpr std::uint32_t kWaiters = 0x80000000;
constexpr std::uint32_t kOwnerDied = 0x40000000;
constexpr std::uint32_t kTidMask = 0x3fffffff;

using Word = GuestPtr<std::uint32_t>;

Result<Nanoseconds, Errno> Deadline(Task& task, GuestPtr<const abi::Timespec> timeout,
                                    bool absolute, bool realtime) {
  constexpr std::int64_t kBillion = 1'000'000'000;
  if (!timeout) return kNever;
  const auto time = task.memory().Read(timeout);
  if (!time) return std::unexpected(time.error());
  if (time->seconds < 0 || time->nanoseconds < 0 || time->nanoseconds >= kBillion)
    return std::unexpected(kEINVAL);
  const std::int64_t seconds = std::min<std::int64_t>(time->seconds, 4'000'000'000);
  std::int64_t ns = seconds * kBillion + time->nanoseconds;
  const auto now = static_cast<std::int64_t>(task.kernel.Now());
  if (absolute) ns -= realtime ? task.kernel.WallNanoseconds() : now;
  return static_cast<Nanoseconds>(now + std::max<std::int64_t>(ns, 0));
}

SyscallResult BlockOnWord(const Task& task, bool timed) {
  return SyscallResult::Block({*task.call->deadline, Wait::kEvent,
                               timed ? OnSignal::kInterrupt : OnSignal::kRestartIfAsked, 0});
}

bool Expired(const Task& task) { return task.kernel.Now() >= *task.call->deadline; }

struct FutexCall {
  Task& task;
  Word word;
  std::uint64_t op;
  std::uint32_t value;
  GuestPtr<const abi::Timespec> timeout;
  GuestAddr word2;
  std::uint32_t value3;

  FutexTable& table() const { return task.kernel.futexes; }
  FutexKey Key(GuestAddr address) const {
    return FutexTable::KeyOf(task, address, (op & kPrivate) != 0);
  }
  // The count that stands in the timeout's place: FUTEX_REQUEUE, FUTEX_WAKE_OP.
  std::uint64_t second_count() const { return static_cast<std::uint32_t>(timeout.address); }
};

SyscallResult WaitFor(const FutexCall& f, std::uint32_t bits, bool absolute) {
  if (bits == 0) return kEINVAL;
  Task& task = f.task;
  if (!task.call->deadline) {
    const auto deadline = Deadline(task, f.timeout, absolute, (f.op & kClockRealtime) != 0);
    if (!deadline) return deadline.error();
    const auto value = task.memory().Read(f.word);
    if (!value) return value.error();
    if (*value != f.value) return kEAGAIN;
    task.call->deadline = *deadline;
    f.table().Enqueue(task, f.Key(f.word.address), bits);
    return BlockOnWord(task, static_cast<bool>(f.timeout));
  }
  if (!f.table().IsWaiting(task)) return 0;
  if (Expired(task)) return kETIMEDOUT;
  return BlockOnWord(task, static_cast<bool>(f.timeout));
}

SyscallResult Move(const FutexCall& f, bool compare) {
  if (f.word2 % 4 != 0) return kEINVAL;
  if (compare) {
    const auto now = f.task.memory().Read(f.word);
    if (!now) return now.error();
    if (*now != f.value3) return kEAGAIN;
  }
  const FutexKey from = f.Key(f.word.address);
  const std::int64_t woken = f.table().Wake(from, f.value, FutexTable::kAnyBit);
  return woken + f.table().Requeue(from, f.Key(f.word2), f.second_count());
}

// FUTEX_WAKE_OP: changes the second word and wakes by what it was.
SyscallResult WakeAndChange(const FutexCall& f) {
  if (f.word2 % 4 != 0) return kEINVAL;
  const auto sign_extend12 = [](std::uint32_t v) {
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(v << 20) >> 20);
  };
  std::uint32_t argument = sign_extend12(f.value3 >> 12 & 0xfff);
  const std::uint32_t compared = sign_extend12(f.value3 & 0xfff);
  if ((f.value3 >> 28 & 8) != 0) argument = std::uint32_t{1} << (argument & 31);
  const auto old = f.task.memory().Read(Word{f.word2});
  if (!old) return old.error();
  std::uint32_t changed = 0;
  switch (f.value3 >> 28 & 7) {
    case 0:
      changed = argument;
      break;
    case 1:
      changed = *old + argument;
      break;
    case 2:
      changed = *old | argument;
      break;
    case 3:
      changed = *old & ~argument;
      break;
    case 4:
      changed = *old ^ argument;
      break;
    default:
      return kENOSYS;
  }
  const auto was = static_cast<std::int32_t>(*old);
  const auto than = static_cast<std::int32_t>(compared);
  const std::uint32_t comparison = f.value3 >> 24 & 0xf;
  if (comparison > 5) return kENOSYS;
  const bool holds[] = {was == than, was != than, was<than, was <= than, was> than, was >= than};
  if (const auto ok = f.task.memory().Write(Word{f.word2}, changed); !ok) return ok.error();
  std::int64_t woken = f.table().Wake(f.Key(f.word.address), f.value, FutexTable::kAnyBit);
  if (holds[comparison])
    woken += f.table().Wake(f.Key(f.word2), f.second_count(), FutexTable::kAnyBit);
  return woken;
}

// A lock whose word holds its owner. All tasks have one priority, so inheriting it changes nothing:
// what is left is the hand-over to the one who waited longest.
SyscallResult LockPi(const FutexCall& f, bool wait, bool realtime) {
  Task& task = f.task;
  const auto value = task.memory().Read(f.word);
  if (!value) return value.error();
  const std::uint32_t owner = *value & kTidMask;
  const bool queued = f.table().IsWaiting(task);
  if (task.call->deadline && !queued) return 0;  // handed over by FUTEX_UNLOCK_PI
  if (owner == 0) {
    f.table().Forget(task);
    const std::uint32_t mine = task.tid | (*value & (kOwnerDied | kWaiters));
    return FromResult(task.memory().Write(f.word, mine));
  }
  if (owner == task.tid) return kEDEADLK;
  if (!wait) return kEAGAIN;
  if (!task.call->deadline) {
    const auto deadline = Deadline(task, f.timeout, true, realtime);
    if (!deadline) return deadline.error();
    if (const auto ok = task.memory().Write(f.word, *value | kWaiters); !ok) return ok.error();
    task.call->deadline = *deadline;
    f.table().Enqueue(task, f.Key(f.word.address), FutexTable::kAnyBit);
  }
  if (Expired(task)) return kETIMEDOUT;
  return SyscallResult::Block({*task.call->deadline, Wait::kEvent, OnSignal::kRestartIfAsked, 0});
}

SyscallResult UnlockPi(const FutexCall& f) {
  const auto value = f.task.memory().Read(f.word);
  if (!value) return value.error();
  if ((*value & kTidMask) != f.task.tid) return kEPERM;
  const FutexKey key = f.Key(f.word.address);
  const std::optional<FutexTable::Heir> heir = f.table().Heirs(key);
  const std::uint32_t next = heir ? heir->tid | (heir->more ? kWaiters : 0) : 0;
  if (const auto ok = f.task.memory().Write(f.word, next); !ok) return ok.error();
  f.table().Wake(key, 1, FutexTable::kAnyBit);
  return 0;
}

// Waits to be moved to a lock, and comes back as its owner: what a condition variable with such a
// mutex does (futex(2), FUTEX_WAIT_REQUEUE_PI).
SyscallResult WaitForLock(const FutexCall& f) {
  if (f.word2 % 4 != 0 || f.word.address == f.word2) return kEINVAL;
  Task& task = f.task;
  if (!task.call->deadline) {
    const auto deadline = Deadline(task, f.timeout, true, (f.op & kClockRealtime) != 0);
    if (!deadline) return deadline.error();
    const auto value = task.memory().Read(f.word);
    if (!value) return value.error();
    if (*value != f.value) return kEAGAIN;
    task.call->deadline = *deadline;
    f.table().Enqueue(task, f.Key(f.word.address), FutexTable::kAnyBit);
    return BlockOnWord(task, static_cast<bool>(f.timeout));
  }
  if (!f.table().IsWaiting(task)) {
    const auto lock = task.memory().Read(Word{f.word2});
    if (!lock) return lock.error();
    return (*lock & kTidMask) == task.tid ? SyscallResult(0) : kEAGAIN;
  }
  if (Expired(task)) return kETIMEDOUT;
  return BlockOnWord(task, static_cast<bool>(f.timeout));
}

// Gives a free lock to the first waiter, and lets the others wait for it.
SyscallResult MoveToLock(const FutexCall& f) {
  if (f.value != 1 || f.word2 % 4 != 0 || f.word.address == f.word2) return kEINVAL;
  const auto now = f.task.memory().Read(f.word);
  if (!now) return now.error();
  if (*now != f.value3) return kEAGAIN;
  const FutexKey from = f.Key(f.word.address);
  const FutexKey to = f.Key(f.word2);
  const auto heir = f.table().Heirs(from);
  if (!heir) return 0;
  const auto lock = f.task.memory().Read(Word{f.word2});
  if (!lock) return lock.error();
  std::int64_t served = 0;
  std::uint32_t changed = *lock;
  if ((*lock & kTidMask) == 0) {
    changed = heir->tid | (*lock & kOwnerDied);
    served = 1;
  }
  const bool others = f.second_count() > 0 && (served == 0 || heir->more);
  if (others || f.table().Heirs(to)) changed |= kWaiters;
  if (const auto ok = f.task.memory().Write(Word{f.word2}, changed); !ok) return ok.error();
  if (served == 1) f.table().Wake(from, 1, FutexTable::kAnyBit);
  return served + f.table().Requeue(from, to, f.second_count());
}

}  // namespace

SyscallResult SysFutexWaitv(Task& task, GuestPtr<const abi::FutexWaiter> waiters,
                            std::uint32_t count, std::uint32_t flags,
                            GuestPtr<const abi::Timespec> timeout, ClockId clock) {
  constexpr std::uint32_t kMost = 128;  // FUTEX_WAITV_MAX
  constexpr std::uint32_t kIs32 = 2;
  FutexTable& table = task.kernel.futexes;
  if (task.call->deadline) {
    if (!table.IsWaiting(task)) return static_cast<std::int64_t>(task.futex.woken);
    if (Expired(task)) return kETIMEDOUT;
    return BlockOnWord(task, false);
  }
  if (flags != 0 || count == 0 || count > kMost || !waiters) return kEINVAL;
  constexpr int kRealtimeClock = 0, kMonotonicClock = 1;
  const bool realtime = clock.value == kRealtimeClock;
  if (timeout && !realtime && clock.value != kMonotonicClock) return kEINVAL;
  const auto deadline = Deadline(task, timeout, true, realtime);
  if (!deadline) return deadline.error();
  std::vector<abi::FutexWaiter> rows;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto row = task.memory().Read(waiters + i);
    if (!row) return row.error();
    if ((row->flags & ~(kIs32 | static_cast<std::uint32_t>(kPrivate))) != 0 ||
        (row->flags & kIs32) == 0 || row->reserved != 0 || row->word % 4 != 0) {
      return kEINVAL;
    }
    rows.push_back(*row);
  }
  for (const abi::FutexWaiter& row : rows) {
    const auto value = task.memory().Read(Word{row.word});
    if (!value) return value.error();
    if (*value != row.value) return kEAGAIN;
  }
  for (const abi::FutexWaiter& row : rows) {
    const bool is_private = (row.flags & kPrivate) != 0;
    table.Enqueue(task, FutexTable::KeyOf(task, row.word, is_private), FutexTable::kAnyBit);
  }
  task.call->deadline = *deadline;
  return BlockOnWord(task, false);
}

SyscallResult SysFutex(Task& task, GuestPtr<std::uint32_t> word, FutexOp op, std::uint32_t value,
                       GuestPtr<const abi::Timespec> timeout, Address word2, std::uint32_t value3) {
  if (word.address % 4 != 0) return kEINVAL;
  const FutexCall f{task, word, op.value, value, timeout, word2.value, value3};
  switch (op.value & ~(kPrivate | kClockRealtime)) {
    case kWait:
      return WaitFor(f, FutexTable::kAnyBit, false);
    case kWaitBitset:
      return WaitFor(f, value3, true);
    case kWake:
      return f.table().Wake(f.Key(word.address), value, FutexTable::kAnyBit);
    case kWakeBitset:
      if (value3 == 0) return kEINVAL;
      return f.table().Wake(f.Key(word.address), value, value3);
    case kRequeue:
      return Move(f, false);
    case kCmpRequeue:
      return Move(f, true);
    case kWakeOp:
      return WakeAndChange(f);
    case kLockPi:
      return LockPi(f, true, true);
    case kLockPi2:
      return LockPi(f, true, (op.value & kClockRealtime) != 0);
    case kTryLockPi:
      return LockPi(f, false, false);
    case kUnlockPi:
      return UnlockPi(f);
    case kWaitRequeuePi:
      return WaitForLock(f);
    case kCmpRequeuePi:
      return MoveToLock(f);
    default:
      task.kernel.CountAbsent("futex (an operation)");
      return kENOSYS;
  }
}

}  // namespace glovebox::engine
