#include "engine/vfs/file_events.h"

#include <algorithm>

namespace glovebox::engine {

void FileEvents::operator()(const void* channel, std::uint16_t events) {
  if (wake_) wake_(channel);
  const auto found = listeners_.find(channel);
  if (found == listeners_.end()) return;
  if (depth_++ == 0) ++number_;
  for (const Entry& entry : found->second) {
    if (entry.listener->OnFileEvent(events) && entry.exclusive) break;
  }
  --depth_;
}

// As wait queues of Linux: those that are not exclusive in front, the newest first; exclusive ones
// behind them in the order of their coming. Sources: kernel/sched/wait.c, add_wait_queue,
// add_wait_queue_exclusive.
void FileEvents::Listen(const void* channel, FileListener& listener, bool exclusive) {
  std::vector<Entry>& entries = listeners_[channel];
  entries.insert(exclusive ? entries.end() : entries.begin(), {&listener, exclusive});
}

void FileEvents::Forget(const void* channel, const FileListener& listener) {
  const auto found = listeners_.find(channel);
  if (found == listeners_.end()) return;
  std::erase_if(found->second, [&](const Entry& entry) { return entry.listener == &listener; });
  if (found->second.empty()) listeners_.erase(found);
}

}  // namespace glovebox::engine
