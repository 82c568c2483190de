#include "engine/linux/directory_notice.h"

#include <utility>

namespace glovebox::engine {
namespace {

constexpr std::uint32_t kMultishot = 0x80000000;

// Which events of a directory each bit means: fs/notify/dnotify/dnotify.c, convert_arg.
struct MaskRow {
  std::uint32_t bit, events;
};
constexpr MaskRow kMaskRows[] = {{0x1, kNodeAccess},
                                 {0x2, kNodeModify},
                                 {0x4, kNodeCreate | kNodeMovedTo},
                                 {0x8, kNodeDelete | kNodeMovedFrom},
                                 {0x10, kNodeMovedFrom},
                                 {0x20, kNodeAttributes}};
constexpr int kCodeMessage = 3;  // POLL_MSG
constexpr std::int64_t kBandMessage = kPollIn | kPollReadNormal | 0x400;

std::uint32_t EventsOf(std::uint32_t mask) {
  std::uint32_t events = 0;
  for (const MaskRow& row : kMaskRows) {
    if ((mask & row.bit) != 0) events |= row.events;
  }
  return events;
}

}  // namespace

void DirectoryNotice::Set(AsyncNotice& notice, Inode& directory, std::uint32_t mask, int fd) {
  if ((mask & ~kMultishot) == 0) {
    notice.directory.reset();
    return;
  }
  if (!notice.directory)
    notice.directory = std::make_unique<DirectoryNotice>(notice, directory, fd);
  static_cast<DirectoryNotice&>(*notice.directory).mask_ |= mask;
}

DirectoryNotice::DirectoryNotice(AsyncNotice& notice, Inode& directory, int fd)
    : notice_(notice), directory_(&directory), fd_(fd) {
  directory.AddWatcher(*this);
}

DirectoryNotice::~DirectoryNotice() {
  if (directory_ != nullptr) directory_->RemoveWatcher(*this);
}

void DirectoryNotice::OnNodeEvent(std::uint32_t events, std::uint32_t, const std::string&) {
  if ((EventsOf(mask_) & events) == 0) return;
  if ((mask_ & kMultishot) == 0) mask_ = 0;
  notice_.Tell(kCodeMessage, kBandMessage, fd_);
}

}  // namespace glovebox::engine
