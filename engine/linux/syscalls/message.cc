// Message queues of System V: msgget(2), msgsnd(2), msgrcv(2), msgctl(2).
#include <algorithm>

#include "engine/linux/ipc/ipc.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

enum MessageFlag : std::uint32_t { kNoError = 010000, kExcept = 020000, kCopy = 040000 };
enum MessageCommand : int { kMsgStat = 11, kMsgInfo = 12, kMsgStatAny = 13 };
constexpr std::uint64_t kMostMessageBytes = 8192;  // MSGMAX
constexpr std::uint64_t kMostQueueBytes = 16384;   // MSGMNB
constexpr std::uint64_t kMessageCost = 64;         // of ours, beside the bytes

using Messages = std::deque<std::unique_ptr<Message>>;

// The message that msgrcv(2) asks for.
Messages::iterator Select(Messages& messages, std::int64_t type, SysvMessageFlags flags) {
  if (flags.Has(kCopy)) {
    const auto index = static_cast<std::uint64_t>(type);
    return index < messages.size() ? messages.begin() + type : messages.end();
  }
  if (type == 0) return messages.begin();
  if (type > 0) {
    const bool except = flags.Has(kExcept);
    return std::ranges::find_if(
        messages, [=](const auto& message) { return (message->type == type) != except; });
  }
  const std::int64_t most = type == INT64_MIN ? INT64_MAX : -type;
  const auto least = std::ranges::min_element(messages, {}, [](const auto& m) { return m->type; });
  return least != messages.end() && (*least)->type <= most ? least : messages.end();
}

SyscallResult WaitOn(MessageQueue& queue) {
  return SyscallResult::Block({kNever, Wait::kEvent, OnSignal::kInterrupt, 0, &queue});
}

abi::MessageQueueStatus StatusOf(const MessageQueue& queue) {
  abi::MessageQueueStatus status{};
  status.permission = queue.owner.Permission();
  status.sent = queue.sent;
  status.received = queue.received;
  status.changed = queue.changed;
  status.bytes = queue.bytes;
  status.count = queue.messages.size();
  status.most_bytes = queue.most_bytes;
  status.last_sender = static_cast<std::int32_t>(queue.last_sender);
  status.last_receiver = static_cast<std::int32_t>(queue.last_receiver);
  return status;
}

SyscallResult TellAll(Task& task, int command, Address buffer) {
  const Ipc& ipc = task.kernel.ipc();
  abi::MessageLimits limits{};
  constexpr std::int32_t kQueueBytes = kMostQueueBytes;
  limits.values = {static_cast<std::int32_t>(kMostQueues * kMostQueueBytes / 1024),
                   kQueueBytes,
                   kMostMessageBytes,
                   kQueueBytes,
                   kMostQueues,
                   16,
                   kQueueBytes};
  limits.segments = 0xffff;
  if (command == kMsgInfo) {
    limits.values[0] = static_cast<std::int32_t>(ipc.queues.objects().size());
    limits.values[1] = limits.values[6] = 0;
    for (const auto& [place, queue] : ipc.queues.objects()) {
      limits.values[1] += static_cast<std::int32_t>(queue->messages.size());
      limits.values[6] += static_cast<std::int32_t>(queue->bytes);
    }
  }
  const auto written = task.memory().Write(GuestPtr<abi::MessageLimits>{buffer.value}, limits);
  return written ? SyscallResult(ipc.queues.LastPlace()) : SyscallResult(written.error());
}

SyscallResult TellOne(Task& task, int id, int command, Address buffer) {
  Ipc& ipc = task.kernel.ipc();
  const MessageQueue* const queue =
      command == kIpcStat ? ipc.queues.Find(id) : ipc.queues.AtPlace(id);
  if (queue == nullptr) return kEINVAL;
  if (command != kMsgStatAny && !queue->owner.Allows(task.credentials, 4)) return kEACCES;
  const auto written = task.memory().Write(
      GuestPtr<abi::MessageQueueStatus>{buffer.value, task.call->layout}, StatusOf(*queue));
  if (!written) return written.error();
  return command == kIpcStat ? 0 : queue->id;
}

}  // namespace

SyscallResult SysMsgget(Task& task, int key, IpcFlags flags) {
  const auto check = [](const MessageQueue&) { return Errno{}; };
  const auto make = [&]() -> Result<std::unique_ptr<MessageQueue>, Errno> {
    auto queue = std::make_unique<MessageQueue>();
    queue->most_bytes = kMostQueueBytes;
    queue->changed = IpcSeconds(task.kernel);
    return queue;
  };
  const auto id = task.kernel.ipc().queues.Get(key, static_cast<std::uint32_t>(flags.value),
                                               task.credentials, check, make);
  return id ? SyscallResult(*id) : SyscallResult(id.error());
}

SyscallResult SysMsgsnd(Task& task, int id, GuestPtr<const std::int64_t> buffer, Size size,
                        SysvMessageFlags flags) {
  const bool waited = task.call->progress != 0;
  if (size.value > kMostMessageBytes || id < 0) return kEINVAL;
  const auto type = task.memory().Read(buffer);
  if (!type) return type.error();
  if (*type < 1) return kEINVAL;
  auto message = std::make_unique<Message>();
  message->type = *type;
  message->bytes.resize(static_cast<std::size_t>(size.value));
  const GuestAddr text = (buffer + 1).address;
  if (const auto read = task.memory().ReadBytes(text, message->bytes); !read) return read.error();
  MessageQueue* const queue = task.kernel.ipc().queues.Find(id);
  if (queue == nullptr) return waited ? kEIDRM : kEINVAL;
  if (!queue->owner.Allows(task.credentials, 2)) return kEACCES;
  if (queue->bytes + size.value > queue->most_bytes ||
      queue->messages.size() + 1 > queue->most_bytes) {
    if (flags.Has(kIpcNoWait)) return kEAGAIN;
    task.call->progress = 1;
    return WaitOn(*queue);
  }
  if (!message->charge.Add(task.kernel.services(), size.value + kMessageCost)) return kENOMEM;
  queue->messages.push_back(std::move(message));
  queue->bytes += size.value;
  queue->sent = IpcSeconds(task.kernel);
  queue->last_sender = task.process.pid;
  task.kernel.scheduler.WakeAll(queue);
  task.kernel.SpendOnBytes(size.value);
  return 0;
}

SyscallResult SysMsgrcv(Task& task, int id, GuestPtr<std::int64_t> buffer, Size size,
                        GuestLong type, SysvMessageFlags flags) {
  const bool waited = task.call->progress != 0;
  if (static_cast<std::int64_t>(size.value) < 0 || id < 0) return kEINVAL;
  if (flags.Has(kCopy) && (flags.Has(kExcept) || !flags.Has(kIpcNoWait))) return kEINVAL;
  MessageQueue* const queue = task.kernel.ipc().queues.Find(id);
  if (queue == nullptr) return waited ? kEIDRM : kEINVAL;
  if (!queue->owner.Allows(task.credentials, 4)) return kEACCES;
  const auto found = Select(queue->messages, type.value, flags);
  if (found == queue->messages.end()) {
    if (flags.Has(kIpcNoWait)) return kENOMSG;
    task.call->progress = 1;
    return WaitOn(*queue);
  }
  const Message& message = **found;
  const auto length =
      static_cast<std::size_t>(std::min<std::uint64_t>(size.value, message.bytes.size()));
  if (length < message.bytes.size() && !flags.Has(kNoError)) return kE2BIG;
  // As Linux: taken from the queue even where it cannot be stored.
  const auto told = task.memory().Write(buffer, message.type);
  const auto stored =
      task.memory().WriteBytes((buffer + 1).address, std::span(message.bytes).first(length));
  if (!flags.Has(kCopy)) {
    queue->bytes -= message.bytes.size();
    queue->messages.erase(found);
    queue->received = IpcSeconds(task.kernel);
    queue->last_receiver = task.process.pid;
    task.kernel.scheduler.WakeAll(queue);
  }
  if (!told || !stored) return kEFAULT;
  task.kernel.SpendOnBytes(length);
  return static_cast<std::int64_t>(length);
}

SyscallResult SysMsgctl(Task& task, int id, MessageCommandArgument command, Address buffer) {
  Ipc& ipc = task.kernel.ipc();
  const int what = command.value;
  if (id < 0) return kEINVAL;
  if (what == kIpcInfo || what == kMsgInfo) return TellAll(task, what, buffer);
  if (what == kIpcStat || what == kMsgStat || what == kMsgStatAny)
    return TellOne(task, id, what, buffer);
  if (what != kIpcRemove && what != kIpcSet) return kEINVAL;
  abi::MessageQueueStatus asked{};
  if (what == kIpcSet) {
    const auto read = task.memory().Read(
        GuestPtr<const abi::MessageQueueStatus>{buffer.value, task.call->layout});
    if (!read) return read.error();
    asked = *read;
  }
  MessageQueue* const queue = ipc.queues.Find(id);
  if (queue == nullptr) return kEINVAL;
  if (!queue->owner.IsOwner(task.credentials)) return kEPERM;
  if (what == kIpcRemove) {
    task.kernel.scheduler.WakeAll(queue);
    ipc.queues.Remove(*queue);
    return 0;
  }
  if (asked.most_bytes > kMostQueueBytes && !task.credentials.Can(Capability::kSysResource))
    return kEPERM;
  queue->owner.Set(asked.permission);
  queue->most_bytes = asked.most_bytes;
  queue->changed = IpcSeconds(task.kernel);
  task.kernel.scheduler.WakeAll(queue);
  return 0;
}

}  // namespace glovebox::engine
