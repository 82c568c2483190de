// What is common to the directories of /proc.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "engine/linux/task.h"
#include "engine/vfs/inode.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine {

// A directory of /proc: once it is put together nobody adds to it or takes from it, root neither.
class ProcDirectory : public TreeDirectory {
 public:
  ProcDirectory(std::shared_ptr<VfsServices> services, std::shared_ptr<const bool> sealed)
      : TreeDirectory(std::move(services), 0555u, kProcDevice), sealed_(std::move(sealed)) {}

  // The errors of Linux: proc has no operations for either.
  Result<void, Errno> Insert(const std::string& name, std::shared_ptr<Inode> inode) override {
    if (*sealed_) return std::unexpected(kENOENT);
    return TreeDirectory::Insert(name, std::move(inode));
  }
  Result<void, Errno> Erase(const std::string& name) override {
    if (*sealed_) return std::unexpected(kEPERM);
    return TreeDirectory::Erase(name);
  }
  const std::shared_ptr<const bool>& sealed() const { return sealed_; }

 private:
  std::shared_ptr<const bool> sealed_;  // one for the whole tree
};

inline void AddFile(Directory& directory, std::string name, std::uint32_t mode,
                    GeneratedFile::Generator text) {
  auto file =
      std::make_shared<GeneratedFile>(directory.services(), mode, kProcDevice, std::move(text));
  static_cast<void>(directory.Insert(name, std::move(file)));
}

inline std::shared_ptr<ProcDirectory> AddDirectory(ProcDirectory& parent, const std::string& name) {
  auto directory = std::make_shared<ProcDirectory>(parent.services(), parent.sealed());
  static_cast<void>(parent.Insert(name, directory));
  return directory;
}

inline void AddLink(Directory& directory, const std::string& name, std::string target) {
  auto link = std::make_shared<Symlink>(directory.services(), std::move(target), directory.device);
  static_cast<void>(directory.Insert(name, std::move(link)));
}

// The directory of a task: of a process by its leader, or of a thread.
class ProcessDirectory final : public ProcDirectory {
 public:
  ProcessDirectory(std::shared_ptr<VfsServices> services, std::shared_ptr<const bool> sealed,
                   std::shared_ptr<Process> process)
      : ProcDirectory(std::move(services), std::move(sealed)), process_(std::move(process)) {}
  const std::shared_ptr<Process>& process() const { return process_; }

 private:
  const std::shared_ptr<Process> process_;
};
std::shared_ptr<ProcessDirectory> MakeProcessDirectory(const std::shared_ptr<VfsServices>& services,
                                                       const std::shared_ptr<Task>& task);

}  // namespace glovebox::engine
