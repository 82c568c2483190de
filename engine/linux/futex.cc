#include "engine/linux/futex.h"

#include <algorithm>
#include <array>

#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

// include/uapi/linux/futex.h.
constexpr std::uint32_t kWaiters = 0x80000000;
constexpr std::uint32_t kOwnerDied = 0x40000000;
constexpr std::uint32_t kTidMask = 0x3fffffff;
constexpr int kMaxRobustLocks = 2048;  // ROBUST_LIST_LIMIT

}  // namespace

FutexKey FutexTable::KeyOf(Task& task, GuestAddr address, bool is_private) {
  if (!is_private) {
    if (const auto place = task.space().SharedPlaceOf(address))
      return {place->object, place->offset_bytes};
  }
  return {&task.space(), address};
}

void FutexTable::Enqueue(Task& task, const FutexKey& key, std::uint32_t bits) {
  queues_[key].push_back({&task, bits, task.futex.keys.size()});
  task.futex.keys.push_back(key);
}

bool FutexTable::IsWaiting(const Task& task) const { return !task.futex.keys.empty(); }

void FutexTable::Forget(Task& task) {
  for (const FutexKey& key : task.futex.keys) {
    const auto found = queues_.find(key);
    if (found == queues_.end()) continue;  // the same word twice
    std::erase_if(found->second, [&](const Waiter& waiter) { return waiter.task == &task; });
    if (found->second.empty()) queues_.erase(found);
  }
  task.futex.keys.clear();
}

std::int64_t FutexTable::Wake(const FutexKey& key, std::uint64_t count, std::uint32_t bits) {
  std::int64_t woken = 0;
  while (static_cast<std::uint64_t>(woken) < count) {
    const auto found = queues_.find(key);
    if (found == queues_.end()) break;
    const auto waiter = std::ranges::find_if(
        found->second, [bits](const Waiter& row) { return (row.bits & bits) != 0; });
    if (waiter == found->second.end()) break;
    Task& task = *waiter->task;
    task.futex.woken = waiter->index;
    Forget(task);
    task.kernel.scheduler.Wake(task);
    ++woken;
  }
  return woken;
}

std::int64_t FutexTable::Requeue(const FutexKey& from, const FutexKey& to, std::uint64_t count) {
  const auto found = queues_.find(from);
  if (found == queues_.end() || from == to) return 0;
  std::int64_t moved = 0;
  while (!found->second.empty() && static_cast<std::uint64_t>(moved) < count) {
    const Waiter waiter = found->second.front();
    found->second.pop_front();
    waiter.task->futex.keys[waiter.index] = to;
    queues_[to].push_back(waiter);
    ++moved;
  }
  // Making the other queue may have moved this one.
  if (const auto again = queues_.find(from); again->second.empty()) queues_.erase(again);
  return moved;
}

std::optional<FutexTable::Heir> FutexTable::Heirs(const FutexKey& key) const {
  const auto found = queues_.find(key);
  if (found == queues_.end()) return std::nullopt;
  Task* const next = found->second.front().task;
  return Heir{next->tid, found->second.size() > 1, next};
}

// The list's head: the first entry, the distance from an entry to its lock, and the lock that was
// being taken or given back. A list is the guest's: whatever cannot be read ends it.
void FutexTable::HandleDeathOf(Task& task) {
  if (task.robust_list == 0) return;
  const abi::Layout layout =
      task.program->abi == abi::AbiId::kI386 ? abi::Layout::kI386 : abi::Layout::kX86_64;
  const auto head =
      task.memory().Read(GuestPtr<const abi::RobustListHead>{task.robust_list, layout});
  if (!head) return;
  constexpr std::uint64_t kPriorityInheritance = 1;  // marked in an entry's lowest bit
  const auto& [first, offset, pending] = *head;
  const auto lock_of = [distance = static_cast<std::uint64_t>(offset)](std::uint64_t entry) {
    return (entry & ~kPriorityInheritance) + distance;
  };
  std::uint64_t entry = first;
  for (int i = 0; i < kMaxRobustLocks && (entry & ~kPriorityInheritance) != task.robust_list; ++i) {
    const auto next =
        task.memory().Read(GuestPtr<const abi::Word>{entry & ~kPriorityInheritance, layout});
    if (entry != pending) FreeRobustLock(task, lock_of(entry), false);
    if (!next) break;
    entry = next->value;
  }
  if (pending != 0) FreeRobustLock(task, lock_of(pending), true);
}

void FutexTable::FreeRobustLock(Task& task, GuestAddr word, bool is_pending) {
  if (word % 4 != 0) return;
  const auto value = task.memory().Read(GuestPtr<const std::uint32_t>{word});
  if (!value) return;
  const FutexKey key = KeyOf(task, word, false);
  // It may have died between giving the lock back and waking the next: kernel/futex/core.c,
  // handle_futex_death.
  if (is_pending && *value == 0) {
    Wake(key, 1, kAnyBit);
    return;
  }
  if ((*value & kTidMask) != task.tid) return;
  if (!task.memory().Write(GuestPtr<std::uint32_t>{word}, (*value & kWaiters) | kOwnerDied)) return;
  if ((*value & kWaiters) != 0) Wake(key, 1, kAnyBit);
}

}  // namespace glovebox::engine
