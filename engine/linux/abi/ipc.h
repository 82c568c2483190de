// Structures of System V IPC and of POSIX message queues. Sources: asm-generic/ipcbuf.h,
// arch/x86/include/uapi/asm/sembuf.h, asm-generic/shmbuf.h, msgbuf.h, include/linux/compat.h,
// uapi/linux/mqueue.h of Linux 6.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/linux/abi/i386.h"

namespace glovebox::engine::abi {

struct IpcPermission {
  std::int32_t key;
  std::uint32_t uid, gid, creator_uid, creator_gid, mode;
  std::uint16_t sequence, pad;
  std::uint32_t pad2;
  std::uint64_t unused[2];
};
static_assert(sizeof(IpcPermission) == 48);

// shmctl(2)
struct ShmStatus {
  IpcPermission permission;
  std::uint64_t size_bytes;
  std::int64_t attached, detached, changed;
  std::int32_t creator_pid, last_pid;
  std::uint64_t attach_count;
  std::uint64_t unused[2];
};
static_assert(sizeof(ShmStatus) == 112);
struct ShmLimits {
  std::uint64_t most_bytes, least_bytes, most_segments, most_per_process, most_pages, unused[4];
};
static_assert(sizeof(ShmLimits) == 72);
struct ShmInfo {
  std::int32_t used, pad;
  std::uint64_t total_pages, resident_pages, swapped_pages, swap_attempts, swap_successes;
};
static_assert(sizeof(ShmInfo) == 48);

// semop(2), semctl(2)
struct SemaphoreOperation {
  std::uint16_t number;
  std::int16_t change;
  std::int16_t flags;
};
static_assert(sizeof(SemaphoreOperation) == 6);
struct SemaphoreStatus {
  IpcPermission permission;
  std::int64_t operated;
  std::uint64_t unused1;
  std::int64_t changed;
  std::uint64_t unused2, count, unused3, unused4;
};
static_assert(sizeof(SemaphoreStatus) == 104);
struct SemaphoreLimits {
  std::array<std::int32_t, 10> values;  // map mni mns mnu msl opm ume usz vmx aem
};

// msgctl(2)
struct MessageQueueStatus {
  IpcPermission permission;
  std::int64_t sent, received, changed;
  std::uint64_t bytes, count, most_bytes;
  std::int32_t last_sender, last_receiver;
  std::uint64_t unused[2];
};
static_assert(sizeof(MessageQueueStatus) == 120);
struct MessageLimits {
  std::array<std::int32_t, 7> values;  // pool map max mnb mni ssz tql
  std::uint16_t segments, pad;
};
static_assert(sizeof(MessageLimits) == 32);

// mq_getattr(3)
struct MqAttributes {
  std::int64_t flags, most_messages, message_bytes, messages, reserved[4];
};
static_assert(sizeof(MqAttributes) == 64);

namespace i386 {

struct IpcPermission {
  std::int32_t key;
  std::uint32_t uid, gid, creator_uid, creator_gid;
  std::uint16_t mode, pad1, sequence, pad2;
  std::uint32_t unused[2];
};
static_assert(sizeof(IpcPermission) == 36);
constexpr void Decode(const IpcPermission& from, abi::IpcPermission& to) {
  to = {from.key, from.uid, from.gid, from.creator_uid, from.creator_gid, from.mode, from.sequence,
        0,        0,        {}};
}
constexpr void Encode(const abi::IpcPermission& from, IpcPermission& to) {
  to = {from.key,
        from.uid,
        from.gid,
        from.creator_uid,
        from.creator_gid,
        static_cast<std::uint16_t>(from.mode),
        0,
        from.sequence,
        0,
        {}};
}

// A time in two words, low half first.
struct SplitTime {
  std::uint32_t low, high;
};
constexpr SplitTime Split(std::int64_t time) {
  const auto bits = static_cast<std::uint64_t>(time);
  return {static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(bits >> 32)};
}
constexpr std::uint32_t Narrow(std::uint64_t value) { return static_cast<std::uint32_t>(value); }
// The limits that are larger than a word: ipc/shm.c, copy_compat_shminfo_to_user.
constexpr std::uint32_t Clamp(std::uint64_t value) {
  return value > 0x7fffffff ? 0x7fffffff : static_cast<std::uint32_t>(value);
}

struct ShmStatus {
  IpcPermission permission;
  std::uint32_t size_bytes;
  SplitTime attached, detached, changed;
  std::int32_t creator_pid, last_pid;
  std::uint32_t attach_count, unused[2];
};
static_assert(sizeof(ShmStatus) == 84);
constexpr void Decode(const ShmStatus& from, abi::ShmStatus& to) {
  to = {};
  Decode(from.permission, to.permission);
}
constexpr bool Encode(const abi::ShmStatus& from, ShmStatus& to) {
  to = {};
  Encode(from.permission, to.permission);
  to.size_bytes = Narrow(from.size_bytes);
  to.attached = Split(from.attached);
  to.detached = Split(from.detached);
  to.changed = Split(from.changed);
  to.creator_pid = from.creator_pid;
  to.last_pid = from.last_pid;
  to.attach_count = Narrow(from.attach_count);
  return true;
}
struct ShmLimits {
  std::uint32_t most_bytes, least_bytes, most_segments, most_per_process, most_pages, unused[4];
};
constexpr void Decode(const ShmLimits&, abi::ShmLimits& to) { to = {}; }
constexpr bool Encode(const abi::ShmLimits& from, ShmLimits& to) {
  to = {Clamp(from.most_bytes),       Clamp(from.least_bytes), Clamp(from.most_segments),
        Clamp(from.most_per_process), Clamp(from.most_pages),  {}};
  return true;
}
struct ShmInfo {
  std::int32_t used;
  std::uint32_t total_pages, resident_pages, swapped_pages, swap_attempts, swap_successes;
};
constexpr void Decode(const ShmInfo&, abi::ShmInfo& to) { to = {}; }
constexpr bool Encode(const abi::ShmInfo& from, ShmInfo& to) {
  to = {from.used, Narrow(from.total_pages), Narrow(from.resident_pages), 0, 0, 0};
  return true;
}

struct SemaphoreStatus {
  IpcPermission permission;
  SplitTime operated, changed;
  std::uint32_t count, unused[2];
};
static_assert(sizeof(SemaphoreStatus) == 64);
constexpr void Decode(const SemaphoreStatus& from, abi::SemaphoreStatus& to) {
  to = {};
  Decode(from.permission, to.permission);
}
constexpr bool Encode(const abi::SemaphoreStatus& from, SemaphoreStatus& to) {
  to = {};
  Encode(from.permission, to.permission);
  to.operated = Split(from.operated);
  to.changed = Split(from.changed);
  to.count = Narrow(from.count);
  return true;
}

struct MessageQueueStatus {
  IpcPermission permission;
  SplitTime sent, received, changed;
  std::uint32_t bytes, count, most_bytes;
  std::int32_t last_sender, last_receiver;
  std::uint32_t unused[2];
};
static_assert(sizeof(MessageQueueStatus) == 88);
constexpr void Decode(const MessageQueueStatus& from, abi::MessageQueueStatus& to) {
  to = {};
  Decode(from.permission, to.permission);
  to.most_bytes = from.most_bytes;
}
constexpr bool Encode(const abi::MessageQueueStatus& from, MessageQueueStatus& to) {
  to = {};
  Encode(from.permission, to.permission);
  to.sent = Split(from.sent);
  to.received = Split(from.received);
  to.changed = Split(from.changed);
  to.bytes = Narrow(from.bytes);
  to.count = Narrow(from.count);
  to.most_bytes = Narrow(from.most_bytes);
  to.last_sender = from.last_sender;
  to.last_receiver = from.last_receiver;
  return true;
}

struct MqAttributes {
  std::int32_t flags, most_messages, message_bytes, messages, reserved[4];
};
constexpr void Decode(const MqAttributes& from, abi::MqAttributes& to) {
  to = {from.flags, from.most_messages, from.message_bytes, from.messages, {}};
}
constexpr bool Encode(const abi::MqAttributes& from, MqAttributes& to) {
  const auto narrow = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
  to = {narrow(from.flags),
        narrow(from.most_messages),
        narrow(from.message_bytes),
        narrow(from.messages),
        {}};
  return true;
}

}  // namespace i386

template <>
struct I386Form<ShmStatus> : I386Forms<i386::ShmStatus> {};
template <>
struct I386Form<ShmLimits> : I386Forms<i386::ShmLimits> {};
template <>
struct I386Form<ShmInfo> : I386Forms<i386::ShmInfo> {};
template <>
struct I386Form<SemaphoreStatus> : I386Forms<i386::SemaphoreStatus> {};
template <>
struct I386Form<MessageQueueStatus> : I386Forms<i386::MessageQueueStatus> {};
template <>
struct I386Form<MqAttributes> : I386Forms<i386::MqAttributes> {};

}  // namespace glovebox::engine::abi
