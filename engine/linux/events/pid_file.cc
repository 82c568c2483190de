#include "engine/linux/events/pid_file.h"

#include <fmt/format.h>

#include <utility>

#include "engine/vfs/anonymous.h"

namespace glovebox::engine {

Result<std::shared_ptr<PidFile>, Errno> PidFile::Make(std::shared_ptr<Process> process, int flags) {
  auto inode = MakeAnonymous(process->kernel.services(), "anon_inode:[pidfd]");
  if (!inode) return std::unexpected(kENFILE);
  return std::make_shared<PidFile>(PathRef{std::move(inode), nullptr, {}}, std::move(process),
                                   flags);
}

std::string PidFile::FdInfo() const {
  const int pid = process() == nullptr ? -1 : static_cast<int>(process_->pid);
  return fmt::format("Pid:\t{}\nNSpid:\t{}\n", pid, pid);
}

}  // namespace glovebox::engine
