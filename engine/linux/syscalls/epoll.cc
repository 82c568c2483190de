// Sets of files to wait for: epoll_create(2), epoll_ctl(2), epoll_wait(2).
#include <limits>

#include "engine/linux/events/epoll.h"
#include "engine/linux/syscalls/event_handlers.h"
#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/waiting.h"

namespace glovebox::engine {
namespace {

enum Operation : int { kAdd = 1, kDelete, kModify };

// EBADF; EINVAL where the descriptor is something else.
Result<std::shared_ptr<EpollFile>, Errno> SetOf(Task& task, Fd fd) {
  const auto file = FileOf(task, fd);
  if (!file) return std::unexpected(file.error());
  auto set = std::dynamic_pointer_cast<EpollFile>(*file);
  if (!set) return std::unexpected(kEINVAL);
  return set;
}

SyscallResult Create(Task& task, std::uint64_t flags) {
  if ((flags & ~std::uint64_t{kOpenCloseOnExec}) != 0) return kEINVAL;
  auto set = EpollFile::Make(task.kernel);
  if (!set) return set.error();
  const auto fd = task.fds().Add(std::move(*set), flags != 0, task.open_file_limit());
  return fd ? SyscallResult(*fd) : SyscallResult(fd.error());
}

SyscallResult AwaitEvents(Task& task, Fd fd, GuestPtr<abi::EpollEvent> events, int most) {
  constexpr int kMost = std::numeric_limits<int>::max() / static_cast<int>(sizeof(abi::EpollEvent));
  if (most <= 0 || most > kMost) return kEINVAL;
  const auto set = SetOf(task, fd);
  if (!set) return set.error();
  const auto ready = (*set)->Ready(static_cast<std::size_t>(most));
  if (!ready) return SyscallResult::Block({kNever, ready.error().wait, OnSignal::kInterrupt, 0});
  std::size_t told = 0;
  Errno error{};
  for (const EpollInterest& row : *ready) {
    if (const auto ok = task.memory().Write(events + told, {row.events, row.data}); !ok) {
      error = ok.error();
      break;
    }
    ++told;
  }
  (*set)->TakeReported(told);
  if (told > 0) return static_cast<std::int64_t>(told);
  if (error != Errno{}) return error;
  if (DeadlineHasPassed(task)) return 0;
  return SyscallResult::Block(
      {*task.call->deadline, Wait::kEvent, OnSignal::kInterrupt, 0, set->get()->EventChannel()});
}

}  // namespace

SyscallResult SysEpollCreate(Task& task, int size) { return size <= 0 ? kEINVAL : Create(task, 0); }

SyscallResult SysEpollCreate1(Task& task, EpollCreateFlags flags) {
  return Create(task, flags.value & 0xffffffff);
}

SyscallResult SysEpollCtl(Task& task, Fd fd, EpollOperation operation, Fd target,
                          GuestPtr<const abi::EpollEvent> event) {
  EpollInterest what;
  if (operation.value != kDelete) {
    const auto value = task.memory().Read(event);
    if (!value) return value.error();
    // EPOLLWAKEUP keeps a machine from sleeping: without CAP_BLOCK_SUSPEND it is ignored.
    what = {value->events & ~std::uint32_t{kEpollWakeUp}, value->data};
  }
  const auto holder = FileOf(task, fd);
  if (!holder) return holder.error();
  const auto file = FileOf(task, target);
  if (!file) return file.error();
  if ((*file)->EventChannel() == nullptr) return kEPERM;
  const auto set = SetOf(task, fd);
  if (!set || set->get() == file->get()) return kEINVAL;
  Result<void, IoFailure> done = std::unexpected(kEINVAL);
  switch (operation.value) {
    case kAdd:
      done = (*set)->Add(target.value, *file, what);
      break;
    case kModify:
      done = (*set)->Modify(target.value, **file, what);
      break;
    case kDelete:
      return FromResult((*set)->Remove(target.value, **file));
    default:
      break;
  }
  if (done) return 0;
  if (done.error().wait == Wait::kNone) return done.error().error;
  return SyscallResult::Block({kNever, done.error().wait, OnSignal::kNothing, 0});
}

SyscallResult SysEpollWait(Task& task, Fd set, GuestPtr<abi::EpollEvent> events, int most,
                           int timeout_ms) {
  return SysEpollPwait(task, set, events, most, timeout_ms, {0}, {0});
}

SyscallResult SysEpollPwait(Task& task, Fd set, GuestPtr<abi::EpollEvent> events, int most,
                            int timeout_ms, Address mask, Size mask_size) {
  constexpr std::int64_t kNanosecondsPerMillisecond = 1'000'000;
  SetDeadline(task, timeout_ms < 0 ? -1 : timeout_ms * kNanosecondsPerMillisecond);
  if (const auto ok = SetTemporaryMask(task, mask.value, mask_size.value); !ok) return ok.error();
  return AwaitEvents(task, set, events, most);
}

SyscallResult SysEpollPwait2(Task& task, Fd set, GuestPtr<abi::EpollEvent> events, int most,
                             GuestPtr<const abi::Timespec> timeout, Address mask, Size mask_size) {
  if (const auto ok = SetDeadline(task, timeout); !ok) return ok.error();
  if (const auto ok = SetTemporaryMask(task, mask.value, mask_size.value); !ok) return ok.error();
  return AwaitEvents(task, set, events, most);
}

}  // namespace glovebox::engine
