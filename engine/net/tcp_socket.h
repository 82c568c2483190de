// TCP within the box, tcp(7): a connection is two queues of bytes, one at each end.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "engine/net/inet_socket.h"

namespace glovebox::engine::net {

class TcpSocket : public InetSocket {
 public:
  TcpSocket(Network& network, Family family);
  ~TcpSocket() override;

  Result<void, IoFailure> Connect(Caller& caller, RawAddressView address, bool dont_wait) override;
  Result<void, Errno> Listen(Caller& caller, int backlog) override;
  Result<std::shared_ptr<Socket>, IoFailure> Accept() override;
  Result<void, Errno> Shutdown(ShutdownBit how) override;
  Result<RawAddress, Errno> PeerName() const override;

  IoResult SendMessage(Outgoing& out) override;
  Result<Incoming, IoFailure> Next(const ReceiveRequest& request) override;
  void Copy(std::size_t from, std::span<std::byte> out) const override { queue_.Copy(from, out); }
  void Take(std::size_t bytes) override;
  std::size_t UnreadByPeer() const override { return 0; }  // what was sent has arrived
  Result<bool, Errno> AtMark() const override;

  Result<std::uint16_t, IoFailure> Poll() override;
  Result<std::uint64_t, IoFailure> Available() override;

  Result<std::vector<std::byte>, Errno> GetOption(int level, int number) override;
  Result<void, Errno> SetOption(Caller& caller, int level, int number,
                                std::span<const std::byte> value) override;

  TcpState tcp_state() const;
  std::size_t queued_bytes() const { return accepts_ ? waiting_.size() : queue_.bytes(); }

 protected:
  bool SharesPortWith(const InetSocket& other) const override;

 private:
  enum class State : std::uint8_t { kClosed, kConnecting, kConnected, kListening };

  Result<void, IoFailure> BeginConnect(RawAddressView address, bool dont_wait);
  // Back to how socket(2) made it, but for its options.
  void Disconnect();
  // A connection to `client` that accept(2) will give out. Errors: ENOBUFS.
  Result<void, Errno> Admit(TcpSocket& client);
  void AdmitKnocking();
  void StopListening();
  bool HasRoomInBacklog() const { return waiting_.size() <= backlog_; }
  TcpSocket* ListenerAt(const Endpoint& to) const;

  // What came from the other end: nothing more, or that there is no connection any more.
  void OnFinish();
  void OnReset();
  // There is no connection (any more), because of `error`.
  void Break(Errno error);
  bool finished_both() const { return (shut_ & kShutSend) != 0 && finished_; }
  // How many bytes may lie at the other end.
  std::size_t Window() const;
  Result<Incoming, IoFailure> NextUrgent(const ReceiveRequest& request);

  State state_ = State::kClosed;
  // connect(2) has not told yet how it went: it was asked not to wait, or was interrupted.
  bool connect_pending_ = false;
  bool was_connected_ = false;
  bool finished_ = false;  // the other end sends nothing more
  TcpSocket* peer_ = nullptr;
  MessageQueue queue_;          // what came and was not read yet
  std::uint64_t consumed_ = 0;  // bytes that were read
  // Urgent data: where in the stream its byte is, the byte, and whether MSG_OOB has had it.
  struct Urgent {
    std::uint64_t at = 0;
    std::byte value{};
    bool read = false;
  };
  std::optional<Urgent> urgent_;
  bool keeps_send_buffer_ = false;  // SO_SNDBUF was set

  // Of a listener: connections that are to be accepted, and who waits for room among them.
  std::deque<std::shared_ptr<TcpSocket>> waiting_;
  std::deque<std::uint64_t> knocking_;  // serials
  std::size_t backlog_ = 0;
};

}  // namespace glovebox::engine::net
