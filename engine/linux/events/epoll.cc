#include "engine/linux/events/epoll.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/vfs/anonymous.h"

namespace glovebox::engine {
namespace {

// Sources of what is not in the manual: fs/eventpoll.c of Linux.
constexpr int kMaxNesting = 4;  // EP_MAX_NESTS
constexpr std::uint64_t kItemBytes = 128;
// What says how to report, not what: EP_PRIVATE_BITS.
constexpr std::uint32_t kPrivateBits = kEpollWakeUp | kEpollOneShot | kEpollEdge | kEpollExclusive;
constexpr std::uint32_t kAlways = kPollErr | kPollHup;
// What may stand beside EPOLLEXCLUSIVE.
constexpr std::uint32_t kExclusiveBits =
    kPollIn | kPollOut | kPollErr | kPollHup | kEpollWakeUp | kEpollEdge | kEpollExclusive;

std::uint32_t WithSynonyms(std::uint32_t events) {
  if ((events & kPollIn) != 0) events |= kPollReadNormal;
  if ((events & kPollOut) != 0) events |= kPollWriteNormal;
  return events;
}

}  // namespace

// --- Item ---

EpollFile::Item::Item(EpollFile& the_set, int the_fd, OpenFile& the_file,
                      EpollInterest the_interest)
    : set(the_set),
      fd(the_fd),
      file(&the_file),
      channel(the_file.EventChannel()),
      interest(the_interest) {
  set.kernel_.services()->file_event.Listen(channel, *this,
                                            (interest.events & kEpollExclusive) != 0);
  file->AddObserver(*this);
  if (auto* nested = dynamic_cast<EpollFile*>(file)) nested->above_.push_back(&set);
}

EpollFile::Item::~Item() {
  set.Unready(*this);
  set.kernel_.services()->file_event.Forget(channel, *this);
  set.charge_.Release(kItemBytes);
  if (file == nullptr) return;
  file->RemoveObserver(*this);
  if (auto* nested = dynamic_cast<EpollFile*>(file)) {
    nested->above_.erase(std::ranges::find(nested->above_, &set));
  }
}

bool EpollFile::Item::OnFileEvent(std::uint16_t events) {
  const bool exclusive = (interest.events & kEpollExclusive) != 0;
  if ((interest.events & ~kPrivateBits) == 0) return !exclusive;  // EPOLLONESHOT has struck
  const bool any = events == FileEvents::kAnyEvent;
  if (!any && (WithSynonyms(events) & interest.events) == 0) return !exclusive;
  const bool somebody_waits = set.kernel_.scheduler.HasWaiter(&set);
  set.MakeReady(*this);
  // Once for each event, by however many ways it comes.
  const std::uint64_t number = set.kernel_.services()->file_event.number();
  if (std::exchange(set.last_event_, number) != number) set.Tell();
  return somebody_waits;
}

void EpollFile::Item::OnLastClose(OpenFile&) {
  file = nullptr;
  const auto [first, last] = set.items_.equal_range(fd);
  set.items_.erase(
      std::find_if(first, last, [this](const auto& row) { return row.second.get() == this; }));
}

Result<std::uint32_t, IoFailure> EpollFile::Item::Events() const {
  const auto events = file->Poll();
  if (!events) return std::unexpected(events.error());
  return WithSynonyms(*events) & interest.events;
}

// --- EpollFile ---

Result<std::shared_ptr<EpollFile>, Errno> EpollFile::Make(Kernel& kernel) {
  auto inode = MakeAnonymous(kernel.services(), "anon_inode:[eventpoll]");
  if (!inode) return std::unexpected(kENFILE);
  return std::make_shared<EpollFile>(PathRef{std::move(inode), nullptr, {}}, kernel);
}

EpollFile::EpollFile(PathRef path, Kernel& kernel)
    : OpenFile(std::move(path), kOpenReadWrite), kernel_(kernel) {}

EpollFile::~EpollFile() { items_.clear(); }

EpollFile::Items::iterator EpollFile::Find(int fd, const OpenFile& file) {
  const auto [first, last] = items_.equal_range(fd);
  const auto found =
      std::find_if(first, last, [&](const auto& row) { return row.second->file == &file; });
  return found == last ? items_.end() : found;
}

void EpollFile::MakeReady(Item& item) {
  if (item.is_ready) return;
  item.place = ready_.insert(ready_.end(), &item);
  item.is_ready = true;
}

void EpollFile::Tell() { kernel_.services()->file_event(this, kPollIn); }

void EpollFile::Unready(Item& item) {
  if (!item.is_ready) return;
  ready_.erase(item.place);
  item.is_ready = false;
}

int EpollFile::DepthAbove(Seen& seen) const {
  if (const auto known = seen.find(this); known != seen.end()) return known->second;
  int depth = 0;
  for (const EpollFile* const set : above_) depth = std::max(depth, 1 + set->DepthAbove(seen));
  return seen[this] = depth;
}

int EpollFile::DepthBelow(Seen& seen) const {
  if (const auto known = seen.find(this); known != seen.end()) return known->second;
  int depth = 0;
  for (const auto& [fd, item] : items_) {
    if (const auto* nested = dynamic_cast<const EpollFile*>(item->file))
      depth = std::max(depth, 1 + nested->DepthBelow(seen));
  }
  return seen[this] = depth;
}

Result<void, IoFailure> EpollFile::Add(int fd, const std::shared_ptr<OpenFile>& file,
                                       EpollInterest what) {
  auto* const nested = dynamic_cast<EpollFile*>(file.get());
  if ((what.events & kEpollExclusive) != 0 &&
      (nested != nullptr || (what.events & ~kExclusiveBits) != 0)) {
    return std::unexpected(kEINVAL);
  }
  // A set in itself, by whatever way, or too many in each other.
  if (nested != nullptr) {
    Seen below, above;
    const int depth = nested->DepthBelow(below) + 1 + DepthAbove(above);
    if (below.contains(this) || depth > kMaxNesting) return std::unexpected(kELOOP);
  }
  if (Find(fd, *file) != items_.end()) return std::unexpected(kEEXIST);
  what.events |= kAlways;
  // Asked before anything is changed: stdin may make the call wait.
  const auto now = file->Poll();
  if (!now) return std::unexpected(now.error());
  if (!charge_.Add(kernel_.services(), kItemBytes)) return std::unexpected(kENOSPC);
  const auto added = items_.emplace(fd, std::make_unique<Item>(*this, fd, *file, what));
  if ((WithSynonyms(*now) & what.events) != 0) {
    MakeReady(*added->second);
    Tell();
  }
  return {};
}

Result<void, IoFailure> EpollFile::Modify(int fd, const OpenFile& file, EpollInterest what) {
  const auto found = Find(fd, file);
  if (found == items_.end()) return std::unexpected(kENOENT);
  Item& item = *found->second;
  if (((item.interest.events | what.events) & kEpollExclusive) != 0)
    return std::unexpected(kEINVAL);
  const auto now = item.file->Poll();
  if (!now) return std::unexpected(now.error());
  item.interest = {what.events | kAlways, what.data};
  if ((WithSynonyms(*now) & item.interest.events) != 0) {
    MakeReady(item);
    Tell();
  }
  return {};
}

Result<void, Errno> EpollFile::Remove(int fd, const OpenFile& file) {
  const auto found = Find(fd, file);
  if (found == items_.end()) return std::unexpected(kENOENT);
  items_.erase(found);
  return {};
}

Result<std::vector<EpollInterest>, IoFailure> EpollFile::Ready(std::size_t most) {
  std::vector<EpollInterest> out;
  for (auto it = ready_.begin(); it != ready_.end() && out.size() < most;) {
    Item& item = **it;
    const auto events = item.Events();
    if (!events) return std::unexpected(events.error());
    ++it;
    if (*events != 0) {
      out.push_back({*events, item.interest.data});
    } else {
      Unready(item);
    }
  }
  return out;
}

void EpollFile::TakeReported(std::size_t count) {
  while (count-- > 0) {
    Item& item = *ready_.front();
    Unready(item);
    if ((item.interest.events & kEpollOneShot) != 0) {
      item.interest.events &= kPrivateBits;
    } else if ((item.interest.events & kEpollEdge) == 0) {
      // Still ready, as far as is known: behind the others, for the next time.
      item.place = ready_.insert(ready_.end(), &item);
      item.is_ready = true;
    }
  }
}

Result<bool, IoFailure> EpollFile::AnyReady() {
  while (!ready_.empty()) {
    const auto events = ready_.front()->Events();
    if (!events) return std::unexpected(events.error());
    if (*events != 0) return true;
    Unready(*ready_.front());
  }
  return false;
}

Result<std::uint16_t, IoFailure> EpollFile::Poll() {
  const auto any = AnyReady();
  if (!any) return std::unexpected(any.error());
  return static_cast<std::uint16_t>(*any ? kPollIn : 0);
}

std::string EpollFile::FdInfo() const {
  std::string text;
  for (const auto& [fd, item] : items_) {
    const Inode& inode = item->file->inode();
    text += fmt::format("tfd: {:8} events: {:8x} data: {:16x}  pos:{} ino:{:x} sdev:{:x}\n", fd,
                        item->interest.events, item->interest.data, item->file->offset,
                        inode.number, inode.device);
  }
  return text;
}

}  // namespace glovebox::engine
