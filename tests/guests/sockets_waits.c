// Who waits at sockets, and who wakes whom: threads, processes, timeouts, shutdown(2), full queues.
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static struct sockaddr_in Loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
  return address;
}
static int PortOf(int fd) {
  struct sockaddr_in address;
  socklen_t length = sizeof(address);
  CHECK_EQ(getsockname(fd, (struct sockaddr*)&address, &length), 0);
  return ntohs(address.sin_port);
}
static int Bound(int type) {
  const int fd = socket(AF_INET, type, 0);
  const struct sockaddr_in address = Loopback(0);
  CHECK_EQ(bind(fd, (const struct sockaddr*)&address, sizeof(address)), 0);
  return fd;
}
static int ConnectTo(int fd, int port) {
  const struct sockaddr_in address = Loopback(port);
  return connect(fd, (const struct sockaddr*)&address, sizeof(address));
}
static void Connection(int fds[2]) {
  const int server = Bound(SOCK_STREAM);
  CHECK_EQ(listen(server, 5), 0);
  fds[0] = socket(AF_INET, SOCK_STREAM, 0);
  CHECK_EQ(ConnectTo(fds[0], PortOf(server)), 0);
  fds[1] = accept(server, NULL, NULL);
  CHECK(fds[1] >= 0);
  close(server);
}
static void ClosePair(int fds[2]) {
  close(fds[0]);
  close(fds[1]);
}

// A thread that does one call and keeps what came of it.
struct Waiter {
  pthread_t thread;
  int fd;
  long result;
  int error;
};
static void* Receive(void* argument) {
  struct Waiter* waiter = argument;
  char buffer[64];
  waiter->result = recv(waiter->fd, buffer, sizeof(buffer), 0);
  waiter->error = errno;
  return NULL;
}
static void* Accept(void* argument) {
  struct Waiter* waiter = argument;
  waiter->result = accept(waiter->fd, NULL, NULL);
  waiter->error = errno;
  return NULL;
}
static void* Send(void* argument) {
  struct Waiter* waiter = argument;
  static char block[16 << 20];
  waiter->result = send(waiter->fd, block, sizeof(block), MSG_NOSIGNAL);
  waiter->error = errno;
  return NULL;
}
static void* Poll(void* argument) {
  struct Waiter* waiter = argument;
  struct pollfd row = {waiter->fd, POLLIN, 0};
  waiter->result = poll(&row, 1, -1) == 1 ? row.revents : -1;
  return NULL;
}
static void Begin(struct Waiter* waiter, int fd, void* (*call)(void*)) {
  waiter->fd = fd;
  CHECK_EQ(pthread_create(&waiter->thread, NULL, call, waiter), 0);
  usleep(3000);  // most often it waits by then; what follows holds in any case
}
static void End(struct Waiter* waiter) { CHECK_EQ(pthread_join(waiter->thread, NULL), 0); }

static void ShutdownWakes(void) {
  struct Waiter waiter;
  int fds[2];
  for (int local = 0; local < 2; ++local) {
    if (local) {
      CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    } else {
      Connection(fds);
    }
    // The own end, the other's, a writer that finds no room, a poll.
    Begin(&waiter, fds[0], Receive);
    CHECK_EQ(shutdown(fds[0], SHUT_RD), 0);
    End(&waiter);
    CHECK_EQ(waiter.result, 0);
    Begin(&waiter, fds[1], Poll);
    CHECK_EQ(shutdown(fds[0], SHUT_WR), 0);
    End(&waiter);
    CHECK(waiter.result & POLLIN);
    ClosePair(fds);
    if (local) {
      CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    } else {
      Connection(fds);
    }
    Begin(&waiter, fds[0], Send);
    CHECK_EQ(shutdown(fds[0], SHUT_RDWR), 0);
    End(&waiter);
    CHECK(waiter.result < 16 << 20);
    ClosePair(fds);
  }
  // A listener, and a datagram socket that is not connected.
  const int server = Bound(SOCK_STREAM);
  CHECK_EQ(listen(server, 1), 0);
  Begin(&waiter, server, Accept);
  CHECK_EQ(shutdown(server, SHUT_RDWR), 0);
  End(&waiter);
  CHECK_EQ(waiter.result, -1);
  CHECK_EQ(waiter.error, EINVAL);
  close(server);
  const int datagrams = Bound(SOCK_DGRAM);
  Begin(&waiter, datagrams, Receive);
  CHECK_ERRNO(shutdown(datagrams, SHUT_RDWR), ENOTCONN);
  End(&waiter);
  CHECK_EQ(waiter.result, 0);
  close(datagrams);
}

static void FullBacklogs(void) {
  // More clients than the backlog has room for: each gets its turn.
  enum { kClients = 8 };
  const int server = Bound(SOCK_STREAM);
  CHECK_EQ(listen(server, 0), 0);
  const int port = PortOf(server);
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0backlog"};
  const socklen_t length = offsetof(struct sockaddr_un, sun_path) + 8;
  const int local = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_EQ(bind(local, (struct sockaddr*)&address, length), 0);
  CHECK_EQ(listen(local, 0), 0);
  for (int i = 0; i < kClients; ++i) {
    if (fork() != 0) continue;
    close(server);
    close(local);
    char byte = 0;
    const int unix_client = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(unix_client, (struct sockaddr*)&address, length) != 0) _exit(1);
    if (read(unix_client, &byte, 1) != 1 || byte != 'u') _exit(2);
    _exit(0);
  }
  usleep(3000);
  for (int i = 0; i < kClients; ++i) {
    const int fd = accept(local, NULL, NULL);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "u", 1), 1);
    close(fd);
  }
  for (int i = 0; i < kClients; ++i) {
    int status = -1;
    CHECK(wait(&status) > 0);
    CHECK_EQ(status, 0);
  }
  close(local);
  // Threads that accept from one listener share what comes.
  struct Waiter waiters[4];
  int clients[4];
  CHECK_EQ(listen(server, 8), 0);
  for (int i = 0; i < 4; ++i) Begin(&waiters[i], server, Accept);
  for (int i = 0; i < 4; ++i) {
    clients[i] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(ConnectTo(clients[i], port), 0);
  }
  for (int i = 0; i < 4; ++i) {
    End(&waiters[i]);
    CHECK(waiters[i].result >= 0);
    close((int)waiters[i].result);
    close(clients[i]);
  }
  close(server);
}

static void Timeouts(void) {
  int fds[2];
  const struct timeval timeout = {0, 10000};
  static char block[1 << 16];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  CHECK_EQ(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)), 0);
  long sent = 0;
  ssize_t now;
  while ((now = send(fds[0], block, sizeof(block), 0)) > 0) sent += now;
  CHECK_EQ(errno, EAGAIN);
  CHECK(sent > 65536);
  ClosePair(fds);
  const int server = Bound(SOCK_STREAM);
  CHECK_EQ(listen(server, 1), 0);
  CHECK_EQ(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
  CHECK_ERRNO(accept(server, NULL, NULL), EAGAIN);
  close(server);
  // Part of what was asked for, when the time is over.
  Connection(fds);
  CHECK_EQ(setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
  CHECK_EQ(write(fds[0], "part", 4), 4);
  CHECK_EQ(recv(fds[1], block, 100, MSG_WAITALL), 4);
  CHECK_ERRNO(recv(fds[1], block, 100, MSG_WAITALL), EAGAIN);
  ClosePair(fds);
  const int datagrams = Bound(SOCK_DGRAM);
  CHECK_EQ(setsockopt(datagrams, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
  CHECK_ERRNO(recv(datagrams, block, 1, 0), EAGAIN);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(datagrams, &set);
  struct timeval left = timeout;
  CHECK_EQ(select(datagrams + 1, &set, NULL, NULL, &left), 0);
  CHECK(!FD_ISSET(datagrams, &set));
  close(datagrams);
}

static void LowWater(void) {
  int fds[2];
  char buffer[32];
  Connection(fds);
  const int four = 4;
  CHECK_EQ(setsockopt(fds[1], SOL_SOCKET, SO_RCVLOWAT, &four, sizeof(four)), 0);
  CHECK_EQ(write(fds[0], "ab", 2), 2);
  usleep(1000);
  struct pollfd row = {fds[1], POLLIN, 0};
  CHECK_EQ(poll(&row, 1, 0), 0);
  CHECK_EQ(recv(fds[1], buffer, 32, MSG_DONTWAIT | MSG_PEEK), 2);
  CHECK_EQ(write(fds[0], "cd", 2), 2);
  CHECK_EQ(poll(&row, 1, 5000), 1);
  CHECK_EQ(recv(fds[1], buffer, 32, 0), 4);
  // Less at the end.
  CHECK_EQ(write(fds[0], "e", 1), 1);
  CHECK_EQ(shutdown(fds[0], SHUT_WR), 0);
  CHECK_EQ(recv(fds[1], buffer, 32, 0), 1);
  CHECK_EQ(recv(fds[1], buffer, 32, 0), 0);
  ClosePair(fds);
}

static void SharedPorts(void) {
  const int one = 1;
  const int first = Bound(SOCK_DGRAM), second = socket(AF_INET, SOCK_DGRAM, 0);
  const struct sockaddr_in address = Loopback(PortOf(first));
  CHECK_ERRNO(bind(second, (const struct sockaddr*)&address, sizeof(address)), EADDRINUSE);
  CHECK_EQ(setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
  CHECK_ERRNO(bind(second, (const struct sockaddr*)&address, sizeof(address)), EADDRINUSE);
  CHECK_EQ(setsockopt(first, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
  CHECK_EQ(bind(second, (const struct sockaddr*)&address, sizeof(address)), 0);
  close(first);
  close(second);
}

static void Identities(void) {
  // Each end knows the process at the other: who connected, and who listened.
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0who"};
  const socklen_t length = offsetof(struct sockaddr_un, sun_path) + 4;
  const int server = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  CHECK_EQ(bind(server, (struct sockaddr*)&address, length), 0);
  CHECK_EQ(listen(server, 1), 0);
  const pid_t parent = getpid(), child = fork();
  struct ucred who;
  socklen_t size = sizeof(who);
  if (child == 0) {
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (connect(fd, (struct sockaddr*)&address, length) != 0) _exit(1);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || who.pid != parent) _exit(2);
    char buffer[4];
    _exit(read(fd, buffer, 4) == 2 ? 0 : 3);
  }
  const int fd = accept(server, NULL, NULL);
  CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size), 0);
  CHECK_EQ(who.pid, child);
  CHECK_EQ(write(fd, "go", 2), 2);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  close(fd);
  close(server);
}

static void BigFile(void) {
  int fds[2];
  Connection(fds);
  enum { kBytes = 1 << 20 };
  static char block[kBytes];
  for (int i = 0; i < kBytes; ++i) block[i] = (char)(i * 11 >> 3);
  const int file = open("big", O_CREAT | O_TRUNC | O_RDWR, 0600);
  CHECK_EQ(write(file, block, kBytes), kBytes);
  const pid_t child = fork();
  if (child == 0) {
    close(fds[1]);
    off_t at = 0;
    while (at < kBytes)
      if (sendfile(fds[0], file, &at, (size_t)(kBytes - at)) <= 0) _exit(1);
    _exit(0);
  }
  close(fds[0]);
  long done = 0, wrong = 0;
  char buffer[4096];
  ssize_t got;
  while ((got = read(fds[1], buffer, sizeof(buffer))) > 0) {
    for (ssize_t i = 0; i < got; ++i, ++done) wrong += buffer[i] != block[done];
  }
  CHECK_EQ(done, kBytes);
  CHECK_EQ(wrong, 0);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  close(fds[1]);
  close(file);
  unlink("big");
}

static void Killed(void) {
  // A process that is killed while it waits lets go of its sockets.
  int fds[2];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  const pid_t child = fork();
  char buffer[4];
  if (child == 0) {
    close(fds[0]);
    _exit(read(fds[1], buffer, 1) == 1 ? 1 : 2);
  }
  close(fds[1]);
  usleep(3000);
  CHECK_EQ(kill(child, 9), 0);
  CHECK_EQ(read(fds[0], buffer, 1), 0);  // before anybody has waited for it
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status));
  close(fds[0]);
}

static void EpollOfPairs(void) {
  int fds[2];
  char buffer[8];
  CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  const int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP}, got[4];
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[1], &event), 0);
  CHECK_EQ(epoll_wait(epoll, got, 4, 0), 1);
  CHECK_EQ(got[0].events, EPOLLOUT);
  CHECK_EQ(epoll_wait(epoll, got, 4, 0), 0);
  CHECK_EQ(write(fds[0], "x", 1), 1);
  CHECK_EQ(epoll_wait(epoll, got, 4, 0), 1);
  CHECK_EQ(got[0].events, EPOLLIN | EPOLLOUT);
  CHECK_EQ(read(fds[1], buffer, 8), 1);
  close(fds[0]);
  CHECK_EQ(epoll_wait(epoll, got, 4, 0), 1);
  CHECK_EQ(got[0].events, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
  close(fds[1]);
  CHECK_EQ(epoll_wait(epoll, got, 4, 0), 0);
  close(epoll);
}

int main(void) {
  ShutdownWakes();
  FullBacklogs();
  Timeouts();
  LowWater();
  SharedPorts();
  Identities();
  BigFile();
  Killed();
  EpollOfPairs();
  REPORT();
}
