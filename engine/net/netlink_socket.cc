#include "engine/net/netlink_socket.h"

#include <algorithm>
#include <cstring>

#include "engine/net/interfaces.h"

namespace glovebox::engine::net {
namespace {

// uapi/linux/netlink.h
struct Header {
  std::uint32_t length;
  std::uint16_t type, flags;
  std::uint32_t sequence, port;
};
static_assert(sizeof(Header) == 16);
enum HeaderFlag : std::uint16_t { kMulti = 2, kAcknowledge = 4, kDump = 0x300 };
enum MessageType : std::uint16_t {
  kNoop = 1,
  kErrorType = 2,
  kDone = 3,
  kFirstRouteType = 16,
  kNewLink = 16,
  kGetLink = 18,
  kNewAddress = 20,
  kGetAddress = 22,
  kGetRoute = 26,
};

// uapi/linux/rtnetlink.h, uapi/linux/if_link.h, uapi/linux/if_addr.h
struct LinkMessage {
  std::uint8_t family, pad;
  std::uint16_t hardware_type;
  std::int32_t index;
  std::uint32_t flags, change;
};
static_assert(sizeof(LinkMessage) == 16);
struct AddressMessage {
  std::uint8_t family, prefix_bits, flags, scope;
  std::uint32_t index;
};
static_assert(sizeof(AddressMessage) == 8);
enum LinkAttribute : std::uint16_t {
  kLinkAddress = 1,
  kLinkBroadcast = 2,
  kLinkName = 3,
  kLinkMtu = 4,
  kLinkDiscipline = 6,
  kLinkQueueLength = 13,
  kLinkState = 16,
  kLinkMode = 17,
};
enum AddressAttribute : std::uint16_t {
  kAddressAddress = 1,
  kAddressLocal = 2,
  kAddressLabel = 3,
  kAddressCache = 6,
  kAddressFlags = 8,
};
constexpr std::uint8_t kScopeHost = 254;
constexpr std::uint8_t kPermanent = 0x80;
constexpr std::array<std::uint8_t, 6> kNoHardwareAddress{};

// One message, whose attributes follow each other at multiples of four bytes.
class Builder {
 public:
  Builder(std::uint16_t type, const Header& request, std::uint16_t flags, std::uint32_t port) {
    Put(Header{0, type, flags, request.sequence, port});
  }
  template <typename T>
  Builder& Put(const T& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Builder& Attribute(std::uint16_t type, std::span<const std::byte> value) {
    Put(static_cast<std::uint16_t>(2 * sizeof(std::uint16_t) + value.size())).Put(type);
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    bytes_.resize((bytes_.size() + 3) / 4 * 4);
    return *this;
  }
  template <typename T>
  Builder& Attribute(std::uint16_t type, const T& value) {
    return Attribute(type, std::as_bytes(std::span(&value, 1)));
  }
  Builder& Text(std::uint16_t type, std::string_view text) {
    const std::string with_nul(text);
    return Attribute(type, std::as_bytes(std::span(with_nul.c_str(), with_nul.size() + 1)));
  }
  std::vector<std::byte> Take() {
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &length, sizeof(length));
    return std::move(bytes_);
  }

 private:
  std::vector<std::byte> bytes_;
};

std::vector<std::byte> LoopbackLink(const Header& request, std::uint16_t flags,
                                    std::uint32_t port) {
  return Builder(kNewLink, request, flags, port)
      .Put(LinkMessage{0, 0, Loopback::kHardwareType, Loopback::kIndex, Loopback::kLinkFlags, 0})
      .Text(kLinkName, Loopback::kName)
      .Attribute(kLinkQueueLength, Loopback::kQueueLength)
      .Attribute(kLinkState, std::uint8_t{0})
      .Attribute(kLinkMode, std::uint8_t{0})
      .Attribute(kLinkMtu, Loopback::kMtu)
      .Text(kLinkDiscipline, "noqueue")
      .Attribute(kLinkAddress, kNoHardwareAddress)
      .Attribute(kLinkBroadcast, kNoHardwareAddress)
      .Take();
}

std::vector<std::byte> LoopbackAddress(Family family, const Header& request, std::uint32_t port) {
  const bool v4 = family == kFamilyInet;
  const std::uint8_t prefix = v4 ? Loopback::kPrefixBits : Loopback::kPrefixBits6;
  Builder builder(kNewAddress, request, kMulti, port);
  builder.Put(AddressMessage{static_cast<std::uint8_t>(family), prefix, kPermanent, kScopeHost,
                             Loopback::kIndex});
  if (v4) {
    const std::uint32_t address = __builtin_bswap32(Loopback::kAddress);
    builder.Attribute(kAddressAddress, address).Attribute(kAddressLocal, address);
    builder.Text(kAddressLabel, Loopback::kName);
  } else {
    builder.Attribute(kAddressAddress, IpAddress::LoopbackOf(kFamilyInet6).bytes());
  }
  constexpr std::array<std::uint32_t, 4> kForEver{~0u, ~0u, 0, 0};
  return builder.Attribute(kAddressFlags, std::uint32_t{kPermanent})
      .Attribute(kAddressCache, kForEver)
      .Take();
}

template <typename T>
T At(std::span<const std::byte> bytes, std::size_t offset) {
  T value{};
  if (offset < bytes.size())
    std::memcpy(&value, bytes.data() + offset, std::min(sizeof(T), bytes.size() - offset));
  return value;
}

// Is the link that a request of RTM_GETLINK names the one there is?
bool NamesLoopback(std::span<const std::byte> request) {
  const auto link = At<LinkMessage>(request, sizeof(Header));
  if (link.index != 0) return link.index == static_cast<std::int32_t>(Loopback::kIndex);
  std::size_t at = sizeof(Header) + sizeof(LinkMessage);
  while (at + 4 <= request.size()) {
    const auto length = At<std::uint16_t>(request, at);
    if (length < 4) break;
    if (At<std::uint16_t>(request, at + 2) == kLinkName) {
      const auto value =
          request.subspan(at + 4, std::min<std::size_t>(length - 4u, request.size() - at - 4));
      const auto* text = reinterpret_cast<const char*>(value.data());
      return std::string_view(text, strnlen(text, value.size())) == Loopback::kName;
    }
    at += (length + 3u) / 4 * 4;
  }
  return false;
}

}  // namespace

NetlinkSocket::NetlinkSocket(Network& network, SocketType type)
    : Socket(network, kFamilyNetlink, type, 0, kForNetlink), queue_(services()) {}

Result<void, Errno> NetlinkSocket::TakePort(std::uint32_t wanted) {
  for (const auto& [serial, socket] : network().sockets()) {
    const auto* const other = dynamic_cast<const NetlinkSocket*>(socket);
    if (other != nullptr && other != this && other->name_.port == wanted)
      return std::unexpected(kEADDRINUSE);
  }
  name_.port = wanted;
  return {};
}

void NetlinkSocket::EnsurePort(std::uint32_t pid) {
  // The process' number, or one that no process has: net/netlink/af_netlink.c, netlink_autobind.
  for (std::uint32_t port = pid; name_.port == 0;
       port = port == pid ? ~std::uint32_t{4095} : port - 1)
    static_cast<void>(TakePort(port));
}

Result<void, IoFailure> NetlinkSocket::Bind(Caller& caller, RawAddressView address) {
  const auto name = ParseNetlinkName(address);
  if (!name) return std::unexpected(name.error());
  if (name_.port != 0 && name->port != name_.port) return std::unexpected(kEINVAL);
  if (name->port == 0) {
    EnsurePort(caller.ids.pid);
  } else if (const auto ok = TakePort(name->port); !ok) {
    return std::unexpected(ok.error());
  }
  name_.groups = name->groups;
  return {};
}

Result<void, IoFailure> NetlinkSocket::Connect(Caller& caller, RawAddressView address, bool) {
  if (FamilyOf(address) == kFamilyUnspecified) return {};
  const auto name = ParseNetlinkName(address);
  if (!name) return std::unexpected(name.error());
  if (name->port != 0 || name->groups != 0) return std::unexpected(kEPERM);
  EnsurePort(caller.ids.pid);
  return {};
}

bool NetlinkSocket::Reply(std::vector<std::byte> bytes) {
  Message message;
  message.bytes = std::move(bytes);
  message.source = EncodeNetlinkName({});
  if (!queue_.Push(std::move(message))) return false;
  Tell(kPollIn);
  return true;
}

bool NetlinkSocket::Answer(std::span<const std::byte> request) {
  const auto header = At<Header>(request, 0);
  if (header.type < kFirstRouteType && (header.flags & kAcknowledge) == 0) return true;
  const bool dumps = (header.flags & kDump) == kDump;
  const auto family = At<std::uint8_t>(request, sizeof(Header));
  Errno error{};
  switch (header.type) {
    case kGetLink:
      if (!dumps) {
        if (NamesLoopback(request)) return Reply(LoopbackLink(header, 0, name_.port));
        error = kENODEV;
        break;
      }
      if (!Reply(LoopbackLink(header, kMulti, name_.port))) return false;
      break;
    case kGetAddress:
      if (!dumps) {
        error = kEOPNOTSUPP;
        break;
      }
      for (const Family one : {kFamilyInet, kFamilyInet6}) {
        if (family != kFamilyUnspecified && family != one) continue;
        if (!Reply(LoopbackAddress(one, header, name_.port))) return false;
      }
      break;
    case kGetRoute:
      // There is no way to anywhere but here.
      if (!dumps) error = kENETUNREACH;
      break;
    default: {
      // In each group of four: new, delete, get, set.
      constexpr int kGet = 2;
      if (header.type >= kFirstRouteType)
        error = (header.type - kFirstRouteType) % 4 == kGet ? kEOPNOTSUPP : kEPERM;
      break;
    }
  }
  if (dumps && error == Errno{} && header.type >= kFirstRouteType)
    return Reply(Builder(kDone, header, kMulti, name_.port).Put(std::int32_t{0}).Take());
  return Reply(Builder(kErrorType, header, 0, name_.port)
                   .Put(-static_cast<std::int32_t>(error))
                   .Put(header)
                   .Take());
}

IoResult NetlinkSocket::SendMessage(Outgoing& out) {
  if (!out.to.empty()) {
    const auto name = ParseNetlinkName(out.to);
    if (!name) return std::unexpected(name.error());
    if (name->port != 0 || name->groups != 0) return std::unexpected(kECONNREFUSED);
  }
  EnsurePort(out.sender.pid);
  auto rest = out.bytes;
  while (rest.size() >= sizeof(Header)) {
    const auto header = At<Header>(rest, 0);
    if (header.length < sizeof(Header) || header.length > rest.size()) break;
    if (!Answer(rest.first(header.length))) return std::unexpected(kENOBUFS);
    rest = rest.subspan(std::min<std::size_t>(rest.size(), (header.length + 3u) / 4 * 4));
  }
  return out.bytes.size();
}

Result<Incoming, IoFailure> NetlinkSocket::Next(const ReceiveRequest& request) {
  if ((request.flags & kMessageOutOfBand) != 0) return std::unexpected(kEOPNOTSUPP);
  if (queue_.empty()) return std::unexpected(WaitHere());
  Incoming in;
  in.message = &queue_.front();
  in.message_bytes = in.message->bytes.size();
  in.bytes = std::min(request.bytes, in.message_bytes);
  return in;
}

void NetlinkSocket::Take(std::size_t) {
  if (!queue_.empty()) queue_.Pop();
}

Result<std::uint16_t, IoFailure> NetlinkSocket::Poll() {
  return static_cast<std::uint16_t>(queue_.empty() ? kPollOut : kPollOut | kPollIn);
}

Result<void, Errno> NetlinkSocket::SetOption(Caller& caller, int level, int number,
                                             std::span<const std::byte> value) {
  // Membership in groups, of whose events there are none: nothing changes about `lo`.
  constexpr int kAddMembership = 1;
  constexpr int kDropMembership = 2;
  if (level == kLevelNetlink && (number == kAddMembership || number == kDropMembership)) return {};
  return Socket::SetOption(caller, level, number, value);
}

}  // namespace glovebox::engine::net
