// The nodes of sockets: what a path leads to, and what fstat(2) shows of a descriptor.
#pragma once

#include <memory>
#include <string>

#include "engine/vfs/inode.h"

namespace glovebox::engine::net {

class Socket;

class SocketInode : public Inode {
 public:
  SocketInode(std::shared_ptr<VfsServices> services, std::uint32_t mode,
              std::uint64_t device_number)
      : Inode(std::move(services), kTypeSocket, mode, device_number) {}
  // Sockets are connected to, not opened: open(2), ENXIO.
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef&, int) override {
    return std::unexpected(kENXIO);
  }

  std::string NamelessText() const override {
    return device == kSocketDevice ? "socket:[" + std::to_string(number) + "]" : std::string();
  }

  // Who is bound to it; the name stays when the socket has gone.
  Socket* bound = nullptr;
};

}  // namespace glovebox::engine::net
