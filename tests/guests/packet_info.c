// What a datagram's header says, and how it is said: control messages of ip(7), ipv6(7), RFC 3542.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

static int receiver, sender;
static struct sockaddr_storage address;
static socklen_t address_bytes;

static void Open(int family) {
  receiver = socket(family, SOCK_DGRAM, 0);
  sender = socket(family, SOCK_DGRAM, 0);
  memset(&address, 0, sizeof address);
  if (family == AF_INET) {
    struct sockaddr_in* const v4 = (struct sockaddr_in*)&address;
    v4->sin_family = AF_INET;
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address_bytes = sizeof *v4;
  } else {
    struct sockaddr_in6* const v6 = (struct sockaddr_in6*)&address;
    v6->sin6_family = AF_INET6;
    v6->sin6_addr = in6addr_loopback;
    address_bytes = sizeof *v6;
  }
  CHECK_EQ(bind(receiver, (struct sockaddr*)&address, address_bytes), 0);
  CHECK_EQ(getsockname(receiver, (struct sockaddr*)&address, &address_bytes), 0);
}
static void Close(void) {
  close(receiver);
  close(sender);
}

static void Set(int fd, int level, int name, int value) {
  CHECK_EQ(setsockopt(fd, level, name, &value, sizeof value), 0);
}

static union {
  char bytes[256];
  struct cmsghdr align;
} control;

// Sends one byte with a control message of `bytes` bytes.
static ssize_t SendWith(int level, int type, const void* data, size_t bytes) {
  struct iovec vector = {"x", 1};
  struct msghdr message = {.msg_name = &address,
                           .msg_namelen = address_bytes,
                           .msg_iov = &vector,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = CMSG_SPACE(bytes)};
  memset(&control, 0, sizeof control);
  struct cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_len = CMSG_LEN(bytes);
  header->cmsg_level = level;
  header->cmsg_type = type;
  memcpy(CMSG_DATA(header), data, bytes);
  return sendmsg(sender, &message, 0);
}
static ssize_t SendNumber(int level, int type, int value) {
  return SendWith(level, type, &value, sizeof value);
}
static void SendPlain(void) {
  CHECK_EQ(sendto(sender, "x", 1, 0, (struct sockaddr*)&address, address_bytes), 1);
}

static struct msghdr received;
static struct sockaddr_storage source;
// Takes one byte; control messages have room for `room` bytes.
static void Receive(size_t room) {
  static char byte;
  static struct iovec vector = {&byte, 1};
  memset(&control, 0, sizeof control);
  received = (struct msghdr){.msg_name = &source,
                             .msg_namelen = sizeof source,
                             .msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = room};
  CHECK_EQ(recvmsg(receiver, &received, 0), 1);
}
// The number in a control message of what came; -1: there is none, -2: of another size.
static int Number(int level, int type, size_t bytes) {
  for (struct cmsghdr* header = CMSG_FIRSTHDR(&received); header != NULL;
       header = CMSG_NXTHDR(&received, header)) {
    if (header->cmsg_level != level || header->cmsg_type != type) continue;
    if (header->cmsg_len != CMSG_LEN(bytes)) return -2;
    int value = 0;
    memcpy(&value, CMSG_DATA(header), bytes);
    return value;
  }
  return -1;
}

static void V4(void) {
  Open(AF_INET);
  SendPlain();
  Receive(sizeof control.bytes);
  CHECK_EQ(received.msg_controllen, 0);
  Set(receiver, IPPROTO_IP, IP_RECVTTL, 1);
  Set(receiver, IPPROTO_IP, IP_RECVTOS, 1);
  SendPlain();
  Receive(sizeof control.bytes);
  CHECK_EQ(Number(IPPROTO_IP, IP_TTL, 4), 64);
  CHECK_EQ(Number(IPPROTO_IP, IP_TOS, 1), 0);
  // Of the socket, and of one datagram.
  Set(sender, IPPROTO_IP, IP_TTL, 7);
  Set(sender, IPPROTO_IP, IP_TOS, 0x10);
  SendPlain();
  Receive(sizeof control.bytes);
  CHECK_EQ(Number(IPPROTO_IP, IP_TTL, 4), 7);
  CHECK_EQ(Number(IPPROTO_IP, IP_TOS, 1), 0x10);
  CHECK_EQ(SendNumber(IPPROTO_IP, IP_TTL, 33), 1);
  Receive(sizeof control.bytes);
  CHECK_EQ(Number(IPPROTO_IP, IP_TTL, 4), 33);
  CHECK_EQ(Number(IPPROTO_IP, IP_TOS, 1), 0x10);
  CHECK_EQ(SendNumber(IPPROTO_IP, IP_TOS, 0x20), 1);
  Receive(sizeof control.bytes);
  CHECK_EQ(Number(IPPROTO_IP, IP_TTL, 4), 7);
  CHECK_EQ(Number(IPPROTO_IP, IP_TOS, 1), 0x20);
  CHECK_EQ(SendWith(IPPROTO_IP, IP_TOS, "\x28", 1), 1);
  Receive(sizeof control.bytes);
  CHECK_EQ(Number(IPPROTO_IP, IP_TOS, 1), 0x28);
  CHECK_ERRNO(SendNumber(IPPROTO_IP, IP_TTL, 0), EINVAL);
  CHECK_ERRNO(SendNumber(IPPROTO_IP, IP_TTL, 256), EINVAL);
  CHECK_ERRNO(SendNumber(IPPROTO_IP, IP_TOS, 256), EINVAL);
  CHECK_ERRNO(SendNumber(IPPROTO_IP, IP_TOS, -1), EINVAL);
  CHECK_ERRNO(SendWith(IPPROTO_IP, IP_TTL, "\7", 1), EINVAL);
  CHECK_ERRNO(SendNumber(IPPROTO_IP, 99, 1), EINVAL);
  // Of other levels nothing is said.
  CHECK_EQ(SendNumber(IPPROTO_IPV6, IPV6_HOPLIMIT, 9), 1);
  Receive(sizeof control.bytes);
  CHECK_EQ(Number(IPPROTO_IP, IP_TTL, 4), 7);
  // Where it comes from.
  struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK + 1)};
  CHECK_EQ(SendWith(IPPROTO_IP, IP_PKTINFO, &info, sizeof info), 1);
  Receive(sizeof control.bytes);
  CHECK_EQ(ntohl(((struct sockaddr_in*)&source)->sin_addr.s_addr), INADDR_LOOPBACK + 1);
  CHECK_ERRNO(SendWith(IPPROTO_IP, IP_PKTINFO, &info, sizeof info - 1), EINVAL);
  // One after the other, as far as there is room.
  SendPlain();
  Receive(CMSG_SPACE(4));
  CHECK_EQ(Number(IPPROTO_IP, IP_TTL, 4), 7);
  CHECK_EQ(Number(IPPROTO_IP, IP_TOS, 1), -1);
  CHECK_EQ(received.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
  SendPlain();
  Receive(CMSG_LEN(2));
  CHECK_EQ(Number(IPPROTO_IP, IP_TTL, 2), 7);
  CHECK_EQ(received.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
  Close();
}

static void V6(void) {
  Open(AF_INET6);
  Set(receiver, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
  SendPlain();
  Receive(sizeof control.bytes);
  CHECK_EQ(Number(IPPROTO_IPV6, IPV6_HOPLIMIT, 4), 64);
  CHECK_EQ(Number(IPPROTO_IPV6, IPV6_TCLASS, 4), -1);
  Set(receiver, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
  CHECK_EQ(SendNumber(IPPROTO_IPV6, IPV6_HOPLIMIT, 2), 1);
  Receive(sizeof control.bytes);
  CHECK_EQ(Number(IPPROTO_IPV6, IPV6_HOPLIMIT, 4), 2);
  CHECK_EQ(Number(IPPROTO_IPV6, IPV6_TCLASS, 4), 0);
  Set(sender, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 5);
  Set(sender, IPPROTO_IPV6, IPV6_TCLASS, 0x40);
  CHECK_EQ(SendNumber(IPPROTO_IPV6, IPV6_TCLASS, 0xfe), 1);
  Receive(sizeof control.bytes);
  CHECK_EQ(Number(IPPROTO_IPV6, IPV6_HOPLIMIT, 4), 5);
  CHECK_EQ(Number(IPPROTO_IPV6, IPV6_TCLASS, 4), 0xfe);
  CHECK_EQ(SendNumber(IPPROTO_IPV6, IPV6_HOPLIMIT, -1), 1);
  Receive(sizeof control.bytes);
  CHECK_EQ(Number(IPPROTO_IPV6, IPV6_HOPLIMIT, 4), 5);
  CHECK_EQ(Number(IPPROTO_IPV6, IPV6_TCLASS, 4), 0x40);
  CHECK_EQ(SendNumber(IPPROTO_IPV6, IPV6_HOPLIMIT, 0), 1);
  Receive(sizeof control.bytes);
  CHECK_EQ(Number(IPPROTO_IPV6, IPV6_HOPLIMIT, 4), 0);
  CHECK_ERRNO(SendNumber(IPPROTO_IPV6, IPV6_HOPLIMIT, 256), EINVAL);
  CHECK_ERRNO(SendNumber(IPPROTO_IPV6, IPV6_HOPLIMIT, -2), EINVAL);
  CHECK_ERRNO(SendNumber(IPPROTO_IPV6, IPV6_TCLASS, 256), EINVAL);
  CHECK_ERRNO(SendWith(IPPROTO_IPV6, IPV6_HOPLIMIT, "\7", 1), EINVAL);
  CHECK_ERRNO(SendNumber(IPPROTO_IPV6, 99, 1), EINVAL);
  CHECK_EQ(SendNumber(IPPROTO_IP, IP_TTL, 9), 1);
  Receive(sizeof control.bytes);
  CHECK_EQ(Number(IPPROTO_IPV6, IPV6_HOPLIMIT, 4), 5);
  struct in6_pktinfo info = {.ipi6_addr = IN6ADDR_LOOPBACK_INIT};
  CHECK_EQ(SendWith(IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info), 1);
  Receive(sizeof control.bytes);
  CHECK(IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6*)&source)->sin6_addr));
  CHECK_ERRNO(SendWith(IPPROTO_IPV6, IPV6_PKTINFO, &info, 16), EINVAL);
  // The first whole, of the second a part.
  SendPlain();
  Receive(CMSG_SPACE(4) + CMSG_LEN(1));
  CHECK_EQ(Number(IPPROTO_IPV6, IPV6_HOPLIMIT, 4), 5);
  CHECK_EQ(Number(IPPROTO_IPV6, IPV6_TCLASS, 1), 0x40);
  CHECK_EQ(received.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
  Close();
}

// A datagram of IPv4 at a socket of both: what IPv6 would say of it is not said.
static void Mapped(void) {
  Open(AF_INET6);
  close(receiver);
  receiver = socket(AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr_in6* const v6 = (struct sockaddr_in6*)&address;
  CHECK_EQ(inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6->sin6_addr), 1);
  v6->sin6_port = 0;
  CHECK_EQ(bind(receiver, (struct sockaddr*)&address, address_bytes), 0);
  CHECK_EQ(getsockname(receiver, (struct sockaddr*)&address, &address_bytes), 0);
  Set(receiver, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
  Set(receiver, IPPROTO_IP, IP_RECVTTL, 1);
  Set(sender, IPPROTO_IP, IP_TTL, 9);
  Set(sender, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 5);
  SendPlain();
  Receive(sizeof control.bytes);
  CHECK_EQ(Number(IPPROTO_IPV6, IPV6_HOPLIMIT, 4), -1);
  CHECK_EQ(Number(IPPROTO_IP, IP_TTL, 4), 9);
  Close();
}

int main(void) {
  V4();
  V6();
  Mapped();
  REPORT();
}
