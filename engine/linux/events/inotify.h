// inotify(7): what happens to nodes, as a queue that is read.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "engine/linux/kernel.h"
#include "engine/vfs/node_watch.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine {

// Beside the events of NodeEvent; inotify_add_watch(2).
enum InotifyBit : std::uint32_t {
  kInotifyAllEvents = 0xfff,
  kInotifyUnmount = 0x2000,
  kInotifyOverflow = 0x4000,
  kInotifyIgnored = 0x8000,
  kInotifyOnlyDirectory = 0x01000000,
  kInotifyDontFollow = 0x02000000,
  kInotifyExcludeUnlinked = 0x04000000,
  kInotifyMaskCreate = 0x10000000,
  kInotifyMaskAdd = 0x20000000,
  kInotifyOneShot = 0x80000000,
};

// Threads: the box's.
class InotifyFile final : public OpenFile {
 public:
  static Result<std::shared_ptr<InotifyFile>, Errno> Make(Kernel& kernel, int flags);
  InotifyFile(PathRef path, int flags) : OpenFile(std::move(path), flags) {}

  // The number of the watch, a new one or the node's. EEXIST, ENOSPC.
  Result<int, Errno> Watch(Inode& node, std::uint32_t mask);
  // False: there is no such watch.
  bool Remove(int number);

  IoResult Await(std::size_t wanted) override;
  IoResult Read(std::uint64_t offset, std::span<std::byte> out) override;
  void Consume(std::size_t bytes) override;
  Result<std::uint16_t, IoFailure> Poll() override;
  const void* EventChannel() const override { return this; }
  Result<std::uint64_t, IoFailure> Available() override;
  std::string FdInfo() const override;

 private:
  struct Event {
    int watch;
    std::uint32_t mask, cookie;
    std::string name;
    std::size_t bytes() const;
    bool operator==(const Event& other) const {
      return watch == other.watch && mask == other.mask && name == other.name;
    }
  };
  class Watcher final : public NodeWatcher {
   public:
    Watcher(InotifyFile& file, int number, Inode& node, std::uint32_t mask);
    ~Watcher() override;
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    void OnNodeEvent(std::uint32_t events, std::uint32_t cookie, const std::string& name) override;
    void OnNodeGone() override;

    std::uint32_t mask;
    Inode* node() const { return node_; }

   private:
    InotifyFile& file_;
    const int number_;
    Inode* node_;
  };

  void Push(Event event);
  // Bytes of the whole events at the front that `room` holds.
  std::size_t Fitting(std::size_t room) const;

  DiskCharge charge_;  // of watches and events
  std::map<int, std::unique_ptr<Watcher>> watchers_;
  std::map<const Inode*, int> numbers_;  // looked up, never walked
  std::deque<Event> events_;
  int last_number_ = 0;
};

}  // namespace glovebox::engine
