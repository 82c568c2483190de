// Numbers of the socket interface, the same on every ABI that we serve. Sources: linux/socket.h,
// uapi/asm-generic/socket.h, uapi/linux/in.h, uapi/linux/in6.h, uapi/linux/tcp.h, uapi/linux/udp.h
// of Linux 6.1.
#pragma once

#include <cstdint>

namespace glovebox::engine::net {

enum Family : std::uint16_t {
  kFamilyUnspecified = 0,
  kFamilyUnix = 1,
  kFamilyInet = 2,
  kFamilyInet6 = 10,
  kFamilyNetlink = 16,
  kFamilyPacket = 17,
  kFamilyCount = 46,
};

enum SocketType : std::uint8_t {
  kStream = 1,
  kDatagram = 2,
  kRaw = 3,
  kSequentialPacket = 5,
  kPacketType = 10,
};

enum Level : int {
  kLevelIp = 0,
  kLevelSocket = 1,
  kLevelTcp = 6,
  kLevelUdp = 17,
  kLevelIpv6 = 41,
  kLevelNetlink = 270,
};

enum MessageFlag : std::uint32_t {
  kMessageOutOfBand = 0x1,
  kMessagePeek = 0x2,
  kMessageDontRoute = 0x4,
  kMessageControlTruncated = 0x8,
  kMessageTruncated = 0x20,
  kMessageDontWait = 0x40,
  kMessageEndOfRecord = 0x80,
  kMessageWaitAll = 0x100,
  kMessageConfirm = 0x800,
  kMessageErrorQueue = 0x2000,
  kMessageNoSignal = 0x4000,
  kMessageMore = 0x8000,
  kMessageWaitForOne = 0x10000,
  kMessageFastOpen = 0x20000000,
  kMessageControlCloseOnExec = 0x40000000,
  kMessageControlCompat = 0x80000000,
};

enum SocketOption : int {
  kReuseAddress = 2,
  kType = 3,
  kError = 4,
  kDontRoute = 5,
  kBroadcast = 6,
  kSendBuffer = 7,
  kReceiveBuffer = 8,
  kKeepAlive = 9,
  kOutOfBandInline = 10,
  kLinger = 13,
  kReusePort = 15,
  kPassCredentials = 16,
  kPeerCredentials = 17,
  kReceiveLowWater = 18,
  kSendLowWater = 19,
  kReceiveTimeout = 20,
  kSendTimeout = 21,
  kBindToDevice = 25,
  kPeerName = 28,
  kAcceptsConnections = 30,
  kSendBufferForce = 32,
  kReceiveBufferForce = 33,
  kProtocol = 38,
  kDomain = 39,
  kCookie = 57,
  kPeerGroups = 59,
  kReceiveTimeoutNew = 66,
  kSendTimeoutNew = 67,
};

enum IpOption : int {
  kIpTos = 1,
  kIpTtl = 2,
  kIpReturnOptions = 7,
  kIpPacketInfo = 8,
  kIpReceiveErrors = 11,
  kIpReceiveTtl = 12,
  kIpReceiveTos = 13,
  kIpFreeBind = 15,
};
enum Ipv6Option : int {
  kIpv6UnicastHops = 16,
  kIpv6Only = 26,
  kIpv6ReceivePacketInfo = 49,
  kIpv6PacketInfo = 50,
  kIpv6ReceiveHopLimit = 51,
  kIpv6HopLimit = 52,
  kIpv6DontFragment = 62,
  kIpv6ReceiveTrafficClass = 66,
  kIpv6TrafficClass = 67,
};
enum TcpOption : int { kTcpMaxSegment = 2, kTcpInfo = 11, kTcpCongestion = 13 };

// Types of control messages at kLevelSocket: unix(7).
enum ControlType : int { kControlRights = 1, kControlCredentials = 2 };

enum ShutdownBit : std::uint8_t { kShutReceive = 1, kShutSend = 2, kShutBoth = 3 };

// The only one who needs them is /proc/net, and who asks for TCP_INFO: net/tcp_states.h.
enum class TcpState : std::uint8_t {
  kEstablished = 1,
  kSynSent = 2,
  kFinWait2 = 5,
  kClosed = 7,
  kCloseWait = 8,
  kListen = 10,
};

}  // namespace glovebox::engine::net
