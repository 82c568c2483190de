#include "engine/net/socket.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/net/network.h"

namespace glovebox::engine::net {
namespace {

// net/core/sock.c: what a number asked for becomes, and what it may be.
constexpr int kDefaultBufferBytes = 212'992;
constexpr int kMaxBufferBytes = 212'992;
constexpr int kLeastSendBufferBytes = 4608;
constexpr int kLeastReceiveBufferBytes = 2304;

constexpr std::int64_t kBillion = 1'000'000'000;

struct LingerValue {
  std::int32_t on, seconds;
};
struct TimeValue {
  std::int64_t seconds, microseconds;
};

template <typename T>
Result<T, Errno> ValueOf(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(T)) return std::unexpected(kEINVAL);
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

TimeValue ToTimeValue(Nanoseconds time) {
  const auto ns = static_cast<std::int64_t>(time);
  return {ns / kBillion, ns % kBillion / 1000};
}

Result<Nanoseconds, Errno> ToTimeout(std::span<const std::byte> bytes) {
  const auto time = ValueOf<TimeValue>(bytes);
  if (!time) return std::unexpected(time.error());
  if (time->microseconds < 0 || time->microseconds >= 1'000'000) return std::unexpected(kEDOM);
  // Less than nothing is as little as there is: a wait that is over at once.
  if (time->seconds < 0) return 1;
  constexpr std::int64_t kMostSeconds = 4'000'000'000;
  return static_cast<Nanoseconds>(std::min(time->seconds, kMostSeconds) * kBillion +
                                  time->microseconds * 1000);
}

}  // namespace

Socket::Socket(Network& network, Family family, SocketType type, int protocol, OptionScope scope)
    : OpenFile({network.MakeInode(), nullptr, {}}, kOpenReadWrite),
      send_buffer_bytes_(kDefaultBufferBytes),
      receive_buffer_bytes_(kDefaultBufferBytes),
      network_(network),
      family_(family),
      type_(type),
      protocol_(protocol),
      serial_(network.Register(*this)),
      options_(scope) {}

Socket::~Socket() { network_.Unregister(*this); }

void Socket::Tell(std::uint16_t events) const { services()->file_event(EventChannel(), events); }

void Socket::InheritSettings(const Socket& from) {
  options_ = from.options_;
  lingers_ = from.lingers_;
  linger_seconds_ = from.linger_seconds_;
  receive_timeout_ = from.receive_timeout_;
  send_timeout_ = from.send_timeout_;
  send_buffer_bytes_ = from.send_buffer_bytes_;
  receive_buffer_bytes_ = from.receive_buffer_bytes_;
}

Result<void, Errno> Socket::Listen(Caller&, int) { return std::unexpected(kEOPNOTSUPP); }

Result<std::shared_ptr<Socket>, IoFailure> Socket::Accept() { return std::unexpected(kEOPNOTSUPP); }

Result<void, Errno> Socket::Shutdown(ShutdownBit) { return std::unexpected(kEOPNOTSUPP); }

std::size_t Socket::max_message_bytes() const {
  constexpr std::size_t kReserve = 32;  // net/unix/af_unix.c, net/netlink/af_netlink.c
  return keeps_messages() ? static_cast<std::size_t>(send_buffer_bytes_) - kReserve
                          : ~std::size_t{0};
}

Errno Socket::TakeError() { return std::exchange(error_, Errno{}); }

IoResult Socket::Await(std::size_t wanted) {
  const auto next = Next({.bytes = wanted});
  if (!next) return std::unexpected(next.error());
  return next->bytes;
}

IoResult Socket::Read(std::uint64_t, std::span<std::byte> out) {
  const auto next = Next({.bytes = out.size()});
  if (!next) return std::unexpected(next.error());
  const std::size_t count = std::min(next->bytes, out.size());
  Copy(0, out.first(count));
  return count;
}

IoResult Socket::Write(std::uint64_t, std::span<const std::byte> bytes) {
  Outgoing out;
  out.bytes = bytes;
  out.dont_wait = nonblocking();
  return SendMessage(out);
}

Result<std::vector<std::byte>, Errno> Socket::GetSocketOption(int number) {
  switch (number) {
    case kType:
      return BytesOf(static_cast<std::int32_t>(type_));
    case kDomain:
      return BytesOf(static_cast<std::int32_t>(family_));
    case kProtocol:
      return BytesOf(static_cast<std::int32_t>(protocol_));
    case kError:
      return BytesOf(static_cast<std::int32_t>(TakeError()));
    case kAcceptsConnections:
      return BytesOf(static_cast<std::int32_t>(accepts_ ? 1 : 0));
    case kSendBuffer:
      return BytesOf(static_cast<std::int32_t>(send_buffer_bytes_));
    case kReceiveBuffer:
      return BytesOf(static_cast<std::int32_t>(receive_buffer_bytes_));
    case kLinger:
      return BytesOf(LingerValue{lingers_ ? 1 : 0, linger_seconds_});
    case kReceiveTimeout:
    case kReceiveTimeoutNew:
      return BytesOf(ToTimeValue(receive_timeout_));
    case kSendTimeout:
    case kSendTimeoutNew:
      return BytesOf(ToTimeValue(send_timeout_));
    case kPeerCredentials:
      return BytesOf(peer_ids_);
    case kCookie:
      return BytesOf(serial_);
    case kPeerName:
      return PeerName();
    case kBindToDevice:
      return std::vector<std::byte>{};
    default:
      if (FindOption(kLevelSocket, number, options_.scope()) == nullptr)
        return std::unexpected(kENOPROTOOPT);
      return BytesOf(static_cast<std::int32_t>(options_.Get(kLevelSocket, number)));
  }
}

Result<std::vector<std::byte>, Errno> Socket::GetOption(int level, int number) {
  if (level == kLevelSocket) return GetSocketOption(number);
  if (FindOption(level, number, options_.scope()) == nullptr) return std::unexpected(kENOPROTOOPT);
  return BytesOf(static_cast<std::int32_t>(options_.Get(level, number)));
}

Result<void, Errno> Socket::SetSocketOption(Caller& caller, int number,
                                            std::span<const std::byte> value) {
  if (number == kBindToDevice) {
    const auto* text = reinterpret_cast<const char*>(value.data());
    const std::string name(text, strnlen(text, value.size()));
    if (!name.empty() && name != "lo") return std::unexpected(kENODEV);
    return {};
  }
  const auto number_value = ValueOf<std::int32_t>(value);
  if (!number_value) return std::unexpected(number_value.error());
  const bool forced = number == kSendBufferForce || number == kReceiveBufferForce;
  if (forced && !caller.Can(Capability::kNetAdmin)) return std::unexpected(kEPERM);
  const auto doubled = [&](int least) {
    // Linux knows no bound; here a message is a buffer of ours before it is charged.
    constexpr int kMostForced = 4 << 20;
    const int most = forced ? kMostForced : kMaxBufferBytes;
    // More than there is room for, and less than nothing, which reads as very much.
    const int wanted = *number_value < 0 ? most : std::min(*number_value, most);
    return std::max(wanted * 2, least);
  };
  switch (number) {
    case kSendBuffer:
    case kSendBufferForce:
      send_buffer_bytes_ = doubled(kLeastSendBufferBytes);
      Tell();
      return {};
    case kReceiveBuffer:
    case kReceiveBufferForce:
      receive_buffer_bytes_ = doubled(kLeastReceiveBufferBytes);
      return {};
    case kLinger: {
      const auto linger = ValueOf<LingerValue>(value);
      if (!linger) return std::unexpected(linger.error());
      lingers_ = linger->on != 0;
      if (lingers_) linger_seconds_ = linger->seconds;
      return {};
    }
    case kReceiveTimeout:
    case kReceiveTimeoutNew:
    case kSendTimeout:
    case kSendTimeoutNew: {
      const auto timeout = ToTimeout(value);
      if (!timeout) return std::unexpected(timeout.error());
      const bool receives = number == kReceiveTimeout || number == kReceiveTimeoutNew;
      (receives ? receive_timeout_ : send_timeout_) = *timeout;
      return {};
    }
    default:
      return options_.Set(kLevelSocket, number, *number_value);
  }
}

Result<void, Errno> Socket::SetOption(Caller& caller, int level, int number,
                                      std::span<const std::byte> value) {
  if (level == kLevelSocket) return SetSocketOption(caller, number, value);
  // ip(7): a byte is enough where the value fits one.
  if (level == kLevelIp && value.size() == 1)
    return options_.Set(level, number, static_cast<int>(value[0]));
  const auto number_value = ValueOf<std::int32_t>(value);
  if (FindOption(level, number, options_.scope()) == nullptr) return std::unexpected(kENOPROTOOPT);
  if (!number_value) return std::unexpected(number_value.error());
  return options_.Set(level, number, *number_value);
}

}  // namespace glovebox::engine::net
