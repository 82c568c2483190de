#include "engine/linux/events/inotify.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "engine/linux/abi/events.h"
#include "engine/vfs/anonymous.h"

namespace glovebox::engine {
namespace {

constexpr std::size_t kMaxEvents = 16384;     // /proc/sys/fs/inotify/max_queued_events
constexpr std::size_t kMaxReadBytes = 65536;  // of one read: what one piece of a transfer holds
constexpr std::uint64_t kWatchBytes = 256;
constexpr std::uint64_t kEventBytes = 64;
// Of a mask: what is kept with the watch.
constexpr std::uint32_t kKept = kInotifyAllEvents | kInotifyOneShot | kInotifyExcludeUnlinked;

}  // namespace

std::size_t InotifyFile::Event::bytes() const {
  constexpr std::size_t kHead = sizeof(abi::InotifyEvent);
  return name.empty() ? kHead : kHead + (name.size() + kHead) / kHead * kHead;
}

// --- Watcher ---

InotifyFile::Watcher::Watcher(InotifyFile& file, int number, Inode& node, std::uint32_t the_mask)
    : mask(the_mask), file_(file), number_(number), node_(&node) {
  node_->AddWatcher(*this);
}

InotifyFile::Watcher::~Watcher() {
  if (node_ != nullptr) node_->RemoveWatcher(*this);
}

void InotifyFile::Watcher::OnNodeEvent(std::uint32_t events, std::uint32_t cookie,
                                       const std::string& name) {
  const bool wanted = (events & mask & kInotifyAllEvents) != 0;
  if (wanted) file_.Push({number_, events, cookie, name});
  const bool is_last = (wanted && (mask & kInotifyOneShot) != 0) || (events & kNodeDeleteSelf) != 0;
  if (is_last) file_.Remove(number_);  // and with it this watcher
}

void InotifyFile::Watcher::OnNodeGone() {
  file_.numbers_.erase(std::exchange(node_, nullptr));
  file_.Remove(number_);  // and with it this watcher
}

// --- InotifyFile ---

Result<std::shared_ptr<InotifyFile>, Errno> InotifyFile::Make(Kernel& kernel, int flags) {
  auto inode = MakeAnonymous(kernel.services(), "anon_inode:inotify");
  if (!inode) return std::unexpected(kEMFILE);
  return std::make_shared<InotifyFile>(PathRef{std::move(inode), nullptr, {}}, flags);
}

Result<int, Errno> InotifyFile::Watch(Inode& node, std::uint32_t mask) {
  if (const auto known = numbers_.find(&node); known != numbers_.end()) {
    if ((mask & kInotifyMaskCreate) != 0) return std::unexpected(kEEXIST);
    Watcher& watcher = *watchers_.at(known->second);
    const std::uint32_t before = (mask & kInotifyMaskAdd) != 0 ? watcher.mask : 0;
    watcher.mask = before | (mask & kKept);
    return known->second;
  }
  if (!charge_.Add(inode().services(), kWatchBytes)) return std::unexpected(kENOSPC);
  const int number = ++last_number_;
  watchers_.emplace(number, std::make_unique<Watcher>(*this, number, node, mask & kKept));
  numbers_.emplace(&node, number);
  return number;
}

bool InotifyFile::Remove(int number) {
  const auto found = watchers_.find(number);
  if (found == watchers_.end()) return false;
  if (found->second->node() != nullptr) numbers_.erase(found->second->node());
  watchers_.erase(found);
  charge_.Release(kWatchBytes);
  Push({number, kInotifyIgnored, 0, {}});
  return true;
}

void InotifyFile::Push(Event event) {
  // The same once more says nothing new: inotify(7), "Limitations and caveats".
  if (!events_.empty() && events_.back() == event) return;
  const std::uint64_t cost = kEventBytes + event.name.size();
  if (events_.size() >= kMaxEvents || !charge_.Add(inode().services(), cost)) {
    event = {-1, kInotifyOverflow, 0, {}};
    if (!events_.empty() && events_.back() == event) return;
    if (!charge_.Add(inode().services(), kEventBytes)) return;  // what came before is there to read
  }
  events_.push_back(std::move(event));
  inode().services()->file_event(this, kPollIn);
}

std::size_t InotifyFile::Fitting(std::size_t room) const {
  std::size_t bytes = 0;
  for (const Event& event : events_) {
    if (bytes + event.bytes() > room) break;
    bytes += event.bytes();
  }
  return bytes;
}

IoResult InotifyFile::Await(std::size_t wanted) {
  if (events_.empty()) return std::unexpected(IoFailure(Wait::kEvent, this));
  const std::size_t bytes = Fitting(std::min(wanted, kMaxReadBytes));
  if (bytes == 0) return std::unexpected(kEINVAL);
  return bytes;
}

IoResult InotifyFile::Read(std::uint64_t, std::span<std::byte> out) {
  const std::size_t bytes = Fitting(out.size());
  std::size_t at = 0;
  for (const Event& event : events_) {
    if (at >= bytes) break;
    const abi::InotifyEvent head{
        event.watch, event.mask, event.cookie,
        static_cast<std::uint32_t>(event.bytes() - sizeof(abi::InotifyEvent))};
    std::memset(out.data() + at, 0, event.bytes());
    std::memcpy(out.data() + at, &head, sizeof head);
    std::memcpy(out.data() + at + sizeof head, event.name.data(), event.name.size());
    at += event.bytes();
  }
  return bytes;
}

void InotifyFile::Consume(std::size_t bytes) {
  while (!events_.empty() && events_.front().bytes() <= bytes) {
    bytes -= events_.front().bytes();
    charge_.Release(kEventBytes + events_.front().name.size());
    events_.pop_front();
  }
}

Result<std::uint16_t, IoFailure> InotifyFile::Poll() {
  return static_cast<std::uint16_t>(events_.empty() ? 0 : kPollIn);
}

Result<std::uint64_t, IoFailure> InotifyFile::Available() { return Fitting(~std::size_t{0}); }

std::string InotifyFile::FdInfo() const {
  std::string text;
  for (const auto& [number, watcher] : watchers_) {
    text += fmt::format("inotify wd:{:x} ino:{:x} sdev:{:x} mask:{:x} ignored_mask:0 \n", number,
                        watcher->node()->number, watcher->node()->device, watcher->mask);
  }
  return text;
}

}  // namespace glovebox::engine
