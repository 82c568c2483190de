#include "engine/net/address.h"

#include <algorithm>
#include <cstring>

namespace glovebox::engine::net {
namespace {

constexpr std::size_t kInetBytes = 16;
constexpr std::size_t kInet6Bytes = 28;
constexpr std::size_t kInet6LeastBytes = 24;  // RFC 2133: without the scope
constexpr std::size_t kUnixBytes = 110;
constexpr std::size_t kNetlinkBytes = 12;

// Fields of a sockaddr one after another: numbers of the host's order (which is the guest's) and of
// the network's.
class Reader {
 public:
  explicit Reader(RawAddressView bytes) : bytes_(bytes) {}
  template <typename T>
  T Native() {
    T value{};
    const std::size_t count = std::min(sizeof(T), bytes_.size());
    std::memcpy(&value, bytes_.data(), count);
    bytes_ = bytes_.subspan(count);
    return value;
  }
  std::uint16_t Port() { return __builtin_bswap16(Native<std::uint16_t>()); }
  std::uint32_t Ip() { return __builtin_bswap32(Native<std::uint32_t>()); }

 private:
  RawAddressView bytes_;
};

class Writer {
 public:
  template <typename T>
  Writer& Native(const T& value) {
    const auto part = std::as_bytes(std::span(&value, 1));
    bytes_.insert(bytes_.end(), part.begin(), part.end());
    return *this;
  }
  Writer& Port(std::uint16_t port) { return Native(__builtin_bswap16(port)); }
  Writer& Ip(std::uint32_t ip) { return Native(__builtin_bswap32(ip)); }
  RawAddress Take() { return std::move(bytes_); }

 private:
  RawAddress bytes_;
};

constexpr std::array<std::uint8_t, 16> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

std::uint16_t FamilyOf(RawAddressView address) {
  return address.size() < kFamilyBytes ? std::uint16_t{kFamilyUnspecified}
                                       : Reader(address).Native<std::uint16_t>();
}

IpAddress IpAddress::V4(std::uint32_t host_order) {
  std::array<std::uint8_t, 16> bytes = kMapped;
  for (std::size_t i = 0; i < 4; ++i)
    bytes[12 + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return IpAddress(bytes);
}

IpAddress IpAddress::AnyOf(Family family) {
  return family == kFamilyInet ? V4(0) : IpAddress(std::array<std::uint8_t, 16>{});
}

IpAddress IpAddress::LoopbackOf(Family family) {
  if (family == kFamilyInet) return V4(0x7f000001);
  std::array<std::uint8_t, 16> bytes{};
  bytes.back() = 1;
  return IpAddress(bytes);
}

bool IpAddress::is_v4() const {
  return std::equal(bytes_.begin(), bytes_.begin() + 12, kMapped.begin());
}

std::uint32_t IpAddress::v4() const {
  std::uint32_t value = 0;
  for (std::size_t i = 12; i < 16; ++i) value = value << 8 | bytes_[i];
  return value;
}

bool IpAddress::IsAny() const {
  return *this == AnyOf(kFamilyInet) || *this == AnyOf(kFamilyInet6);
}
bool IpAddress::IsLoopback() const {
  return is_v4() ? bytes_[12] == 127 : *this == LoopbackOf(kFamilyInet6);
}
bool IpAddress::IsMulticast() const {
  return is_v4() ? (bytes_[12] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}
bool IpAddress::IsBroadcast() const {
  return is_v4() && (v4() == 0xffffffff || v4() == 0x7fffffff);
}
bool IpAddress::IsLinkLocal() const { return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80; }

Result<Endpoint, Errno> ParseEndpoint(RawAddressView address, Family family) {
  const std::size_t least = family == kFamilyInet ? kInetBytes : kInet6LeastBytes;
  if (address.size() < least) return std::unexpected(kEINVAL);
  if (FamilyOf(address) != family) return std::unexpected(kEAFNOSUPPORT);
  Reader reader(address.subspan(kFamilyBytes));
  Endpoint out;
  out.port = reader.Port();
  if (family == kFamilyInet) {
    out.address = IpAddress::V4(reader.Ip());
    return out;
  }
  out.flow_info = reader.Native<std::uint32_t>();
  out.address = IpAddress::V6(reader.Native<std::array<std::uint8_t, 16>>());
  out.scope_id = reader.Native<std::uint32_t>();
  return out;
}

RawAddress EncodeEndpoint(const Endpoint& endpoint, Family family) {
  Writer writer;
  writer.Native(static_cast<std::uint16_t>(family)).Port(endpoint.port);
  if (family == kFamilyInet) {
    writer.Ip(endpoint.address.v4()).Native(std::uint64_t{0});
  } else {
    writer.Native(endpoint.flow_info).Native(endpoint.address.bytes()).Native(endpoint.scope_id);
  }
  static_assert(kInetBytes == 16 && kInet6Bytes == 28);
  return writer.Take();
}

Result<std::string, Errno> ParseUnixName(RawAddressView address) {
  if (address.size() < kFamilyBytes || address.size() > kUnixBytes ||
      FamilyOf(address) != kFamilyUnix) {
    return std::unexpected(kEINVAL);
  }
  const auto path = address.subspan(kFamilyBytes);
  std::string name(reinterpret_cast<const char*>(path.data()), path.size());
  // Every byte of an abstract name counts; a path ends at its NUL.
  if (!IsAbstract(name)) name.resize(std::min(name.size(), name.find('\0')));
  return name;
}

RawAddress EncodeUnixName(const std::string& name) {
  RawAddress out = Writer().Native(static_cast<std::uint16_t>(kFamilyUnix)).Take();
  const auto bytes = std::as_bytes(std::span(name));
  out.insert(out.end(), bytes.begin(), bytes.end());
  if (!name.empty() && !IsAbstract(name)) out.push_back(std::byte{0});
  return out;
}

Result<NetlinkName, Errno> ParseNetlinkName(RawAddressView address) {
  if (address.size() < kNetlinkBytes || FamilyOf(address) != kFamilyNetlink)
    return std::unexpected(kEINVAL);
  Reader reader(address.subspan(2 * kFamilyBytes));
  NetlinkName name;
  name.port = reader.Native<std::uint32_t>();
  name.groups = reader.Native<std::uint32_t>();
  return name;
}

RawAddress EncodeNetlinkName(const NetlinkName& name) {
  return Writer()
      .Native(static_cast<std::uint16_t>(kFamilyNetlink))
      .Native(std::uint16_t{0})
      .Native(name.port)
      .Native(name.groups)
      .Take();
}

}  // namespace glovebox::engine::net
