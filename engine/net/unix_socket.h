// AF_UNIX, unix(7).
#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/net/socket.h"

namespace glovebox::engine::net {

class UnixSocket : public Socket {
 public:
  UnixSocket(Network& network, SocketType type);
  ~UnixSocket() override;

  Result<void, IoFailure> Bind(Caller& caller, RawAddressView address) override;
  RawAddress Name() const override { return EncodeUnixName(name_); }
  const std::string& unix_name() const { return name_; }
  // socketpair(2).
  virtual void Pair(UnixSocket& other, const PeerIds& ids) = 0;

  Result<std::vector<std::byte>, Errno> GetOption(int level, int number) override;
  Result<void, Errno> SetOption(Caller& caller, int level, int number,
                                std::span<const std::byte> value) override;
  void Copy(std::size_t from, std::span<std::byte> out) const override { queue_.Copy(from, out); }
  void VisitHeld(const std::function<void(const std::shared_ptr<OpenFile>&)>& visit) const override;
  void DropHeld(std::vector<std::shared_ptr<OpenFile>>& files) override { queue_.Clear(files); }

  // net/unix/af_unix.c, unix_writable: with a quarter of the buffer in use.
  bool HasRoomFor(const UnixSocket& receiver) const {
    return receiver.queue_.cost() * 4 <= static_cast<std::size_t>(send_buffer_bytes_);
  }

 protected:
  // Who has the name. Errors: ECONNREFUSED, EPROTOTYPE, those of paths.
  Result<UnixSocket*, Errno> Find(Caller& caller, const std::string& name);
  // A name for who asks to be known by its messages and has none: SO_PASSCRED.
  Result<void, Errno> NameIfKnown();
  bool PassesCredentials() const { return options().IsOn(kLevelSocket, kPassCredentials); }
  // A message of ours to `receiver`; its files are `out`'s.
  Message MakeMessage(Outgoing& out, std::span<const std::byte> bytes,
                      const UnixSocket& receiver) const;
  // Puts a message into its queue. Errors: ENOBUFS.
  Result<void, Errno> Deliver(Message message, Outgoing& out);
  Result<void, Errno> Autobind();

  std::string name_;
  std::shared_ptr<SocketInode> node_;  // where the name is a path
  RawAddress peer_name_;
  MessageQueue queue_;  // what came and was not received yet
};

// Streams and sequential packets: a connection of two.
class UnixConnection : public UnixSocket {
 public:
  UnixConnection(Network& network, SocketType type) : UnixSocket(network, type) {}
  ~UnixConnection() override;

  void Pair(UnixSocket& other, const PeerIds& ids) override;
  Result<void, IoFailure> Connect(Caller& caller, RawAddressView address, bool dont_wait) override;
  Result<void, Errno> Listen(Caller& caller, int backlog) override;
  Result<std::shared_ptr<Socket>, IoFailure> Accept() override;
  Result<void, Errno> Shutdown(ShutdownBit how) override;
  Result<RawAddress, Errno> PeerName() const override;

  IoResult SendMessage(Outgoing& out) override;
  Result<Incoming, IoFailure> Next(const ReceiveRequest& request) override;
  void Take(std::size_t bytes) override;
  std::size_t UnreadByPeer() const override { return peer_ != nullptr ? peer_->queue_.cost() : 0; }

  Result<std::uint16_t, IoFailure> Poll() override;
  Result<std::uint64_t, IoFailure> Available() override;
  void VisitHeld(const std::function<void(const std::shared_ptr<OpenFile>&)>& visit) const override;
  void DropHeld(std::vector<std::shared_ptr<OpenFile>>& files) override;
  // For /proc/net/unix.
  bool connected() const { return connected_; }
  bool listening() const { return accepts_; }

 private:
  // The other end has gone; `lost`: with something of ours unread.
  void LosePeer(bool lost);

  bool connected_ = false;
  UnixConnection* peer_ = nullptr;                       // null: gone, or never there
  std::deque<std::shared_ptr<UnixConnection>> waiting_;  // of a listener: to be accepted
  std::size_t backlog_ = 0;
};

class UnixDatagram : public UnixSocket {
 public:
  // net.unix.max_dgram_qlen
  static constexpr std::size_t kMaxWaiting = 10;

  explicit UnixDatagram(Network& network) : UnixSocket(network, kDatagram) {}
  ~UnixDatagram() override;

  void Pair(UnixSocket& other, const PeerIds& ids) override;
  Result<void, IoFailure> Connect(Caller& caller, RawAddressView address, bool dont_wait) override;
  Result<void, Errno> Shutdown(ShutdownBit how) override;
  Result<RawAddress, Errno> PeerName() const override;

  IoResult SendMessage(Outgoing& out) override;
  Result<Incoming, IoFailure> Next(const ReceiveRequest& request) override;
  void Take(std::size_t bytes) override;
  std::size_t UnreadByPeer() const override;

  Result<std::uint16_t, IoFailure> Poll() override;
  Result<std::uint64_t, IoFailure> Available() override;

 private:
  // Null: none, or it has gone.
  UnixDatagram* peer() const;
  void SetPeer(UnixDatagram* receiver);
  bool IsFullFor(const UnixDatagram& sender) const {
    return peer() != &sender && queue_.count() > kMaxWaiting;
  }

  std::uint64_t peer_serial_ = 0;    // 0: not connected
  std::set<std::uint64_t> senders_;  // who is connected to it, by serial
};

}  // namespace glovebox::engine::net
