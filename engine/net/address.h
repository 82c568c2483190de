// Addresses of sockets, as guests write them and as we compare them.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/base/errno.h"
#include "engine/base/result.h"
#include "engine/net/constants.h"

namespace glovebox::engine::net {

// A struct sockaddr: its family first. It looks the same in the memory of every ABI.
using RawAddress = std::vector<std::byte>;
using RawAddressView = std::span<const std::byte>;

inline constexpr std::size_t kMaxAddressBytes = 128;  // struct sockaddr_storage
inline constexpr std::size_t kFamilyBytes = 2;

// What the first two bytes say; kFamilyUnspecified for fewer.
std::uint16_t FamilyOf(RawAddressView address);

// An IPv6 address; one of IPv4 in the form ::ffff:a.b.c.d (RFC 4291, 2.5.5.2).
class IpAddress {
 public:
  static IpAddress V4(std::uint32_t host_order);
  static IpAddress V6(const std::array<std::uint8_t, 16>& bytes) { return IpAddress(bytes); }
  static IpAddress AnyOf(Family family);
  static IpAddress LoopbackOf(Family family);

  bool is_v4() const;
  std::uint32_t v4() const;  // in host order; only where is_v4()
  bool IsAny() const;
  bool IsLoopback() const;  // 127.0.0.0/8, ::1
  bool IsMulticast() const;
  bool IsBroadcast() const;
  bool IsLinkLocal() const;  // fe80::/10
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  auto operator<=>(const IpAddress&) const = default;

 private:
  explicit IpAddress(const std::array<std::uint8_t, 16>& bytes) : bytes_(bytes) {}
  std::array<std::uint8_t, 16> bytes_{};
};

struct Endpoint {
  IpAddress address = IpAddress::AnyOf(kFamilyInet);
  std::uint16_t port = 0;
  std::uint32_t flow_info = 0;
  std::uint32_t scope_id = 0;
};

// struct sockaddr_in and sockaddr_in6. Errors: EINVAL for one that is too short, EAFNOSUPPORT for
// another family than the socket's.
Result<Endpoint, Errno> ParseEndpoint(RawAddressView address, Family family);
RawAddress EncodeEndpoint(const Endpoint& endpoint, Family family);

// The name of a Unix socket, unix(7), "Address format": empty for none, with a NUL in front for an
// abstract one, else a path. Errors: EINVAL.
Result<std::string, Errno> ParseUnixName(RawAddressView address);
RawAddress EncodeUnixName(const std::string& name);
inline bool IsAbstract(const std::string& name) { return !name.empty() && name.front() == '\0'; }

// struct sockaddr_nl
struct NetlinkName {
  std::uint32_t port = 0;  // nl_pid; 0 is the kernel
  std::uint32_t groups = 0;
};
Result<NetlinkName, Errno> ParseNetlinkName(RawAddressView address);
RawAddress EncodeNetlinkName(const NetlinkName& name);

}  // namespace glovebox::engine::net
