// Watching nodes: inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2).
#include "engine/linux/events/inotify.h"

#include "engine/linux/syscalls/event_handlers.h"
#include "engine/linux/syscalls/files.h"

namespace glovebox::engine {
namespace {

Result<std::shared_ptr<InotifyFile>, Errno> QueueOf(Task& task, Fd fd) {
  const auto file = FileOf(task, fd);
  if (!file) return std::unexpected(file.error());
  auto queue = std::dynamic_pointer_cast<InotifyFile>(*file);
  if (!queue) return std::unexpected(kEINVAL);
  return queue;
}

}  // namespace

SyscallResult SysInotifyInit(Task& task) { return SysInotifyInit1(task, {0}); }

SyscallResult SysInotifyInit1(Task& task, InotifyInitFlags flags) {
  const auto asked = static_cast<int>(flags.value);
  if ((asked & ~(kOpenNonblock | kOpenCloseOnExec)) != 0) return kEINVAL;
  auto file = InotifyFile::Make(task.kernel, kOpenReadOnly | (asked & kOpenNonblock));
  if (!file) return file.error();
  const auto fd =
      task.fds().Add(std::move(*file), (asked & kOpenCloseOnExec) != 0, task.open_file_limit());
  return fd ? SyscallResult(*fd) : SyscallResult(fd.error());
}

SyscallResult SysInotifyAddWatch(Task& task, Fd fd, PathPtr path, InotifyMask flags) {
  constexpr std::uint32_t kKnown = kInotifyAllEvents | kInotifyUnmount | kInotifyOverflow |
                                   kInotifyIgnored | kInotifyOnlyDirectory | kInotifyDontFollow |
                                   kInotifyExcludeUnlinked | kInotifyMaskCreate | kInotifyMaskAdd |
                                   kNodeIsDirectory | kInotifyOneShot;
  const auto mask = static_cast<std::uint32_t>(flags.value);
  if ((mask & ~kKnown) != 0 || mask == 0) return kEINVAL;
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  constexpr std::uint32_t kBoth = kInotifyMaskAdd | kInotifyMaskCreate;
  const auto queue = QueueOf(task, fd);
  if ((mask & kBoth) == kBoth || !queue) return kEINVAL;
  ResolveOptions options;
  options.follow_last = (mask & kInotifyDontFollow) == 0;
  const auto at = task.ResolveGuest(kAtFdCwd, path, options);
  if (!at) return at.error();
  Inode& node = *at->ref.inode;
  if ((mask & kInotifyOnlyDirectory) != 0 && !node.is(kTypeDirectory)) return kENOTDIR;
  if (!MayAccess(node, task.credentials, kMayRead)) return kEACCES;
  const auto number = (*queue)->Watch(node, mask);
  return number ? SyscallResult(*number) : SyscallResult(number.error());
}

SyscallResult SysInotifyRmWatch(Task& task, Fd fd, int number) {
  const auto queue = QueueOf(task, fd);
  if (!queue) return queue.error();
  return (*queue)->Remove(number) ? SyscallResult(0) : kEINVAL;
}

}  // namespace glovebox::engine
