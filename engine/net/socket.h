// What all sockets have in common. A protocol is a class over this one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/base/types.h"
#include "engine/net/address.h"
#include "engine/net/message_queue.h"
#include "engine/net/options.h"
#include "engine/net/socket_inode.h"
#include "engine/vfs/capabilities.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine::net {

class Network;

// Who makes a call, and how Unix sockets come to the nodes that their names are. `ids` are the
// effective ones.
class Caller {
 public:
  explicit Caller(const PeerIds& the_ids, CapabilitySet may) : ids(the_ids), may_(may) {}
  virtual ~Caller() = default;
  // A new node for bind(2): EADDRINUSE where the name is taken, and the errors of paths.
  virtual Result<std::shared_ptr<SocketInode>, Errno> MakeNode(const std::string& path) = 0;
  // For connect(2): ECONNREFUSED where it is no socket, EACCES, and the errors of paths.
  virtual Result<std::shared_ptr<SocketInode>, Errno> FindNode(const std::string& path) = 0;

  bool Can(Capability capability) const { return (may_ & MaskOf(capability)) != 0; }

  const PeerIds ids;

 private:
  const CapabilitySet may_;
};

// What goes out by one send; streams take a part of it.
struct Outgoing {
  std::span<const std::byte> bytes;
  RawAddressView to;  // empty: the peer
  std::uint32_t flags = 0;
  bool dont_wait = false;
  PeerIds sender;  // the real ids of the caller, or what SCM_CREDENTIALS said
  bool names_sender = false;
  std::vector<std::shared_ptr<OpenFile>> files;
  // Of this datagram alone, instead of what the socket's options say.
  std::optional<int> hops;
  std::optional<int> traffic_class;
  std::optional<IpAddress> from;
  Caller* caller = nullptr;  // null: no address is given
};

// What the next receive may take; nothing has moved yet.
struct Incoming {
  std::size_t bytes = 0;          // at most; 0 at the end of a stream
  std::size_t message_bytes = 0;  // of the whole message, where messages are kept apart
  std::uint32_t flags = 0;        // of MessageFlag, for the receiver
  // With what comes along, null: nothing. The receiver takes the files out.
  Message* message = nullptr;
  bool more_may_follow = false;     // MSG_WAITALL goes on behind these bytes
  std::optional<std::byte> urgent;  // of MSG_OOB: the byte itself
};

struct ReceiveRequest {
  std::size_t bytes = 0;   // that there is room for
  std::size_t offset = 0;  // MSG_PEEK: how many were looked at already
  std::uint32_t flags = 0;
};

class Socket : public OpenFile, public std::enable_shared_from_this<Socket> {
 public:
  Socket(Network& network, Family family, SocketType type, int protocol, OptionScope scope);
  ~Socket() override;

  Family family() const { return family_; }
  SocketType socket_type() const { return type_; }
  int protocol() const { return protocol_; }
  std::uint64_t serial() const { return serial_; }  // in order of their making
  // Each send is one receive's: all but streams.
  bool keeps_messages() const { return type_ != kStream; }

  // bind(2), connect(2), listen(2), accept(2), shutdown(2), getsockname(2), getpeername(2). What
  // has to wait says so, and is called again with the same arguments.
  virtual Result<void, IoFailure> Bind(Caller& caller, RawAddressView address) = 0;
  virtual Result<void, IoFailure> Connect(Caller& caller, RawAddressView address,
                                          bool dont_wait) = 0;
  virtual Result<void, Errno> Listen(Caller& caller, int backlog);
  virtual Result<std::shared_ptr<Socket>, IoFailure> Accept();
  virtual Result<void, Errno> Shutdown(ShutdownBit how);
  virtual RawAddress Name() const = 0;
  virtual Result<RawAddress, Errno> PeerName() const = 0;

  // How long a message may be: EMSGSIZE. Asked before its bytes are read, and a bound of what that
  // takes.
  virtual std::size_t max_message_bytes() const;
  // How many bytes are on their way; `out` loses its files where that is not an error.
  virtual IoResult SendMessage(Outgoing& out) = 0;
  virtual Result<Incoming, IoFailure> Next(const ReceiveRequest& request) = 0;
  // Of what Next spoke of, from byte `from` on.
  virtual void Copy(std::size_t from, std::span<std::byte> out) const = 0;
  // `bytes` have reached the receiver; where messages are kept apart, all of the first one goes.
  virtual void Take(std::size_t bytes) = 0;

  // SIOCOUTQ, SIOCATMARK.
  virtual std::size_t UnreadByPeer() const { return 0; }
  virtual Result<bool, Errno> AtMark() const { return std::unexpected(kENOTTY); }

  // getsockopt(2), setsockopt(2), in the structures of 64-bit programs.
  virtual Result<std::vector<std::byte>, Errno> GetOption(int level, int number);
  virtual Result<void, Errno> SetOption(Caller& caller, int level, int number,
                                        std::span<const std::byte> value);
  Options& options() { return options_; }
  const Options& options() const { return options_; }
  Nanoseconds receive_timeout() const { return receive_timeout_; }  // 0: none
  Nanoseconds send_timeout() const { return send_timeout_; }
  // A failure that somebody else's deed has caused, told once: SO_ERROR.
  Errno TakeError();

  // As a file: streams are read in parts, messages as a whole.
  IoResult Await(std::size_t wanted) override;
  IoResult Read(std::uint64_t offset, std::span<std::byte> out) override;
  void Consume(std::size_t bytes) override { Take(bytes); }
  IoResult Write(std::uint64_t offset, std::span<const std::byte> bytes) override;
  const void* EventChannel() const override { return this; }

  // Files that lie in its queues, and connections that nobody has accepted yet: for the collection
  // of sockets that only each other hold (Network::Collect).
  virtual void VisitHeld(const std::function<void(const std::shared_ptr<OpenFile>&)>& visit) const {
    static_cast<void>(visit);
  }
  virtual void DropHeld(std::vector<std::shared_ptr<OpenFile>>& files) { static_cast<void>(files); }

  // The readiness of this socket has changed.
  // `events`: those of poll(2) that may have become true.
  void Tell(std::uint16_t events = FileEvents::kAnyEvent) const;

 protected:
  IoFailure WaitHere() const { return IoFailure(Wait::kEvent, this); }
  Network& network() const { return network_; }
  const std::shared_ptr<VfsServices>& services() const { return inode().services(); }
  void InheritSettings(const Socket& from);

  Errno error_{};
  std::uint8_t shut_ = 0;  // of ShutdownBit
  int send_buffer_bytes_;
  int receive_buffer_bytes_;
  bool accepts_ = false;
  PeerIds peer_ids_{0, ~0u, ~0u};  // SO_PEERCRED; nobody

 private:
  Result<std::vector<std::byte>, Errno> GetSocketOption(int number);
  Result<void, Errno> SetSocketOption(Caller& caller, int number, std::span<const std::byte> value);

  Network& network_;
  const Family family_;
  const SocketType type_;
  const int protocol_;
  const std::uint64_t serial_;
  Options options_;
  bool lingers_ = false;
  int linger_seconds_ = 0;
  Nanoseconds receive_timeout_ = 0;
  Nanoseconds send_timeout_ = 0;

 protected:
  // Closing throws away what was not sent: SO_LINGER with 0 seconds.
  bool resets_when_closed() const { return lingers_ && linger_seconds_ == 0; }
};

// The bytes of a value, for options.
template <typename T>
std::vector<std::byte> BytesOf(const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  return {bytes.begin(), bytes.end()};
}

}  // namespace glovebox::engine::net
