#include "engine/net/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "engine/net/netlink_socket.h"
#include "engine/net/tcp_socket.h"
#include "engine/net/udp_socket.h"
#include "engine/net/unix_socket.h"

namespace glovebox::engine::net {
namespace {

constexpr int kProtocolIcmp = 1;
constexpr int kProtocolTcp = 6;
constexpr int kProtocolUdp = 17;
constexpr int kTypeCount = 11;  // SOCK_MAX

template <typename T, typename... Arguments>
std::shared_ptr<Socket> New(Arguments&&... arguments) {
  return std::make_shared<T>(std::forward<Arguments>(arguments)...);
}

using Made = Result<std::shared_ptr<Socket>, Errno>;

Made MakeUnix(Network& network, int type, int protocol) {
  if (protocol != 0 && protocol != kFamilyUnix) return std::unexpected(kEPROTONOSUPPORT);
  switch (type) {
    case kStream:
    case kSequentialPacket:
      return New<UnixConnection>(network, static_cast<SocketType>(type));
    case kDatagram:
    case kRaw:  // as datagrams: net/unix/af_unix.c, unix_create
      return New<UnixDatagram>(network);
    default:
      return std::unexpected(kESOCKTNOSUPPORT);
  }
}

Made MakeInet(Network& network, Family family, int type, int protocol) {
  if (protocol < 0 || protocol > 262) return std::unexpected(kEINVAL);
  switch (type) {
    case kStream:
      if (protocol != 0 && protocol != kProtocolTcp) return std::unexpected(kEPROTONOSUPPORT);
      return New<TcpSocket>(network, family);
    case kDatagram:
      // "Ping" sockets are for the groups of ping_group_range, which is empty.
      if (protocol == kProtocolIcmp && family == kFamilyInet) return std::unexpected(kEACCES);
      if (protocol != 0 && protocol != kProtocolUdp) return std::unexpected(kEPROTONOSUPPORT);
      return New<UdpSocket>(network, family);
    case kRaw:
      if (protocol == 0) return std::unexpected(kEPROTONOSUPPORT);
      return std::unexpected(kEPERM);  // as for who lacks CAP_NET_RAW: raw(7)
    default:
      return std::unexpected(kESOCKTNOSUPPORT);
  }
}

Made MakeNetlink(Network& network, int type, int protocol) {
  constexpr int kRoute = 0;
  constexpr int kProtocolCount = 32;
  if (type != kRaw && type != kDatagram) return std::unexpected(kESOCKTNOSUPPORT);
  if (protocol < 0 || protocol >= kProtocolCount || protocol != kRoute)
    return std::unexpected(kEPROTONOSUPPORT);
  return New<NetlinkSocket>(network, static_cast<SocketType>(type));
}

}  // namespace

void PortTable::Remove(std::uint16_t port, const InetSocket& socket) {
  const auto it = by_port_.find(port);
  if (it == by_port_.end()) return;
  std::erase(it->second, &socket);
  if (it->second.empty()) by_port_.erase(it);
}

const std::vector<InetSocket*>& PortTable::At(std::uint16_t port) const {
  static const std::vector<InetSocket*> kNobody;
  const auto it = by_port_.find(port);
  return it == by_port_.end() ? kNobody : it->second;
}

std::uint16_t PortTable::FreePort() {
  for (int tried = 0; tried <= kLastEphemeral - kFirstEphemeral; ++tried) {
    const std::uint16_t port = next_;
    next_ = port == kLastEphemeral ? kFirstEphemeral : static_cast<std::uint16_t>(port + 1);
    if (!by_port_.contains(port)) return port;
  }
  return 0;
}

Network::~Network() {
  // What only sockets hold goes with them.
  std::vector<std::shared_ptr<OpenFile>> files;
  for (const auto& [serial, socket] : sockets_) socket->DropHeld(files);
  Release(std::move(files));
}

std::shared_ptr<SocketInode> Network::MakeInode() {
  return std::make_shared<SocketInode>(services_, 0777u, kSocketDevice);
}

std::uint64_t Network::Register(Socket& socket) {
  sockets_.emplace(next_serial_, &socket);
  return next_serial_++;
}

Made Network::Make(int family, int type, int protocol) {
  Collect();
  if (family < 0 || family >= kFamilyCount) return std::unexpected(kEAFNOSUPPORT);
  if (type < 0 || type >= kTypeCount) return std::unexpected(kEINVAL);
  Made made = std::unexpected(kEAFNOSUPPORT);
  switch (family) {
    case kFamilyUnix:
      made = MakeUnix(*this, type, protocol);
      break;
    case kFamilyInet:
    case kFamilyInet6:
      made = MakeInet(*this, static_cast<Family>(family), type, protocol);
      break;
    case kFamilyNetlink:
      made = MakeNetlink(*this, type, protocol);
      break;
    case kFamilyPacket:
      return std::unexpected(kEPERM);
    default:
      break;
  }
  // The node is the measure of what a socket costs before anything lies in it.
  if (made && !(*made)->inode().ChargeDisk(VfsServices::kInodeBytes))
    return std::unexpected(kENOBUFS);
  return made;
}

Result<std::pair<std::shared_ptr<Socket>, std::shared_ptr<Socket>>, Errno> Network::MakePair(
    const PeerIds& ids, int family, int type, int protocol) {
  auto first = Make(family, type, protocol);
  if (!first) return std::unexpected(first.error());
  auto second = Make(family, type, protocol);
  if (!second) return std::unexpected(second.error());
  if (family != kFamilyUnix) return std::unexpected(kEOPNOTSUPP);
  static_cast<UnixSocket&>(**first).Pair(static_cast<UnixSocket&>(**second), ids);
  return std::pair(std::move(*first), std::move(*second));
}

std::string Network::FreeAbstractName() {
  constexpr std::uint32_t kNames = 1u << 20;
  for (std::uint32_t tried = 0; tried < kNames; ++tried) {
    next_abstract_ = (next_abstract_ + 1) % kNames;
    std::string name = std::string(1, '\0') + fmt::format("{:05x}", next_abstract_);
    if (!abstract_names_.contains(name)) return name;
  }
  return {};
}

void Network::Release(std::vector<std::shared_ptr<OpenFile>> files) {
  std::ranges::move(files, std::back_inserter(released_));
  if (releasing_) return;
  releasing_ = true;
  while (!released_.empty()) {
    const auto last = std::move(released_.back());
    released_.pop_back();
  }
  releasing_ = false;
}

void Network::Collect(bool now) {
  // The work is of the order of all sockets: it comes once for a share of them.
  constexpr std::size_t kLeast = 16;
  if (sent_sockets_ == 0 || (!now && sent_sockets_ < std::max(kLeast, sockets_.size() / 4))) return;
  sent_sockets_ = 0;
  const auto as_socket = [](const std::shared_ptr<OpenFile>& file) {
    return dynamic_cast<Socket*>(file.get());
  };
  std::map<std::uint64_t, long> held;  // by serial: references that lie in queues
  for (const auto& [serial, socket] : sockets_) {
    socket->VisitHeld([&](const std::shared_ptr<OpenFile>& file) {
      if (const Socket* const inner = as_socket(file)) ++held[inner->serial()];
    });
  }
  // Whoever is held otherwise is alive, and so is what lies in its queues.
  std::set<std::uint64_t> alive;
  std::vector<Socket*> to_visit;
  for (const auto& [serial, socket] : sockets_) {
    const auto it = held.find(serial);
    if (it != held.end() && socket->weak_from_this().use_count() == it->second) continue;
    alive.insert(serial);
    to_visit.push_back(socket);
  }
  while (!to_visit.empty()) {
    const Socket* const socket = to_visit.back();
    to_visit.pop_back();
    socket->VisitHeld([&](const std::shared_ptr<OpenFile>& file) {
      Socket* const inner = as_socket(file);
      if (inner != nullptr && alive.insert(inner->serial()).second) to_visit.push_back(inner);
    });
  }
  std::vector<std::shared_ptr<OpenFile>> garbage;
  for (const auto& [serial, socket] : sockets_) {
    if (!alive.contains(serial)) socket->DropHeld(garbage);
  }
  Release(std::move(garbage));
}

}  // namespace glovebox::engine::net
