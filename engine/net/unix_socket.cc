#include "engine/net/unix_socket.h"

#include <algorithm>
#include <utility>

#include "engine/net/network.h"

namespace glovebox::engine::net {

UnixSocket::UnixSocket(Network& network, SocketType type)
    : Socket(network, kFamilyUnix, type, 0, kForUnix), queue_(services()) {}

UnixSocket::~UnixSocket() {
  if (node_ && node_->bound == this) node_->bound = nullptr;
  const auto it = network().abstract_names().find(name_);
  if (it != network().abstract_names().end() && it->second == this)
    network().abstract_names().erase(it);
}

Result<void, Errno> UnixSocket::Autobind() {
  std::string name = network().FreeAbstractName();
  if (name.empty()) return std::unexpected(kENOSPC);
  network().abstract_names().emplace(name, this);
  name_ = std::move(name);
  return {};
}

Result<void, IoFailure> UnixSocket::Bind(Caller& caller, RawAddressView address) {
  // unix(7), "Autobind feature": only the family is given.
  const bool autobind = address.size() == kFamilyBytes && FamilyOf(address) == kFamilyUnix;
  const auto name = ParseUnixName(address);
  if (!name) return std::unexpected(name.error());
  if (autobind && !name_.empty()) return {};
  if (!name_.empty()) return std::unexpected(kEINVAL);
  if (autobind) {
    if (const auto ok = Autobind(); !ok) return std::unexpected(ok.error());
    return {};
  }
  if (IsAbstract(*name)) {
    if (!network().abstract_names().emplace(*name, this).second)
      return std::unexpected(kEADDRINUSE);
  } else {
    auto node = caller.MakeNode(*name);
    if (!node) return std::unexpected(node.error());
    node_ = std::move(*node);
    node_->bound = this;
  }
  name_ = *name;
  return {};
}

Result<UnixSocket*, Errno> UnixSocket::Find(Caller& caller, const std::string& name) {
  UnixSocket* found = nullptr;
  if (IsAbstract(name)) {
    const auto it = network().abstract_names().find(name);
    if (it != network().abstract_names().end()) found = it->second;
  } else {
    const auto node = caller.FindNode(name);
    if (!node) return std::unexpected(node.error());
    found = static_cast<UnixSocket*>((*node)->bound);
  }
  if (found == nullptr) return std::unexpected(kECONNREFUSED);
  if (found->socket_type() != socket_type()) return std::unexpected(kEPROTOTYPE);
  return found;
}

Result<void, Errno> UnixSocket::NameIfKnown() {
  return PassesCredentials() && name_.empty() ? Autobind() : Result<void, Errno>{};
}

Message UnixSocket::MakeMessage(Outgoing& out, std::span<const std::byte> bytes,
                                const UnixSocket& receiver) const {
  Message message;
  message.bytes.assign(bytes.begin(), bytes.end());
  message.ancillary.files = std::move(out.files);
  if (out.names_sender || PassesCredentials() || receiver.PassesCredentials())
    message.ancillary.sender = out.sender;
  if (!name_.empty()) message.source = Name();
  return message;
}

Result<void, Errno> UnixSocket::Deliver(Message message, Outgoing& out) {
  const bool holds_socket = std::ranges::any_of(message.ancillary.files, [](const auto& file) {
    return dynamic_cast<Socket*>(file.get()) != nullptr;
  });
  if (!queue_.Push(std::move(message))) {
    out.files = std::move(message.ancillary.files);
    return std::unexpected(kENOBUFS);
  }
  if (holds_socket) network().NoteSocketInFlight();
  Tell(kPollIn);
  return {};
}

void UnixSocket::VisitHeld(
    const std::function<void(const std::shared_ptr<OpenFile>&)>& visit) const {
  for (const Message& message : queue_.messages())
    std::ranges::for_each(message.ancillary.files, visit);
}

Result<std::vector<std::byte>, Errno> UnixSocket::GetOption(int level, int number) {
  if (level != kLevelSocket) return std::unexpected(kEOPNOTSUPP);
  return Socket::GetOption(level, number);
}

Result<void, Errno> UnixSocket::SetOption(Caller& caller, int level, int number,
                                          std::span<const std::byte> value) {
  if (level != kLevelSocket) return std::unexpected(kEOPNOTSUPP);
  return Socket::SetOption(caller, level, number, value);
}

}  // namespace glovebox::engine::net
