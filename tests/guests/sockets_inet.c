// TCP and UDP over loopback: ip(7), ipv6(7), tcp(7), udp(7); what programs learn of interfaces.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

// An address at which nothing is; the compiler does not know.
static void* volatile nowhere = (void*)8;

union Address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

static socklen_t Make(union Address* address, const char* text, int port) {
  memset(address, 0, sizeof(*address));
  if (strchr(text, ':') != NULL) {
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons((uint16_t)port);
    inet_pton(AF_INET6, text, &address->v6.sin6_addr);
    return sizeof(address->v6);
  }
  address->v4.sin_family = AF_INET;
  address->v4.sin_port = htons((uint16_t)port);
  inet_pton(AF_INET, text, &address->v4.sin_addr);
  return sizeof(address->v4);
}

static int BindTo(int fd, const char* text, int port) {
  union Address address;
  return bind(fd, &address.any, Make(&address, text, port));
}
static int ConnectTo(int fd, const char* text, int port) {
  union Address address;
  return connect(fd, &address.any, Make(&address, text, port));
}
static ssize_t SendTo(int fd, const char* data, const char* text, int port) {
  union Address address;
  const socklen_t length = Make(&address, text, port);
  return sendto(fd, data, strlen(data), 0, &address.any, length);
}

static int PortOf(int fd) {
  union Address address;
  socklen_t length = sizeof(address);
  CHECK_EQ(getsockname(fd, &address.any, &length), 0);
  return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}

// The own address, or the peer's, as text.
static const char* NameOf(int fd, int of_peer) {
  static char text[64];
  union Address address;
  socklen_t length = sizeof(address);
  const int done =
      of_peer ? getpeername(fd, &address.any, &length) : getsockname(fd, &address.any, &length);
  if (done != 0) return "";
  const void* raw =
      address.any.sa_family == AF_INET ? (void*)&address.v4.sin_addr : (void*)&address.v6.sin6_addr;
  inet_ntop(address.any.sa_family, raw, text, sizeof(text));
  return text;
}

static int Int(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof(value);
  CHECK_EQ(getsockopt(fd, level, name, &value, &length), 0);
  return value;
}
static void Set(int fd, int level, int name, int value) {
  CHECK_EQ(setsockopt(fd, level, name, &value, sizeof(value)), 0);
}

static short Events(int fd) {
  struct pollfd row = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
  CHECK(poll(&row, 1, 0) >= 0);
  return row.revents;
}
// Waits for one of these events, natively for what a packet brings.
static short Await(int fd, short events) {
  struct pollfd row = {fd, events, 0};
  CHECK_EQ(poll(&row, 1, 5000), 1);
  return row.revents;
}

static int Listening(const char* text, int backlog) {
  const int fd = socket(strchr(text, ':') != NULL ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
  CHECK(fd >= 0);
  CHECK_EQ(BindTo(fd, text, 0), 0);
  CHECK_EQ(listen(fd, backlog), 0);
  return fd;
}

// Two ends of a TCP connection.
static void Connection(int fds[2]) {
  const int server = Listening("127.0.0.1", 5);
  fds[0] = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(ConnectTo(fds[0], "127.0.0.1", PortOf(server)), 0);
  fds[1] = accept(server, NULL, NULL);
  CHECK(fds[1] >= 0);
  close(server);
}
static void ClosePair(int fds[2]) {
  close(fds[0]);
  close(fds[1]);
}

static int pipe_signals;
static void OnPipe(int signal) {
  (void)signal;
  ++pipe_signals;
}

static void Making(void) {
  CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
  CHECK_ERRNO(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
  CHECK_ERRNO(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
  CHECK_ERRNO(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
  CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, -1), EINVAL);
  CHECK_ERRNO(socket(AF_NETLINK, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
  CHECK_ERRNO(socket(AF_NETLINK, SOCK_RAW, 99), EPROTONOSUPPORT);
  const int tcp = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
  CHECK_EQ(Int(tcp, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
  CHECK_EQ(Int(tcp, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
  CHECK_EQ(Int(tcp, SOL_SOCKET, SO_DOMAIN), AF_INET);
  CHECK_EQ(Int(tcp, SOL_SOCKET, SO_ACCEPTCONN), 0);
  CHECK_EQ(Events(tcp), POLLOUT | POLLHUP);
  char byte;
  CHECK_ERRNO(recv(tcp, &byte, 1, 0), ENOTCONN);
  CHECK_ERRNO(send(tcp, &byte, 1, MSG_NOSIGNAL), EPIPE);
  pipe_signals = 0;
  CHECK_ERRNO(write(tcp, &byte, 1), EPIPE);
  CHECK_EQ(pipe_signals, 1);
  CHECK_ERRNO(shutdown(tcp, SHUT_WR), ENOTCONN);
  union Address address;
  socklen_t length = sizeof(address);
  CHECK_ERRNO(getpeername(tcp, &address.any, &length), ENOTCONN);
  CHECK_EQ(getsockname(tcp, &address.any, &length), 0);
  CHECK_EQ(length, sizeof(address.v4));
  CHECK_EQ(address.v4.sin_port, 0);
  CHECK_ERRNO(accept(tcp, NULL, NULL), EINVAL);
  close(tcp);
}

static void Binding(void) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  union Address address;
  CHECK_ERRNO(bind(fd, &address.any, 8), EINVAL);
  CHECK_ERRNO(bind(fd, nowhere, 16), EFAULT);
  CHECK_ERRNO(BindTo(fd, "8.8.8.8", 0), EADDRNOTAVAIL);
  CHECK_ERRNO(BindTo(fd, "::1", 0), EAFNOSUPPORT);
  CHECK_EQ(BindTo(fd, "127.3.2.1", 0), 0);
  CHECK_ERRNO(BindTo(fd, "127.0.0.1", 0), EINVAL);
  CHECK(strcmp(NameOf(fd, 0), "127.3.2.1") == 0);
  const int port = PortOf(fd);
  CHECK(port >= 1024);
  const int second = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_ERRNO(BindTo(second, "127.3.2.1", port), EADDRINUSE);
  CHECK_ERRNO(BindTo(second, "0.0.0.0", port), EADDRINUSE);
  CHECK_EQ(BindTo(second, "127.3.2.2", port), 0);
  close(second);
  // Two of them share an address if both want to, but not while one listens.
  const int third = socket(AF_INET, SOCK_STREAM, 0);
  Set(third, SOL_SOCKET, SO_REUSEADDR, 1);
  CHECK_ERRNO(BindTo(third, "127.3.2.1", port), EADDRINUSE);
  Set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  CHECK_EQ(BindTo(third, "127.3.2.1", port), 0);
  CHECK_EQ(listen(fd, 1), 0);
  CHECK_ERRNO(listen(third, 1), EADDRINUSE);
  close(third);
  close(fd);
  // SO_REUSEPORT: several listen.
  const int one = socket(AF_INET, SOCK_STREAM, 0), two = socket(AF_INET, SOCK_STREAM, 0);
  Set(one, SOL_SOCKET, SO_REUSEPORT, 1);
  Set(two, SOL_SOCKET, SO_REUSEPORT, 1);
  CHECK_EQ(BindTo(one, "127.0.0.1", 0), 0);
  CHECK_EQ(BindTo(two, "127.0.0.1", PortOf(one)), 0);
  CHECK_EQ(listen(one, 1), 0);
  CHECK_EQ(listen(two, 1), 0);
  close(one);
  close(two);
  // IPv6 and IPv4 share the ports, unless a socket is for IPv6 only.
  const int both = socket(AF_INET6, SOCK_STREAM, 0);
  CHECK_EQ(BindTo(both, "::", 0), 0);
  CHECK_ERRNO(setsockopt(both, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, 4), EINVAL);
  const int v4 = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_ERRNO(BindTo(v4, "127.0.0.1", PortOf(both)), EADDRINUSE);
  close(both);
  const int only = socket(AF_INET6, SOCK_STREAM, 0);
  Set(only, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  CHECK_EQ(BindTo(only, "::", 0), 0);
  CHECK_EQ(BindTo(v4, "127.0.0.1", PortOf(only)), 0);
  close(only);
  close(v4);
  // Listening without a name takes a port.
  const int nameless = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(listen(nameless, 1), 0);
  CHECK(PortOf(nameless) >= 1024);
  close(nameless);
}

static void Connecting(void) {
  const int server = Listening("127.0.0.1", 5);
  const int port = PortOf(server);
  CHECK_EQ(Int(server, SOL_SOCKET, SO_ACCEPTCONN), 1);
  CHECK_EQ(Events(server), 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_ERRNO(connect(client, nowhere, 16), EFAULT);
  union Address address;
  CHECK_ERRNO(connect(client, &address.any, 1), EINVAL);
  CHECK_ERRNO(ConnectTo(client, "::1", port), EAFNOSUPPORT);
  CHECK_EQ(ConnectTo(client, "127.0.0.1", port), 0);
  CHECK_ERRNO(ConnectTo(client, "127.0.0.1", port), EISCONN);
  CHECK_EQ(Await(server, POLLIN), POLLIN);
  CHECK_EQ(send(client, "early", 5, 0), 5);
  socklen_t length = sizeof(address);
  const int accepted = accept(server, &address.any, &length);
  CHECK(accepted >= 0);
  CHECK_EQ(length, sizeof(address.v4));
  CHECK_EQ(ntohs(address.v4.sin_port), PortOf(client));
  CHECK_EQ(PortOf(accepted), port);
  CHECK(strcmp(NameOf(client, 1), "127.0.0.1") == 0);
  CHECK(strcmp(NameOf(accepted, 1), "127.0.0.1") == 0);
  char buffer[16];
  CHECK_EQ(recv(accepted, buffer, 16, 0), 5);
  CHECK_ERRNO(accept(accepted, NULL, NULL), EINVAL);
  CHECK_ERRNO(listen(accepted, 1), EINVAL);
  CHECK_ERRNO(recv(server, buffer, 1, 0), ENOTCONN);
  close(client);
  close(accepted);
  CHECK_EQ(fcntl(server, F_SETFL, O_NONBLOCK), 0);
  CHECK_ERRNO(accept(server, NULL, NULL), EAGAIN);
  // Not waiting: the answer comes later, and is told once.
  const int eager = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  CHECK_ERRNO(ConnectTo(eager, "127.0.0.1", port), EINPROGRESS);
  CHECK_EQ(Await(eager, POLLOUT), POLLOUT);
  CHECK_EQ(Int(eager, SOL_SOCKET, SO_ERROR), 0);
  CHECK_EQ(ConnectTo(eager, "127.0.0.1", port), 0);
  CHECK_ERRNO(ConnectTo(eager, "127.0.0.1", port), EISCONN);
  close(eager);
  // By any name of this host.
  const int any = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(ConnectTo(any, "0.0.0.0", port), 0);
  CHECK(strcmp(NameOf(any, 1), "127.0.0.1") == 0);
  close(any);
  // Shut for receiving, a listener listens no more.
  CHECK_EQ(shutdown(server, SHUT_RD), 0);
  CHECK_ERRNO(accept(server, NULL, NULL), EINVAL);
  close(server);
  // Nobody there.
  const int refused = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_ERRNO(ConnectTo(refused, "127.0.0.1", port), ECONNREFUSED);
  close(refused);
  const int later = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  CHECK_ERRNO(ConnectTo(later, "127.0.0.1", port), EINPROGRESS);
  const short events = Await(later, POLLOUT | POLLIN);
  CHECK_EQ(events, POLLOUT | POLLIN | POLLERR | POLLHUP);
  CHECK_EQ(Int(later, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  CHECK_EQ(Int(later, SOL_SOCKET, SO_ERROR), 0);
  CHECK_ERRNO(ConnectTo(later, "127.0.0.1", port), ECONNABORTED);
  close(later);
  // To another address of this host's, by either family.
  const int mapped_server = Listening("::", 3);
  const int mapped = socket(AF_INET6, SOCK_STREAM, 0), plain = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(ConnectTo(mapped, "::ffff:127.0.0.1", PortOf(mapped_server)), 0);
  CHECK(strcmp(NameOf(mapped, 0), "::ffff:127.0.0.1") == 0);
  CHECK_EQ(ConnectTo(plain, "127.0.0.1", PortOf(mapped_server)), 0);
  const int from_mapped = accept(mapped_server, NULL, NULL);
  const int from_plain = accept(mapped_server, NULL, NULL);
  CHECK(strcmp(NameOf(from_plain, 1), "::ffff:127.0.0.1") == 0);
  const int six = socket(AF_INET6, SOCK_STREAM, 0);
  CHECK_EQ(ConnectTo(six, "::1", PortOf(mapped_server)), 0);
  CHECK(strcmp(NameOf(six, 0), "::1") == 0);
  Set(socket(AF_INET6, SOCK_STREAM, 0), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  close(six);
  close(from_mapped);
  close(from_plain);
  close(mapped);
  close(plain);
  close(mapped_server);
}

static void Ending(void) {
  int fds[2];
  char buffer[32];
  // Half-close: the other way stays open.
  Connection(fds);
  CHECK_EQ(Events(fds[0]), POLLOUT);
  CHECK_EQ(write(fds[0], "last", 4), 4);
  CHECK_EQ(shutdown(fds[0], SHUT_WR), 0);
  CHECK_EQ(Await(fds[1], POLLRDHUP) & POLLRDHUP, POLLRDHUP);
  CHECK_EQ(Events(fds[1]), POLLIN | POLLOUT | POLLRDHUP);
  CHECK_EQ(recv(fds[1], buffer, 32, MSG_WAITALL), 4);
  CHECK_EQ(recv(fds[1], buffer, 32, 0), 0);
  CHECK_EQ(write(fds[1], "answer", 6), 6);
  CHECK_EQ(recv(fds[0], buffer, 6, MSG_WAITALL), 6);
  pipe_signals = 0;
  CHECK_ERRNO(write(fds[0], "x", 1), EPIPE);
  CHECK_EQ(pipe_signals, 1);
  CHECK_EQ(shutdown(fds[0], SHUT_WR), 0);
  close(fds[1]);
  CHECK_EQ(recv(fds[0], buffer, 1, 0), 0);
  CHECK_EQ(Events(fds[0]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
  CHECK_ERRNO(shutdown(fds[0], SHUT_RDWR), ENOTCONN);
  close(fds[0]);
  // To one who has closed: the first write goes, then it is known.
  Connection(fds);
  close(fds[1]);
  CHECK_EQ(Await(fds[0], POLLRDHUP) & POLLRDHUP, POLLRDHUP);
  CHECK_EQ(send(fds[0], "x", 1, MSG_NOSIGNAL), 1);
  CHECK_EQ(Await(fds[0], POLLERR | POLLHUP) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
  CHECK_ERRNO(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_EQ(recv(fds[0], buffer, 1, 0), 0);
  close(fds[0]);
  // Closed with something unread: a reset, behind what was sent.
  Connection(fds);
  CHECK_EQ(write(fds[1], "sent", 4), 4);
  CHECK_EQ(write(fds[0], "unread", 6), 6);
  Await(fds[1], POLLIN);
  close(fds[1]);
  CHECK_EQ(Await(fds[0], POLLHUP) & POLLERR, POLLERR);
  CHECK_EQ(recv(fds[0], buffer, 32, 0), 4);
  CHECK_ERRNO(recv(fds[0], buffer, 32, 0), ECONNRESET);
  CHECK_EQ(recv(fds[0], buffer, 32, 0), 0);
  CHECK_ERRNO(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_ERRNO(ConnectTo(fds[0], "127.0.0.1", 9), EISCONN);
  close(fds[0]);
  // As does SO_LINGER with no time.
  Connection(fds);
  const struct linger now = {1, 0};
  CHECK_EQ(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
  struct linger told = {0, 5};
  socklen_t length = sizeof(told);
  CHECK_EQ(getsockopt(fds[1], SOL_SOCKET, SO_LINGER, &told, &length), 0);
  CHECK_EQ(told.l_onoff, 1);
  CHECK_EQ(told.l_linger, 0);
  close(fds[1]);
  CHECK_EQ(Await(fds[0], POLLHUP) & POLLERR, POLLERR);
  CHECK_EQ(Int(fds[0], SOL_SOCKET, SO_ERROR), ECONNRESET);
  close(fds[0]);
  // AF_UNSPEC takes a connection apart, and the socket is as new.
  Connection(fds);
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  CHECK_EQ(connect(fds[0], &none, sizeof(none)), 0);
  CHECK_ERRNO(recv(fds[1], buffer, 1, 0), ECONNRESET);
  union Address address;
  length = sizeof(address);
  CHECK_ERRNO(getpeername(fds[0], &address.any, &length), ENOTCONN);
  ClosePair(fds);
  // A listener that goes resets whom it has not accepted.
  const int server = Listening("127.0.0.1", 3);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(ConnectTo(client, "127.0.0.1", PortOf(server)), 0);
  close(server);
  CHECK_ERRNO(recv(client, buffer, 1, 0), ECONNRESET);
  close(client);
}

static void Transfer(void) {
  int fds[2];
  Connection(fds);
  enum { kBytes = 3 << 20 };
  const pid_t child = fork();
  if (child == 0) {
    close(fds[1]);
    static char block[50000];
    long at = 0;
    while (at < kBytes) {
      long part = kBytes - at < (long)sizeof(block) ? kBytes - at : (long)sizeof(block);
      for (long i = 0; i < part; ++i) block[i] = (char)((at + i) * 13 >> 4);
      if (write(fds[0], block, (size_t)part) != part) _exit(1);
      at += part;
    }
    _exit(0);
  }
  close(fds[0]);
  static char in[70000];
  long at = 0, wrong = 0;
  ssize_t got;
  while ((got = read(fds[1], in, sizeof(in))) > 0) {
    for (ssize_t i = 0; i < got; ++i, ++at) wrong += in[i] != (char)(at * 13 >> 4);
  }
  CHECK_EQ(got, 0);
  CHECK_EQ(at, kBytes);
  CHECK_EQ(wrong, 0);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  close(fds[1]);
  // Not waiting, it goes until there is no room, and is told when there is some again.
  Connection(fds);
  CHECK_EQ(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
  long sent = 0;
  while ((got = write(fds[0], in, sizeof(in))) > 0) sent += got;
  CHECK_EQ(errno, EAGAIN);
  CHECK(sent >= 65536);
  CHECK_EQ(Events(fds[0]), 0);
  int there = 0;
  CHECK_EQ(ioctl(fds[1], FIONREAD, &there), 0);
  CHECK(there > 0);
  long back = 0;
  while (back < sent && (got = read(fds[1], in, sizeof(in))) > 0) back += got;
  CHECK_EQ(back, sent);
  CHECK_EQ(Await(fds[0], POLLOUT), POLLOUT);
  // MSG_PEEK, MSG_TRUNC, scatter and gather.
  struct iovec out[3] = {{"ab", 2}, {"", 0}, {"cdef", 4}};
  CHECK_EQ(writev(fds[0], out, 3), 6);
  char buffer[16];
  Await(fds[1], POLLIN);
  CHECK_EQ(recv(fds[1], buffer, 4, MSG_PEEK), 4);
  CHECK_EQ(recv(fds[1], buffer, 2, MSG_TRUNC), 2);
  struct iovec vector[2] = {{buffer, 1}, {buffer + 8, 8}};
  struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
  CHECK_EQ(recvmsg(fds[1], &message, 0), 4);
  CHECK(buffer[0] == 'c' && memcmp(buffer + 8, "def", 3) == 0);
  CHECK_ERRNO(recv(fds[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
  CHECK_ERRNO(recv(fds[1], buffer, 1, MSG_ERRQUEUE), EAGAIN);
  // Bad pointers lose nothing.
  CHECK_EQ(write(fds[0], "keep", 4), 4);
  Await(fds[1], POLLIN);
  CHECK_ERRNO(read(fds[1], nowhere, 4), EFAULT);
  CHECK_EQ(read(fds[1], buffer, 16), 4);
  CHECK_ERRNO(write(fds[0], nowhere, 4), EFAULT);
  ClosePair(fds);
}

static void Urgent(void) {
  int fds[2];
  char buffer[16];
  Connection(fds);
  CHECK_ERRNO(recv(fds[1], buffer, 1, MSG_OOB), EINVAL);
  CHECK_EQ(send(fds[0], "abc!", 4, MSG_OOB), 4);
  CHECK_EQ(send(fds[0], "def", 3, 0), 3);
  CHECK_EQ(Await(fds[1], POLLPRI) & POLLPRI, POLLPRI);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fds[1], &set);
  CHECK_EQ(select(fds[1] + 1, NULL, NULL, &set, NULL), 1);
  CHECK_EQ(recv(fds[1], buffer, 1, MSG_OOB), 1);
  CHECK_EQ(buffer[0], '!');
  CHECK_ERRNO(recv(fds[1], buffer, 1, MSG_OOB), EINVAL);
  // A receive ends at the mark.
  CHECK_EQ(recv(fds[1], buffer, 16, 0), 3);
  int mark = 0;
  CHECK_EQ(ioctl(fds[1], SIOCATMARK, &mark), 0);
  CHECK_EQ(mark, 1);
  Await(fds[1], POLLIN);
  CHECK_EQ(recv(fds[1], buffer, 16, 0), 3);
  CHECK(memcmp(buffer, "def", 3) == 0);
  Set(fds[1], SOL_SOCKET, SO_OOBINLINE, 1);
  CHECK_EQ(send(fds[0], "x!", 2, MSG_OOB), 2);
  Await(fds[1], POLLPRI);
  CHECK_EQ(recv(fds[1], buffer, 16, 0), 1);
  CHECK_EQ(recv(fds[1], buffer, 16, 0), 1);
  CHECK_EQ(buffer[0], '!');
  ClosePair(fds);
}

static void Datagrams(void) {
  const int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
  char buffer[64];
  union Address address;
  CHECK_EQ(Events(client), POLLOUT);
  CHECK_ERRNO(send(client, "x", 1, 0), EDESTADDRREQ);
  CHECK_EQ(BindTo(server, "127.0.0.1", 0), 0);
  const int port = PortOf(server);
  CHECK_EQ(SendTo(client, "datagram", "127.0.0.1", port), 8);
  CHECK_EQ(SendTo(client, "", "127.0.0.1", port), 0);
  CHECK_EQ(Await(server, POLLIN), POLLIN);
  int bytes = -1;
  CHECK_EQ(ioctl(server, FIONREAD, &bytes), 0);
  CHECK_EQ(bytes, 8);
  socklen_t length = sizeof(address);
  CHECK_EQ(recvfrom(server, buffer, 4, MSG_PEEK | MSG_TRUNC, &address.any, &length), 8);
  CHECK_EQ(length, sizeof(address.v4));
  CHECK_EQ(ntohs(address.v4.sin_port), PortOf(client));
  struct iovec vector = {buffer, 4};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_name = &address, .msg_namelen = sizeof(address)};
  CHECK_EQ(recvmsg(server, &message, 0), 4);
  CHECK_EQ(message.msg_flags, MSG_TRUNC);
  CHECK_EQ(message.msg_namelen, sizeof(address.v4));
  CHECK_EQ(recv(server, buffer, 4, 0), 0);
  CHECK_ERRNO(recv(server, buffer, 4, MSG_DONTWAIT), EAGAIN);
  // Answered to where it came from.
  CHECK_EQ(sendto(server, "re", 2, 0, &address.any, length), 2);
  CHECK_EQ(recv(client, buffer, 64, 0), 2);
  static char large[65508];
  length = Make(&address, "127.0.0.1", port);
  CHECK_ERRNO(sendto(client, large, 65508, 0, &address.any, length), EMSGSIZE);
  CHECK_EQ(sendto(client, large, 65507, 0, &address.any, length), 65507);
  CHECK_EQ(recv(server, large, sizeof(large), 0), 65507);
  CHECK_ERRNO(SendTo(client, "x", "127.0.0.1", 0), EINVAL);
  CHECK_ERRNO(SendTo(client, "x", "255.255.255.255", port), EACCES);
  CHECK_ERRNO(sendto(client, "x", 1, 0, &address.any, 8), EINVAL);
  CHECK_ERRNO(sendto(client, "x", 1, 0, nowhere, 16), EFAULT);
  // Connected: nobody there is told, once.
  CHECK_EQ(ConnectTo(client, "127.0.0.1", port), 0);
  CHECK(strcmp(NameOf(client, 1), "127.0.0.1") == 0);
  CHECK_EQ(send(client, "one", 3, 0), 3);
  CHECK_EQ(recv(server, buffer, 64, 0), 3);
  close(server);
  CHECK_EQ(send(client, "lost", 4, 0), 4);
  CHECK_EQ(Await(client, POLLERR) & POLLERR, POLLERR);
  CHECK_ERRNO(recv(client, buffer, 64, MSG_DONTWAIT), ECONNREFUSED);
  CHECK_ERRNO(recv(client, buffer, 64, MSG_DONTWAIT), EAGAIN);
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  CHECK_EQ(connect(client, &none, sizeof(none)), 0);
  CHECK_ERRNO(send(client, "x", 1, 0), EDESTADDRREQ);
  CHECK_ERRNO(shutdown(client, SHUT_RD), ENOTCONN);
  CHECK_ERRNO(listen(client, 1), EOPNOTSUPP);
  CHECK_ERRNO(accept(client, NULL, NULL), EOPNOTSUPP);
  close(client);
  // A connected socket hears its peer alone.
  const int ear = socket(AF_INET, SOCK_DGRAM, 0), friend = socket(AF_INET, SOCK_DGRAM, 0),
            stranger = socket(AF_INET, SOCK_DGRAM, 0);
  CHECK_EQ(BindTo(ear, "127.0.0.1", 0), 0);
  CHECK_EQ(BindTo(friend, "127.0.0.1", 0), 0);
  CHECK_EQ(ConnectTo(ear, "127.0.0.1", PortOf(friend)), 0);
  CHECK_EQ(SendTo(stranger, "psst", "127.0.0.1", PortOf(ear)), 4);
  CHECK_EQ(SendTo(friend, "hello", "127.0.0.1", PortOf(ear)), 5);
  CHECK_EQ(recv(ear, buffer, 64, 0), 5);
  CHECK_ERRNO(recv(ear, buffer, 64, MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(shutdown(ear, SHUT_RD), 0);
  CHECK_EQ(recv(ear, buffer, 64, 0), 0);
  close(ear);
  close(friend);
  close(stranger);
  // What does not fit the queue is lost.
  const int full = socket(AF_INET, SOCK_DGRAM, 0), source = socket(AF_INET, SOCK_DGRAM, 0);
  CHECK_EQ(BindTo(full, "127.0.0.1", 0), 0);
  for (int i = 0; i < 3000; ++i) CHECK_EQ(SendTo(source, "x", "127.0.0.1", PortOf(full)), 1);
  int kept = 0;
  while (recv(full, buffer, 64, MSG_DONTWAIT) == 1) ++kept;
  CHECK(kept > 50 && kept < 3000);
  close(full);
  close(source);
  // IPv6, and where a datagram was sent to.
  const int six = socket(AF_INET6, SOCK_DGRAM, 0), from = socket(AF_INET6, SOCK_DGRAM, 0);
  CHECK_EQ(BindTo(six, "::", 0), 0);
  Set(six, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  CHECK_EQ(SendTo(from, "six", "::1", PortOf(six)), 3);
  char control[128];
  struct sockaddr_in6 source6;
  struct msghdr info = {.msg_iov = &vector,
                        .msg_iovlen = 1,
                        .msg_control = control,
                        .msg_controllen = sizeof(control),
                        .msg_name = &source6,
                        .msg_namelen = sizeof(source6)};
  CHECK_EQ(recvmsg(six, &info, 0), 3);
  struct cmsghdr* header = CMSG_FIRSTHDR(&info);
  CHECK(header != NULL && header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO);
  struct in6_pktinfo to;
  memcpy(&to, CMSG_DATA(header), sizeof(to));
  CHECK(IN6_IS_ADDR_LOOPBACK(&to.ipi6_addr));
  CHECK_EQ(to.ipi6_ifindex, 1);
  CHECK(IN6_IS_ADDR_LOOPBACK(&source6.sin6_addr));
  CHECK_EQ(SendTo(from, "map", "::ffff:127.0.0.1", PortOf(six)), 3);
  info.msg_controllen = sizeof(control);
  CHECK_EQ(recvmsg(six, &info, 0), 3);
  CHECK(IN6_IS_ADDR_V4MAPPED(&source6.sin6_addr));
  close(six);
  close(from);
}

static void Options(void) {
  const int tcp = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(Int(tcp, IPPROTO_TCP, TCP_NODELAY), 0);
  Set(tcp, IPPROTO_TCP, TCP_NODELAY, 5);
  CHECK_EQ(Int(tcp, IPPROTO_TCP, TCP_NODELAY), 1);
  CHECK_EQ(Int(tcp, IPPROTO_TCP, TCP_KEEPIDLE), 7200);
  Set(tcp, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  CHECK_EQ(Int(tcp, IPPROTO_TCP, TCP_KEEPIDLE), 30);
  CHECK_ERRNO(setsockopt(tcp, IPPROTO_TCP, TCP_KEEPIDLE, &(int){0}, 4), EINVAL);
  CHECK_EQ(Int(tcp, IPPROTO_TCP, TCP_KEEPCNT), 9);
  CHECK_EQ(Int(tcp, IPPROTO_TCP, TCP_KEEPINTVL), 75);
  Set(tcp, IPPROTO_TCP, TCP_CORK, 1);
  CHECK_EQ(Int(tcp, IPPROTO_TCP, TCP_CORK), 1);
  Set(tcp, SOL_SOCKET, SO_KEEPALIVE, 1);
  Set(tcp, IPPROTO_IP, IP_TOS, 0x10);
  CHECK_EQ(Int(tcp, IPPROTO_IP, IP_TTL), 64);
  CHECK_ERRNO(setsockopt(tcp, IPPROTO_TCP, 9999, &(int){0}, 4), ENOPROTOOPT);
  CHECK_ERRNO(setsockopt(tcp, 99, 1, &(int){0}, 4), ENOPROTOOPT);
  CHECK_ERRNO(setsockopt(tcp, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, 4), ENOPROTOOPT);
  Set(tcp, SOL_SOCKET, SO_SNDBUF, 10000);
  CHECK_EQ(Int(tcp, SOL_SOCKET, SO_SNDBUF), 20000);
  Set(tcp, SOL_SOCKET, SO_RCVBUF, 10000);
  CHECK_EQ(Int(tcp, SOL_SOCKET, SO_RCVBUF), 20000);
  Set(tcp, SOL_SOCKET, SO_SNDBUF, 1);
  CHECK_EQ(Int(tcp, SOL_SOCKET, SO_SNDBUF), 4608);
  char name[16] = "";
  socklen_t length = sizeof(name);
  CHECK_EQ(getsockopt(tcp, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
  CHECK_EQ(length, 16);
  CHECK_ERRNO(setsockopt(tcp, IPPROTO_TCP, TCP_CONGESTION, "nonsense", 8), ENOENT);
  struct tcp_info info;
  length = sizeof(info);
  CHECK_EQ(getsockopt(tcp, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  CHECK_EQ(info.tcpi_state, TCP_CLOSE);
  close(tcp);
  int fds[2];
  Connection(fds);
  length = sizeof(info);
  CHECK_EQ(getsockopt(fds[0], IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  CHECK_EQ(info.tcpi_state, TCP_ESTABLISHED);
  // A time to wait, and as little as that.
  struct timeval timeout = {0, 10000};
  CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
  char byte;
  CHECK_ERRNO(recv(fds[0], &byte, 1, 0), EAGAIN);
  ClosePair(fds);
  const int six = socket(AF_INET6, SOCK_DGRAM, 0);
  CHECK_EQ(Int(six, IPPROTO_IPV6, IPV6_V6ONLY), 0);
  Set(six, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  CHECK_ERRNO(SendTo(six, "x", "::ffff:127.0.0.1", 9), ENETUNREACH);
  close(six);
}

static void Interfaces(void) {
  CHECK_EQ(if_nametoindex("lo"), 1);
  char name[IF_NAMESIZE];
  CHECK(if_indextoname(1, name) != NULL && strcmp(name, "lo") == 0);
  CHECK_EQ(if_nametoindex("nothing0"), 0);
  struct if_nameindex* names = if_nameindex();
  int found = 0;
  for (int i = 0; names != NULL && names[i].if_index != 0; ++i)
    found += strcmp(names[i].if_name, "lo") == 0 && names[i].if_index == 1;
  CHECK_EQ(found, 1);
  if_freenameindex(names);
  struct ifaddrs* list = NULL;
  CHECK_EQ(getifaddrs(&list), 0);
  int v4 = 0, v6 = 0;
  for (struct ifaddrs* row = list; row != NULL; row = row->ifa_next) {
    if (strcmp(row->ifa_name, "lo") != 0 || row->ifa_addr == NULL) continue;
    CHECK_EQ(row->ifa_flags & (IFF_UP | IFF_LOOPBACK), IFF_UP | IFF_LOOPBACK);
    if (row->ifa_addr->sa_family == AF_INET) {
      v4 += ((struct sockaddr_in*)row->ifa_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
      CHECK_EQ(((struct sockaddr_in*)row->ifa_netmask)->sin_addr.s_addr, htonl(0xff000000));
    }
    if (row->ifa_addr->sa_family == AF_INET6)
      v6 += IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6*)row->ifa_addr)->sin6_addr);
  }
  CHECK_EQ(v4, 1);
  CHECK_EQ(v6, 1);
  freeifaddrs(list);
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq request;
  memset(&request, 0, sizeof(request));
  strcpy(request.ifr_name, "lo");
  CHECK_EQ(ioctl(fd, SIOCGIFFLAGS, &request), 0);
  CHECK_EQ(request.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING),
           IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
  CHECK_EQ(ioctl(fd, SIOCGIFMTU, &request), 0);
  CHECK_EQ(request.ifr_mtu, 65536);
  CHECK_EQ(ioctl(fd, SIOCGIFADDR, &request), 0);
  CHECK_EQ(((struct sockaddr_in*)&request.ifr_addr)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  strcpy(request.ifr_name, "nothing0");
  CHECK_ERRNO(ioctl(fd, SIOCGIFINDEX, &request), ENODEV);
  CHECK_ERRNO(ioctl(fd, SIOCGIFFLAGS, nowhere), EFAULT);
  struct ifreq rows[8];
  struct ifconf all = {.ifc_len = sizeof(rows), .ifc_req = rows};
  CHECK_EQ(ioctl(fd, SIOCGIFCONF, &all), 0);
  CHECK(all.ifc_len >= (int)sizeof(struct ifreq));
  CHECK(strcmp(rows[0].ifr_name, "lo") == 0);
  close(fd);
  // Numbers and names without a network.
  struct addrinfo* answer = NULL;
  const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
  CHECK_EQ(getaddrinfo("127.0.0.1", "80", &hints, &answer), 0);
  CHECK(answer != NULL && ((struct sockaddr_in*)answer->ai_addr)->sin_port == htons(80));
  freeaddrinfo(answer);
}

static void* Echo(void* argument) {
  const int fd = *(int*)argument;
  char buffer[256];
  ssize_t got;
  while ((got = read(fd, buffer, sizeof(buffer))) > 0)
    CHECK_EQ(write(fd, buffer, (size_t)got), got);
  close(fd);
  return NULL;
}

// A server with a thread for each connection, and one that polls them all.
static void Servers(void) {
  enum { kClients = 6 };
  const int server = Listening("127.0.0.1", kClients);
  int clients[kClients], ends[kClients];
  pthread_t threads[kClients];
  for (int i = 0; i < kClients; ++i) {
    clients[i] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(ConnectTo(clients[i], "127.0.0.1", PortOf(server)), 0);
    ends[i] = accept(server, NULL, NULL);
    CHECK_EQ(pthread_create(&threads[i], NULL, Echo, &ends[i]), 0);
  }
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < kClients; ++i) {
      char text[32], back[32];
      const int length = snprintf(text, sizeof(text), "%d of %d", round, i);
      CHECK_EQ(write(clients[i], text, (size_t)length), length);
      CHECK_EQ(recv(clients[i], back, (size_t)length, MSG_WAITALL), length);
      CHECK(memcmp(text, back, (size_t)length) == 0);
    }
  }
  for (int i = 0; i < kClients; ++i) {
    CHECK_EQ(shutdown(clients[i], SHUT_WR), 0);
    char byte;
    CHECK_EQ(read(clients[i], &byte, 1), 0);
    close(clients[i]);
    CHECK_EQ(pthread_join(threads[i], NULL), 0);
  }
  const pid_t child = fork();
  if (child == 0) {
    struct pollfd rows[kClients + 1] = {{server, POLLIN, 0}};
    int open = 0, ended = 0;
    while (ended < kClients) {
      if (poll(rows, (nfds_t)open + 1, -1) < 1) _exit(1);
      if (rows[0].revents != 0)
        rows[++open] = (struct pollfd){accept(server, NULL, NULL), POLLIN, 0};
      for (int i = 1; i <= open; ++i) {
        if (rows[i].revents == 0) continue;
        char buffer[64];
        const ssize_t got = read(rows[i].fd, buffer, sizeof(buffer));
        if (got > 0 && write(rows[i].fd, buffer, (size_t)got) == got) continue;
        close(rows[i].fd);
        rows[i].fd = -1;
        ++ended;
      }
    }
    _exit(0);
  }
  for (int i = 0; i < kClients; ++i) {
    clients[i] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(ConnectTo(clients[i], "127.0.0.1", PortOf(server)), 0);
  }
  for (int i = kClients - 1; i >= 0; --i) {
    char back[8];
    CHECK_EQ(write(clients[i], "ping", 4), 4);
    CHECK_EQ(recv(clients[i], back, 4, MSG_WAITALL), 4);
    close(clients[i]);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  close(server);
}

static unsigned Ready(int epoll) {
  struct epoll_event event = {0};
  return epoll_wait(epoll, &event, 1, 0) == 1 ? event.events : 0;
}

// epoll(7) over sockets: edges come with each event, levels as long as they are true.
static void Epoll(void) {
  int fds[2];
  char buffer[16];
  Connection(fds);
  const int level = epoll_create1(0), edge = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP};
  CHECK_EQ(epoll_ctl(level, EPOLL_CTL_ADD, fds[1], &event), 0);
  event.events |= EPOLLET;
  CHECK_EQ(epoll_ctl(edge, EPOLL_CTL_ADD, fds[1], &event), 0);
  CHECK_EQ(Ready(level), 0);
  CHECK_EQ(write(fds[0], "one", 3), 3);
  Await(fds[1], POLLIN);
  CHECK_EQ(Ready(level), EPOLLIN);
  CHECK_EQ(Ready(level), EPOLLIN);
  CHECK_EQ(Ready(edge), EPOLLIN);
  CHECK_EQ(Ready(edge), 0);
  CHECK_EQ(write(fds[0], "two", 3), 3);
  CHECK_EQ(epoll_wait(edge, &event, 1, 5000), 1);
  CHECK_EQ(Ready(edge), 0);
  CHECK_EQ(read(fds[1], buffer, 16), 6);
  CHECK_EQ(Ready(level), 0);
  CHECK_EQ(shutdown(fds[0], SHUT_WR), 0);
  CHECK_EQ(epoll_wait(edge, &event, 1, 5000), 1);
  CHECK_EQ(event.events, EPOLLIN | EPOLLRDHUP);
  CHECK_EQ(Ready(edge), 0);
  CHECK_EQ(Ready(level), EPOLLIN | EPOLLRDHUP);
  close(level);
  close(edge);
  ClosePair(fds);
  // A listener, and a connection that is on its way.
  const int server = Listening("127.0.0.1", 5), epoll = epoll_create1(0);
  event.events = EPOLLIN;
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event), 0);
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  event.events = EPOLLOUT | EPOLLET;
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, client, &event), 0);
  CHECK_EQ(Ready(epoll), EPOLLOUT | EPOLLHUP);
  CHECK_EQ(Ready(epoll), 0);
  CHECK_ERRNO(ConnectTo(client, "127.0.0.1", PortOf(server)), EINPROGRESS);
  Await(client, POLLOUT);
  struct epoll_event both[4];
  CHECK_EQ(epoll_wait(epoll, both, 4, 5000), 2);
  close(client);
  close(epoll);
  close(server);
}

// What /proc says of sockets.
static void Proc(void) {
  const int server = Listening("127.0.0.1", 5);
  char want[32], line[256];
  snprintf(want, sizeof(want), " 0100007F:%04X 00000000:0000 0A", PortOf(server));
  FILE* file = fopen("/proc/net/tcp", "r");
  CHECK(file != NULL);
  int found = 0, lines = 0;
  while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
    ++lines;
    CHECK_EQ(strlen(line), 150);
    found += strstr(line, want) != NULL;
  }
  if (file != NULL) fclose(file);
  CHECK(lines >= 2);
  CHECK_EQ(found, 1);
  close(server);
  file = fopen("/proc/self/net/dev", "r");
  CHECK(file != NULL);
  found = 0;
  while (file != NULL && fgets(line, sizeof(line), file) != NULL)
    found += strstr(line, "lo:") != NULL;
  if (file != NULL) fclose(file);
  CHECK_EQ(found, 1);
  file = fopen("/proc/net/if_inet6", "r");
  CHECK(file != NULL);
  found = 0;
  while (file != NULL && fgets(line, sizeof(line), file) != NULL)
    found += strcmp(line, "00000000000000000000000000000001 01 80 10 80       lo\n") == 0;
  if (file != NULL) fclose(file);
  CHECK_EQ(found, 1);
}

int main(void) {
  struct sigaction action = {.sa_handler = OnPipe};
  sigaction(SIGPIPE, &action, NULL);
  Making();
  Binding();
  Connecting();
  Ending();
  Transfer();
  Urgent();
  Datagrams();
  Options();
  Interfaces();
  Servers();
  Epoll();
  Proc();
  REPORT();
}
