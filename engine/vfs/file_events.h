// Who is told when something about a file has changed that somebody may wait for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace glovebox::engine {

// Is told of every event of a channel, as epoll(7) has to be: it tells files that became ready
// since it was last asked from those that are still ready.
class FileListener {
 public:
  virtual ~FileListener() = default;
  // May tell of events of other channels, but neither adds nor removes listeners.
  // `events`: those of poll(2) that may have become true. True: somebody will see to it, which is
  // what EPOLLEXCLUSIVE asks about.
  virtual bool OnFileEvent(std::uint16_t events) = 0;
};

// The events of all files of a box, by the channel that OpenFile::EventChannel names. A channel is
// a key and never an order: only the listeners of one channel are ever walked, in an order that the
// guest determines.
class FileEvents {
 public:
  static constexpr std::uint16_t kAnyEvent = 0xffff;

  FileEvents() = default;
  // `wake` makes those ready that wait for the channel.
  template <typename Wake>
  FileEvents(Wake wake) : wake_(std::move(wake)) {}  // NOLINT: a way to wake is what it is

  // Tells waiters and listeners. `events`: those of poll(2) that may have become true; of
  // kAnyEvent each listener believes that it was meant.
  void operator()(const void* channel, std::uint16_t events = kAnyEvent);
  explicit operator bool() const { return wake_ != nullptr; }

  // Of the event that is being told, counted from 1; the same for those that follow from it.
  std::uint64_t number() const { return number_; }

  void Listen(const void* channel, FileListener& listener, bool exclusive);
  void Forget(const void* channel, const FileListener& listener);

 private:
  struct Entry {
    FileListener* listener;
    bool exclusive;
  };

  std::function<void(const void*)> wake_;
  std::map<const void*, std::vector<Entry>> listeners_;
  std::uint64_t number_ = 0;
  int depth_ = 0;
};

}  // namespace glovebox::engine
