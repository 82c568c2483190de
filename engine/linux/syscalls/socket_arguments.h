// Types of arguments that only calls about sockets have, and how they look in a trace.
#pragma once

#include <string>

#include "engine/linux/abi/socket.h"
#include "engine/linux/syscalls/flag_names.h"

namespace glovebox::engine {

inline constexpr BitName kFamilyNames[] = {
    Bit(0, "AF_UNSPEC"), Bit(1, "AF_UNIX"),     Bit(2, "AF_INET"),
    Bit(10, "AF_INET6"), Bit(16, "AF_NETLINK"), Bit(17, "AF_PACKET"),
};
using SocketFamily = Choice<kFamilyNames>;

inline constexpr BitName kSocketTypeNames[] = {
    {0xf, 1, "SOCK_STREAM"},       {0xf, 2, "SOCK_DGRAM"},   {0xf, 3, "SOCK_RAW"},
    {0xf, 5, "SOCK_SEQPACKET"},    {0xf, 10, "SOCK_PACKET"}, Bit(04000, "SOCK_NONBLOCK"),
    Bit(02000000, "SOCK_CLOEXEC"),
};
using SocketTypeFlags = Flags<kSocketTypeNames>;

inline constexpr BitName kMessageNames[] = {
    Bit(0x1, "MSG_OOB"),
    Bit(0x2, "MSG_PEEK"),
    Bit(0x4, "MSG_DONTROUTE"),
    Bit(0x8, "MSG_CTRUNC"),
    Bit(0x20, "MSG_TRUNC"),
    Bit(0x40, "MSG_DONTWAIT"),
    Bit(0x80, "MSG_EOR"),
    Bit(0x100, "MSG_WAITALL"),
    Bit(0x800, "MSG_CONFIRM"),
    Bit(0x2000, "MSG_ERRQUEUE"),
    Bit(0x4000, "MSG_NOSIGNAL"),
    Bit(0x8000, "MSG_MORE"),
    Bit(0x10000, "MSG_WAITFORONE"),
    Bit(0x20000000, "MSG_FASTOPEN"),
    Bit(0x40000000, "MSG_CMSG_CLOEXEC"),
};
// 32 bits: what stands above them in the register is not the call's.
struct MessageFlags {
  std::uint32_t value;
};
inline std::string PrintValue(MessageFlags v) {
  return PrintBits(v.value, kMessageNames, std::size(kMessageNames));
}

inline constexpr BitName kShutdownNames[] = {Bit(0, "SHUT_RD"), Bit(1, "SHUT_WR"),
                                             Bit(2, "SHUT_RDWR")};
using ShutdownHow = Choice<kShutdownNames>;

inline constexpr BitName kLevelNames[] = {Bit(0, "SOL_IP"),    Bit(1, "SOL_SOCKET"),
                                          Bit(6, "SOL_TCP"),   Bit(17, "SOL_UDP"),
                                          Bit(41, "SOL_IPV6"), Bit(270, "SOL_NETLINK")};
using SocketLevel = Choice<kLevelNames>;

// The name of an option; its level is the argument in front of it.
struct SocketOptionName {
  int value;
};
// A struct sockaddr that the call reads; its length is the argument behind it.
struct InSocketAddress {
  GuestAddr address;
};
// One that it writes; behind it stands a pointer to its length.
struct OutSocketAddress {
  GuestAddr address;
};
using SocketLength = std::int32_t;

std::string PrintOptionName(int level, int number);
std::string PrintSocketAddress(const PrintContext& context, GuestAddr address, std::uint64_t size);

template <>
struct Argument<SocketOptionName> {
  static constexpr bool kAfter = false;
  static SocketOptionName From(std::uint64_t raw, abi::Layout) { return {static_cast<int>(raw)}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return PrintOptionName(static_cast<int>(c.arguments[i - 1]), static_cast<int>(c.arguments[i]));
  }
};

template <>
struct Argument<InSocketAddress> {
  static constexpr bool kAfter = false;
  static InSocketAddress From(std::uint64_t raw, abi::Layout) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return PrintSocketAddress(c, c.arguments[i], static_cast<std::uint32_t>(c.arguments[i + 1]));
  }
};

template <>
struct Argument<OutSocketAddress> {
  static constexpr bool kAfter = true;
  static OutSocketAddress From(std::uint64_t raw, abi::Layout) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    if (c.result < 0 || c.arguments[i] == 0) return PrintHex(c.arguments[i]);
    GuestMemory memory(c.memory);
    const auto size = memory.Read(GuestPtr<const SocketLength>{c.arguments[i + 1]});
    return size ? PrintSocketAddress(c, c.arguments[i], static_cast<std::uint32_t>(*size))
                : PrintHex(c.arguments[i]);
  }
};

// A struct msghdr: of a send, and of a receive, whose buffers are printed when they are full.
std::string PrintMessage(const PrintContext& context, GuestPtr<const abi::MessageHeader> header,
                         bool received);
struct InMessage {
  GuestPtr<const abi::MessageHeader> header;
};
struct OutMessage {
  GuestPtr<abi::MessageHeader> header;
};
template <>
struct Argument<InMessage> {
  static constexpr bool kAfter = false;
  static InMessage From(std::uint64_t raw, abi::Layout layout) { return {{raw, layout}}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return PrintMessage(c, {c.arguments[i], c.layout}, false);
  }
};
template <>
struct Argument<OutMessage> {
  static constexpr bool kAfter = true;
  static OutMessage From(std::uint64_t raw, abi::Layout layout) { return {{raw, layout}}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    if (c.result < 0) return PrintHex(c.arguments[i]);
    return PrintMessage(c, {c.arguments[i], c.layout}, true);
  }
};

}  // namespace glovebox::engine
