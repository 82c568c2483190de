// Semaphores of System V: semget(2), semop(2), semctl(2).
#include <algorithm>
#include <optional>

#include "engine/linux/ipc/ipc.h"
#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/handlers.h"

namespace glovebox::engine {
namespace {

constexpr std::int32_t kMostValue = 32767;                // SEMVMX
constexpr std::int32_t kMostInSet = 32000;                // SEMMSL
constexpr std::uint64_t kMostSemaphores = 1'024'000'000;  // SEMMNS
constexpr std::uint64_t kMostOperations = 500;            // SEMOPM
// What a box can make: they are memory of ours (8 bytes each).
constexpr std::uint64_t kMostOfBox = 4 << 20;
constexpr std::int16_t kUndo = 010000;  // SEM_UNDO

enum SemaphoreCommand : int {
  kGetPid = 11,
  kGetValue = 12,
  kGetAll = 13,
  kGetIncreaseWaiters = 14,
  kGetZeroWaiters = 15,
  kSetValue = 16,
  kSetAll = 17,
  kSemStat = 18,
  kSemInfo = 19,
  kSemStatAny = 20,
};

using Operations = std::vector<abi::SemaphoreOperation>;

// What a waiting semop(2) waits for, in CallInFlight::progress: the set, the semaphore, and whether
// for zero.
constexpr std::uint64_t kWaits = std::uint64_t{1} << 63;
std::uint64_t WaitCode(std::int32_t id, std::uint16_t number, bool for_zero) {
  return kWaits | static_cast<std::uint64_t>(static_cast<std::uint32_t>(id)) << 20 |
         std::uint64_t{number} << 1 | (for_zero ? 1 : 0);
}

std::int64_t CountWaiters(Kernel& kernel, std::uint64_t code) {
  return std::ranges::count_if(kernel.processes().tasks(), [code](const auto& entry) {
    const Task& task = *entry.second;
    return task.call && task.call->progress == code &&
           task.scheduling.state == Scheduling::State::kWaiting;
  });
}

Result<Operations, Errno> ReadOperations(Task& task, Address address, std::uint64_t count) {
  if (count == 0) return std::unexpected(kEINVAL);
  if (count > kMostOperations) return std::unexpected(kE2BIG);
  Operations operations(static_cast<std::size_t>(count));
  const auto read =
      task.memory().ReadBytes(address.value, std::as_writable_bytes(std::span(operations)));
  if (!read) return std::unexpected(read.error());
  return operations;
}

// What all of them come to, or what stands against it: ipc/sem.c, perform_atomic_semop.
struct Outcome {
  Errno error = Errno{};
  const abi::SemaphoreOperation* blocked = nullptr;
};
Outcome Perform(Task& task, SemaphoreSet& set, const Operations& operations) {
  std::vector<SemaphoreSet::Semaphore> semaphores = set.semaphores;
  std::vector<std::int32_t> changes;
  Ipc::Adjustment* promised = nullptr;
  if (std::ranges::any_of(operations, [](const auto& o) { return (o.flags & kUndo) != 0; })) {
    promised = &task.kernel.ipc().adjustments[task.process.pid][set.id];
    const std::uint64_t bytes = semaphores.size() * sizeof(std::int32_t);
    if (promised->charge.bytes() == 0 && !promised->charge.Add(task.kernel.services(), bytes))
      return {kENOSPC, nullptr};
    changes = promised->changes;
    changes.resize(semaphores.size());
  }
  for (const abi::SemaphoreOperation& operation : operations) {
    SemaphoreSet::Semaphore& semaphore = semaphores[operation.number];
    const std::int32_t value = semaphore.value + operation.change;
    if ((operation.change == 0 && semaphore.value != 0) || value < 0) return {Errno{}, &operation};
    if (value > kMostValue) return {kERANGE, nullptr};
    if ((operation.flags & kUndo) != 0) {
      const std::int32_t undo = changes[operation.number] - operation.change;
      if (undo < -kMostValue - 1 || undo > kMostValue) return {kERANGE, nullptr};
      changes[operation.number] = undo;
    }
    semaphore.value = value;
    semaphore.last_pid = task.process.pid;
  }
  set.semaphores = std::move(semaphores);
  if (promised != nullptr) promised->changes = std::move(changes);
  set.operated = IpcSeconds(task.kernel);
  return {};
}

SyscallResult Operate(Task& task, int id, Address address, std::uint64_t count,
                      GuestPtr<const abi::Timespec> timeout) {
  const auto operations = ReadOperations(task, address, count);
  if (!operations) return operations.error();
  CallInFlight& call = *task.call;
  const bool waited = (call.progress & kWaits) != 0;
  if (!waited) {
    call.deadline = kNever;
    if (timeout) {
      const auto time = task.memory().Read(timeout);
      if (!time) return time.error();
      if (time->seconds < 0 || time->nanoseconds < 0 || time->nanoseconds >= 1'000'000'000)
        return kEINVAL;
      const auto seconds =
          std::min<std::uint64_t>(static_cast<std::uint64_t>(time->seconds), 1u << 31);
      call.deadline = task.kernel.Now() + seconds * 1'000'000'000 +
                      static_cast<std::uint64_t>(time->nanoseconds);
    }
  }
  SemaphoreSet* const set = task.kernel.ipc().semaphores.Find(id);
  if (set == nullptr) return waited ? kEIDRM : kEINVAL;
  const bool alters = std::ranges::any_of(
      *operations, [](const abi::SemaphoreOperation& o) { return o.change != 0; });
  if (std::ranges::any_of(*operations, [set](const abi::SemaphoreOperation& o) {
        return o.number >= set->semaphores.size();
      })) {
    return kEFBIG;
  }
  if (!set->owner.Allows(task.credentials, alters ? 2 : 4)) return kEACCES;
  const Outcome outcome = Perform(task, *set, *operations);
  if (outcome.error != Errno{}) return outcome.error;
  if (outcome.blocked == nullptr) {
    if (alters) task.kernel.scheduler.WakeAll(set);
    return 0;
  }
  if ((outcome.blocked->flags & static_cast<std::int16_t>(kIpcNoWait)) != 0) return kEAGAIN;
  if (*call.deadline <= task.kernel.Now()) return kEAGAIN;
  call.progress = WaitCode(id, outcome.blocked->number, outcome.blocked->change == 0);
  return SyscallResult::Block({*call.deadline, Wait::kEvent, OnSignal::kInterrupt, 0, set});
}

// The value was set: what was promised about it is void.
void DropPromises(Ipc& ipc, std::int32_t id, std::optional<std::size_t> number) {
  for (auto& [pid, sets] : ipc.adjustments) {
    const auto found = sets.find(id);
    if (found == sets.end()) continue;
    if (!number) {
      sets.erase(found);
    } else if (*number < found->second.changes.size()) {
      found->second.changes[*number] = 0;
    }
  }
}

SyscallResult TellAll(Task& task, int command, Address buffer) {
  const Ipc& ipc = task.kernel.ipc();
  abi::SemaphoreLimits limits{{static_cast<std::int32_t>(kMostSemaphores), kMostSemaphoreSets,
                               static_cast<std::int32_t>(kMostSemaphores),
                               static_cast<std::int32_t>(kMostSemaphores), kMostInSet,
                               kMostOperations, kMostOperations, 20, kMostValue, kMostValue}};
  if (command == kSemInfo) {
    limits.values[7] = static_cast<std::int32_t>(ipc.semaphores.objects().size());
    limits.values[9] = static_cast<std::int32_t>(ipc.semaphore_count);
  }
  const auto written = task.memory().Write(GuestPtr<abi::SemaphoreLimits>{buffer.value}, limits);
  return written ? SyscallResult(ipc.semaphores.LastPlace()) : SyscallResult(written.error());
}

SyscallResult TellOne(Task& task, int id, int command, Address buffer) {
  Ipc& ipc = task.kernel.ipc();
  const SemaphoreSet* const set =
      command == kIpcStat ? ipc.semaphores.Find(id) : ipc.semaphores.AtPlace(id);
  if (set == nullptr) return kEINVAL;
  if (command != kSemStatAny && !set->owner.Allows(task.credentials, 4)) return kEACCES;
  abi::SemaphoreStatus status{};
  status.permission = set->owner.Permission();
  status.operated = set->operated;
  status.changed = set->changed;
  status.count = set->semaphores.size();
  const auto written =
      task.memory().Write(GuestPtr<abi::SemaphoreStatus>{buffer.value, task.call->layout}, status);
  if (!written) return written.error();
  return command == kIpcStat ? 0 : set->id;
}

SyscallResult ReadOne(Task& task, const SemaphoreSet& set, int number, int command) {
  if (!set.owner.Allows(task.credentials, 4)) return kEACCES;
  if (number < 0 || static_cast<std::size_t>(number) >= set.semaphores.size()) return kEINVAL;
  const SemaphoreSet::Semaphore& semaphore = set.semaphores[static_cast<std::size_t>(number)];
  const auto wanted = static_cast<std::uint16_t>(number);
  switch (command) {
    case kGetValue:
      return semaphore.value;
    case kGetPid:
      return static_cast<std::int64_t>(semaphore.last_pid);
    case kGetIncreaseWaiters:
      return CountWaiters(task.kernel, WaitCode(set.id, wanted, false));
    default:
      return CountWaiters(task.kernel, WaitCode(set.id, wanted, true));
  }
}

SyscallResult CopyAll(Task& task, SemaphoreSet& set, int command, Address array) {
  std::vector<std::uint16_t> values(set.semaphores.size());
  if (!set.owner.Allows(task.credentials, command == kSetAll ? 2 : 4)) return kEACCES;
  if (command == kGetAll) {
    std::ranges::transform(set.semaphores, values.begin(), [](const auto& semaphore) {
      return static_cast<std::uint16_t>(semaphore.value);
    });
    return FromResult(task.memory().WriteBytes(array.value, std::as_bytes(std::span(values))));
  }
  const auto read = task.memory().ReadBytes(array.value, std::as_writable_bytes(std::span(values)));
  if (!read) return read.error();
  if (std::ranges::any_of(values, [](std::uint16_t value) { return value > kMostValue; }))
    return kERANGE;
  for (std::size_t i = 0; i < values.size(); ++i) set.semaphores[i] = {values[i], task.process.pid};
  DropPromises(task.kernel.ipc(), set.id, std::nullopt);
  set.changed = IpcSeconds(task.kernel);
  task.kernel.scheduler.WakeAll(&set);
  return 0;
}

SyscallResult SetOne(Task& task, SemaphoreSet& set, int number, std::int32_t value) {
  if (value < 0 || value > kMostValue) return kERANGE;
  if (number < 0 || static_cast<std::size_t>(number) >= set.semaphores.size()) return kEINVAL;
  if (!set.owner.Allows(task.credentials, 2)) return kEACCES;
  set.semaphores[static_cast<std::size_t>(number)] = {value, task.process.pid};
  DropPromises(task.kernel.ipc(), set.id, static_cast<std::size_t>(number));
  set.changed = IpcSeconds(task.kernel);
  task.kernel.scheduler.WakeAll(&set);
  return 0;
}

SyscallResult Administer(Task& task, int id, int command, Address buffer) {
  Ipc& ipc = task.kernel.ipc();
  abi::SemaphoreStatus asked{};
  if (command == kIpcSet) {
    const auto read =
        task.memory().Read(GuestPtr<const abi::SemaphoreStatus>{buffer.value, task.call->layout});
    if (!read) return read.error();
    asked = *read;
  }
  SemaphoreSet* const set = ipc.semaphores.Find(id);
  if (set == nullptr) return kEINVAL;
  if (!set->owner.IsOwner(task.credentials)) return kEPERM;
  if (command == kIpcSet) {
    set->owner.Set(asked.permission);
    set->changed = IpcSeconds(task.kernel);
    return 0;
  }
  DropPromises(ipc, id, std::nullopt);
  ipc.semaphore_count -= set->semaphores.size();
  task.kernel.scheduler.WakeAll(set);
  ipc.semaphores.Remove(*set);
  return 0;
}

}  // namespace

SyscallResult SysSemget(Task& task, int key, int count, IpcFlags flags) {
  Ipc& ipc = task.kernel.ipc();
  if (count < 0 || count > kMostInSet) return kEINVAL;
  const auto wanted = static_cast<std::size_t>(count);
  const auto check = [wanted](const SemaphoreSet& set) {
    return wanted > set.semaphores.size() ? kEINVAL : Errno{};
  };
  const auto make = [&]() -> Result<std::unique_ptr<SemaphoreSet>, Errno> {
    if (wanted == 0) return std::unexpected(kEINVAL);
    if (wanted > kMostOfBox - std::min(kMostOfBox, ipc.semaphore_count))
      return std::unexpected(kENOSPC);
    auto set = std::make_unique<SemaphoreSet>();
    set->semaphores.resize(wanted);
    set->changed = IpcSeconds(task.kernel);
    return set;
  };
  const std::size_t before = ipc.semaphores.objects().size();
  const auto id = ipc.semaphores.Get(key, static_cast<std::uint32_t>(flags.value), task.credentials,
                                     check, make);
  if (ipc.semaphores.objects().size() != before) ipc.semaphore_count += wanted;
  return id ? SyscallResult(*id) : SyscallResult(id.error());
}

SyscallResult SysSemop(Task& task, int id, Address operations, Size count) {
  return Operate(task, id, operations, count.value, {});
}

SyscallResult SysSemtimedop(Task& task, int id, Address operations, Size count,
                            GuestPtr<const abi::Timespec> timeout) {
  return Operate(task, id, operations, count.value, timeout);
}

SyscallResult SysSemctl(Task& task, int id, int number, SemaphoreCommandArgument command,
                        Address argument) {
  const int what = command.value;
  if (id < 0) return kEINVAL;
  switch (what) {
    case kIpcInfo:
    case kSemInfo:
      return TellAll(task, what, argument);
    case kIpcStat:
    case kSemStat:
    case kSemStatAny:
      return TellOne(task, id, what, argument);
    case kIpcSet:
    case kIpcRemove:
      return Administer(task, id, what, argument);
    default:
      break;
  }
  if (what < kGetPid || what > kSetAll) return kEINVAL;
  SemaphoreSet* const set = task.kernel.ipc().semaphores.Find(id);
  if (set == nullptr) return kEINVAL;
  if (what == kSetValue)
    return SetOne(task, *set, number, static_cast<std::int32_t>(argument.value));
  if (what == kGetAll || what == kSetAll) return CopyAll(task, *set, what, argument);
  return ReadOne(task, *set, number, what);
}

}  // namespace glovebox::engine
