// Who waits for which futex: futex(2), get_robust_list(2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "engine/base/types.h"

namespace glovebox::engine {

class Task;

// What makes two words the same futex: the place of the word in an address space, or in the memory
// that several of them share.
struct FutexKey {
  const void* home = nullptr;
  std::uint64_t offset = 0;
  bool operator==(const FutexKey&) const = default;
};
struct FutexKeyHash {
  std::size_t operator()(const FutexKey& key) const {
    return std::hash<const void*>{}(key.home) ^ (key.offset * 0x9e3779b97f4a7c15u);
  }
};

// What a task waits for: one word, or several of futex_waitv(2).
struct FutexWait {
  std::vector<FutexKey> keys;  // empty: it does not wait (any more)
  std::size_t woken = 0;       // index of the word by which it was woken
};

// Threads: the box's. The order of waking is that of waiting.
class FutexTable {
 public:
  static constexpr std::uint32_t kAnyBit = ~0u;

  static FutexKey KeyOf(Task& task, GuestAddr address, bool is_private);

  // The task waits until it is woken with one of `bits`, or forgotten; for this word besides those
  // that it waits for already.
  void Enqueue(Task& task, const FutexKey& key, std::uint32_t bits);
  bool IsWaiting(const Task& task) const;
  // No longer waits: a signal, a time-out, the end.
  void Forget(Task& task);

  // Returns how many were woken, or moved.
  std::int64_t Wake(const FutexKey& key, std::uint64_t count, std::uint32_t bits);
  std::int64_t Requeue(const FutexKey& from, const FutexKey& to, std::uint64_t count);

  // Who would be woken next, and whether others wait behind it.
  struct Heir {
    std::uint32_t tid;
    bool more;
    Task* task;
  };
  std::optional<Heir> Heirs(const FutexKey& key) const;

  // The locks on the task's robust list become free, marked as those of a dead owner.
  void HandleDeathOf(Task& task);

 private:
  struct Waiter {
    Task* task;
    std::uint32_t bits;
    std::size_t index;  // of the word among those that the task waits for
  };
  using Queue = std::deque<Waiter>;

  void FreeRobustLock(Task& task, GuestAddr word, bool is_pending);

  std::unordered_map<FutexKey, Queue, FutexKeyHash> queues_;
};

}  // namespace glovebox::engine
