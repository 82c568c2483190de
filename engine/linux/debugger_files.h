// The root file system and /proc, for a debugger.
#pragma once

#include <memory>
#include <string>

#include "engine/debug.h"
#include "engine/linux/kernel.h"
#include "engine/vfs/tree_source.h"

namespace glovebox::engine {

class DebuggerFiles {
 public:
  DebuggerFiles(Kernel& kernel, TreeSource& tree);
  ~DebuggerFiles();

  // ENOENT and what else path resolution comes to.
  Result<std::shared_ptr<DebugFile>, Errno> Open(const std::string& path, bool follow_last);

 private:
  struct View;
  Kernel& kernel_;
  TreeSource& tree_;
  std::unique_ptr<View> view_;  // once it is needed
};

}  // namespace glovebox::engine
