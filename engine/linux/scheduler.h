// Which task has the CPU. One host thread runs all tasks of a box in turn, by quanta of retired
// instructions, so that the order follows from the job alone: round robin, or as the seed draws it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "engine/base/random.h"
#include "engine/base/types.h"
#include "engine/linux/syscall_result.h"

namespace glovebox::engine {

class Task;

// Where a task stands with the scheduler.
struct Scheduling {
  enum class State : std::uint8_t { kReady, kWaiting, kEnded };
  State state = State::kEnded;
  bool stopped = false;  // by a signal: does not get the CPU even when it is ready
  // While it waits.
  std::multimap<const void*, Task*>::iterator by_channel;
  std::map<std::pair<Nanoseconds, std::uint64_t>, Task*>::iterator by_deadline;
  bool has_channel = false;
  bool has_deadline = false;
};

// Threads: the box's.
class Scheduler {
 public:
  // What tasks that wait for more than one thing wait on: every event of a file wakes them.
  static const void* AnyFile();

  enum class Policy : std::uint8_t { kRoundRobin, kChaos };

  // `quantum`: the most instructions of a turn, at least 1. `random` draws how long each turn is,
  // and with chaos whose it is.
  void SetPolicy(Policy policy, std::uint64_t quantum, SeededRandom random) {
    policy_ = policy;
    quantum_ = quantum;
    random_ = random;
  }

  // A new task: ready, behind all others.
  void Add(Task& task);
  // Its end.
  void Remove(Task& task);

  // The task whose turn it is; null where none is ready.
  Task* Pick() { return current_ != nullptr ? current_ : PickNext(); }
  // As Pick, among those that are allowed to run. `deviates`: it is somebody else than whose turn
  // it was, who keeps his place.
  Task* PickAllowed(bool (*allowed)(const Task&), bool* deviates);
  Task* current() const { return current_; }
  bool HasOthers() const { return !ready_.empty(); }
  // The current task gives up the rest of its turn.
  void Yield();
  // Counts turns: a new one begins a new quantum.
  std::uint64_t turn() const { return turn_; }
  // Instructions of the current turn.
  std::uint64_t TurnLength() const { return turn_length_; }

  // The current task waits for an event of `on.channel` (null: none) or until `on.deadline`.
  void Block(Task& task, const BlockOn& on);
  // Makes a waiting task ready, so that its call is tried again.
  void Wake(Task& task);
  bool HasWaiter(const void* channel) const { return by_channel_.contains(channel); }
  // All that wait on the channel, in the order in which they began to wait.
  void WakeAll(const void* channel);
  // As WakeAll, and those that wait on AnyFile.
  void FileEvent(const void* channel);
  void WakeDue(Nanoseconds now) {
    while (NextDeadline() <= now) Wake(*by_deadline_.begin()->second);
  }
  Nanoseconds NextDeadline() const {
    return by_deadline_.empty() ? kNever : by_deadline_.begin()->first.first;
  }

  // Stopped by a signal, and continued.
  void Stop(Task& task);
  void Continue(Task& task);

 private:
  Task* PickNext();
  std::uint64_t DrawLength();
  void BeginTurn(std::deque<Task*>::iterator next);
  void Unqueue(Task& task);
  void ForgetWait(Task& task);

  Task* current_ = nullptr;
  std::deque<Task*> ready_;  // without the current one
  std::multimap<const void*, Task*> by_channel_;
  std::map<std::pair<Nanoseconds, std::uint64_t>, Task*> by_deadline_;
  std::uint64_t waits_ = 0;  // orders equal deadlines
  std::uint64_t turn_ = 0;
  std::uint64_t quantum_ = 1;
  std::uint64_t turn_length_ = 1;
  Policy policy_ = Policy::kRoundRobin;
  SeededRandom random_{0, 0};
};

}  // namespace glovebox::engine
