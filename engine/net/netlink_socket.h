// NETLINK_ROUTE, rtnetlink(7): what programs ask it to learn of interfaces and their addresses.
#pragma once

#include "engine/net/network.h"
#include "engine/net/socket.h"

namespace glovebox::engine::net {

class NetlinkSocket : public Socket {
 public:
  NetlinkSocket(Network& network, SocketType type);

  Result<void, IoFailure> Bind(Caller& caller, RawAddressView address) override;
  Result<void, IoFailure> Connect(Caller& caller, RawAddressView address, bool dont_wait) override;
  RawAddress Name() const override { return EncodeNetlinkName(name_); }
  Result<RawAddress, Errno> PeerName() const override { return EncodeNetlinkName({}); }

  // A request to the kernel; its answer lies in the queue when this returns.
  IoResult SendMessage(Outgoing& out) override;
  Result<Incoming, IoFailure> Next(const ReceiveRequest& request) override;
  void Copy(std::size_t from, std::span<std::byte> out) const override { queue_.Copy(from, out); }
  void Take(std::size_t bytes) override;
  Result<std::uint16_t, IoFailure> Poll() override;
  Result<void, Errno> SetOption(Caller& caller, int level, int number,
                                std::span<const std::byte> value) override;

 private:
  Result<void, Errno> TakePort(std::uint32_t wanted);
  void EnsurePort(std::uint32_t pid);
  // Each of these answers one request.
  bool Answer(std::span<const std::byte> request);
  bool Reply(std::vector<std::byte> bytes);

  NetlinkName name_;
  MessageQueue queue_;
};

}  // namespace glovebox::engine::net
