// Processes as files: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).
#include "engine/linux/events/pid_file.h"
#include "engine/linux/proc_directory.h"
#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/event_handlers.h"
#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/sending.h"

namespace glovebox::engine {
namespace {

// The process of a descriptor: EBADF where that is none of a process, ESRCH where it is gone.
Result<Process*, Errno> ProcessOf(Task& task, Fd fd) {
  const auto file = task.fds().Get(fd.value);
  const auto* const pid_file = dynamic_cast<const PidFile*>(file.get());
  if (pid_file == nullptr) return std::unexpected(kEBADF);
  if (pid_file->process() == nullptr) return std::unexpected(kESRCH);
  return pid_file->process();
}

// For pidfd_send_signal(2) a process' directory of /proc is as good.
Result<Process*, Errno> ProcessToSignal(Task& task, Fd fd) {
  const auto file = task.fds().Get(fd.value);
  const auto* const directory =
      file ? dynamic_cast<const ProcessDirectory*>(&file->inode()) : nullptr;
  if (directory == nullptr || file->path_only()) return ProcessOf(task, fd);
  if (directory->process()->reaped) return std::unexpected(kESRCH);
  return directory->process().get();
}

}  // namespace

SyscallResult SysPidfdOpen(Task& task, Pid pid, PidfdFlags flags) {
  if (flags.HasOther(kOpenNonblock) || pid.value <= 0) return kEINVAL;
  const auto leader = task.kernel.processes().Share(pid.value);
  if (!leader) return kESRCH;
  // A thread that leads no process: kernel/pid.c, pidfd_create; newer kernels say ENOENT.
  if (leader->tid != leader->process.pid) return kEINVAL;
  return InstallPidFile(task, leader->shared_process(), static_cast<int>(flags.value));
}

SyscallResult InstallPidFile(Task& task, std::shared_ptr<Process> process, int flags) {
  auto file = PidFile::Make(std::move(process), kOpenReadWrite | flags);
  if (!file) return file.error();
  const auto fd = task.fds().Add(std::move(*file), true, task.open_file_limit());
  return fd ? SyscallResult(*fd) : SyscallResult(fd.error());
}

SyscallResult SysPidfdSendSignal(Task& task, Fd pidfd, Signal signal,
                                 GuestPtr<const abi::Siginfo> info, Hex flags) {
  if (flags.value != 0) return kEINVAL;
  const auto process = ProcessToSignal(task, pidfd);
  if (!process && process.error() == kEBADF) return kEBADF;
  abi::Siginfo what = SenderInfo(signal.value, kSiUser, task.process.pid, task.credentials.uid);
  if (info) {
    const auto value = task.memory().Read(info);
    if (!value) return value.error();
    if (value->signal != signal.value) return kEINVAL;
    const bool to_self = process && *process == &task.process;
    if ((value->code >= 0 || value->code == kSiTkill) && !to_self) return kEPERM;
    what = *value;
  }
  if (signal.value < 0 || signal.value > kSignalCount) return kEINVAL;
  return process ? SendTo(task, **process, what) : SyscallResult(process.error());
}

SyscallResult SysPidfdGetfd(Task& task, Fd pidfd, Fd target, Hex flags) {
  if (flags.value != 0) return kEINVAL;
  const auto process = ProcessOf(task, pidfd);
  if (!process) return process.error();
  if ((*process)->ended) return kESRCH;
  const Task& leader = *(*process)->threads.front();
  if (!MayTrace(task, leader)) return kEPERM;
  auto file = leader.fd_table ? leader.fds().Get(target.value) : nullptr;
  if (!file) return kEBADF;
  const auto fd = task.fds().Add(std::move(file), true, task.open_file_limit());
  return fd ? SyscallResult(*fd) : SyscallResult(fd.error());
}

}  // namespace glovebox::engine
