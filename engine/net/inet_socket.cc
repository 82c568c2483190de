#include "engine/net/inet_socket.h"

#include <algorithm>

namespace glovebox::engine::net {
namespace {

constexpr std::uint16_t kFirstUnprivilegedPort = 1024;

}  // namespace

InetSocket::InetSocket(Network& network, Family family, SocketType type, int protocol,
                       OptionScope scope, PortTable& ports)
    : Socket(network, family, type, protocol, scope), ports_(ports) {
  local_.address = remote_.address = IpAddress::AnyOf(family);
}

InetSocket::~InetSocket() { GiveUpPort(); }

int InetSocket::FitsAddress(const IpAddress& to) const {
  if (local_.address == to) return 3;
  if (!local_.address.IsAny()) return 0;
  if (local_.address.is_v4()) return to.is_v4() ? 2 : 0;
  return !to.is_v4() || !OnlyV6() ? 1 : 0;
}

bool InetSocket::Overlaps(const IpAddress& address, bool only_v6, const InetSocket& other) const {
  if (other.FitsAddress(address) > 0) return true;
  if (!address.IsAny()) return false;
  // Everything of a family, or of both.
  if (address.is_v4()) {
    return other.local_.address.is_v4() || (other.local_.address.IsAny() && !other.OnlyV6());
  }
  return !other.local_.address.is_v4() || !only_v6;
}

bool InetSocket::IsTaken(const IpAddress& address, std::uint16_t port) const {
  return std::ranges::any_of(ports_.At(port), [&](const InetSocket* other) {
    return other != this && Overlaps(address, OnlyV6(), *other) && !SharesPortWith(*other);
  });
}

Result<void, Errno> InetSocket::TakePort(std::uint16_t port) {
  local_.port = port;
  ports_.Add(port, *this);
  return {};
}

Result<void, Errno> InetSocket::EnsurePort() {
  if (local_.port != 0) return {};
  const std::uint16_t port = ports_.FreePort();
  return port != 0 ? TakePort(port) : std::unexpected(kEADDRNOTAVAIL);
}

void InetSocket::GiveUpPort() {
  if (local_.port != 0) ports_.Remove(local_.port, *this);
  local_.port = 0;
}

Result<void, IoFailure> InetSocket::Bind(Caller& caller, RawAddressView address) {
  auto endpoint = ParseEndpoint(address, family());
  if (!endpoint && family() == kFamilyInet && address.size() >= 16 &&
      FamilyOf(address) == kFamilyUnspecified) {
    // ip(7): programs of old leave the family out where they mean every address.
    RawAddress named(address.begin(), address.end());
    named[0] = std::byte{kFamilyInet};
    endpoint = ParseEndpoint(named, family());
    if (endpoint && !endpoint->address.IsAny()) return std::unexpected(kEAFNOSUPPORT);
  }
  if (!endpoint) return std::unexpected(endpoint.error());
  const IpAddress& to = endpoint->address;
  if (family() == kFamilyInet6 && to.is_v4() && OnlyV6()) return std::unexpected(kEINVAL);
  if (family() == kFamilyInet6 && to.IsMulticast() && socket_type() == kStream)
    return std::unexpected(kEINVAL);
  const bool frees = options().IsOn(kLevelIp, kIpFreeBind);
  const bool group = to.is_v4() && (to.IsMulticast() || to.IsBroadcast());
  if (!to.IsAny() && !to.IsLoopback() && !frees && !group)
    return std::unexpected(to.IsLinkLocal() && endpoint->scope_id == 0 ? kEINVAL : kEADDRNOTAVAIL);
  if (endpoint->port != 0 && endpoint->port < kFirstUnprivilegedPort &&
      !caller.Can(Capability::kNetBindService))
    return std::unexpected(kEACCES);
  if (local_.port != 0) return std::unexpected(kEINVAL);
  const std::uint16_t port = endpoint->port != 0 ? endpoint->port : ports_.FreePort();
  if (port == 0 || IsTaken(to, port)) return std::unexpected(kEADDRINUSE);
  chose_address_ = !to.IsAny();
  chose_port_ = endpoint->port != 0;
  local_ = *endpoint;
  local_.flow_info = 0;
  if (const auto ok = TakePort(port); !ok) return std::unexpected(ok.error());
  return {};
}

Result<InetSocket::Route, Errno> InetSocket::RouteTo(const Endpoint& to) const {
  Route route{to, local_.address};
  if (to.address.IsAny()) {
    // "This host": ip(7) and RFC 4291, 2.5.2.
    route.to.address = IpAddress::LoopbackOf(to.address.is_v4() ? kFamilyInet : kFamilyInet6);
  }
  const IpAddress& address = route.to.address;
  if (family() == kFamilyInet6 && address.is_v4() && OnlyV6()) return std::unexpected(kENETUNREACH);
  if (address.IsLinkLocal() && to.scope_id == 0) return std::unexpected(kEINVAL);
  if (!address.IsLoopback() || address.IsBroadcast()) return std::unexpected(kENETUNREACH);
  const Family family_of_to = address.is_v4() ? kFamilyInet : kFamilyInet6;
  if (local_.address.IsAny()) {
    route.from = IpAddress::LoopbackOf(family_of_to);
  } else if (local_.address.is_v4() != address.is_v4()) {
    return std::unexpected(kENETUNREACH);
  }
  return route;
}

Result<InetSocket::Route, Errno> InetSocket::RouteTo(RawAddressView address) const {
  const auto endpoint = ParseEndpoint(address, family());
  if (!endpoint) return std::unexpected(endpoint.error());
  return RouteTo(*endpoint);
}

Result<std::vector<std::byte>, Errno> InetSocket::GetOption(int level, int number) {
  if (level == kLevelIpv6 && family() != kFamilyInet6) return std::unexpected(kEOPNOTSUPP);
  return Socket::GetOption(level, number);
}

Result<void, Errno> InetSocket::SetOption(Caller& caller, int level, int number,
                                          std::span<const std::byte> value) {
  if (level == kLevelIpv6) {
    if (family() != kFamilyInet6) return std::unexpected(kENOPROTOOPT);
    if (number == kIpv6Only && local_.port != 0) return std::unexpected(kEINVAL);
  }
  // Groups are of interfaces that can multicast, and `lo` is none.
  constexpr int kIpGroups[] = {35, 36, 37, 38, 39, 40};      // IP_ADD_MEMBERSHIP and its kin
  constexpr int kCommonGroups[] = {42, 43, 44, 45, 46, 47};  // MCAST_JOIN_GROUP and its kin
  constexpr int kIpv6Groups[] = {20, 21, 27, 28};            // IPV6_JOIN_GROUP and its kin
  const auto names = [&](std::span<const int> list) {
    return std::ranges::find(list, number) != list.end();
  };
  if ((level == kLevelIp && (names(kIpGroups) || names(kCommonGroups))) ||
      (level == kLevelIpv6 && (names(kIpv6Groups) || names(kCommonGroups)))) {
    return std::unexpected(kENODEV);
  }
  return Socket::SetOption(caller, level, number, value);
}

}  // namespace glovebox::engine::net
