#include "engine/net/options.h"

#include <algorithm>
#include <limits>

namespace glovebox::engine::net {
namespace {

constexpr int kMost = std::numeric_limits<int>::max();
constexpr int kLeast = std::numeric_limits<int>::min();

constexpr OptionScope kInet = kForInet;
constexpr OptionScope kAll = kForAll;

using enum OptionRule;

// Sources: net/core/sock.c, net/ipv4/ip_sockglue.c, net/ipv6/ipv6_sockglue.c, net/ipv4/tcp.c,
// net/ipv4/udp.c, net/netlink/af_netlink.c of Linux 6.1, whose defaults these are.
constexpr OptionRow kOptions[] = {
    {kLevelSocket, 1, "SO_DEBUG", kAll, kSwitch, 0, 0, 0},
    {kLevelSocket, kReuseAddress, "SO_REUSEADDR", kAll, kSwitch, 0, 0, 0},
    {kLevelSocket, kDontRoute, "SO_DONTROUTE", kAll, kSwitch, 0, 0, 0},
    {kLevelSocket, kBroadcast, "SO_BROADCAST", kAll, kSwitch, 0, 0, 0},
    {kLevelSocket, kKeepAlive, "SO_KEEPALIVE", kAll, kSwitch, 0, 0, 0},
    {kLevelSocket, kOutOfBandInline, "SO_OOBINLINE", kAll, kSwitch, 0, 0, 0},
    {kLevelSocket, 11, "SO_NO_CHECK", kAll, kSwitch, 0, 0, 0},
    {kLevelSocket, 12, "SO_PRIORITY", kAll, kNumber, 0, kLeast, kMost},
    {kLevelSocket, kReusePort, "SO_REUSEPORT", kAll, kSwitch, 0, 0, 0},
    {kLevelSocket, kPassCredentials, "SO_PASSCRED",
     static_cast<OptionScope>(kForUnix | kForNetlink), kSwitch, 0, 0, 0},
    {kLevelSocket, kReceiveLowWater, "SO_RCVLOWAT", kAll, kClamped, 1, 1, kMost},
    {kLevelSocket, kSendLowWater, "SO_SNDLOWAT", kAll, kReadOnly, 1, 0, 0},
    {kLevelSocket, 29, "SO_TIMESTAMP", kAll, kSwitch, 0, 0, 0},
    {kLevelSocket, 34, "SO_PASSSEC", kForUnix, kSwitch, 0, 0, 0},
    {kLevelSocket, 35, "SO_TIMESTAMPNS", kAll, kSwitch, 0, 0, 0},
    {kLevelSocket, 36, "SO_MARK", kAll, kNumber, 0, kLeast, kMost},
    {kLevelSocket, 40, "SO_RXQ_OVFL", kAll, kSwitch, 0, 0, 0},
    {kLevelSocket, 44, "SO_LOCK_FILTER", kAll, kSwitch, 0, 0, 0},
    {kLevelSocket, 46, "SO_BUSY_POLL", kAll, kNumber, 0, 0, kMost},
    {kLevelSocket, 49, "SO_INCOMING_CPU", kAll, kNumber, -1, kLeast, kMost},
    {kLevelIp, kIpTos, "IP_TOS", kInet, kNumber, 0, 0, 255},
    {kLevelIp, kIpTtl, "IP_TTL", kInet, kNumber, 64, 1, 255},
    {kLevelIp, 6, "IP_RECVOPTS", kInet, kSwitch, 0, 0, 0},
    {kLevelIp, kIpReturnOptions, "IP_RETOPTS", kInet, kSwitch, 0, 0, 0},
    {kLevelIp, kIpPacketInfo, "IP_PKTINFO", kInet, kSwitch, 0, 0, 0},
    {kLevelIp, 10, "IP_MTU_DISCOVER", kInet, kNumber, 1, 0, 5},
    {kLevelIp, kIpReceiveErrors, "IP_RECVERR", kInet, kSwitch, 0, 0, 0},
    {kLevelIp, kIpReceiveTtl, "IP_RECVTTL", kInet, kSwitch, 0, 0, 0},
    {kLevelIp, kIpReceiveTos, "IP_RECVTOS", kInet, kSwitch, 0, 0, 0},
    {kLevelIp, 14, "IP_MTU", kInet, kReadOnly, 65535, 0, 0},
    {kLevelIp, kIpFreeBind, "IP_FREEBIND", kInet, kSwitch, 0, 0, 0},
    {kLevelIp, 24, "IP_BIND_ADDRESS_NO_PORT", kInet, kSwitch, 0, 0, 0},
    {kLevelIp, 33, "IP_MULTICAST_TTL", kForUdp, kNumber, 1, 0, 255},
    {kLevelIp, 34, "IP_MULTICAST_LOOP", kForUdp, kSwitch, 1, 0, 0},
    {kLevelIp, 49, "IP_MULTICAST_ALL", kForUdp, kSwitch, 1, 0, 0},
    {kLevelIpv6, kIpv6UnicastHops, "IPV6_UNICAST_HOPS", kInet, kNumber, 64, -1, 255},
    {kLevelIpv6, 18, "IPV6_MULTICAST_HOPS", kForUdp, kNumber, 1, -1, 255},
    {kLevelIpv6, 19, "IPV6_MULTICAST_LOOP", kForUdp, kSwitch, 1, 0, 0},
    {kLevelIpv6, 23, "IPV6_MTU_DISCOVER", kInet, kNumber, 1, 0, 5},
    {kLevelIpv6, 24, "IPV6_MTU", kInet, kReadOnly, 65536, 0, 0},
    {kLevelIpv6, 25, "IPV6_RECVERR", kInet, kSwitch, 0, 0, 0},
    {kLevelIpv6, kIpv6Only, "IPV6_V6ONLY", kInet, kSwitch, 0, 0, 0},
    {kLevelIpv6, kIpv6ReceivePacketInfo, "IPV6_RECVPKTINFO", kInet, kSwitch, 0, 0, 0},
    {kLevelIpv6, kIpv6ReceiveHopLimit, "IPV6_RECVHOPLIMIT", kInet, kSwitch, 0, 0, 0},
    {kLevelIpv6, kIpv6ReceiveTrafficClass, "IPV6_RECVTCLASS", kInet, kSwitch, 0, 0, 0},
    {kLevelIpv6, kIpv6TrafficClass, "IPV6_TCLASS", kInet, kNumber, 0, -1, 255},
    {kLevelIpv6, 70, "IPV6_AUTOFLOWLABEL", kInet, kSwitch, 1, 0, 0},
    {kLevelIpv6, 72, "IPV6_ADDR_PREFERENCES", kInet, kNumber, 2, 0, kMost},
    {kLevelTcp, 1, "TCP_NODELAY", kForTcp, kSwitch, 0, 0, 0},
    {kLevelTcp, kTcpMaxSegment, "TCP_MAXSEG", kForTcp, kNumber, 536, 88, 32767},
    {kLevelTcp, 3, "TCP_CORK", kForTcp, kSwitch, 0, 0, 0},
    {kLevelTcp, 4, "TCP_KEEPIDLE", kForTcp, kNumber, 7200, 1, 32767},
    {kLevelTcp, 5, "TCP_KEEPINTVL", kForTcp, kNumber, 75, 1, 32767},
    {kLevelTcp, 6, "TCP_KEEPCNT", kForTcp, kNumber, 9, 1, 127},
    {kLevelTcp, 7, "TCP_SYNCNT", kForTcp, kNumber, 6, 1, 127},
    {kLevelTcp, 8, "TCP_LINGER2", kForTcp, kNumber, 60, kLeast, kMost},
    {kLevelTcp, 9, "TCP_DEFER_ACCEPT", kForTcp, kNumber, 0, kLeast, kMost},
    {kLevelTcp, 10, "TCP_WINDOW_CLAMP", kForTcp, kNumber, 0, 0, kMost},
    {kLevelTcp, 12, "TCP_QUICKACK", kForTcp, kSwitch, 1, 0, 0},
    {kLevelTcp, 18, "TCP_USER_TIMEOUT", kForTcp, kNumber, 0, 0, kMost},
    {kLevelTcp, 23, "TCP_FASTOPEN", kForTcp, kNumber, 0, 0, 65535},
    {kLevelTcp, 24, "TCP_TIMESTAMP", kForTcp, kReadOnly, 0, 0, 0},
    {kLevelTcp, 25, "TCP_NOTSENT_LOWAT", kForTcp, kNumber, 0, kLeast, kMost},
    {kLevelTcp, 30, "TCP_FASTOPEN_CONNECT", kForTcp, kNumber, 0, 0, 1},
    {kLevelTcp, 36, "TCP_INQ", kForTcp, kNumber, 0, 0, 1},
    {kLevelUdp, 101, "UDP_NO_CHECK6_TX", kForUdp, kSwitch, 0, 0, 0},
    {kLevelUdp, 102, "UDP_NO_CHECK6_RX", kForUdp, kSwitch, 0, 0, 0},
    {kLevelUdp, 104, "UDP_GRO", kForUdp, kSwitch, 0, 0, 0},
    {kLevelNetlink, 3, "NETLINK_PKTINFO", kForNetlink, kSwitch, 0, 0, 0},
    {kLevelNetlink, 4, "NETLINK_BROADCAST_ERROR", kForNetlink, kSwitch, 0, 0, 0},
    {kLevelNetlink, 5, "NETLINK_NO_ENOBUFS", kForNetlink, kSwitch, 0, 0, 0},
    {kLevelNetlink, 10, "NETLINK_CAP_ACK", kForNetlink, kSwitch, 0, 0, 0},
    {kLevelNetlink, 11, "NETLINK_EXT_ACK", kForNetlink, kSwitch, 0, 0, 0},
    {kLevelNetlink, 12, "NETLINK_GET_STRICT_CHK", kForNetlink, kSwitch, 0, 0, 0},
};

// Options that are more than a number, for traces: Socket and its kinds serve them.
constexpr struct {
  int level, number;
  std::string_view name;
} kOtherNames[] = {
    {kLevelSocket, kType, "SO_TYPE"},
    {kLevelSocket, kError, "SO_ERROR"},
    {kLevelSocket, kSendBuffer, "SO_SNDBUF"},
    {kLevelSocket, kReceiveBuffer, "SO_RCVBUF"},
    {kLevelSocket, kLinger, "SO_LINGER"},
    {kLevelSocket, kPeerCredentials, "SO_PEERCRED"},
    {kLevelSocket, kReceiveTimeout, "SO_RCVTIMEO_OLD"},
    {kLevelSocket, kSendTimeout, "SO_SNDTIMEO_OLD"},
    {kLevelSocket, kReceiveTimeoutNew, "SO_RCVTIMEO_NEW"},
    {kLevelSocket, kSendTimeoutNew, "SO_SNDTIMEO_NEW"},
    {kLevelSocket, kBindToDevice, "SO_BINDTODEVICE"},
    {kLevelSocket, kPeerName, "SO_PEERNAME"},
    {kLevelSocket, kAcceptsConnections, "SO_ACCEPTCONN"},
    {kLevelSocket, kSendBufferForce, "SO_SNDBUFFORCE"},
    {kLevelSocket, kReceiveBufferForce, "SO_RCVBUFFORCE"},
    {kLevelSocket, kProtocol, "SO_PROTOCOL"},
    {kLevelSocket, kDomain, "SO_DOMAIN"},
    {kLevelSocket, kCookie, "SO_COOKIE"},
    {kLevelSocket, kPeerGroups, "SO_PEERGROUPS"},
    {kLevelTcp, kTcpInfo, "TCP_INFO"},
    {kLevelTcp, kTcpCongestion, "TCP_CONGESTION"},
};

constexpr bool Matches(const OptionRow& row, int level, int number) {
  return row.level == level && row.number == number;
}

}  // namespace

const OptionRow* FindOption(int level, int number, OptionScope scope) {
  for (const OptionRow& row : kOptions) {
    if (Matches(row, level, number) && (row.scope & scope) != 0) return &row;
  }
  return nullptr;
}

std::string_view OptionName(int level, int number) {
  if (const OptionRow* row = FindOption(level, number, kForAll)) return row->name;
  for (const auto& row : kOtherNames) {
    if (row.level == level && row.number == number) return row.name;
  }
  return {};
}

int Options::Get(int level, int number) const {
  if (const auto it = changed_.find({level, number}); it != changed_.end()) return it->second;
  const OptionRow* row = FindOption(level, number, scope_);
  return row != nullptr ? row->initial : 0;
}

Result<void, Errno> Options::Set(int level, int number, int value) {
  const OptionRow* row = FindOption(level, number, scope_);
  if (row == nullptr) return std::unexpected(kENOPROTOOPT);
  switch (row->rule) {
    case kReadOnly:
      return std::unexpected(kENOPROTOOPT);
    case kSwitch:
      value = value != 0 ? 1 : 0;
      break;
    case kNumber:
      if (value < row->least || value > row->most) return std::unexpected(kEINVAL);
      break;
    case kClamped:
      value = std::clamp(value, row->least, row->most);
      break;
  }
  Put(level, number, value);
  return {};
}

}  // namespace glovebox::engine::net
