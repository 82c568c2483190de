// What TCP and UDP have in common: ports and addresses, ip(7), ipv6(7).
#pragma once

#include "engine/net/network.h"
#include "engine/net/socket.h"

namespace glovebox::engine::net {

class InetSocket : public Socket {
 public:
  InetSocket(Network& network, Family family, SocketType type, int protocol, OptionScope scope,
             PortTable& ports);
  ~InetSocket() override;

  Result<void, IoFailure> Bind(Caller& caller, RawAddressView address) override;
  RawAddress Name() const override { return EncodeEndpoint(local_, family()); }

  Result<std::vector<std::byte>, Errno> GetOption(int level, int number) override;
  Result<void, Errno> SetOption(Caller& caller, int level, int number,
                                std::span<const std::byte> value) override;

  const Endpoint& local() const { return local_; }
  const Endpoint& remote() const { return remote_; }
  // How well the socket's own address fits one that something was sent to; 0: not at all.
  int FitsAddress(const IpAddress& to) const;

 protected:
  // Where what is sent to `to` goes, and from which address. Errors: ENETUNREACH, EINVAL.
  struct Route {
    Endpoint to;
    IpAddress from;
  };
  Result<Route, Errno> RouteTo(const Endpoint& to) const;
  // Parses and routes: for connect(2) and sendto(2).
  Result<Route, Errno> RouteTo(RawAddressView address) const;

  // Somebody else has the port, and does not share it.
  virtual bool SharesPortWith(const InetSocket& other) const = 0;
  bool IsTaken(const IpAddress& address, std::uint16_t port) const;
  Result<void, Errno> TakePort(std::uint16_t port);
  // A port of its own for who has none. Errors: EADDRNOTAVAIL.
  Result<void, Errno> EnsurePort();
  void GiveUpPort();
  bool BothHave(const InetSocket& other, int option) const {
    return options().IsOn(kLevelSocket, option) && other.options().IsOn(kLevelSocket, option);
  }
  bool OnlyV6() const { return family() == kFamilyInet6 && options().IsOn(kLevelIpv6, kIpv6Only); }
  PortTable& ports() const { return ports_; }

  Endpoint local_;
  Endpoint remote_;
  bool chose_address_ = false;  // bind(2) named one
  bool chose_port_ = false;

 private:
  // Could something be sent to both?
  bool Overlaps(const IpAddress& address, bool only_v6, const InetSocket& other) const;

  PortTable& ports_;
};

}  // namespace glovebox::engine::net
