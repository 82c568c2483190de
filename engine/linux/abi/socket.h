// Structures of sockets in guest memory. Sources: linux/socket.h, uapi/linux/if.h, net/compat.c of
// Linux 6.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/linux/abi/i386.h"

namespace glovebox::engine::abi {

// struct msghdr
struct MessageHeader {
  std::uint64_t name;
  std::int32_t name_bytes, pad;
  std::uint64_t vectors, vector_count;
  std::uint64_t control, control_bytes;
  std::uint32_t flags, pad2;
};
static_assert(sizeof(MessageHeader) == 56);

// struct mmsghdr
struct CountedMessage {
  MessageHeader header;
  std::uint32_t bytes, pad;
};
static_assert(sizeof(CountedMessage) == 64);

// struct cmsghdr
struct ControlHeader {
  std::uint64_t length;
  std::int32_t level, type;
};
static_assert(sizeof(ControlHeader) == 16);

// struct ifreq: a name, and what a request is about
struct InterfaceRequest {
  std::array<char, 16> name;
  std::array<std::byte, 24> value;
};
static_assert(sizeof(InterfaceRequest) == 40);

// struct ifconf
struct InterfaceList {
  std::int32_t bytes, pad;
  std::uint64_t buffer;
};
static_assert(sizeof(InterfaceList) == 16);

namespace i386 {

struct MessageHeader {
  std::uint32_t name;
  std::int32_t name_bytes;
  std::uint32_t vectors, vector_count, control, control_bytes, flags;
};
static_assert(sizeof(MessageHeader) == 28);
constexpr void Decode(const MessageHeader& from, abi::MessageHeader& to) {
  to = {from.name,          from.name_bytes, 0, from.vectors, from.vector_count, from.control,
        from.control_bytes, from.flags,      0};
}
constexpr bool Encode(const abi::MessageHeader& from, MessageHeader& to) {
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  to = {low(from.name),    from.name_bytes,         low(from.vectors), low(from.vector_count),
        low(from.control), low(from.control_bytes), from.flags};
  return true;
}

struct CountedMessage {
  MessageHeader header;
  std::uint32_t bytes;
};
static_assert(sizeof(CountedMessage) == 32);
constexpr void Decode(const CountedMessage& from, abi::CountedMessage& to) {
  Decode(from.header, to.header);
  to.bytes = from.bytes;
}
constexpr bool Encode(const abi::CountedMessage& from, CountedMessage& to) {
  to.bytes = from.bytes;
  return Encode(from.header, to.header);
}

struct ControlHeader {
  std::uint32_t length;
  std::int32_t level, type;
};
static_assert(sizeof(ControlHeader) == 12);
constexpr void Decode(const ControlHeader& from, abi::ControlHeader& to) {
  to = {from.length, from.level, from.type};
}
constexpr bool Encode(const abi::ControlHeader& from, ControlHeader& to) {
  to = {static_cast<std::uint32_t>(from.length), from.level, from.type};
  return true;
}

struct InterfaceRequest {
  std::array<char, 16> name;
  std::array<std::byte, 16> value;
};
static_assert(sizeof(InterfaceRequest) == 32);
constexpr void Decode(const InterfaceRequest& from, abi::InterfaceRequest& to) {
  to = {};
  to.name = from.name;
  std::copy(from.value.begin(), from.value.end(), to.value.begin());
}
constexpr bool Encode(const abi::InterfaceRequest& from, InterfaceRequest& to) {
  to.name = from.name;
  std::copy_n(from.value.begin(), to.value.size(), to.value.begin());
  return true;
}

struct InterfaceList {
  std::int32_t bytes;
  std::uint32_t buffer;
};
static_assert(sizeof(InterfaceList) == 8);
constexpr void Decode(const InterfaceList& from, abi::InterfaceList& to) {
  to = {from.bytes, 0, from.buffer};
}
constexpr bool Encode(const abi::InterfaceList& from, InterfaceList& to) {
  to = {from.bytes, static_cast<std::uint32_t>(from.buffer)};
  return true;
}

}  // namespace i386

template <>
struct I386Form<MessageHeader> : I386Forms<i386::MessageHeader> {};
template <>
struct I386Form<CountedMessage> : I386Forms<i386::CountedMessage> {};
template <>
struct I386Form<ControlHeader> : I386Forms<i386::ControlHeader> {};
template <>
struct I386Form<InterfaceRequest> : I386Forms<i386::InterfaceRequest> {};
template <>
struct I386Form<InterfaceList> : I386Forms<i386::InterfaceList> {};

}  // namespace glovebox::engine::abi
