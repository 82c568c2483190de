#include "engine/linux/scheduler.h"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "engine/linux/task.h"

namespace glovebox::engine {

using State = Scheduling::State;

const void* Scheduler::AnyFile() {
  static constexpr char kChannel = 0;
  return &kChannel;
}

void Scheduler::Add(Task& task) {
  task.scheduling.state = State::kReady;
  if (!task.scheduling.stopped) ready_.push_back(&task);
}

void Scheduler::Remove(Task& task) {
  Unqueue(task);
  ForgetWait(task);
  task.scheduling.state = State::kEnded;
}

Task* Scheduler::PickNext() {
  if (ready_.empty()) return nullptr;
  BeginTurn(ready_.begin() + static_cast<std::ptrdiff_t>(
                                 policy_ == Policy::kChaos ? random_.Below(ready_.size()) : 0));
  return current_;
}

void Scheduler::BeginTurn(std::deque<Task*>::iterator next) {
  current_ = *next;
  ready_.erase(next);
  ++turn_;
  turn_length_ = DrawLength();
}

Task* Scheduler::PickAllowed(bool (*allowed)(const Task&), bool* deviates) {
  if (current_ != nullptr && allowed(*current_)) return current_;
  const auto is_allowed = [allowed](const Task* task) { return allowed(*task); };
  const auto found = std::ranges::find_if(ready_, is_allowed);
  if (found == ready_.end()) return nullptr;
  const bool as_ever =
      current_ == nullptr && (policy_ == Policy::kChaos ? std::ranges::all_of(ready_, is_allowed)
                                                        : found == ready_.begin());
  if (as_ever) return Pick();
  *deviates = true;
  Task* const put_off = std::exchange(current_, nullptr);
  BeginTurn(found);
  if (put_off != nullptr) ready_.push_front(put_off);
  return current_;
}

// Round robin: up to a quarter less than the quantum. Turns of one length come into step with a
// loop of the program's, and then a thread may look at a lock for ever only while another has it.
// Chaos: each power of two is as likely as the next: races want cuts within a few instructions of
// each other, and programs want to get on.
std::uint64_t Scheduler::DrawLength() {
  if (policy_ == Policy::kRoundRobin) return quantum_ - random_.Below(quantum_ / 4 + 1);
  const auto powers = static_cast<std::uint64_t>(std::bit_width(quantum_));
  const std::uint64_t most = std::uint64_t{1} << random_.Below(powers);
  return std::min(quantum_, most + random_.Below(most));
}

void Scheduler::Yield() {
  if (current_ == nullptr || ready_.empty()) return;
  ready_.push_back(current_);
  current_ = nullptr;
}

void Scheduler::Block(Task& task, const BlockOn& on) {
  Unqueue(task);
  Scheduling& entry = task.scheduling;
  entry.state = State::kWaiting;
  entry.has_channel = on.channel != nullptr;
  if (entry.has_channel) entry.by_channel = by_channel_.emplace(on.channel, &task);
  entry.has_deadline = on.deadline != kNever;
  if (entry.has_deadline) {
    entry.by_deadline = by_deadline_.emplace(std::pair(on.deadline, ++waits_), &task).first;
  }
}

void Scheduler::Wake(Task& task) {
  if (task.scheduling.state != State::kWaiting) return;
  ForgetWait(task);
  Add(task);
}

void Scheduler::WakeAll(const void* channel) {
  for (auto it = by_channel_.lower_bound(channel);
       it != by_channel_.end() && it->first == channel;) {
    Task& task = *it->second;
    ++it;
    Wake(task);
  }
}

void Scheduler::FileEvent(const void* channel) {
  if (by_channel_.empty()) return;
  WakeAll(channel);
  WakeAll(AnyFile());
}

void Scheduler::Stop(Task& task) {
  task.scheduling.stopped = true;
  Unqueue(task);
}

void Scheduler::Continue(Task& task) {
  if (!task.scheduling.stopped) return;
  task.scheduling.stopped = false;
  if (task.scheduling.state == State::kReady) ready_.push_back(&task);
}

void Scheduler::Unqueue(Task& task) {
  if (current_ == &task) current_ = nullptr;
  std::erase(ready_, &task);
}

void Scheduler::ForgetWait(Task& task) {
  Scheduling& entry = task.scheduling;
  if (entry.has_channel) by_channel_.erase(entry.by_channel);
  if (entry.has_deadline) by_deadline_.erase(entry.by_deadline);
  entry.has_channel = entry.has_deadline = false;
}

}  // namespace glovebox::engine
