// Nodes without a name in any directory: what eventfd(2), epoll_create(2) and their kin open.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "engine/vfs/inode.h"

namespace glovebox::engine {

class AnonymousInode : public Inode {
 public:
  // `name` is what links of /proc show of it: "anon_inode:[eventfd]".
  AnonymousInode(std::shared_ptr<VfsServices> services, std::string name)
      : Inode(std::move(services), kTypeNone, 0600, kAnonymousDevice), name_(std::move(name)) {}

  // It cannot be opened a second time, by way of /proc: fs/anon_inodes.c.
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef&, int) override {
    return std::unexpected(kENXIO);
  }
  std::string NamelessText() const override { return name_; }

 private:
  const std::string name_;
};

// Where the disk limit, which counts all nodes, leaves no room: null.
inline std::shared_ptr<AnonymousInode> MakeAnonymous(const std::shared_ptr<VfsServices>& services,
                                                     std::string name) {
  auto inode = std::make_shared<AnonymousInode>(services, std::move(name));
  return inode->ChargeDisk(VfsServices::kInodeBytes) ? inode : nullptr;
}

}  // namespace glovebox::engine
