/* Talking: Unix and TCP sockets between processes, a descriptor sent along, and one epoll that
 * waits for a timer, an event count, a signal and a socket: the epoch holds the order. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void SendDescriptor(int to, int descriptor) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec vector = {"fd", 2};
  struct msghdr message = {.msg_iov = &vector,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
  struct cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(head), &descriptor, sizeof(int));
  sendmsg(to, &message, 0);
}

static int ReceiveDescriptor(int from) {
  char control[CMSG_SPACE(sizeof(int))], text[8];
  struct iovec vector = {text, sizeof text};
  struct msghdr message = {.msg_iov = &vector,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
  int descriptor = -1;
  if (recvmsg(from, &message, 0) > 0)
    memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
  return descriptor;
}

static void Client(int pair, struct sockaddr_in address) {
  const int pipe_end = ReceiveDescriptor(pair);
  dprintf(pipe_end, "through a pipe that came along\n");
  const int tcp = socket(AF_INET, SOCK_STREAM, 0);
  connect(tcp, (struct sockaddr*)&address, sizeof address);
  for (int i = 0; i < 3; i++) {
    char answer[64] = "";
    dprintf(tcp, "request %d", i);
    read(tcp, answer, sizeof answer - 1);
    printf("client: %s\n", answer);
    usleep(15000);
  }
  kill(getppid(), SIGUSR1);
  fflush(stdout);
  _exit(3);
}

int main(void) {
  int pair[2], pipes[2];
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
  pipe(pipes);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  bind(listener, (struct sockaddr*)&address, size);
  listen(listener, 4);
  getsockname(listener, (struct sockaddr*)&address, &size);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  const pid_t child = fork();
  if (child == 0) Client(pair[1], address);
  SendDescriptor(pair[0], pipes[1]);
  close(pipes[1]);
  char text[64] = "";
  read(pipes[0], text, sizeof text - 1);
  printf("server: %s", text);

  const int timer = timerfd_create(CLOCK_MONOTONIC, 0), count = eventfd(5, 0);
  const int signal_file = signalfd(-1, &signals, 0), set = epoll_create1(0);
  const struct itimerspec every = {{0, 10000000}, {0, 10000000}};
  timerfd_settime(timer, 0, &every, NULL);
  const int files[] = {timer, count, signal_file, listener};
  for (int i = 0; i < 4; i++) {
    struct epoll_event event = {EPOLLIN, {.fd = files[i]}};
    epoll_ctl(set, EPOLL_CTL_ADD, files[i], &event);
  }
  for (int done = 0; !done;) {
    struct epoll_event events[8];
    const int n = epoll_wait(set, events, 8, -1);
    for (int i = 0; i < n; i++) {
      const int file = events[i].data.fd;
      uint64_t value = 0;
      if (file == timer || file == count) {
        read(file, &value, sizeof value);
        printf("%s %llu\n", file == timer ? "timer" : "count", (unsigned long long)value);
      } else if (file == signal_file) {
        struct signalfd_siginfo info;
        read(file, &info, sizeof info);
        printf("signal %u from the child: %d\n", info.ssi_signo, (pid_t)info.ssi_pid == child);
        done = 1;
      } else if (file == listener) {
        const int one = accept(listener, NULL, NULL);
        struct epoll_event event = {EPOLLIN, {.fd = one}};
        epoll_ctl(set, EPOLL_CTL_ADD, one, &event);
        puts("a client");
      } else {
        const ssize_t got = read(file, text, sizeof text - 1);
        if (got <= 0) {
          puts("the client is gone");
          close(file);
          continue;
        }
        text[got] = 0;
        dprintf(file, "answer to %s", text);
      }
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("exit %d\n", WEXITSTATUS(status));
  return 0;
}
