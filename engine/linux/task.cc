#include "engine/linux/task.h"

#include <algorithm>

namespace glovebox::engine {
namespace {

constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};
constexpr int kTimerSignals[kTimerCount] = {kSIGALRM, kSIGVTALRM, kSIGPROF};

}  // namespace

Task::Task(Kernel& the_kernel, std::uint32_t id)
    : kernel(the_kernel), pid(id), tid(id), process_group(id), session(1) {
  // Defaults of a shell on Debian 12; what a limit of the box decides follows it.
  limits.fill({kUnlimited, kUnlimited});
  limits[kLimitStack] = {kStackBytes, kUnlimited};
  limits[kLimitCore] = {0, kUnlimited};
  limits[kLimitProcesses] = {1, 1};
  const std::uint64_t files = kernel.spec.limits[LimitId::kOpenFiles];
  limits[kLimitOpenFiles] = {files, files};
  limits[kLimitLocked] = {8_MiB, 8_MiB};
  limits[kLimitSigPending] = {SignalState::kMaxQueued, SignalState::kMaxQueued};
  limits[kLimitMessageQueue] = {819'200, 819'200};
  limits[kLimitNice] = {0, 0};
  limits[kLimitRtPriority] = {0, 0};
  const auto uid = static_cast<std::uint32_t>(kernel.world.Number(WorldId::kUid));
  const auto gid = static_cast<std::uint32_t>(kernel.world.Number(WorldId::kGid));
  credentials = {uid, uid, uid, uid, gid, gid, gid, gid, {}};
  fs.root = fs.working_directory = kernel.files().root();
  fs.umask = static_cast<std::uint32_t>(kernel.world.Number(WorldId::kUmask));
}

Result<std::shared_ptr<Directory>, Errno> Task::DirectoryOf(int dirfd) const {
  if (dirfd == kAtFdCwd) return fs.working_directory;
  const auto file = fds.Get(dirfd);
  if (!file) return std::unexpected(kEBADF);
  if (!file->inode().is(kTypeDirectory)) return std::unexpected(kENOTDIR);
  return static_cast<Directory&>(file->inode()).SharedDirectory();
}

Result<Resolved, Errno> Task::Resolve(int dirfd, const std::string& path,
                                      const ResolveOptions& options) {
  if (path.empty()) return std::unexpected(kENOENT);
  std::shared_ptr<Directory> start = fs.root;
  if (path.front() != '/') {
    const auto directory = DirectoryOf(dirfd);
    if (!directory) return std::unexpected(directory.error());
    start = *directory;
  }
  return engine::Resolve({fs.root, start, credentials}, path, options);
}

Result<Resolved, Errno> Task::ResolveGuest(int dirfd, GuestPtr<const char> path,
                                           const ResolveOptions& options) {
  const auto text = memory().ReadString(path.address, kPathMaxBytes, kENAMETOOLONG);
  if (!text) return std::unexpected(text.error());
  return Resolve(dirfd, *text, options);
}

void Task::Send(int signal, int code) {
  signals.Send(SenderInfo(signal, code, pid, credentials.uid));
}

Nanoseconds Task::ClockOf(TimerId id) const {
  return id == kTimerReal ? kernel.Now() : kernel.CpuTime();
}

Nanoseconds Task::NextTimer() const {
  Nanoseconds next = kNever;
  for (std::size_t i = 0; i < kTimerCount; ++i) {
    if (timers[i].expires == kNever) continue;
    const Nanoseconds clock = ClockOf(static_cast<TimerId>(i));
    const Nanoseconds left = timers[i].expires > clock ? timers[i].expires - clock : 0;
    // Clocks of CPU time stand still while the task waits: they wake nobody.
    if (call && i != kTimerReal) continue;
    next = std::min(next, kernel.Now() + left);
  }
  return next;
}

void Task::FireTimers() {
  for (std::size_t i = 0; i < kTimerCount; ++i) {
    IntervalTimer& timer = timers[i];
    const Nanoseconds clock = ClockOf(static_cast<TimerId>(i));
    if (timer.expires > clock) continue;
    signals.Send(SenderInfo(kTimerSignals[i], kSiKernel, 0, 0));
    if (timer.interval == 0) {
      timer.expires = kNever;
    } else {
      // Periods that passed meanwhile count once: the signal is pending already.
      timer.expires += ((clock - timer.expires) / timer.interval + 1) * timer.interval;
    }
  }
}

}  // namespace glovebox::engine
