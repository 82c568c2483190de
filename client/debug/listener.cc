#include "client/debug/listener.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "client/debug/relay.h"
#include "client/notice.h"
#include "client/rpc/status.h"

namespace glovebox::client {
namespace {

struct HostName {
  std::string_view text;
  int family;
};
constexpr HostName kLoopbacks[] = {
    {"", AF_INET}, {"127.0.0.1", AF_INET}, {"localhost", AF_INET}, {"[::1]", AF_INET6}};

std::unexpected<Error> BadAddress(const std::string& address) {
  return Fail(
      ErrorCode::kInvalidArgument, "BAD_ADDRESS",
      fmt::format("'{}' is no address to listen on: :PORT, 127.0.0.1:PORT or [::1]:PORT", address));
}

}  // namespace

Result<DebugListener, Error> DebugListener::Open(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const std::string_view host =
      std::string_view(address).substr(0, colon == std::string::npos ? 0 : colon);
  const std::string_view digits =
      std::string_view(address).substr(colon == std::string::npos ? 0 : colon + 1);
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  int family = AF_UNSPEC;
  for (const HostName& name : kLoopbacks) {
    if (host == name.text) family = name.family;
  }
  if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() ||
      family == AF_UNSPEC) {
    return BadAddress(address);
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  v6.sin6_addr = in6addr_loopback;
  auto* const raw =
      family == AF_INET ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
  socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;

  DebugListener listener;
  listener.socket_ = HostFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int one = 1;
  ::setsockopt(listener.socket_.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (!listener.socket_ || ::bind(listener.socket_.get(), raw, size) != 0 ||
      ::listen(listener.socket_.get(), 1) != 0 ||
      ::getsockname(listener.socket_.get(), raw, &size) != 0) {
    return Fail(ErrorCode::kUnavailable, "CANNOT_LISTEN",
                fmt::format("cannot listen on {}: {}", address, std::strerror(errno)));
  }
  listener.address_ = family == AF_INET ? fmt::format("127.0.0.1:{}", ntohs(v4.sin_port))
                                        : fmt::format("[::1]:{}", ntohs(v6.sin6_port));
  return listener;
}

HostFd DebugListener::Accept(int stop, bool* stopped) {
  std::array<pollfd, 2> polls{{{socket_.get(), POLLIN, 0}, {stop, POLLIN, 0}}};
  if (::poll(polls.data(), polls.size(), -1) < 0) return {};
  *stopped = polls[1].revents != 0;
  if (*stopped) return {};
  HostFd peer(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const int one = 1;
  if (peer) ::setsockopt(peer.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return peer;
}

Result<void, Error> DebugListener::Serve(v1::SessionService::StubInterface& service,
                                         const std::string& job, int stop) {
  for (bool stopped = false; !stopped;) {
    const HostFd peer = Accept(stop, &stopped);
    if (!peer) continue;
    const auto relayed = RelayDebugger(service, job, std::nullopt, peer.get(), peer.get(), stop);
    if (relayed) continue;
    const Error& error = relayed.error();
    const bool may_pass = error.code == ErrorCode::kUnavailable ||
                          error.reason == "DEBUGGER_BUSY" || error.reason == "JOB_NOT_RUNNING";
    if (!may_pass) return relayed;
    Warn(Describe(error));
  }
  return {};
}

Result<void, Error> DebugListener::ServeReplays(v1::SessionService::StubInterface& service,
                                                const std::string& job,
                                                std::optional<std::uint64_t> at_icount,
                                                const std::function<void()>& ready) {
  while (true) {
    DebugCall call(service, job, at_icount);
    const bool stands = call.AwaitAttached();
    if (stands) ready();
    HostFd peer;
    for (bool stopped = false; stands && !peer;) peer = Accept(-1, &stopped);
    // Without it the call says why.
    if (const auto relayed = call.Relay(peer.get(), peer.get()); !relayed) return relayed;
    if (!stands) return {};
  }
}

}  // namespace glovebox::client
