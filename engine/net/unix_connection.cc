// Streams and sequential packets of AF_UNIX: net/unix/af_unix.c of Linux 6.1 for what is seen.
#include <algorithm>
#include <utility>

#include "engine/net/network.h"
#include "engine/net/unix_socket.h"

namespace glovebox::engine::net {
namespace {

constexpr int kMostBacklog = 4096;              // net.core.somaxconn
constexpr std::size_t kMostPartBytes = 36'544;  // of a stream, in one piece: a page and 32 KiB

}  // namespace

UnixConnection::~UnixConnection() {
  for (const auto& child : waiting_) {
    if (child->peer_ != nullptr) child->peer_->LosePeer(true);
    child->peer_ = nullptr;
  }
  if (peer_ != nullptr) peer_->LosePeer(!queue_.empty());
  std::vector<std::shared_ptr<OpenFile>> files;
  DropHeld(files);
  Tell();  // who waits for room in the backlog
  network().Release(std::move(files));
}

void UnixConnection::LosePeer(bool lost) {
  peer_ = nullptr;
  shut_ = kShutBoth;
  if (lost) error_ = kECONNRESET;
  Tell();
}

void UnixConnection::Pair(UnixSocket& other, const PeerIds& ids) {
  auto& end = static_cast<UnixConnection&>(other);
  peer_ = &end;
  end.peer_ = this;
  connected_ = end.connected_ = true;
  peer_ids_ = end.peer_ids_ = ids;
  peer_name_ = end.Name();
  end.peer_name_ = Name();
}

Result<void, IoFailure> UnixConnection::Connect(Caller& caller, RawAddressView address,
                                                bool dont_wait) {
  const auto name = ParseUnixName(address);
  if (!name || name->empty()) return std::unexpected(kEINVAL);
  if (const auto ok = NameIfKnown(); !ok) return std::unexpected(ok.error());
  const auto found = Find(caller, *name);
  if (!found) return std::unexpected(found.error());
  auto& listener = static_cast<UnixConnection&>(**found);
  if (!listener.accepts_ || (listener.shut_ & kShutReceive) != 0)
    return std::unexpected(kECONNREFUSED);
  if (listener.waiting_.size() > listener.backlog_) {
    if (dont_wait) return std::unexpected(kEAGAIN);
    return std::unexpected(listener.WaitHere());
  }
  if (connected_) return std::unexpected(kEISCONN);
  if (accepts_) return std::unexpected(kEINVAL);
  const auto child = std::make_shared<UnixConnection>(network(), socket_type());
  if (!child->inode().ChargeDisk(VfsServices::kInodeBytes)) return std::unexpected(kENOMEM);
  if (listener.PassesCredentials()) child->options().Put(kLevelSocket, kPassCredentials, 1);
  child->name_ = listener.name_;
  Pair(*child, listener.peer_ids_);
  child->peer_ids_ = caller.ids;
  listener.waiting_.push_back(child);
  listener.Tell(kPollIn);
  Tell();
  return {};
}

Result<void, Errno> UnixConnection::Listen(Caller& caller, int backlog) {
  if (name_.empty() || connected_) return std::unexpected(kEINVAL);
  const auto most = static_cast<unsigned>(kMostBacklog);
  backlog_ = std::min(static_cast<unsigned>(backlog), most);
  accepts_ = true;
  peer_ids_ = caller.ids;
  Tell();
  return {};
}

Result<std::shared_ptr<Socket>, IoFailure> UnixConnection::Accept() {
  if (!accepts_) return std::unexpected(kEINVAL);
  if (waiting_.empty()) {
    if ((shut_ & kShutReceive) != 0) return std::unexpected(kEINVAL);
    return std::unexpected(WaitHere());
  }
  std::shared_ptr<Socket> child = std::move(waiting_.front());
  waiting_.pop_front();
  Tell();
  return child;
}

Result<void, Errno> UnixConnection::Shutdown(ShutdownBit how) {
  shut_ |= how;
  if (peer_ != nullptr) {
    if ((how & kShutReceive) != 0) peer_->shut_ |= kShutSend;
    if ((how & kShutSend) != 0) peer_->shut_ |= kShutReceive;
    peer_->Tell();
  }
  Tell();
  return {};
}

Result<RawAddress, Errno> UnixConnection::PeerName() const {
  if (!connected_) return std::unexpected(kENOTCONN);
  return peer_name_;
}

IoResult UnixConnection::SendMessage(Outgoing& out) {
  if ((out.flags & kMessageOutOfBand) != 0) return std::unexpected(kEOPNOTSUPP);
  // A stream refuses every address; a packet's way is its connection.
  if (!out.to.empty() && !keeps_messages())
    return std::unexpected(connected_ ? kEISCONN : kEOPNOTSUPP);
  if (!connected_) return std::unexpected(kENOTCONN);
  if (keeps_messages()) {
    if (out.bytes.size() > max_message_bytes()) return std::unexpected(kEMSGSIZE);
    if (error_ != Errno{}) return std::unexpected(TakeError());
  }
  if ((shut_ & kShutSend) != 0 || peer_ == nullptr || (peer_->shut_ & kShutReceive) != 0)
    return std::unexpected(kEPIPE);
  if (out.bytes.empty() && !keeps_messages()) return 0;
  if (peer_->queue_.cost() >= static_cast<std::size_t>(send_buffer_bytes_))
    return std::unexpected(WaitHere());
  auto part = out.bytes;
  if (!keeps_messages()) {
    const auto half = static_cast<std::size_t>(send_buffer_bytes_) / 2 - 64;
    part = part.first(std::min({part.size(), half, kMostPartBytes}));
  }
  if (const auto ok = peer_->Deliver(MakeMessage(out, part, *peer_), out); !ok)
    return std::unexpected(ok.error());
  return part.size();
}

Result<Incoming, IoFailure> UnixConnection::Next(const ReceiveRequest& request) {
  if ((request.flags & kMessageOutOfBand) != 0) return std::unexpected(kEOPNOTSUPP);
  if (!connected_) return std::unexpected(keeps_messages() ? kENOTCONN : kEINVAL);
  Incoming in;
  if (request.offset < queue_.bytes() || (keeps_messages() && !queue_.empty())) {
    in.message = &queue_.front();
    if (keeps_messages()) {
      in.message_bytes = in.message->bytes.size();
      in.bytes = std::min(request.bytes, in.message_bytes);
      return in;
    }
    // Bytes of several messages come as one, as far as they say the same of their sender and up
    // to the first that brings files along.
    in.more_may_follow = true;
    std::size_t run = 0;
    for (Message& message : queue_.messages()) {
      if (PassesCredentials() && message.ancillary.sender != in.message->ancillary.sender) {
        in.more_may_follow = false;
        break;
      }
      run += message.rest().size();
      if (!message.ancillary.files.empty()) {
        in.message = &message;
        in.more_may_follow = false;
        break;
      }
      if (run - std::min(run, request.offset) >= request.bytes) break;
    }
    in.bytes = std::min(request.bytes, run - std::min(run, request.offset));
    return in;
  }
  if (error_ != Errno{}) return std::unexpected(TakeError());
  if ((shut_ & kShutReceive) != 0) return in;
  return std::unexpected(WaitHere());
}

void UnixConnection::Take(std::size_t bytes) {
  if (queue_.empty()) return;
  if (keeps_messages()) {
    const Message done = queue_.Pop();
  } else {
    queue_.Drop(bytes);
  }
  if (peer_ != nullptr) peer_->Tell(kPollOut);
}

Result<std::uint16_t, IoFailure> UnixConnection::Poll() {
  std::uint16_t events = 0;
  if (error_ != Errno{}) events |= kPollErr;
  if (shut_ == kShutBoth || (!connected_ && !accepts_)) events |= kPollHup;
  if ((shut_ & kShutReceive) != 0) events |= kPollReadHup | kPollIn;
  if (!queue_.empty() || !waiting_.empty()) events |= kPollIn;
  if (!accepts_ && (peer_ == nullptr || HasRoomFor(*peer_))) events |= kPollOut;
  return events;
}

Result<std::uint64_t, IoFailure> UnixConnection::Available() {
  if (accepts_) return std::unexpected(kEINVAL);
  return queue_.bytes();
}

void UnixConnection::VisitHeld(
    const std::function<void(const std::shared_ptr<OpenFile>&)>& visit) const {
  UnixSocket::VisitHeld(visit);
  for (const auto& child : waiting_) visit(child);
}

void UnixConnection::DropHeld(std::vector<std::shared_ptr<OpenFile>>& files) {
  UnixSocket::DropHeld(files);
  std::ranges::move(waiting_, std::back_inserter(files));
  waiting_.clear();
}

}  // namespace glovebox::engine::net
