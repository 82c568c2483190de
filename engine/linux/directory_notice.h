// fcntl(2), F_NOTIFY: signals for what happens in a directory.
#pragma once

#include <cstdint>

#include "engine/linux/async_notice.h"
#include "engine/vfs/node_watch.h"

namespace glovebox::engine {

// Belongs to the notice of an open directory, which says who gets the signals.
class DirectoryNotice final : public NodeWatcher {
 public:
  // `mask`: of DN_ACCESS and its kin; without an event the notice is taken back.
  static void Set(AsyncNotice& notice, Inode& directory, std::uint32_t mask, int fd);

  DirectoryNotice(AsyncNotice& notice, Inode& directory, int fd);
  ~DirectoryNotice() override;
  DirectoryNotice(const DirectoryNotice&) = delete;
  DirectoryNotice& operator=(const DirectoryNotice&) = delete;

  void OnNodeEvent(std::uint32_t events, std::uint32_t cookie, const std::string& name) override;
  void OnNodeGone() override { directory_ = nullptr; }

 private:
  AsyncNotice& notice_;
  Inode* directory_;
  const int fd_;
  std::uint32_t mask_ = 0;  // 0: it has told
};

}  // namespace glovebox::engine
