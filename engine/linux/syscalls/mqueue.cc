// POSIX message queues: mq_open(2) and its kin. Source of the limits: ipc/mqueue.c of Linux 6.1.
#include "engine/linux/ipc/mqueue.h"

#include <algorithm>

#include "engine/linux/ipc/ipc.h"
#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/syscalls/waiting.h"

namespace glovebox::engine {
namespace {

constexpr std::size_t kMostNameBytes = 255;
constexpr std::size_t kMostQueuesOfUser = 256;  // /proc/sys/fs/mqueue/queues_max
constexpr std::uint32_t kMostPriority = 32768;  // MQ_PRIO_MAX
enum Notify : int { kNotifySignal, kNotifyNone, kNotifyThread };

// What a queue may be, without privilege and with it.
struct Bounds {
  std::int64_t messages, message_bytes;
};
constexpr Bounds kBounds{10, 8192};
constexpr Bounds kPrivilegedBounds{65536, 16 << 20};
constexpr abi::MqAttributes kDefaults{0, 10, 8192, 0, {}};

Result<std::string, Errno> ReadName(Task& task, PathPtr pointer) {
  auto name = task.memory().ReadString(pointer.address, kMostNameBytes + 1, kENAMETOOLONG);
  if (!name) return name;
  // The C library has taken the slash away.
  if (name->find('/') != std::string::npos) return std::unexpected(kEACCES);
  if (name->empty()) return std::unexpected(kEINVAL);
  return name;
}

Result<std::shared_ptr<MqueueInode>, Errno> Make(Task& task, const std::string& name,
                                                 std::uint32_t mode,
                                                 GuestPtr<const abi::MqAttributes> pointer) {
  Ipc& ipc = task.kernel.ipc();
  const bool privileged = task.credentials.Can(Capability::kSysResource);
  abi::MqAttributes asked = kDefaults;
  if (pointer) {
    const auto read = task.memory().Read(pointer);
    if (!read) return std::unexpected(read.error());
    asked = *read;
    const Bounds& bounds = privileged ? kPrivilegedBounds : kBounds;
    if (asked.most_messages <= 0 || asked.message_bytes <= 0 ||
        asked.most_messages > bounds.messages || asked.message_bytes > bounds.message_bytes) {
      return std::unexpected(kEINVAL);
    }
  }
  if (ipc.posix_queues.size() >= kMostQueuesOfUser && !privileged) return std::unexpected(kENOSPC);
  const auto messages = static_cast<std::uint64_t>(asked.most_messages);
  const auto bytes = static_cast<std::uint64_t>(asked.message_bytes);
  const std::uint64_t cost = MqueueInode::CostOf(messages, bytes);
  std::uint64_t used = 0;
  for (const auto& [other, queue] : ipc.posix_queues) {
    if (queue->uid == task.credentials.fsuid)
      used += MqueueInode::CostOf(queue->most_messages(), queue->message_bytes());
  }
  if (used + cost > task.process.limits[kLimitMessageQueue].soft) return std::unexpected(kEMFILE);
  auto queue = std::make_shared<MqueueInode>(task.kernel.services(), mode & ~task.fs().umask & 0777,
                                             messages, bytes);
  if (!queue->ChargeDisk(VfsServices::kInodeBytes + cost)) return std::unexpected(kENOSPC);
  queue->uid = task.credentials.fsuid;
  queue->gid = task.credentials.fsgid;
  ipc.posix_queues[name] = queue;
  return queue;
}

Result<std::shared_ptr<OpenFile>, Errno> QueueOf(Task& task, Fd fd) {
  auto file = FileOf(task, fd);
  if (file && dynamic_cast<OpenMqueue*>(file->get()) == nullptr) return std::unexpected(kEBADF);
  return file;
}

// The time at which to give up, absolute on the clock of the day; checked before all else.
Errno SetTimeout(Task& task, GuestPtr<const abi::Timespec> pointer) {
  if (task.call->deadline) return Errno{};
  task.call->deadline = kNever;
  if (!pointer) return Errno{};
  const auto time = task.memory().Read(pointer);
  if (!time) return time.error();
  if (time->seconds < 0) return kEINVAL;
  const auto wall = DurationOf(*time);
  if (!wall) return wall.error();
  const std::int64_t left = *wall - task.kernel.WallNanoseconds();
  task.call->deadline =
      task.kernel.Now() + static_cast<Nanoseconds>(std::max<std::int64_t>(left, 0));
  return Errno{};
}

SyscallResult WaitOn(Task& task, const OpenFile& file, const void* channel) {
  if (file.nonblocking()) return kEAGAIN;
  if (*task.call->deadline <= task.kernel.Now()) return kETIMEDOUT;
  return SyscallResult::Block(
      {*task.call->deadline, Wait::kEvent, OnSignal::kRestartIfAsked, 0, channel});
}

// A message has come to an empty queue on which nobody waits.
void SendNotice(Task& task, MqueueInode& queue) {
  constexpr int kSiMessageQueue = -3;  // SI_MESGQ
  const MqueueInode::Notice notice = *queue.notice;
  queue.notice.reset();
  Process* const process = task.kernel.processes().FindProcess(static_cast<int>(notice.pid));
  if (notice.notify != kNotifySignal || process == nullptr) return;
  process->Send(SenderInfo(notice.signal, kSiMessageQueue, task.process.pid, task.credentials.uid,
                           notice.value));
}

}  // namespace

SyscallResult SysMqOpen(Task& task, PathPtr name, OpenFlags flags, FileMode mode,
                        GuestPtr<const abi::MqAttributes> attributes) {
  Ipc& ipc = task.kernel.ipc();
  const auto text = ReadName(task, name);
  if (!text) return text.error();
  const auto how = static_cast<int>(flags.value);
  const auto found = ipc.posix_queues.find(*text);
  std::shared_ptr<MqueueInode> queue;
  if (found != ipc.posix_queues.end()) {
    queue = found->second;
    if ((how & kOpenCreate) != 0 && (how & kOpenExclusive) != 0) return kEEXIST;
    const int access = how & kOpenAccessMode;
    if (access == kOpenAccessMode) return kEINVAL;
    const std::uint32_t wanted = access == kOpenReadOnly    ? kMayRead
                                 : access == kOpenWriteOnly ? kMayWrite
                                                            : kMayRead | kMayWrite;
    if (!MayAccess(*queue, task.credentials, wanted)) return kEACCES;
  } else {
    if ((how & kOpenCreate) == 0) return kENOENT;
    auto made = Make(task, *text, mode.value, attributes);
    if (!made) return made.error();
    queue = std::move(*made);
  }
  auto file = queue->Open({queue, nullptr, "/" + *text}, how & (kOpenAccessMode | kOpenNonblock));
  if (!file) return file.error().error;
  const auto fd = task.fds().Add(std::move(*file), true, task.open_file_limit());
  return fd ? SyscallResult(*fd) : SyscallResult(fd.error());
}

SyscallResult SysMqUnlink(Task& task, PathPtr name) {
  Ipc& ipc = task.kernel.ipc();
  const auto text = ReadName(task, name);
  if (!text) return text.error();
  const auto found = ipc.posix_queues.find(*text);
  if (found == ipc.posix_queues.end()) return kENOENT;
  // The directory of queues is sticky.
  if (!OwnsOrPrivileged(*found->second, task.credentials)) return kEPERM;
  found->second->link_count = 0;
  ipc.posix_queues.erase(found);
  return 0;
}

SyscallResult SysMqTimedsend(Task& task, Fd fd, InBuffer buffer, Size size, std::uint32_t priority,
                             GuestPtr<const abi::Timespec> timeout) {
  if (priority >= kMostPriority) return kEINVAL;
  if (const Errno error = SetTimeout(task, timeout); error != Errno{}) return error;
  const auto file = QueueOf(task, fd);
  if (!file) return file.error();
  if (!(*file)->writable()) return kEBADF;
  MqueueInode& queue = static_cast<OpenMqueue&>(**file).queue();
  if (size.value > queue.message_bytes()) return kEMSGSIZE;
  MqueueInode::Message message{priority,
                               std::vector<std::byte>(static_cast<std::size_t>(size.value))};
  const auto read = task.memory().ReadBytes(buffer.address, message.bytes);
  if (!read) return read.error();
  if (queue.IsFull()) return WaitOn(task, **file, queue.senders());
  const bool tells =
      queue.notice && queue.IsEmpty() && !task.kernel.scheduler.HasWaiter(queue.receivers());
  queue.Push(std::move(message));
  if (tells) SendNotice(task, queue);
  task.kernel.SpendOnBytes(size.value);
  return 0;
}

SyscallResult SysMqTimedreceive(Task& task, Fd fd, OutBuffer buffer, Size size,
                                GuestPtr<std::uint32_t> priority,
                                GuestPtr<const abi::Timespec> timeout) {
  if (const Errno error = SetTimeout(task, timeout); error != Errno{}) return error;
  const auto file = QueueOf(task, fd);
  if (!file) return file.error();
  if (!(*file)->readable()) return kEBADF;
  MqueueInode& queue = static_cast<OpenMqueue&>(**file).queue();
  if (size.value < queue.message_bytes()) return kEMSGSIZE;
  if (queue.IsEmpty()) return WaitOn(task, **file, queue.receivers());
  const MqueueInode::Message message = queue.Front();
  queue.Pop();
  // As Linux: the message is gone even where it cannot be stored.
  if (priority) {
    if (const auto ok = task.memory().Write(priority, message.priority); !ok) return ok.error();
  }
  if (const auto ok = task.memory().WriteBytes(buffer.address, message.bytes); !ok)
    return ok.error();
  task.kernel.SpendOnBytes(message.bytes.size());
  return static_cast<std::int64_t>(message.bytes.size());
}

SyscallResult SysMqNotify(Task& task, Fd fd, GuestPtr<const abi::Sigevent> event) {
  MqueueInode::Notice notice{.pid = task.process.pid};
  if (event) {
    const auto asked = task.memory().Read(event);
    if (!asked) return asked.error();
    notice.notify = asked->notify;
    notice.signal = asked->signal;
    notice.value = asked->value;
    if (notice.notify < kNotifySignal || notice.notify > kNotifyThread) return kEINVAL;
    if (notice.notify == kNotifySignal && (notice.signal < 0 || notice.signal > kSignalCount))
      return kEINVAL;
    // The C library would listen on a netlink socket, of which the box has none.
    if (notice.notify == kNotifyThread) return kEBADF;
  }
  const auto file = QueueOf(task, fd);
  if (!file) return file.error();
  MqueueInode& queue = static_cast<OpenMqueue&>(**file).queue();
  if (!event) {
    if (queue.notice && queue.notice->pid == task.process.pid) queue.notice.reset();
    return 0;
  }
  if (queue.notice) return kEBUSY;
  notice.by = file->get();
  queue.notice = notice;
  return 0;
}

SyscallResult SysMqGetsetattr(Task& task, Fd fd, GuestPtr<const abi::MqAttributes> to,
                              GuestPtr<abi::MqAttributes> from) {
  abi::MqAttributes asked{};
  if (to) {
    const auto read = task.memory().Read(to);
    if (!read) return read.error();
    asked = *read;
    if ((asked.flags & ~std::int64_t{kOpenNonblock}) != 0) return kEINVAL;
  }
  const auto file = QueueOf(task, fd);
  if (!file) return file.error();
  const MqueueInode& queue = static_cast<OpenMqueue&>(**file).queue();
  const abi::MqAttributes now{(*file)->flags() & kOpenNonblock,
                              static_cast<std::int64_t>(queue.most_messages()),
                              static_cast<std::int64_t>(queue.message_bytes()),
                              static_cast<std::int64_t>(queue.count()),
                              {}};
  if (to) {
    (*file)->SetFlags(((*file)->flags() & ~kOpenNonblock) |
                      static_cast<int>(asked.flags & kOpenNonblock));
  }
  return from ? FromResult(task.memory().Write(from, now)) : SyscallResult(0);
}

}  // namespace glovebox::engine
