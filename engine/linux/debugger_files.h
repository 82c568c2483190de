// The box' files, for a debugger.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "engine/debug.h"
#include "engine/linux/kernel.h"
#include "engine/vfs/tree_source.h"

namespace glovebox::engine {

class DebuggerFiles {
 public:
  DebuggerFiles(Kernel& kernel, TreeSource& tree);
  ~DebuggerFiles();

  // To read, with the rights of root, beneath the root of process `pid`, or that of the box where
  // there is no such process. Nothing of the box changes. ENOENT and what else path resolution
  // comes to.
  Result<std::shared_ptr<DebugFile>, Errno> Open(std::uint32_t pid, const std::string& path,
                                                 bool follow_last);
  // A regular file, as open(2) with `flags` and `mode` does it for root. `tell` hears of each write
  // before it is done.
  using Tell = std::function<void(std::uint64_t offset, std::span<const std::byte> bytes)>;
  Result<std::shared_ptr<DebugFile>, Errno> OpenToWrite(std::uint32_t pid, const std::string& path,
                                                        int flags, std::uint32_t mode, Tell tell);
  Result<void, Errno> Unlink(std::uint32_t pid, const std::string& path);

 private:
  struct Shadow;
  std::shared_ptr<Directory> RootOf(std::uint32_t pid) const;

  Kernel& kernel_;
  TreeSource& tree_;
  std::unique_ptr<Shadow> shadow_;  // once it is needed
};

}  // namespace glovebox::engine
