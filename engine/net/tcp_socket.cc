#include "engine/net/tcp_socket.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace glovebox::engine::net {
namespace {

constexpr int kProtocolTcp = 6;
constexpr unsigned kMostBacklog = 4096;  // net.core.somaxconn

// tcp_wmem and tcp_rmem, and what Linux' tuning makes of the first over loopback.
constexpr int kSendBufferBytes = 16'384;
constexpr int kReceiveBufferBytes = 131'072;
constexpr int kTunedSendBufferBytes = 2'626'560;

constexpr int kLoopbackSegment = 32'768;  // TCP_MAXSEG over `lo`
constexpr std::string_view kCongestionControls[] = {"cubic", "reno"};
constexpr std::size_t kCongestionNameBytes = 16;  // TCP_CA_NAME_MAX

// The front of struct tcp_info, uapi/linux/tcp.h: what there is to say without packets.
struct TcpInfo {
  std::uint8_t state, congestion_state, retransmits, probes, backoff, options, scales, limited;
  std::uint32_t retransmission_timeout, acknowledge_timeout, send_segment, receive_segment;
  std::uint32_t unacknowledged, selectively, lost, retransmitted, forward;
  std::uint32_t last_sent, last_ack_sent, last_received, last_ack_received;
  std::uint32_t path_mtu, receive_threshold, round_trip, round_trip_variation, send_threshold;
  std::uint32_t window, advertised_segment, reordering;
  std::uint32_t receive_round_trip, receive_space, total_retransmitted;
};
static_assert(sizeof(TcpInfo) == 104);

}  // namespace

TcpSocket::TcpSocket(Network& network, Family family)
    : InetSocket(network, family, kStream, kProtocolTcp, kForTcp, network.tcp()),
      queue_(services()) {
  send_buffer_bytes_ = kSendBufferBytes;
  receive_buffer_bytes_ = kReceiveBufferBytes;
}

TcpSocket::~TcpSocket() {
  if (state_ == State::kListening) StopListening();
  if (peer_ != nullptr) {
    TcpSocket& other = *peer_;
    other.peer_ = nullptr;
    // What nobody will read any more was sent in vain, which the sender is told: RFC 2525, 2.17.
    if (!queue_.empty() || resets_when_closed()) {
      other.OnReset();
    } else if ((shut_ & kShutSend) == 0) {
      other.OnFinish();
    }
  }
  Tell();
}

TcpState TcpSocket::tcp_state() const {
  switch (state_) {
    case State::kListening:
      return TcpState::kListen;
    case State::kConnecting:
      return TcpState::kSynSent;
    case State::kClosed:
      return TcpState::kClosed;
    case State::kConnected:
      break;
  }
  if (finished_both()) return TcpState::kClosed;
  if (finished_) return TcpState::kCloseWait;
  return (shut_ & kShutSend) != 0 ? TcpState::kFinWait2 : TcpState::kEstablished;
}

bool TcpSocket::SharesPortWith(const InetSocket& other) const {
  const bool listens = static_cast<const TcpSocket&>(other).accepts_;
  return (BothHave(other, kReuseAddress) && !listens) || BothHave(other, kReusePort);
}

TcpSocket* TcpSocket::ListenerAt(const Endpoint& to) const {
  std::vector<TcpSocket*> best;
  int best_score = 0;
  for (InetSocket* const candidate : ports().At(to.port)) {
    auto& socket = static_cast<TcpSocket&>(*candidate);
    if (socket.state_ != State::kListening) continue;
    const int score = socket.FitsAddress(to.address);
    if (score == 0 || score < best_score) continue;
    if (score > best_score) best.clear();
    best_score = score;
    best.push_back(&socket);
  }
  // Those with SO_REUSEPORT share by the client's port.
  return best.empty() ? nullptr : best[local_.port % best.size()];
}

Result<void, IoFailure> TcpSocket::Connect(Caller&, RawAddressView address, bool dont_wait) {
  if (address.size() < kFamilyBytes) return std::unexpected(kEINVAL);
  if (FamilyOf(address) == kFamilyUnspecified) {
    Disconnect();
    return {};
  }
  switch (state_) {
    case State::kListening:
      return std::unexpected(kEISCONN);
    case State::kConnected:
      if (!connect_pending_) return std::unexpected(kEISCONN);
      connect_pending_ = false;
      return {};
    case State::kConnecting:
      if (dont_wait) return std::unexpected(kEALREADY);
      return std::unexpected(WaitHere());
    case State::kClosed:
      break;
  }
  if (connect_pending_) {
    // The attempt has failed meanwhile; SO_ERROR may have told why already.
    const Errno error = error_ != Errno{} ? TakeError() : kECONNABORTED;
    Disconnect();
    error_ = Errno{};
    return std::unexpected(error);
  }
  // A connection that was broken off still is one to connect(2), until AF_UNSPEC ends it.
  if (was_connected_) return std::unexpected(kEISCONN);
  return BeginConnect(address, dont_wait);
}

Result<void, IoFailure> TcpSocket::BeginConnect(RawAddressView address, bool dont_wait) {
  const auto route = RouteTo(address);
  if (!route) return std::unexpected(route.error());
  if (const auto ok = EnsurePort(); !ok) return std::unexpected(ok.error());
  const IpAddress own = local_.address;
  local_.address = route->from;
  remote_ = route->to;
  TcpSocket* const listener = ListenerAt(remote_);
  if (listener == nullptr) {
    local_.address = own;
    remote_.port = 0;
    if (!chose_port_) GiveUpPort();
    if (!dont_wait) return std::unexpected(kECONNREFUSED);
    connect_pending_ = true;
    Break(kECONNREFUSED);
    return std::unexpected(kEINPROGRESS);
  }
  if (!listener->HasRoomInBacklog()) {
    state_ = State::kConnecting;
    connect_pending_ = true;
    listener->knocking_.push_back(serial());
    if (dont_wait) return std::unexpected(kEINPROGRESS);
    return std::unexpected(WaitHere());
  }
  if (const auto ok = listener->Admit(*this); !ok) return std::unexpected(ok.error());
  connect_pending_ = dont_wait;
  // The answer is there, but who asked not to wait hears of it later: net/ipv4/af_inet.c,
  // __inet_stream_connect.
  if (dont_wait) return std::unexpected(kEINPROGRESS);
  return {};
}

Result<void, Errno> TcpSocket::Admit(TcpSocket& client) {
  const auto child = std::make_shared<TcpSocket>(network(), family());
  if (!child->inode().ChargeDisk(VfsServices::kInodeBytes)) return std::unexpected(kENOBUFS);
  child->InheritSettings(*this);
  child->keeps_send_buffer_ = keeps_send_buffer_;
  child->local_.address = client.remote_.address;
  if (const auto ok = child->TakePort(local_.port); !ok) return ok;
  child->remote_ = client.local_;
  child->peer_ = &client;
  client.peer_ = child.get();
  for (TcpSocket* const end : {child.get(), &client}) {
    end->state_ = State::kConnected;
    end->was_connected_ = true;
    if (!end->keeps_send_buffer_) end->send_buffer_bytes_ = kTunedSendBufferBytes;
    end->options().Put(kLevelTcp, kTcpMaxSegment, kLoopbackSegment);
  }
  waiting_.push_back(child);
  Tell(kPollIn);
  client.Tell();
  return {};
}

void TcpSocket::AdmitKnocking() {
  while (!knocking_.empty() && HasRoomInBacklog()) {
    const auto it = network().sockets().find(knocking_.front());
    knocking_.pop_front();
    if (it == network().sockets().end()) continue;
    auto& client = static_cast<TcpSocket&>(*it->second);
    if (client.state_ != State::kConnecting) continue;
    if (const auto ok = Admit(client); !ok) client.Break(ok.error());
  }
}

void TcpSocket::StopListening() {
  const auto knocking = std::move(knocking_);
  knocking_.clear();
  state_ = State::kClosed;
  accepts_ = false;
  for (const auto& child : waiting_) {
    if (child->peer_ == nullptr) continue;
    child->peer_->peer_ = nullptr;
    child->peer_->OnReset();
    child->peer_ = nullptr;
  }
  waiting_.clear();
  for (const std::uint64_t client : knocking) {
    const auto it = network().sockets().find(client);
    if (it == network().sockets().end()) continue;
    auto& socket = static_cast<TcpSocket&>(*it->second);
    if (socket.state_ == State::kConnecting) socket.Break(kECONNREFUSED);
  }
  Tell();
}

void TcpSocket::Disconnect() {
  if (state_ == State::kListening) StopListening();
  if (peer_ != nullptr) {
    TcpSocket& other = *peer_;
    peer_ = other.peer_ = nullptr;
    other.OnReset();
    error_ = kECONNRESET;
  }
  state_ = State::kClosed;
  connect_pending_ = was_connected_ = finished_ = false;
  shut_ = 0;
  queue_.Drop(queue_.bytes());
  urgent_.reset();
  remote_ = {IpAddress::AnyOf(family())};
  if (!chose_address_) local_.address = IpAddress::AnyOf(family());
  if (!chose_port_) GiveUpPort();
  Tell();
}

Result<void, Errno> TcpSocket::Listen(Caller&, int backlog) {
  if (state_ != State::kClosed && state_ != State::kListening) return std::unexpected(kEINVAL);
  if (state_ == State::kClosed && (connect_pending_ || was_connected_))
    return std::unexpected(kEINVAL);
  if (const auto ok = EnsurePort(); !ok) return std::unexpected(kEADDRINUSE);
  if (state_ == State::kClosed && IsTaken(local_.address, local_.port))
    return std::unexpected(kEADDRINUSE);
  backlog_ = std::min(static_cast<unsigned>(backlog), kMostBacklog);
  state_ = State::kListening;
  accepts_ = true;
  shut_ = 0;
  AdmitKnocking();
  Tell();
  return {};
}

Result<std::shared_ptr<Socket>, IoFailure> TcpSocket::Accept() {
  if (state_ != State::kListening) return std::unexpected(kEINVAL);
  if (waiting_.empty()) return std::unexpected(WaitHere());
  std::shared_ptr<Socket> child = std::move(waiting_.front());
  waiting_.pop_front();
  AdmitKnocking();
  return child;
}

Result<void, Errno> TcpSocket::Shutdown(ShutdownBit how) {
  switch (state_) {
    case State::kListening:
      if ((how & kShutReceive) != 0) StopListening();
      return {};
    case State::kConnecting:
      Disconnect();
      return {};
    case State::kClosed:
      shut_ |= how;
      Tell();
      return std::unexpected(kENOTCONN);
    case State::kConnected:
      break;
  }
  if (finished_both()) return std::unexpected(kENOTCONN);
  const bool finishes = (how & kShutSend) != 0 && (shut_ & kShutSend) == 0;
  shut_ |= how;
  if (finishes && peer_ != nullptr) peer_->OnFinish();
  Tell();
  return {};
}

Result<RawAddress, Errno> TcpSocket::PeerName() const {
  if (state_ != State::kConnected || finished_both()) return std::unexpected(kENOTCONN);
  return EncodeEndpoint(remote_, family());
}

void TcpSocket::OnFinish() {
  finished_ = true;
  shut_ |= kShutReceive;
  Tell();
}

// RFC 793, "Reset Processing", with the errors of net/ipv4/tcp_input.c, tcp_reset.
void TcpSocket::OnReset() {
  if (finished_both()) return;
  Break(finished_ ? kEPIPE : kECONNRESET);
}

void TcpSocket::Break(Errno error) {
  error_ = error;
  shut_ = kShutBoth;
  state_ = State::kClosed;
  peer_ = nullptr;
  Tell();
}

std::size_t TcpSocket::Window() const {
  return static_cast<std::size_t>(send_buffer_bytes_) +
         static_cast<std::size_t>(peer_->receive_buffer_bytes_);
}

IoResult TcpSocket::SendMessage(Outgoing& out) {
  if ((out.flags & kMessageFastOpen) != 0) return std::unexpected(kEOPNOTSUPP);
  if (error_ != Errno{}) return std::unexpected(TakeError());
  if (state_ == State::kConnecting) return std::unexpected(WaitHere());
  if (state_ != State::kConnected || (shut_ & kShutSend) != 0) return std::unexpected(kEPIPE);
  if (out.bytes.empty()) return 0;
  if (peer_ == nullptr || peer_->shut_ == kShutBoth) {
    // Nobody is there to read it, and says so by a reset; the sender learns of it next time.
    if (TcpSocket* const other = peer_) {
      other->peer_ = nullptr;
      other->Break(kECONNRESET);
    }
    Break(finished_ ? kEPIPE : kECONNRESET);
    return out.bytes.size();
  }
  TcpSocket& other = *peer_;
  const std::size_t window = Window();
  if (other.queue_.bytes() >= window) return std::unexpected(WaitHere());
  const auto part = out.bytes.first(std::min(out.bytes.size(), window - other.queue_.bytes()));
  if (!other.queue_.Append(part)) return std::unexpected(kENOBUFS);
  if ((out.flags & kMessageOutOfBand) != 0 && part.size() == out.bytes.size()) {
    other.urgent_ = Urgent{other.consumed_ + other.queue_.bytes() - 1, part.back(), false};
  }
  other.Tell(kPollIn | kPollPriority);
  return part.size();
}

Result<Incoming, IoFailure> TcpSocket::NextUrgent(const ReceiveRequest& request) {
  if (options().IsOn(kLevelSocket, kOutOfBandInline) || !urgent_ || urgent_->read)
    return std::unexpected(kEINVAL);
  Incoming in;
  in.flags = kMessageOutOfBand;
  in.bytes = std::min<std::size_t>(request.bytes, 1);
  if (in.bytes == 0) in.flags |= kMessageTruncated;
  in.urgent = urgent_->value;
  if ((request.flags & kMessagePeek) == 0) urgent_->read = true;
  return in;
}

Result<Incoming, IoFailure> TcpSocket::Next(const ReceiveRequest& request) {
  if (state_ == State::kListening) return std::unexpected(kENOTCONN);
  if ((request.flags & kMessageOutOfBand) != 0) return NextUrgent(request);
  std::size_t there = queue_.bytes();
  if (urgent_) {
    // A receive ends before the mark; the byte behind it is for MSG_OOB alone, or inline.
    if (urgent_->at == consumed_ && !options().IsOn(kLevelSocket, kOutOfBandInline)) {
      queue_.Drop(1);
      ++consumed_;
      there = queue_.bytes();
    } else if (urgent_->at > consumed_) {
      there = static_cast<std::size_t>(urgent_->at - consumed_);
    }
  }
  Incoming in;
  in.more_may_follow = true;
  const auto least = std::min(
      request.bytes, static_cast<std::size_t>(options().Get(kLevelSocket, kReceiveLowWater)));
  const bool ends = error_ != Errno{} || (shut_ & kShutReceive) != 0;
  const bool takes_less = ends || (request.flags & kMessageDontWait) != 0;
  if (there > request.offset && (there - request.offset >= least || takes_less)) {
    in.bytes = std::min(request.bytes, there - request.offset);
    return in;
  }
  if (finished_) return in;
  if (error_ != Errno{}) return std::unexpected(TakeError());
  if ((shut_ & kShutReceive) != 0) return in;
  if (state_ == State::kClosed) return std::unexpected(kENOTCONN);
  return std::unexpected(WaitHere());
}

void TcpSocket::Take(std::size_t bytes) {
  if (bytes == 0) return;
  queue_.Drop(bytes);
  consumed_ += bytes;
  if (urgent_ && consumed_ > urgent_->at + 1) urgent_.reset();
  if (peer_ != nullptr) peer_->Tell(kPollOut);
}

Result<bool, Errno> TcpSocket::AtMark() const { return urgent_ && urgent_->at == consumed_; }

Result<std::uint16_t, IoFailure> TcpSocket::Poll() {
  std::uint16_t events = error_ != Errno{} ? kPollErr : 0;
  if (state_ == State::kListening) return waiting_.empty() ? events : events | kPollIn;
  if (state_ == State::kConnecting) return events;
  if (shut_ == kShutBoth || state_ == State::kClosed) events |= kPollHup;
  if ((shut_ & kShutReceive) != 0) events |= kPollIn | kPollReadHup;
  std::size_t there = queue_.bytes();
  // An urgent byte that is not inline is nothing to read.
  if (urgent_ && urgent_->at == consumed_ && !options().IsOn(kLevelSocket, kOutOfBandInline) &&
      there > 0) {
    --there;
  }
  if (there >= static_cast<std::size_t>(options().Get(kLevelSocket, kReceiveLowWater)))
    events |= kPollIn;
  // include/net/sock.h, sk_stream_is_writeable: with a third of the buffer free.
  if (peer_ == nullptr || (shut_ & kShutSend) != 0 || peer_->queue_.bytes() * 3 <= Window() * 2)
    events |= kPollOut;
  if (urgent_ && !urgent_->read) events |= kPollPriority;
  return events;
}

Result<std::uint64_t, IoFailure> TcpSocket::Available() {
  if (state_ == State::kListening) return std::unexpected(kEINVAL);
  return urgent_ && urgent_->at > consumed_ ? urgent_->at - consumed_ : queue_.bytes();
}

Result<std::vector<std::byte>, Errno> TcpSocket::GetOption(int level, int number) {
  if (level == kLevelTcp && number == kTcpInfo) {
    TcpInfo info{};
    info.state = static_cast<std::uint8_t>(tcp_state());
    info.retransmission_timeout = 204'000;
    info.send_segment = info.advertised_segment = kLoopbackSegment;
    info.receive_segment = 536;
    info.path_mtu = 65'535;
    info.window = 10;
    info.reordering = 3;
    info.receive_space = static_cast<std::uint32_t>(receive_buffer_bytes_) / 2;
    return BytesOf(info);
  }
  if (level == kLevelTcp && number == kTcpCongestion) {
    std::vector<std::byte> name(kCongestionNameBytes);
    const auto which = static_cast<std::size_t>(options().Get(kLevelTcp, kTcpCongestion));
    std::ranges::copy(std::as_bytes(std::span(kCongestionControls[which])), name.begin());
    return name;
  }
  return InetSocket::GetOption(level, number);
}

Result<void, Errno> TcpSocket::SetOption(Caller& caller, int level, int number,
                                         std::span<const std::byte> value) {
  if (level == kLevelTcp && number == kTcpCongestion) {
    if (value.empty()) return std::unexpected(kEINVAL);
    const auto* text = reinterpret_cast<const char*>(value.data());
    const std::string_view name(text,
                                strnlen(text, std::min(value.size(), kCongestionNameBytes - 1)));
    const auto* const found = std::ranges::find(kCongestionControls, name);
    if (found == std::end(kCongestionControls)) return std::unexpected(kENOENT);
    options().Put(level, number, static_cast<int>(found - kCongestionControls));
    return {};
  }
  const auto done = InetSocket::SetOption(caller, level, number, value);
  if (done && level == kLevelSocket && (number == kSendBuffer || number == kSendBufferForce))
    keeps_send_buffer_ = true;
  return done;
}

}  // namespace glovebox::engine::net
