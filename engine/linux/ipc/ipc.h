// Interprocess communication of a box that has names of its own: System V's shared memory,
// semaphores and message queues, and POSIX message queues.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/linux/ipc/objects.h"
#include "engine/memory/shared_object.h"
#include "engine/vfs/disk_charge.h"

namespace glovebox::engine {

class Kernel;
class Process;

struct ShmSegment {
  std::int32_t id = 0;
  IpcOwner owner;
  std::uint64_t size_bytes = 0;
  std::shared_ptr<SharedObject> object;                  // until it is to be removed
  std::weak_ptr<SharedObject> removed_object;            // then: it lives as long as it is attached
  std::int64_t attached = 0, detached = 0, changed = 0;  // seconds since 1970
  std::uint32_t creator_pid = 0, last_pid = 0;

  std::shared_ptr<SharedObject> Object() const { return object ? object : removed_object.lock(); }
};

struct SemaphoreSet {
  struct Semaphore {
    std::int32_t value = 0;
    std::uint32_t last_pid = 0;
  };
  std::int32_t id = 0;
  IpcOwner owner;
  std::vector<Semaphore> semaphores;
  std::int64_t operated = 0, changed = 0;
};

struct Message {
  std::int64_t type = 0;
  std::vector<std::byte> bytes;
  DiskCharge charge;
};

struct MessageQueue {
  std::int32_t id = 0;
  IpcOwner owner;
  std::deque<std::unique_ptr<Message>> messages;
  std::uint64_t bytes = 0, most_bytes = 0;
  std::int64_t sent = 0, received = 0, changed = 0;
  std::uint32_t last_sender = 0, last_receiver = 0;
};

class MqueueInode;

// Numbers: ipc(5) of the kernel's defaults; linux/shm.h, sem.h, msg.h.
inline constexpr std::size_t kMostSegments = 4096;        // SHMMNI
inline constexpr std::size_t kMostSemaphoreSets = 32000;  // SEMMNI
inline constexpr std::size_t kMostQueues = 32000;         // MSGMNI

struct Ipc {
  IpcTable<ShmSegment> segments{kMostSegments};
  IpcTable<SemaphoreSet> semaphores{kMostSemaphoreSets};
  IpcTable<MessageQueue> queues{kMostQueues};
  std::map<std::string, std::shared_ptr<MqueueInode>> posix_queues;
  // What semop(2) with SEM_UNDO has promised, by process and set: what to add when it ends.
  struct Adjustment {
    std::vector<std::int32_t> changes;  // by semaphore; charged
    DiskCharge charge;
  };
  std::map<std::uint32_t, std::map<std::int32_t, Adjustment>> adjustments;
  std::uint64_t semaphore_count = 0;

  // Applies what the process has promised.
  void EndProcess(Process& process);
};

// The time that the objects show, in seconds since 1970.
std::int64_t IpcSeconds(const Kernel& kernel);

}  // namespace glovebox::engine
