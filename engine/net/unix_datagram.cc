// Datagrams of AF_UNIX: net/unix/af_unix.c of Linux 6.1 for what is seen.
#include <algorithm>
#include <utility>

#include "engine/net/network.h"
#include "engine/net/unix_socket.h"

namespace glovebox::engine::net {

UnixDatagram::~UnixDatagram() {
  SetPeer(nullptr);
  std::vector<std::shared_ptr<OpenFile>> files;
  DropHeld(files);
  Tell();  // who waits for room in the queue
  network().Release(std::move(files));
}

void UnixDatagram::SetPeer(UnixDatagram* receiver) {
  if (UnixDatagram* const before = peer()) before->senders_.erase(serial());
  peer_serial_ = receiver != nullptr ? receiver->serial() : 0;
  if (receiver == nullptr) return;
  receiver->senders_.insert(serial());
  peer_name_ = receiver->Name();
}

UnixDatagram* UnixDatagram::peer() const {
  const auto it = network().sockets().find(peer_serial_);
  return it == network().sockets().end() ? nullptr : static_cast<UnixDatagram*>(it->second);
}

void UnixDatagram::Pair(UnixSocket& other, const PeerIds& ids) {
  auto& end = static_cast<UnixDatagram&>(other);
  SetPeer(&end);
  end.SetPeer(this);
  peer_ids_ = end.peer_ids_ = ids;
}

Result<void, IoFailure> UnixDatagram::Connect(Caller& caller, RawAddressView address, bool) {
  if (address.size() < kFamilyBytes) return std::unexpected(kEINVAL);
  if (FamilyOf(address) == kFamilyUnspecified) {
    SetPeer(nullptr);
    Tell();
    return {};
  }
  const auto name = ParseUnixName(address);
  if (!name || name->empty()) return std::unexpected(kEINVAL);
  if (const auto ok = NameIfKnown(); !ok) return std::unexpected(ok.error());
  const auto found = Find(caller, *name);
  if (!found) return std::unexpected(found.error());
  auto& other = static_cast<UnixDatagram&>(**found);
  if (other.peer_serial_ != 0 && other.peer() != this) return std::unexpected(kEPERM);
  SetPeer(&other);
  Tell();
  return {};
}

Result<void, Errno> UnixDatagram::Shutdown(ShutdownBit how) {
  shut_ |= how;
  Tell();
  return {};
}

Result<RawAddress, Errno> UnixDatagram::PeerName() const {
  if (peer_serial_ == 0) return std::unexpected(kENOTCONN);
  return peer_name_;
}

IoResult UnixDatagram::SendMessage(Outgoing& out) {
  if ((out.flags & kMessageOutOfBand) != 0) return std::unexpected(kEOPNOTSUPP);
  UnixDatagram* receiver = nullptr;
  if (!out.to.empty()) {
    const auto name = ParseUnixName(out.to);
    if (!name || name->empty() || out.caller == nullptr) return std::unexpected(kEINVAL);
    const auto found = Find(*out.caller, *name);
    if (!found) return std::unexpected(found.error());
    receiver = static_cast<UnixDatagram*>(*found);
  } else if (peer_serial_ == 0) {
    return std::unexpected(kENOTCONN);
  } else {
    receiver = peer();
    if (receiver == nullptr) {
      peer_serial_ = 0;
      return std::unexpected(kECONNREFUSED);
    }
  }
  if (const auto ok = NameIfKnown(); !ok) return std::unexpected(ok.error());
  if (out.bytes.size() > max_message_bytes()) return std::unexpected(kEMSGSIZE);
  if (error_ != Errno{}) return std::unexpected(TakeError());
  if ((shut_ & kShutSend) != 0) return std::unexpected(kEPIPE);
  if (receiver->peer_serial_ != 0 && receiver->peer_serial_ != serial())
    return std::unexpected(kEPERM);
  if ((receiver->shut_ & kShutReceive) != 0) return std::unexpected(kEPIPE);
  if (receiver->IsFullFor(*this) ||
      receiver->queue_.cost() >= static_cast<std::size_t>(send_buffer_bytes_)) {
    return std::unexpected(receiver->WaitHere());
  }
  if (const auto ok = receiver->Deliver(MakeMessage(out, out.bytes, *receiver), out); !ok)
    return std::unexpected(ok.error());
  return out.bytes.size();
}

Result<Incoming, IoFailure> UnixDatagram::Next(const ReceiveRequest& request) {
  if ((request.flags & kMessageOutOfBand) != 0) return std::unexpected(kEOPNOTSUPP);
  Incoming in;
  if (!queue_.empty()) {
    in.message = &queue_.front();
    in.message_bytes = in.message->bytes.size();
    in.bytes = std::min(request.bytes, in.message_bytes);
    return in;
  }
  if (error_ != Errno{}) return std::unexpected(TakeError());
  if ((shut_ & kShutReceive) != 0) return in;
  return std::unexpected(WaitHere());
}

void UnixDatagram::Take(std::size_t) {
  if (queue_.empty()) return;
  const Message done = queue_.Pop();
  // Those who wait for room, and those who poll for it.
  Tell(kPollOut);
  for (const std::uint64_t sender : senders_) network().sockets().at(sender)->Tell(kPollOut);
}

std::size_t UnixDatagram::UnreadByPeer() const {
  const UnixDatagram* const receiver = peer();
  return receiver != nullptr ? receiver->queue_.cost() : 0;
}

Result<std::uint16_t, IoFailure> UnixDatagram::Poll() {
  std::uint16_t events = 0;
  if (error_ != Errno{}) events |= kPollErr;
  if (shut_ == kShutBoth) events |= kPollHup;
  if ((shut_ & kShutReceive) != 0) events |= kPollReadHup | kPollIn;
  if (!queue_.empty()) events |= kPollIn;
  const UnixDatagram* const receiver = peer();
  if (receiver == nullptr || (HasRoomFor(*receiver) && !receiver->IsFullFor(*this)))
    events |= kPollOut;
  return events;
}

Result<std::uint64_t, IoFailure> UnixDatagram::Available() {
  return queue_.empty() ? 0 : queue_.front().bytes.size();
}

}  // namespace glovebox::engine::net
