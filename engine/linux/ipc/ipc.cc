#include "engine/linux/ipc/ipc.h"

#include <algorithm>

#include "engine/linux/guest_process.h"

namespace glovebox::engine {

bool IpcOwner::Allows(const Credentials& who, std::uint32_t wanted) const {
  if (who.Can(Capability::kIpcOwner)) return true;
  const auto in_group = [&who](std::uint32_t group) {
    return who.egid == group || std::ranges::find(who.groups, group) != who.groups.end();
  };
  std::uint32_t granted = mode;
  if (who.euid == uid || who.euid == creator_uid) {
    granted >>= 6;
  } else if (in_group(gid) || in_group(creator_gid)) {
    granted >>= 3;
  }
  return (wanted & ~granted & 7) == 0;
}

std::int64_t IpcSeconds(const Kernel& kernel) { return kernel.WallNanoseconds() / 1'000'000'000; }

void Ipc::EndProcess(Process& process) {
  constexpr std::int32_t kMostValue = 32767;  // SEMVMX
  const auto promised = adjustments.find(process.pid);
  if (promised == adjustments.end()) return;
  for (const auto& [id, adjustment] : promised->second) {
    const std::vector<std::int32_t>& changes = adjustment.changes;
    SemaphoreSet* const set = semaphores.Find(id);
    if (set == nullptr) continue;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (changes[i] == 0) continue;
      SemaphoreSet::Semaphore& semaphore = set->semaphores[i];
      semaphore.value = std::clamp(semaphore.value + changes[i], 0, kMostValue);
      semaphore.last_pid = process.pid;
    }
    set->operated = IpcSeconds(process.kernel);
    process.kernel.scheduler.WakeAll(set);
  }
  adjustments.erase(promised);
}

}  // namespace glovebox::engine
