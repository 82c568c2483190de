#include "engine/linux/proc_net.h"

#include <fmt/format.h>

#include <cstring>

#include "engine/net/interfaces.h"
#include "engine/net/tcp_socket.h"
#include "engine/net/udp_socket.h"
#include "engine/net/unix_socket.h"

namespace glovebox::engine {
namespace {

using net::Family;

// An address as proc(5) writes it: words of 32 bits in the order of memory, and the port.
std::string Hex(const net::Endpoint& endpoint, Family family) {
  const auto& bytes = endpoint.address.bytes();
  std::string text;
  for (std::size_t at = family == net::kFamilyInet ? 12 : 0; at < bytes.size(); at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof(word));
    text += fmt::format("{:08X}", word);
  }
  return text + fmt::format(":{:04X}", endpoint.port);
}

// One line of tcp, tcp6, udp or udp6, up to the inode.
std::string InetLine(std::size_t number, const net::InetSocket& socket, net::TcpState state,
                     std::size_t queued) {
  return fmt::format("{:4}: {} {} {:02X} {:08X}:{:08X} 00:00000000 00000000 {:5}        0 {}",
                     number, Hex(socket.local(), socket.family()),
                     Hex(socket.remote(), socket.family()), static_cast<unsigned>(state), 0, queued,
                     socket.inode().uid, socket.inode().number);
}

constexpr std::size_t kTcpLineBytes = 149;
constexpr std::size_t kUdpLineBytes = 127;

std::string Tcp(Kernel& kernel, Family family) {
  const std::string_view address = family == net::kFamilyInet
                                       ? "  sl  local_address rem_address   "
                                       : "  sl  local_address                         "
                                         "remote_address                        ";
  std::string text = fmt::format("{:<{}}\n",
                                 fmt::format("{}st tx_queue rx_queue tr tm->when retrnsmt   uid  "
                                             "timeout inode",
                                             address),
                                 kTcpLineBytes);
  std::size_t number = 0;
  for (const auto& [serial, any] : kernel.network().sockets()) {
    const auto* const socket = dynamic_cast<const net::TcpSocket*>(any);
    // A socket without a port is in no table of Linux'.
    if (socket == nullptr || socket->family() != family || socket->local().port == 0) continue;
    const std::string line =
        InetLine(number++, *socket, socket->tcp_state(), socket->queued_bytes());
    text += fmt::format("{:<{}}\n", line + " 1 0000000000000000 100 0 0 10 0", kTcpLineBytes);
  }
  return text;
}

std::string Udp(Kernel& kernel, Family family) {
  std::string text = fmt::format(
      "{:<{}}\n",
      family == net::kFamilyInet
          ? "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
            "timeout inode ref pointer drops"
          : "  sl  local_address                         remote_address                        st "
            "tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops",
      kUdpLineBytes);
  for (const auto& [serial, any] : kernel.network().sockets()) {
    const auto* const socket = dynamic_cast<const net::UdpSocket*>(any);
    if (socket == nullptr || socket->family() != family || socket->local().port == 0) continue;
    const auto state = socket->connected() ? net::TcpState::kEstablished : net::TcpState::kClosed;
    const std::string line = InetLine(socket->local().port, *socket, state, socket->queued_bytes());
    text += fmt::format("{:<{}}\n", line + " 2 0000000000000000 0", kUdpLineBytes);
  }
  return text;
}

std::string Unix(Kernel& kernel) {
  constexpr unsigned kUnconnected = 1, kConnected = 3;
  std::string text = "Num       RefCount Protocol Flags    Type St Inode Path\n";
  for (const auto& [serial, any] : kernel.network().sockets()) {
    const auto* const socket = dynamic_cast<const net::UnixSocket*>(any);
    if (socket == nullptr) continue;
    const auto* const stream = dynamic_cast<const net::UnixConnection*>(any);
    const bool connected = stream != nullptr && stream->connected();
    text += fmt::format("0000000000000000: 00000002 00000000 {:08X} {:04X} {:02X} {:5}",
                        stream != nullptr && stream->listening() ? 0x10000 : 0,
                        static_cast<unsigned>(socket->socket_type()),
                        connected ? kConnected : kUnconnected, socket->inode().number);
    std::string name = socket->unix_name();
    if (net::IsAbstract(name)) {
      for (char& c : name) c = c == '\0' ? '@' : c;
    }
    text += name.empty() ? "\n" : " " + name + "\n";
  }
  return text;
}

}  // namespace

void AddNetwork(ProcDirectory& proc, Kernel& kernel) {
  const auto net = AddDirectory(proc, "net");
  AddFile(*net, "tcp", 0444, [&kernel] { return Tcp(kernel, net::kFamilyInet); });
  AddFile(*net, "tcp6", 0444, [&kernel] { return Tcp(kernel, net::kFamilyInet6); });
  AddFile(*net, "udp", 0444, [&kernel] { return Udp(kernel, net::kFamilyInet); });
  AddFile(*net, "udp6", 0444, [&kernel] { return Udp(kernel, net::kFamilyInet6); });
  AddFile(*net, "unix", 0444, [&kernel] { return Unix(kernel); });
  AddFile(*net, "dev", 0444, [] {
    return fmt::format(
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
        "drop fifo colls carrier compressed\n"
        "{:>6}:{:8}{:8}{:5}{:5}{:5}{:6}{:11}{:10}{:9}{:8}{:5}{:5}{:5}{:6}{:8}{:11}\n",
        net::Loopback::kName, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  });
  AddFile(*net, "if_inet6", 0444, [] {
    return fmt::format("{:032x} {:02x} {:02x} {:02x} {:02x} {:>8}\n", 1, net::Loopback::kIndex,
                       net::Loopback::kPrefixBits6, 0x10, 0x80, net::Loopback::kName);
  });
  AddFile(*net, "route", 0444, [] {
    return fmt::format("{:<127}\n",
                       "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\t"
                       "Window\tIRTT");
  });
}

void AddNetworkSettings(ProcDirectory& sys) {
  const auto net = AddDirectory(sys, "net");
  const auto constant = [](Directory& directory, const std::string& name, std::string text) {
    AddFile(directory, name, 0444, [text = std::move(text)] { return text + "\n"; });
  };
  const auto core = AddDirectory(*net, "core");
  constant(*core, "somaxconn", "4096");
  constant(*core, "rmem_default", "212992");
  constant(*core, "rmem_max", "212992");
  constant(*core, "wmem_default", "212992");
  constant(*core, "wmem_max", "212992");
  const auto v4 = AddDirectory(*net, "ipv4");
  constant(*v4, "ip_local_port_range",
           fmt::format("{}\t{}", net::PortTable::kFirstEphemeral, net::PortTable::kLastEphemeral));
  const auto v6 = AddDirectory(*net, "ipv6");
  const auto all = AddDirectory(*AddDirectory(*v6, "conf"), "all");
  constant(*all, "disable_ipv6", "0");
  const auto local = AddDirectory(*net, "unix");
  constant(*local, "max_dgram_qlen", fmt::format("{}", net::UnixDatagram::kMaxWaiting));
}

}  // namespace glovebox::engine
