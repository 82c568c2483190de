// UDP within the box, udp(7).
#pragma once

#include "engine/net/inet_socket.h"

namespace glovebox::engine::net {

class UdpSocket : public InetSocket {
 public:
  UdpSocket(Network& network, Family family);

  Result<void, IoFailure> Connect(Caller& caller, RawAddressView address, bool dont_wait) override;
  Result<void, Errno> Shutdown(ShutdownBit how) override;
  Result<RawAddress, Errno> PeerName() const override;

  // As far as an IP packet goes: 65,535 bytes with the headers of IP and UDP.
  std::size_t max_message_bytes() const override {
    return family() == kFamilyInet ? 65'507 : 65'527;
  }
  IoResult SendMessage(Outgoing& out) override;
  Result<Incoming, IoFailure> Next(const ReceiveRequest& request) override;
  void Copy(std::size_t from, std::span<std::byte> out) const override { queue_.Copy(from, out); }
  void Take(std::size_t bytes) override;

  Result<std::uint16_t, IoFailure> Poll() override;
  Result<std::uint64_t, IoFailure> Available() override;

  bool connected() const { return connected_; }
  std::size_t queued_bytes() const { return queue_.cost(); }

 protected:
  bool SharesPortWith(const InetSocket& other) const override {
    return BothHave(other, kReuseAddress) || BothHave(other, kReusePort);
  }

 private:
  HeaderFields HeaderOf(const Outgoing& out, const IpAddress& to) const;
  // Who gets what goes from `from` to `to`; null: nobody.
  UdpSocket* ReceiverOf(const Endpoint& from, const Endpoint& to) const;

  bool connected_ = false;
  MessageQueue queue_;
};

}  // namespace glovebox::engine::net
