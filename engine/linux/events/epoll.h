// epoll(7): a set of files, and the list of those among them that became ready.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "engine/linux/kernel.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine {

// epoll_ctl(2); the lower bits are those of poll(2).
enum EpollFlag : std::uint32_t {
  kEpollExclusive = 1u << 28,
  kEpollWakeUp = 1u << 29,
  kEpollOneShot = 1u << 30,
  kEpollEdge = 1u << 31,
};

struct EpollInterest {
  std::uint32_t events = 0;
  std::uint64_t data = 0;
};

// Threads: the box's. Sets do not keep their files: an item goes when the last descriptor of its
// file is closed.
class EpollFile final : public OpenFile {
 public:
  // ENFILE where the box' memory for files leaves no room.
  static Result<std::shared_ptr<EpollFile>, Errno> Make(Kernel& kernel);
  EpollFile(PathRef path, Kernel& kernel);
  ~EpollFile() override;

  // Errors: as epoll_ctl(2). IoFailure with a wait: nothing has changed, to be tried again.
  Result<void, IoFailure> Add(int fd, const std::shared_ptr<OpenFile>& file, EpollInterest what);
  Result<void, IoFailure> Modify(int fd, const OpenFile& file, EpollInterest what);
  Result<void, Errno> Remove(int fd, const OpenFile& file);

  // The next events, at most `most`, in the order in which they came up; nothing is taken off the
  // list before TakeReported says how many of them reached the guest.
  Result<std::vector<EpollInterest>, IoFailure> Ready(std::size_t most);
  void TakeReported(std::size_t count);

  Result<std::uint16_t, IoFailure> Poll() override;
  const void* EventChannel() const override { return this; }
  std::string FdInfo() const override;

 private:
  struct Item final : FileListener, CloseObserver {
    Item(EpollFile& the_set, int the_fd, OpenFile& the_file, EpollInterest the_interest);
    ~Item() override;
    Item(const Item&) = delete;
    Item& operator=(const Item&) = delete;
    bool OnFileEvent(std::uint16_t events) override;
    void OnLastClose(OpenFile& closed) override;
    // What of the interest is true now.
    Result<std::uint32_t, IoFailure> Events() const;

    EpollFile& set;
    const int fd;
    OpenFile* file;
    const void* const channel;  // of the file, when it was added
    EpollInterest interest;
    bool is_ready = false;
    std::list<Item*>::iterator place;  // on the ready list
  };
  using Items = std::multimap<int, std::unique_ptr<Item>>;

  Items::iterator Find(int fd, const OpenFile& file);
  void MakeReady(Item& item);
  void Tell();
  void Unready(Item& item);
  // Takes items off the front of the ready list until one of them is ready.
  Result<bool, IoFailure> AnyReady();
  // How many sets lie inside each other from this one on, downwards or upwards. `seen`: those that
  // were looked at already, since a guest can draw very many ways through few sets.
  using Seen = std::map<const EpollFile*, int>;
  int DepthBelow(Seen& seen) const;
  int DepthAbove(Seen& seen) const;

  Kernel& kernel_;
  DiskCharge charge_;  // of the items
  Items items_;
  std::list<Item*> ready_;         // in the order of their events
  std::vector<EpollFile*> above_;  // sets that hold this one, once for each item
  std::uint64_t last_event_ = 0;   // that it passed on: FileEvents::number
};

}  // namespace glovebox::engine
