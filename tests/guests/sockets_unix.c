// AF_UNIX: socketpair(2), names, connections, datagrams, what comes along with bytes: unix(7).
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void Pair(int type, int fds[2]) { CHECK_EQ(socketpair(AF_UNIX, type, 0, fds), 0); }
static void ClosePair(int fds[2]) {
  close(fds[0]);
  close(fds[1]);
}

// An address and its length; a name that starts with '@' is abstract.
static socklen_t Name(struct sockaddr_un* address, const char* name) {
  memset(address, 0, sizeof(*address));
  address->sun_family = AF_UNIX;
  const size_t length = strlen(name);
  memcpy(address->sun_path, name, length);
  if (name[0] == '@') {
    address->sun_path[0] = 0;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
  }
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
}

static int Bound(int type, const char* name) {
  struct sockaddr_un address;
  const int fd = socket(AF_UNIX, type, 0);
  CHECK(fd >= 0);
  CHECK_EQ(bind(fd, (struct sockaddr*)&address, Name(&address, name)), 0);
  return fd;
}

static int ConnectTo(int fd, const char* name) {
  struct sockaddr_un address;
  return connect(fd, (struct sockaddr*)&address, Name(&address, name));
}

static short Events(int fd) {
  struct pollfd row = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
  CHECK(poll(&row, 1, 0) >= 0);
  return row.revents;
}

// An address at which nothing is; the compiler does not know.
static void* volatile nowhere = (void*)8;

static int pipe_signals;
static void OnPipe(int signal) {
  (void)signal;
  ++pipe_signals;
}

static void Making(void) {
  CHECK_ERRNO(socket(AF_UNIX, 77, 0), EINVAL);
  CHECK_ERRNO(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
  CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 5), EPROTONOSUPPORT);
  CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM | 0x100000, 0), EINVAL);
  CHECK_ERRNO(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
  CHECK_ERRNO(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT);
  int fds[2];
  CHECK_ERRNO(socketpair(AF_INET, SOCK_STREAM, 0, fds), EOPNOTSUPP);
  CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 0, nowhere), EFAULT);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_NONBLOCK | O_RDWR);
  struct stat st;
  CHECK_EQ(fstat(fd, &st), 0);
  CHECK_EQ(st.st_mode, S_IFSOCK | 0777);
  CHECK_EQ(st.st_size, 0);
  CHECK_ERRNO(lseek(fd, 0, SEEK_CUR), ESPIPE);
  char byte;
  CHECK_ERRNO(pread(fd, &byte, 1, 0), ESPIPE);
  CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
  CHECK_ERRNO(fsync(fd), EINVAL);
  char link[64], target[64] = "";
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  CHECK(readlink(link, target, sizeof(target) - 1) > 0);
  CHECK(strncmp(target, "socket:[", 8) == 0);
  CHECK_ERRNO(open(link, O_RDWR), ENXIO);
  close(fd);
  CHECK_ERRNO(listen(0, 1), ENOTSOCK);
  CHECK_ERRNO(listen(99, 1), EBADF);
  CHECK_ERRNO(send(0, "x", 1, 0), ENOTSOCK);
}

static void Streams(void) {
  int fds[2];
  Pair(SOCK_STREAM, fds);
  char buffer[64];
  CHECK_EQ(Events(fds[0]), POLLOUT);
  CHECK_EQ(write(fds[0], "hello", 5), 5);
  CHECK_EQ(send(fds[0], " world", 6, 0), 6);
  CHECK_EQ(Events(fds[1]), POLLIN | POLLOUT);
  int bytes = 0;
  CHECK_EQ(ioctl(fds[1], FIONREAD, &bytes), 0);
  CHECK_EQ(bytes, 11);
  CHECK_EQ(recv(fds[1], buffer, 3, MSG_PEEK), 3);
  CHECK_EQ(recv(fds[1], buffer, sizeof(buffer), MSG_PEEK), 11);
  CHECK_EQ(read(fds[1], buffer, 3), 3);
  CHECK_EQ(read(fds[1], buffer, sizeof(buffer)), 8);
  CHECK(memcmp(buffer, "lo world", 8) == 0);
  CHECK_ERRNO(recv(fds[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(read(fds[1], buffer, 0), 0);
  struct iovec out[2] = {{"ab", 2}, {"cde", 3}};
  CHECK_EQ(writev(fds[1], out, 2), 5);
  struct iovec in[2] = {{buffer, 4}, {buffer + 10, 4}};
  CHECK_EQ(readv(fds[0], in, 2), 5);
  CHECK(memcmp(buffer, "abcd", 4) == 0 && buffer[10] == 'e');
  // Names: none.
  struct sockaddr_un address;
  socklen_t length = sizeof(address);
  CHECK_EQ(getsockname(fds[0], (struct sockaddr*)&address, &length), 0);
  CHECK_EQ(length, 2);
  CHECK_EQ(address.sun_family, AF_UNIX);
  length = sizeof(address);
  CHECK_EQ(getpeername(fds[0], (struct sockaddr*)&address, &length), 0);
  CHECK_EQ(length, 2);
  // An address on a connected stream.
  CHECK_ERRNO(sendto(fds[0], "x", 1, 0, (struct sockaddr*)&address, Name(&address, "nobody")),
              EISCONN);
  // Bad pointers lose nothing.
  CHECK_EQ(write(fds[0], "keep", 4), 4);
  CHECK_ERRNO(read(fds[1], nowhere, 4), EFAULT);
  CHECK_EQ(read(fds[1], buffer, 8), 4);
  CHECK_ERRNO(write(fds[0], nowhere, 4), EFAULT);
  CHECK_ERRNO(recv(fds[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
  // The rest is there for who asks for all.
  const pid_t child = fork();
  if (child == 0) {
    CHECK_EQ(write(fds[0], "12345", 5), 5);
    usleep(1000);
    CHECK_EQ(write(fds[0], "67890", 5), 5);
    _exit(failures);
  }
  CHECK_EQ(recv(fds[1], buffer, 10, MSG_WAITALL), 10);
  CHECK(memcmp(buffer, "1234567890", 10) == 0);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  // Half-close.
  CHECK_EQ(write(fds[0], "end", 3), 3);
  CHECK_EQ(shutdown(fds[0], SHUT_WR), 0);
  CHECK_EQ(Events(fds[1]), POLLIN | POLLOUT | POLLRDHUP);
  CHECK_EQ(recv(fds[1], buffer, 10, MSG_WAITALL), 3);
  CHECK_EQ(read(fds[1], buffer, 10), 0);
  pipe_signals = 0;
  CHECK_ERRNO(write(fds[0], "x", 1), EPIPE);
  CHECK_EQ(pipe_signals, 1);
  CHECK_ERRNO(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_EQ(pipe_signals, 1);
  CHECK_EQ(write(fds[1], "back", 4), 4);
  CHECK_EQ(read(fds[0], buffer, 10), 4);
  CHECK_EQ(shutdown(fds[0], SHUT_RD), 0);
  CHECK_EQ(Events(fds[0]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
  CHECK_ERRNO(write(fds[1], "x", 1), EPIPE);
  CHECK_ERRNO(shutdown(fds[0], 3), EINVAL);
  ClosePair(fds);
  // The other end goes with something unread, and without.
  Pair(SOCK_STREAM, fds);
  CHECK_EQ(write(fds[0], "lost", 4), 4);
  close(fds[1]);
  CHECK_EQ(Events(fds[0]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR);
  CHECK_ERRNO(read(fds[0], buffer, 4), ECONNRESET);
  CHECK_EQ(read(fds[0], buffer, 4), 0);
  CHECK_ERRNO(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  close(fds[0]);
  Pair(SOCK_STREAM, fds);
  CHECK_EQ(write(fds[1], "last", 4), 4);
  close(fds[1]);
  CHECK_EQ(read(fds[0], buffer, 8), 4);
  CHECK_EQ(read(fds[0], buffer, 8), 0);
  close(fds[0]);
}

static void Buffers(void) {
  int fds[2];
  Pair(SOCK_STREAM | SOCK_NONBLOCK, fds);
  static char block[4096];
  long total = 0;
  ssize_t got;
  while ((got = write(fds[0], block, sizeof(block))) > 0) total += got;
  CHECK_EQ(got, -1);
  CHECK_EQ(errno, EAGAIN);
  CHECK(total >= 65536 && total <= 1 << 20);
  CHECK_EQ(Events(fds[0]), 0);
  long back = 0;
  while ((got = read(fds[1], block, sizeof(block))) > 0) back += got;
  CHECK_EQ(back, total);
  CHECK_EQ(Events(fds[0]), POLLOUT);
  // A smaller buffer holds less.
  int size = 8192;
  CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
  socklen_t length = sizeof(size);
  CHECK_EQ(getsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, &length), 0);
  CHECK_EQ(size, 16384);
  long less = 0;
  while ((got = write(fds[0], block, sizeof(block))) > 0) less += got;
  CHECK(less >= 4096 && less <= 65536);
  ClosePair(fds);
  // Who waits for room goes on when there is some: one MiB through a small buffer.
  Pair(SOCK_STREAM, fds);
  const pid_t child = fork();
  if (child == 0) {
    close(fds[1]);
    static char big[1 << 20];
    for (size_t i = 0; i < sizeof(big); ++i) big[i] = (char)(i * 7 >> 3);
    _exit(write(fds[0], big, sizeof(big)) == sizeof(big) ? 0 : 1);
  }
  close(fds[0]);
  long at = 0, wrong = 0;
  while ((got = read(fds[1], block, 1000)) > 0) {
    for (ssize_t i = 0; i < got; ++i, ++at) wrong += block[i] != (char)((size_t)at * 7 >> 3);
  }
  CHECK_EQ(at, 1 << 20);
  CHECK_EQ(wrong, 0);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  close(fds[1]);
}

static void Packets(void) {
  int fds[2];
  char buffer[64];
  Pair(SOCK_SEQPACKET, fds);
  CHECK_EQ(send(fds[0], "first", 5, 0), 5);
  CHECK_EQ(send(fds[0], "second", 6, 0), 6);
  CHECK_EQ(send(fds[0], "", 0, 0), 0);
  int bytes = 0;
  CHECK_EQ(ioctl(fds[1], FIONREAD, &bytes), 0);
  CHECK_EQ(bytes, 11);  // of all messages
  CHECK_EQ(recv(fds[1], buffer, 2, MSG_PEEK), 2);
  CHECK_EQ(recv(fds[1], buffer, 2, MSG_TRUNC), 5);
  struct iovec vector = {buffer, 3};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  CHECK_EQ(recvmsg(fds[1], &message, 0), 3);
  CHECK_EQ(message.msg_flags & MSG_TRUNC, MSG_TRUNC);
  CHECK_EQ(read(fds[1], buffer, sizeof(buffer)), 0);  // the empty one
  CHECK_ERRNO(recv(fds[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
  close(fds[1]);
  CHECK_EQ(read(fds[0], buffer, 1), 0);
  CHECK_ERRNO(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  close(fds[0]);
  const int alone = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  CHECK_ERRNO(recv(alone, buffer, 1, 0), ENOTCONN);
  CHECK_ERRNO(send(alone, "x", 1, 0), ENOTCONN);
  CHECK_EQ(Events(alone), POLLOUT | POLLHUP);
  close(alone);

  Pair(SOCK_DGRAM, fds);
  CHECK_EQ(write(fds[0], "", 0), 0);
  CHECK_EQ(send(fds[0], "datagram", 8, 0), 8);
  CHECK_EQ(recv(fds[1], buffer, sizeof(buffer), 0), 0);
  CHECK_EQ(recv(fds[1], buffer, 4, 0), 4);
  CHECK_ERRNO(recv(fds[1], buffer, 4, MSG_DONTWAIT), EAGAIN);
  static char large[300000];
  CHECK_ERRNO(send(fds[0], large, sizeof(large), 0), EMSGSIZE);
  CHECK_EQ(send(fds[0], large, 150000, 0), 150000);
  CHECK_EQ(recv(fds[1], large, sizeof(large), 0), 150000);
  close(fds[1]);
  CHECK_ERRNO(send(fds[0], "x", 1, MSG_NOSIGNAL), ECONNREFUSED);
  CHECK_ERRNO(send(fds[0], "x", 1, MSG_NOSIGNAL), ENOTCONN);
  close(fds[0]);
}

static void Names(void) {
  struct sockaddr_un address;
  socklen_t length;
  unlink("sock");
  umask(022);
  const int server = Bound(SOCK_STREAM, "sock");
  struct stat st;
  CHECK_EQ(stat("sock", &st), 0);
  CHECK_EQ(st.st_mode, S_IFSOCK | 0755);
  CHECK_ERRNO(open("sock", O_RDWR), ENXIO);
  CHECK_ERRNO(bind(server, (struct sockaddr*)&address, Name(&address, "other")), EINVAL);
  const int second = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_ERRNO(bind(second, (struct sockaddr*)&address, Name(&address, "sock")), EADDRINUSE);
  CHECK_ERRNO(bind(second, (struct sockaddr*)&address, Name(&address, "none/x")), ENOENT);
  CHECK_ERRNO(bind(second, (struct sockaddr*)&address, 200), EINVAL);
  CHECK_ERRNO(bind(second, (struct sockaddr*)&address, -1), EINVAL);
  CHECK_ERRNO(bind(second, nowhere, 20), EFAULT);
  CHECK_ERRNO(bind(second, NULL, 0), EINVAL);
  CHECK_ERRNO(listen(second, 1), EINVAL);
  CHECK_ERRNO(ConnectTo(second, "sock"), ECONNREFUSED);
  CHECK_ERRNO(ConnectTo(second, "absent"), ENOENT);
  CHECK_ERRNO(ConnectTo(second, "@absent"), ECONNREFUSED);
  CHECK_ERRNO(ConnectTo(second, "/"), ECONNREFUSED);
  const int file = open("plain", O_CREAT | O_RDWR, 0644);
  close(file);
  CHECK_ERRNO(ConnectTo(second, "plain"), ECONNREFUSED);
  unlink("plain");
  CHECK_ERRNO(accept(second, NULL, NULL), EINVAL);
  CHECK_EQ(listen(server, 2), 0);
  const int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  CHECK_ERRNO(ConnectTo(packets, "sock"), EPROTOTYPE);
  close(packets);
  CHECK_EQ(Events(server), 0);
  CHECK_EQ(ConnectTo(second, "sock"), 0);
  CHECK_ERRNO(ConnectTo(second, "sock"), EISCONN);
  CHECK_EQ(Events(server), POLLIN);
  CHECK_EQ(write(second, "early", 5), 5);
  length = sizeof(address);
  const int accepted = accept4(server, (struct sockaddr*)&address, &length, SOCK_CLOEXEC);
  CHECK(accepted >= 0);
  CHECK_EQ(length, 2);
  CHECK_EQ(fcntl(accepted, F_GETFD), FD_CLOEXEC);
  length = sizeof(address);
  CHECK_EQ(getsockname(accepted, (struct sockaddr*)&address, &length), 0);
  CHECK_EQ(length, 2 + 5);
  CHECK(strcmp(address.sun_path, "sock") == 0);
  length = sizeof(address);
  CHECK_EQ(getpeername(second, (struct sockaddr*)&address, &length), 0);
  CHECK(strcmp(address.sun_path, "sock") == 0);
  // Cut where there is no room.
  length = 4;
  memset(&address, '-', sizeof(address));
  CHECK_EQ(getsockname(server, (struct sockaddr*)&address, &length), 0);
  CHECK_EQ(length, 7);
  CHECK(memcmp(address.sun_path, "so-", 3) == 0);
  char buffer[16];
  CHECK_EQ(read(accepted, buffer, sizeof(buffer)), 5);
  int value = -1;
  length = sizeof(value);
  CHECK_EQ(getsockopt(server, SOL_SOCKET, SO_ACCEPTCONN, &value, &length), 0);
  CHECK_EQ(value, 1);
  CHECK_EQ(getsockopt(accepted, SOL_SOCKET, SO_ACCEPTCONN, &value, &length), 0);
  CHECK_EQ(value, 0);
  // The name stays when the socket goes, and leads nowhere.
  close(server);
  const int third = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_ERRNO(ConnectTo(third, "sock"), ECONNREFUSED);
  CHECK_EQ(write(second, "still", 5), 5);
  close(accepted);
  close(second);
  close(third);
  CHECK_EQ(unlink("sock"), 0);
  // Abstract names: every byte counts, and nothing is left.
  const int abstract = Bound(SOCK_STREAM, "@abstract");
  CHECK_EQ(listen(abstract, 0), 0);
  const int fourth = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  CHECK_ERRNO(bind(fourth, (struct sockaddr*)&address, Name(&address, "@abstract")), EADDRINUSE);
  CHECK_ERRNO(ConnectTo(fourth, "@abstrac"), ECONNREFUSED);
  CHECK_EQ(ConnectTo(fourth, "@abstract"), 0);
  // One more than the backlog says, then no more.
  const int fifth = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  CHECK_ERRNO(ConnectTo(fifth, "@abstract"), EAGAIN);
  // Who was never accepted is reset.
  close(abstract);
  CHECK_ERRNO(read(fourth, buffer, 1), ECONNRESET);
  CHECK_ERRNO(ConnectTo(fifth, "@abstract"), ECONNREFUSED);
  close(fourth);
  close(fifth);
  // Autobind: a NUL and five digits.
  const int automatic = socket(AF_UNIX, SOCK_DGRAM, 0);
  address.sun_family = AF_UNIX;
  CHECK_EQ(bind(automatic, (struct sockaddr*)&address, sizeof(sa_family_t)), 0);
  length = sizeof(address);
  CHECK_EQ(getsockname(automatic, (struct sockaddr*)&address, &length), 0);
  CHECK_EQ(length, 2 + 6);
  CHECK_EQ(address.sun_path[0], 0);
  CHECK_EQ(bind(automatic, (struct sockaddr*)&address, sizeof(sa_family_t)), 0);
  close(automatic);
  // mknod makes a node without a socket.
  CHECK_EQ(mknod("node", S_IFSOCK | 0600, 0), 0);
  CHECK_EQ(stat("node", &st), 0);
  CHECK_EQ(st.st_mode, S_IFSOCK | 0600);
  const int sixth = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_ERRNO(ConnectTo(sixth, "node"), ECONNREFUSED);
  close(sixth);
  unlink("node");
}

static void Datagrams(void) {
  unlink("dgram");
  const int server = Bound(SOCK_DGRAM, "dgram");
  const int client = Bound(SOCK_DGRAM, "@client");
  const int nameless = socket(AF_UNIX, SOCK_DGRAM, 0);
  struct sockaddr_un address, from;
  char buffer[32];
  CHECK_ERRNO(send(client, "x", 1, 0), ENOTCONN);
  CHECK_ERRNO(sendto(client, "x", 1, 0, (struct sockaddr*)&address, Name(&address, "nowhere")),
              ENOENT);
  CHECK_EQ(sendto(client, "hi", 2, 0, (struct sockaddr*)&address, Name(&address, "dgram")), 2);
  CHECK_EQ(sendto(nameless, "anon", 4, 0, (struct sockaddr*)&address, Name(&address, "dgram")), 4);
  socklen_t length = sizeof(from);
  CHECK_EQ(recvfrom(server, buffer, sizeof(buffer), 0, (struct sockaddr*)&from, &length), 2);
  CHECK_EQ(length, 2 + 7);
  CHECK(memcmp(from.sun_path, "\0client", 7) == 0);
  length = sizeof(from);
  CHECK_EQ(recvfrom(server, buffer, sizeof(buffer), 0, (struct sockaddr*)&from, &length), 4);
  CHECK_EQ(length, 0);
  // A connected one hears only its peer.
  CHECK_EQ(ConnectTo(server, "@client"), 0);
  CHECK_EQ(send(server, "re", 2, 0), 2);
  CHECK_EQ(recv(client, buffer, sizeof(buffer), 0), 2);
  CHECK_ERRNO(sendto(nameless, "anon", 4, 0, (struct sockaddr*)&address, Name(&address, "dgram")),
              EPERM);
  CHECK_ERRNO(ConnectTo(nameless, "dgram"), EPERM);
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  CHECK_EQ(connect(server, &none, sizeof(none)), 0);
  CHECK_EQ(ConnectTo(nameless, "dgram"), 0);
  // So many wait at most; who waits for room is let in.
  CHECK_EQ(fcntl(nameless, F_SETFL, O_NONBLOCK), 0);
  int sent = 0;
  while (send(nameless, "x", 1, 0) == 1) ++sent;
  CHECK_EQ(errno, EAGAIN);
  CHECK(sent >= 5 && sent <= 1024);
  CHECK_EQ(Events(nameless), 0);
  CHECK_EQ(recv(server, buffer, 1, 0), 1);
  CHECK_EQ(Events(nameless), POLLOUT);
  CHECK_EQ(shutdown(server, SHUT_RD), 0);
  CHECK_ERRNO(send(nameless, "x", 1, MSG_NOSIGNAL), EPIPE);
  close(server);
  close(client);
  close(nameless);
  unlink("dgram");
  CHECK_ERRNO(listen(socket(AF_UNIX, SOCK_DGRAM, 0), 1), EOPNOTSUPP);
}

union Control {
  char bytes[256];
  struct cmsghdr align;
};

static ssize_t SendWith(int socket, int type, const void* data, size_t size, const char* text) {
  union Control control = {{0}};
  struct iovec vector = {(void*)text, strlen(text)};
  struct msghdr message = {.msg_iov = &vector,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = CMSG_SPACE(size)};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(header), data, size);
  return sendmsg(socket, &message, 0);
}

// Receives with room for control messages; returns the bytes, and the first control message.
static ssize_t ReceiveWith(int socket, union Control* control, size_t room, struct msghdr* message,
                           char* buffer, size_t size, int flags) {
  static struct iovec vector;
  vector.iov_base = buffer;
  vector.iov_len = size;
  memset(message, 0, sizeof(*message));
  memset(control, 0, sizeof(*control));
  message->msg_iov = &vector;
  message->msg_iovlen = 1;
  message->msg_control = control->bytes;
  message->msg_controllen = room;
  return recvmsg(socket, message, flags);
}

static int FirstFd(struct msghdr* message) {
  struct cmsghdr* header = CMSG_FIRSTHDR(message);
  if (header == NULL || header->cmsg_type != SCM_RIGHTS) return -1;
  int fd;
  memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return fd;
}

static void Rights(void) {
  int fds[2], pipe_fds[2];
  union Control control;
  struct msghdr message;
  char buffer[64];
  Pair(SOCK_STREAM, fds);
  CHECK_EQ(pipe(pipe_fds), 0);
  CHECK_EQ(SendWith(fds[0], SCM_RIGHTS, &pipe_fds[1], sizeof(int), "fd"), 2);
  CHECK_EQ(write(fds[0], "more", 4), 4);
  close(pipe_fds[1]);
  // The receive ends behind the bytes that brought files.
  CHECK_EQ(ReceiveWith(fds[1], &control, sizeof(control), &message, buffer, sizeof(buffer),
                       MSG_CMSG_CLOEXEC),
           2);
  const int received = FirstFd(&message);
  CHECK(received >= 0);
  CHECK_EQ(fcntl(received, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(message.msg_flags & MSG_CTRUNC, 0);
  CHECK_EQ(write(received, "through", 7), 7);
  CHECK_EQ(read(pipe_fds[0], buffer, sizeof(buffer)), 7);
  close(received);
  CHECK_EQ(read(pipe_fds[0], buffer, sizeof(buffer)), 0);
  CHECK_EQ(read(fds[1], buffer, sizeof(buffer)), 4);
  // Two, with room for one: the other is closed.
  CHECK_EQ(SendWith(fds[0], SCM_RIGHTS, fds, 2 * sizeof(int), "two"), 3);
  CHECK_EQ(ReceiveWith(fds[1], &control, CMSG_LEN(sizeof(int)), &message, buffer, 3, 0), 3);
  CHECK_EQ(message.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
  close(FirstFd(&message));
  // No room at all, and no control buffer at all.
  CHECK_EQ(SendWith(fds[0], SCM_RIGHTS, fds, sizeof(int), "one"), 3);
  CHECK_EQ(ReceiveWith(fds[1], &control, 0, &message, buffer, 3, 0), 3);
  CHECK_EQ(message.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
  CHECK_EQ(SendWith(fds[0], SCM_RIGHTS, fds, sizeof(int), "one"), 3);
  CHECK_EQ(read(fds[1], buffer, sizeof(buffer)), 3);
  // Looking does not take: the file comes twice.
  CHECK_EQ(SendWith(fds[0], SCM_RIGHTS, &pipe_fds[0], sizeof(int), "peek"), 4);
  CHECK_EQ(ReceiveWith(fds[1], &control, sizeof(control), &message, buffer, 4, MSG_PEEK), 4);
  const int first = FirstFd(&message);
  CHECK_EQ(ReceiveWith(fds[1], &control, sizeof(control), &message, buffer, 4, 0), 4);
  const int again = FirstFd(&message);
  CHECK(first >= 0 && again >= 0 && first != again);
  close(first);
  close(again);
  // Refusals.
  int bad = 999;
  CHECK_ERRNO(SendWith(fds[0], SCM_RIGHTS, &bad, sizeof(bad), "x"), EBADF);
  CHECK_ERRNO(SendWith(fds[0], 77, &bad, sizeof(bad), "x"), EINVAL);
  struct iovec vector = {"x", 1};
  struct msghdr broken = {.msg_iov = &vector,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof(struct cmsghdr) + 4};
  control.align.cmsg_len = 1;
  CHECK_ERRNO(sendmsg(fds[0], &broken, 0), EINVAL);
  broken.msg_control = nowhere;
  // Past the library, which may look at the buffers itself.
  CHECK_ERRNO(syscall(SYS_sendmsg, fds[0], &broken, 0), EFAULT);
#ifdef __x86_64__
  broken.msg_controllen = 1 << 26;
  CHECK_ERRNO(syscall(SYS_sendmsg, fds[0], &broken, 0), ENOBUFS);
#endif
  broken.msg_controllen = 0;
  broken.msg_iovlen = 1025;
  CHECK_ERRNO(sendmsg(fds[0], &broken, 0), EMSGSIZE);
  CHECK_ERRNO(recvmsg(fds[0], &broken, 0), EMSGSIZE);
  CHECK_ERRNO(syscall(SYS_recvmsg, fds[0], nowhere, 0), EFAULT);
  CHECK_ERRNO(recv(fds[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
  close(pipe_fds[0]);
  ClosePair(fds);
  // A datagram of 253 files goes, one of 254 does not.
  Pair(SOCK_DGRAM, fds);
  int many[254];
  for (int i = 0; i < 254; ++i) many[i] = fds[0];
  static char large[CMSG_SPACE(sizeof(many))];
  struct msghdr crowd = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = large, .msg_controllen = sizeof(large)};
  struct cmsghdr* header = CMSG_FIRSTHDR(&crowd);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(many));
  memcpy(CMSG_DATA(header), many, sizeof(many));
  CHECK_ERRNO(syscall(SYS_sendmsg, fds[0], &crowd, 0), EINVAL);
  header->cmsg_len = CMSG_LEN(253 * sizeof(int));
  crowd.msg_controllen = header->cmsg_len;
  CHECK_EQ(syscall(SYS_sendmsg, fds[0], &crowd, 0), 1);
  CHECK_EQ(read(fds[1], buffer, 1), 1);
  ClosePair(fds);
  // Sockets in each other's queues, and in their own, go without a trace.
  for (int round = 0; round < 100; ++round) {
    Pair(SOCK_STREAM, fds);
    CHECK_EQ(SendWith(fds[0], SCM_RIGHTS, fds, 2 * sizeof(int), "cycle"), 5);
    CHECK_EQ(SendWith(fds[1], SCM_RIGHTS, fds, 2 * sizeof(int), "cycle"), 5);
    ClosePair(fds);
  }
  // Nested a thousand deep: each pair lies in the next one's queue.
  Pair(SOCK_STREAM, fds);
  for (int depth = 0; depth < 1000; ++depth) {
    int outer[2];
    Pair(SOCK_STREAM, outer);
    if (SendWith(outer[0], SCM_RIGHTS, fds, 2 * sizeof(int), "nest") != 4) {
      CHECK_EQ(errno, ETOOMANYREFS);  // some kernels allow less depth
      ClosePair(outer);
      break;
    }
    ClosePair(fds);
    fds[0] = outer[0];
    fds[1] = outer[1];
  }
  ClosePair(fds);
}

static void Identities(void) {
  int fds[2];
  union Control control;
  struct msghdr message;
  char buffer[16];
  Pair(SOCK_STREAM, fds);
  struct ucred who;
  socklen_t length = sizeof(who);
  CHECK_EQ(getsockopt(fds[0], SOL_SOCKET, SO_PEERCRED, &who, &length), 0);
  CHECK_EQ(length, sizeof(who));
  CHECK_EQ(who.pid, getpid());
  CHECK_EQ(who.uid, getuid());
  CHECK_EQ(who.gid, getgid());
  const int one = 1;
  CHECK_EQ(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
  const pid_t child = fork();
  if (child == 0) _exit(write(fds[0], "id", 2) == 2 ? 0 : 1);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(write(fds[0], "me", 2), 2);
  // Bytes of two senders do not mix.
  CHECK_EQ(ReceiveWith(fds[1], &control, sizeof(control), &message, buffer, sizeof(buffer), 0), 2);
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  CHECK(header != NULL && header->cmsg_type == SCM_CREDENTIALS);
  memcpy(&who, CMSG_DATA(header), sizeof(who));
  CHECK_EQ(who.pid, child);
  CHECK_EQ(ReceiveWith(fds[1], &control, sizeof(control), &message, buffer, sizeof(buffer), 0), 2);
  memcpy(&who, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(who));
  CHECK_EQ(who.pid, getpid());
  // What one may say of oneself.
  struct ucred self = {getpid(), getuid(), getgid()};
  CHECK_EQ(SendWith(fds[0], SCM_CREDENTIALS, &self, sizeof(self), "ok"), 2);
  CHECK_ERRNO(SendWith(fds[0], SCM_CREDENTIALS, &self, 4, "no"), EINVAL);
  if (getuid() == 0) {
    struct ucred nobody = {999999, 0, 0};
    CHECK_ERRNO(SendWith(fds[0], SCM_CREDENTIALS, &nobody, sizeof(nobody), "no"), ESRCH);
  }
  ClosePair(fds);
  // Nobody: of a socket that is not connected.
  const int alone = socket(AF_UNIX, SOCK_STREAM, 0);
  length = sizeof(who);
  CHECK_EQ(getsockopt(alone, SOL_SOCKET, SO_PEERCRED, &who, &length), 0);
  CHECK_EQ(who.pid, 0);
  CHECK_EQ(who.uid, (uid_t)-1);
  close(alone);
}

static void Many(void) {
  int fds[2];
  Pair(SOCK_DGRAM, fds);
  struct mmsghdr rows[4];
  struct iovec vectors[4];
  char buffers[4][8];
  memset(rows, 0, sizeof(rows));
  for (int i = 0; i < 4; ++i) {
    vectors[i].iov_base = memcpy(buffers[i], "abcdefg", 8);
    vectors[i].iov_len = (size_t)i + 1;
    rows[i].msg_hdr.msg_iov = &vectors[i];
    rows[i].msg_hdr.msg_iovlen = 1;
  }
  CHECK_EQ(sendmmsg(fds[0], rows, 4, 0), 4);
  CHECK_EQ(rows[3].msg_len, 4);
  for (int i = 0; i < 4; ++i) vectors[i].iov_len = 8;
  CHECK_EQ(recvmmsg(fds[1], rows, 3, 0, NULL), 3);
  CHECK_EQ(rows[2].msg_len, 3);
  CHECK_EQ(recvmmsg(fds[1], rows, 4, MSG_WAITFORONE, NULL), 1);
  CHECK_EQ(rows[0].msg_len, 4);
  CHECK_ERRNO(recvmmsg(fds[1], rows, 4, MSG_DONTWAIT, NULL), EAGAIN);
  ClosePair(fds);
}

static void* SendLater(void* argument) {
  usleep(2000);
  const int fd = *(int*)argument;
  CHECK_EQ(write(fd, "late", 4), 4);
  return NULL;
}

static void OnAlarm(int signal) { (void)signal; }

static void Waiting(void) {
  int fds[2];
  char buffer[8];
  Pair(SOCK_STREAM, fds);
  struct timeval timeout = {0, 20000};
  CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
  memset(&timeout, 0, sizeof(timeout));
  socklen_t length = sizeof(timeout);
  CHECK_EQ(getsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, &length), 0);
  CHECK_EQ(timeout.tv_sec, 0);
  CHECK_EQ(timeout.tv_usec, 20000);
  CHECK_ERRNO(read(fds[0], buffer, 1), EAGAIN);
  timeout.tv_usec = 1000000;
  CHECK_ERRNO(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), EDOM);
  // A thread that waits is woken by another's write, also from poll.
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, SendLater, &fds[0]), 0);
  struct pollfd row = {fds[1], POLLIN, 0};
  CHECK_EQ(poll(&row, 1, -1), 1);
  CHECK_EQ(read(fds[1], buffer, 8), 4);
  CHECK_EQ(pthread_join(thread, NULL), 0);
  // Signals: a wait starts again, one with a timeout does not.
  struct sigaction action = {.sa_handler = OnAlarm, .sa_flags = SA_RESTART};
  CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
  timeout.tv_sec = 10;
  timeout.tv_usec = 0;
  CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
  ualarm(2000, 0);
  CHECK_ERRNO(read(fds[0], buffer, 1), EINTR);
  // The close of a descriptor ends no wait of another thread.
  const int copy = dup(fds[0]);
  CHECK_EQ(pthread_create(&thread, NULL, SendLater, &fds[1]), 0);
  CHECK_EQ(read(copy, buffer, 8), 4);
  CHECK_EQ(pthread_join(thread, NULL), 0);
  close(copy);
  ClosePair(fds);
}

static void Files(void) {
  int fds[2];
  char buffer[32];
  Pair(SOCK_STREAM, fds);
  const int file = open("data", O_CREAT | O_TRUNC | O_RDWR, 0600);
  CHECK_EQ(write(file, "0123456789", 10), 10);
  off_t offset = 2;
  CHECK_EQ(sendfile(fds[0], file, &offset, 5), 5);
  CHECK_EQ(offset, 7);
  CHECK_EQ(read(fds[1], buffer, sizeof(buffer)), 5);
  CHECK(memcmp(buffer, "23456", 5) == 0);
  close(file);
  unlink("data");
  // dup and fork share one socket.
  const int copy = dup(fds[0]);
  close(fds[0]);
  CHECK_EQ(write(copy, "dup", 3), 3);
  CHECK_EQ(read(fds[1], buffer, sizeof(buffer)), 3);
  close(copy);
  CHECK_EQ(read(fds[1], buffer, sizeof(buffer)), 0);
  close(fds[1]);
}

static void Options(void) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  int value = -1;
  socklen_t length = sizeof(value);
  CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length), 0);
  CHECK_EQ(value, SOCK_STREAM);
  CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &length), 0);
  CHECK_EQ(value, AF_UNIX);
  CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length), 0);
  CHECK_EQ(value, 0);
  value = 7;
  CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)), 0);
  CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &length), 0);
  CHECK_EQ(value, 1);
  char byte = 0;
  length = 1;
  CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &byte, &length), 0);
  CHECK_EQ(byte, SOCK_STREAM);
  CHECK_EQ(length, 1);
  CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 3), EINVAL);
  CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, -1), EINVAL);
  CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, nowhere, 4), EFAULT);
  CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_TYPE, &value, 4), ENOPROTOOPT);
  CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, 9999, &value, 4), ENOPROTOOPT);
  length = 4;
  CHECK_ERRNO(getsockopt(fd, SOL_SOCKET, 9999, &value, &length), ENOPROTOOPT);
  CHECK_ERRNO(getsockopt(fd, 6, 1, &value, &length), EOPNOTSUPP);
  length = (socklen_t)-1;
  CHECK_ERRNO(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length), EINVAL);
  CHECK_ERRNO(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, nowhere), EFAULT);
  CHECK_ERRNO(send(fd, "x", 1, 0), ENOTCONN);
  CHECK_ERRNO(recv(fd, &byte, 1, 0), EINVAL);
  CHECK_ERRNO(getpeername(fd, NULL, &length), ENOTCONN);
  CHECK_EQ(Events(fd), POLLOUT | POLLHUP);
  close(fd);
}

// A server that forks for each connection, and clients that are processes too.
static void ForkingServer(void) {
  enum { kClients = 5 };
  const int server = Bound(SOCK_STREAM, "@forking");
  CHECK_EQ(listen(server, 8), 0);
  for (int i = 0; i < kClients; ++i) {
    if (fork() != 0) continue;
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (ConnectTo(fd, "@forking") != 0) _exit(1);
    char text[16], back[16];
    const int length = snprintf(text, sizeof(text), "client %d", i);
    if (write(fd, text, (size_t)length) != length) _exit(2);
    if (read(fd, back, sizeof(back)) != length || memcmp(text, back, (size_t)length) != 0) _exit(3);
    _exit(read(fd, back, 1) == 0 ? 0 : 4);
  }
  for (int i = 0; i < kClients; ++i) {
    const int fd = accept(server, NULL, NULL);
    CHECK(fd >= 0);
    if (fork() == 0) {
      char buffer[64];
      const ssize_t got = read(fd, buffer, sizeof(buffer));
      _exit(got > 0 && write(fd, buffer, (size_t)got) == got ? 0 : 5);
    }
    close(fd);
  }
  close(server);
  for (int i = 0; i < 2 * kClients; ++i) {
    int status = -1;
    CHECK(wait(&status) > 0);
    CHECK_EQ(status, 0);
  }
}

int main(void) {
  struct sigaction action = {.sa_handler = OnPipe};
  sigaction(SIGPIPE, &action, NULL);
  Making();
  Streams();
  Buffers();
  Packets();
  Names();
  Datagrams();
  Rights();
  Identities();
  Many();
  Waiting();
  Files();
  Options();
  ForkingServer();
  REPORT();
}
