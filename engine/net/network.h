// The network of a box: its sockets, and who has which name. It reaches nobody outside.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/net/socket.h"
#include "engine/vfs/services.h"

namespace glovebox::engine::net {

class InetSocket;
class UnixSocket;

// The sockets of a protocol that have a port, by it, in the order in which they got it.
class PortTable {
 public:
  // ip_local_port_range
  static constexpr std::uint16_t kFirstEphemeral = 32'768;
  static constexpr std::uint16_t kLastEphemeral = 60'999;

  void Add(std::uint16_t port, InetSocket& socket) { by_port_[port].push_back(&socket); }
  void Remove(std::uint16_t port, const InetSocket& socket);
  const std::vector<InetSocket*>& At(std::uint16_t port) const;
  const std::map<std::uint16_t, std::vector<InetSocket*>>& all() const { return by_port_; }
  // A port that nobody has: one after the other. 0: all are taken.
  std::uint16_t FreePort();

 private:
  std::map<std::uint16_t, std::vector<InetSocket*>> by_port_;
  std::uint16_t next_ = kFirstEphemeral;
};

// Threads: one at a time. Sockets must go before it.
class Network {
 public:
  explicit Network(std::shared_ptr<VfsServices> services) : services_(std::move(services)) {}
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // socket(2). Errors: EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT, EINVAL, EPERM, ENOBUFS.
  Result<std::shared_ptr<Socket>, Errno> Make(int family, int type, int protocol);
  // socketpair(2): two that are connected. Errors: EOPNOTSUPP besides.
  Result<std::pair<std::shared_ptr<Socket>, std::shared_ptr<Socket>>, Errno> MakePair(
      const PeerIds& ids, int family, int type, int protocol);

  // Of a new socket.
  std::shared_ptr<SocketInode> MakeInode();
  std::uint64_t Register(Socket& socket);
  void Unregister(const Socket& socket) { sockets_.erase(socket.serial()); }
  // All that are there, in the order of their making.
  const std::map<std::uint64_t, Socket*>& sockets() const { return sockets_; }

  PortTable& tcp() { return tcp_; }
  PortTable& udp() { return udp_; }

  // Abstract names of Unix sockets: unix(7).
  std::map<std::string, UnixSocket*>& abstract_names() { return abstract_names_; }
  // One that nobody has: five hexadecimal digits behind the NUL. Empty: none is left.
  std::string FreeAbstractName();

  // Lets go of files, one after the other: closing one may let go of others, and guests may nest
  // them as deep as they like.
  void Release(std::vector<std::shared_ptr<OpenFile>> files);

  // A socket was sent to a socket: only so can there be some that nobody else holds.
  void NoteSocketInFlight() { ++sent_sockets_; }
  // Frees the sockets that only lie in each other's queues, as net/unix/garbage.c does. `now`: also
  // when there is little to be expected of it.
  void Collect(bool now = false);

 private:
  const std::shared_ptr<VfsServices> services_;
  std::map<std::uint64_t, Socket*> sockets_;
  std::uint64_t next_serial_ = 1;
  PortTable tcp_;
  PortTable udp_;
  std::map<std::string, UnixSocket*> abstract_names_;
  std::uint32_t next_abstract_ = 0;
  std::size_t sent_sockets_ = 0;  // since the last collection
  std::vector<std::shared_ptr<OpenFile>> released_;
  bool releasing_ = false;
};

}  // namespace glovebox::engine::net
