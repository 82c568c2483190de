#include "engine/net/udp_socket.h"

#include <algorithm>

namespace glovebox::engine::net {
namespace {

constexpr int kProtocolUdp = 17;

bool SamePlace(const Endpoint& a, const Endpoint& b) {
  return a.address == b.address && a.port == b.port;
}

}  // namespace

UdpSocket::UdpSocket(Network& network, Family family)
    : InetSocket(network, family, kDatagram, kProtocolUdp, kForUdp, network.udp()),
      queue_(services()) {}

Result<void, IoFailure> UdpSocket::Connect(Caller&, RawAddressView address, bool) {
  if (address.size() < kFamilyBytes) return std::unexpected(kEINVAL);
  if (FamilyOf(address) == kFamilyUnspecified) {
    connected_ = false;
    remote_ = {IpAddress::AnyOf(family())};
    if (!chose_address_) local_.address = IpAddress::AnyOf(family());
    if (!chose_port_) GiveUpPort();
    return {};
  }
  // A connected socket may be led elsewhere: its own address is chosen anew.
  if (connected_ && !chose_address_) local_.address = IpAddress::AnyOf(family());
  const auto route = RouteTo(address);
  if (!route) return std::unexpected(route.error());
  if (const auto ok = EnsurePort(); !ok) return std::unexpected(kEAGAIN);
  local_.address = route->from;
  remote_ = route->to;
  connected_ = true;
  Tell();
  return {};
}

Result<void, Errno> UdpSocket::Shutdown(ShutdownBit how) {
  // net/ipv4/af_inet.c, inet_shutdown: the mark stays even where the answer is a failure.
  shut_ |= how;
  Tell();
  return connected_ ? Result<void, Errno>{} : std::unexpected(kENOTCONN);
}

Result<RawAddress, Errno> UdpSocket::PeerName() const {
  if (!connected_) return std::unexpected(kENOTCONN);
  return EncodeEndpoint(remote_, family());
}

UdpSocket* UdpSocket::ReceiverOf(const Endpoint& from, const Endpoint& to) const {
  std::vector<UdpSocket*> best;
  int best_score = 0;
  for (InetSocket* const candidate : ports().At(to.port)) {
    auto& socket = static_cast<UdpSocket&>(*candidate);
    int score = socket.FitsAddress(to.address);
    if (score == 0) continue;
    if (socket.connected_) {
      if (!SamePlace(socket.remote_, from)) continue;
      score += 4;
    }
    if (score < best_score) continue;
    if (score > best_score) best.clear();
    best_score = score;
    best.push_back(&socket);
  }
  if (best.empty()) return nullptr;
  // Those with SO_REUSEPORT share by the sender's port; else who came last stands in front.
  const bool shared = best.front()->options().IsOn(kLevelSocket, kReusePort);
  return shared ? best[from.port % best.size()] : best.back();
}

HeaderFields UdpSocket::HeaderOf(const Outgoing& out, const IpAddress& to) const {
  const auto of = [&](const std::optional<int>& own, int of_v4, int of_v6) {
    if (own) return *own;
    return to.is_v4() ? options().Get(kLevelIp, of_v4) : options().Get(kLevelIpv6, of_v6);
  };
  // Negative is "the default".
  HeaderFields fields;
  if (const int hops = of(out.hops, kIpTtl, kIpv6UnicastHops); hops >= 0) fields.hops = hops;
  fields.traffic_class = std::max(of(out.traffic_class, kIpTos, kIpv6TrafficClass), 0);
  return fields;
}

IoResult UdpSocket::SendMessage(Outgoing& out) {
  // Datagrams made of several sends (MSG_MORE) are not served.
  if ((out.flags & (kMessageOutOfBand | kMessageMore)) != 0) return std::unexpected(kEOPNOTSUPP);
  if (out.bytes.size() > max_message_bytes()) return std::unexpected(kEMSGSIZE);
  Route route{remote_, local_.address};
  if (!out.to.empty()) {
    // An IPv6 socket may also name the peer it has: AF_UNSPEC stands for none.
    const auto endpoint = ParseEndpoint(out.to, family());
    if (!endpoint) return std::unexpected(endpoint.error());
    if (endpoint->port == 0) return std::unexpected(kEINVAL);
    if (endpoint->address.IsBroadcast() && !options().IsOn(kLevelSocket, kBroadcast))
      return std::unexpected(kEACCES);
    const auto found = RouteTo(*endpoint);
    if (!found) return std::unexpected(found.error());
    route = *found;
  } else if (!connected_) {
    return std::unexpected(kEDESTADDRREQ);
  }
  if (out.from) {
    // What the guest says where it comes from has to be an address of its own.
    if (!out.from->IsLoopback()) return std::unexpected(kEINVAL);
    route.from = *out.from;
  }
  if (error_ != Errno{}) return std::unexpected(TakeError());
  if ((shut_ & kShutSend) != 0) return std::unexpected(kEPIPE);
  if (const auto ok = EnsurePort(); !ok) return std::unexpected(kEAGAIN);
  const Endpoint from{route.from, local_.port};
  UdpSocket* const receiver = ReceiverOf(from, route.to);
  if (receiver == nullptr) {
    // What an ICMP message would say, to whom it would be said: udp(7), "Error handling".
    if (connected_ || options().IsOn(kLevelIp, kIpReceiveErrors)) {
      error_ = kECONNREFUSED;
      Tell();
    }
    return out.bytes.size();
  }
  // What finds no room is lost, as on a network.
  if (receiver->queue_.cost() > static_cast<std::size_t>(receiver->receive_buffer_bytes_))
    return out.bytes.size();
  Message message;
  message.bytes.assign(out.bytes.begin(), out.bytes.end());
  message.source = EncodeEndpoint(from, receiver->family());
  message.to = route.to;
  message.header = HeaderOf(out, route.to.address);
  if (!receiver->queue_.Push(std::move(message))) return std::unexpected(kENOBUFS);
  receiver->Tell(kPollIn);
  return out.bytes.size();
}

Result<Incoming, IoFailure> UdpSocket::Next(const ReceiveRequest& request) {
  Incoming in;
  if (error_ != Errno{}) return std::unexpected(TakeError());
  if (!queue_.empty()) {
    in.message = &queue_.front();
    in.message_bytes = in.message->bytes.size();
    in.bytes = std::min(request.bytes, in.message_bytes);
    return in;
  }
  if ((shut_ & kShutReceive) != 0) return in;
  return std::unexpected(WaitHere());
}

void UdpSocket::Take(std::size_t) {
  if (!queue_.empty()) queue_.Pop();
}

Result<std::uint16_t, IoFailure> UdpSocket::Poll() {
  std::uint16_t events = kPollOut;
  if (error_ != Errno{}) events |= kPollErr;
  if ((shut_ & kShutReceive) != 0) events |= kPollReadHup | kPollIn;
  if (shut_ == kShutBoth) events |= kPollHup;
  if (!queue_.empty()) events |= kPollIn;
  return events;
}

Result<std::uint64_t, IoFailure> UdpSocket::Available() {
  return queue_.empty() ? 0 : queue_.front().bytes.size();
}

}  // namespace glovebox::engine::net
