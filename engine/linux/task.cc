#include "engine/linux/task.h"

#include "engine/linux/debugger.h"

namespace glovebox::engine {
Task::Task(Kernel& the_kernel, std::shared_ptr<Process> the_process, std::uint32_t id)
    : kernel(the_kernel),
      process(*the_process),
      tid(id),
      fd_table(std::make_shared<FdTable>()),
      fs_context(std::make_shared<FsContext>()),
      signals(std::make_shared<SignalHandlers>(), process.pending),
      process_(std::move(the_process)) {
  process.threads.push_back(this);
  const auto uid = static_cast<std::uint32_t>(kernel.world.Number(WorldId::kUid));
  const auto gid = static_cast<std::uint32_t>(kernel.world.Number(WorldId::kGid));
  credentials = Credentials::Of(uid, gid);
  fs().root = fs().working_directory = kernel.files().root();
  fs().umask = static_cast<std::uint32_t>(kernel.world.Number(WorldId::kUmask));
}

void Task::ExchangeCpu() {
  if (program->cpu_holder != nullptr) program->cpu->Save(program->cpu_holder->context);
  program->cpu->Load(context);
  program->cpu_holder = this;
}

void Task::LeaveCpu() {
  if (program && program->cpu_holder == this) program->cpu_holder = nullptr;
}

Result<std::shared_ptr<Directory>, Errno> Task::DirectoryOf(int dirfd) const {
  if (dirfd == kAtFdCwd) return fs().working_directory;
  const auto file = fds().Get(dirfd);
  if (!file) return std::unexpected(kEBADF);
  if (!file->inode().is(kTypeDirectory)) return std::unexpected(kENOTDIR);
  return static_cast<Directory&>(file->inode()).SharedDirectory();
}

Result<Resolved, Errno> Task::Resolve(int dirfd, const std::string& path,
                                      const ResolveOptions& options) {
  if (path.empty()) return std::unexpected(kENOENT);
  std::shared_ptr<Directory> start = fs().root;
  if (path.front() != '/' || options.in_root) {
    const auto directory = DirectoryOf(dirfd);
    if (!directory) return std::unexpected(directory.error());
    start = *directory;
  }
  return engine::Resolve({fs().root, start, credentials}, path, options);
}

Result<Resolved, Errno> Task::ResolveGuest(int dirfd, GuestPtr<const char> path,
                                           const ResolveOptions& options) {
  const auto text = memory().ReadString(path.address, kPathMaxBytes, kENAMETOOLONG);
  if (!text) return std::unexpected(text.error());
  return Resolve(dirfd, *text, options);
}

std::optional<abi::Siginfo> Task::TakeSignal(SignalSet allowed) {
  auto info = signals.Take(allowed);
  if (info) process.timers.OnSignalTaken(*info);
  return info;
}

bool Task::Receive(const abi::Siginfo& info) {
  if (scheduling.state == Scheduling::State::kEnded) return true;
  process.NoteStopOrContinue(info.signal);
  if (debug && signals.Discards(info.signal) && (signals.blocked() & SetOf(info.signal)) == 0)
    kernel.debugger->NoteIgnored(*this, info);
  if (!signals.Send(info, process.limits[kLimitSigPending].soft)) return false;
  kernel.TellSignalFiles(signals.handlers());
  if (signals.Wants(info.signal)) kernel.scheduler.Wake(*this);
  return true;
}

void Task::Send(int signal, int code) {
  Receive(SenderInfo(signal, code, process.pid, credentials.uid));
}

}  // namespace glovebox::engine
