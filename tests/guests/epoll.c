// Sets of files: epoll(7), level and edge, one shot, exclusive, nested; with pipes and eventfds.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static int set;
static struct epoll_event got[8];

static int control(int operation, int fd, uint32_t events, uint64_t data) {
  struct epoll_event event = {.events = events, .data.u64 = data};
  return epoll_ctl(set, operation, fd, &event);
}
static int add(int fd, uint32_t events, uint64_t data) {
  return control(EPOLL_CTL_ADD, fd, events, data);
}
static int ready(void) { return epoll_wait(set, got, 8, 0); }
static void put(int fd) { CHECK_EQ(write(fd, "x", 1), 1); }
static void take(int fd, int count) {
  char buffer[64];
  CHECK_EQ(read(fd, buffer, sizeof buffer), count);
}

static void begin(void) {
  set = epoll_create1(EPOLL_CLOEXEC);
  CHECK(set >= 0);
  memset(got, 0, sizeof got);
}
static void end(void) { CHECK_EQ(close(set), 0); }

static void errors(void) {
  CHECK_ERRNO(syscall(SYS_epoll_create, 0), EINVAL);
  CHECK_ERRNO(epoll_create1(1), EINVAL);
  begin();
  CHECK_EQ(fcntl(set, F_GETFD), FD_CLOEXEC);
  int pipes[2];
  CHECK_EQ(pipe(pipes), 0);
  int file = open(".", O_RDONLY | O_DIRECTORY);
  int plain = open("epoll-file", O_RDWR | O_CREAT, 0600);
  unlink("epoll-file");
  CHECK_ERRNO(add(file, EPOLLIN, 0), EPERM);
  CHECK_ERRNO(add(plain, EPOLLIN, 0), EPERM);
  CHECK_ERRNO(add(999, EPOLLIN, 0), EBADF);
  CHECK_ERRNO(add(set, EPOLLIN, 0), EINVAL);
  CHECK_ERRNO(control(77, pipes[0], EPOLLIN, 0), EINVAL);
  CHECK_ERRNO(epoll_ctl(pipes[0], EPOLL_CTL_ADD, pipes[1], got), EINVAL);
  CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_ADD, pipes[0], (void*)16), EFAULT);
  CHECK_ERRNO(epoll_ctl(998, EPOLL_CTL_ADD, 999, got), EBADF);
  CHECK_ERRNO(control(EPOLL_CTL_MOD, pipes[0], EPOLLIN, 0), ENOENT);
  CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_DEL, pipes[0], NULL), ENOENT);
  CHECK_EQ(add(pipes[0], EPOLLIN, 0), 0);
  CHECK_ERRNO(add(pipes[0], EPOLLIN, 0), EEXIST);
  CHECK_ERRNO(epoll_wait(set, got, 0, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_epoll_pwait, set, got, -1, 0, NULL, 0), EINVAL);
  CHECK_ERRNO(epoll_wait(pipes[0], got, 1, 0), EINVAL);
  CHECK_ERRNO(epoll_wait(999, got, 1, 0), EBADF);
  put(pipes[1]);
  // What could not be told is told the next time.
  CHECK_ERRNO(syscall(SYS_epoll_pwait, set, (void*)16, 1, 0, NULL, 0), EFAULT);
  CHECK_EQ(ready(), 1);
  CHECK_ERRNO(read(set, got, sizeof got), EINVAL);
  CHECK_ERRNO(write(set, got, 1), EINVAL);
  sigset_t mask;
  sigemptyset(&mask);
  CHECK_ERRNO(syscall(SYS_epoll_pwait, set, got, 1, 0, &mask, 4), EINVAL);
  CHECK_ERRNO(syscall(SYS_epoll_pwait, set, got, 1, 0, (void*)16, 8), EFAULT);
  CHECK_ERRNO(add(pipes[1], EPOLLEXCLUSIVE | EPOLLRDHUP, 0), EINVAL);
  CHECK_EQ(add(pipes[1], EPOLLEXCLUSIVE | EPOLLOUT, 0), 0);
  CHECK_ERRNO(control(EPOLL_CTL_MOD, pipes[1], EPOLLOUT, 0), EINVAL);
  CHECK_ERRNO(control(EPOLL_CTL_MOD, pipes[0], EPOLLIN | EPOLLEXCLUSIVE, 0), EINVAL);
  close(file), close(plain), close(pipes[0]), close(pipes[1]);
  end();
}

static void level(void) {
  begin();
  int pipes[2];
  CHECK_EQ(pipe(pipes), 0);
  CHECK_EQ(add(pipes[0], EPOLLIN | EPOLLRDNORM, 0x123456789abcdefull), 0);
  CHECK_EQ(add(pipes[1], EPOLLIN, 2), 0);
  CHECK_EQ(ready(), 0);
  put(pipes[1]);
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(ready(), 1);
    CHECK_EQ(got[0].events, EPOLLIN | EPOLLRDNORM);
    CHECK_EQ(got[0].data.u64, 0x123456789abcdefull);
  }
  take(pipes[0], 1);
  CHECK_EQ(ready(), 0);
  // The other events go on: what was asked for, and errors.
  CHECK_EQ(control(EPOLL_CTL_MOD, pipes[1], EPOLLOUT, 3), 0);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(got[0].events, EPOLLOUT);
  CHECK_EQ(got[0].data.u64, 3);
  CHECK_EQ(control(EPOLL_CTL_MOD, pipes[1], 0, 4), 0);
  CHECK_EQ(ready(), 0);
  close(pipes[0]);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(got[0].events, EPOLLERR);
  CHECK_EQ(got[0].data.u64, 4);
  CHECK_EQ(epoll_ctl(set, EPOLL_CTL_DEL, pipes[1], NULL), 0);
  CHECK_EQ(ready(), 0);
  close(pipes[1]);
  end();
}

static void edge(void) {
  begin();
  int pipes[2];
  CHECK_EQ(pipe2(pipes, O_NONBLOCK), 0);
  CHECK_EQ(add(pipes[0], EPOLLIN | EPOLLET, 1), 0);
  CHECK_EQ(ready(), 0);
  put(pipes[1]);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(ready(), 0);
  // More bytes are another event, though some were there already.
  put(pipes[1]);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(ready(), 0);
  take(pipes[0], 2);
  CHECK_EQ(ready(), 0);
  // An event that is gone when one looks is none.
  put(pipes[1]);
  take(pipes[0], 1);
  CHECK_EQ(ready(), 0);
  // EPOLL_CTL_MOD looks again.
  put(pipes[1]);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(control(EPOLL_CTL_MOD, pipes[0], EPOLLIN | EPOLLET, 7), 0);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(got[0].data.u64, 7);
  CHECK_EQ(ready(), 0);
  close(pipes[1]);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(got[0].events, EPOLLIN | EPOLLHUP);
  CHECK_EQ(ready(), 0);
  close(pipes[0]);
  // Room for a writer is an edge, when it was full.
  CHECK_EQ(pipe2(pipes, O_NONBLOCK), 0);
  CHECK_EQ(add(pipes[1], EPOLLOUT | EPOLLET, 9), 0);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(ready(), 0);
  static char page[4096];
  while (write(pipes[1], page, sizeof page) > 0) {
  }
  CHECK_EQ(ready(), 0);
  CHECK_EQ(read(pipes[0], page, sizeof page), (ssize_t)sizeof page);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(got[0].events, EPOLLOUT);
  CHECK_EQ(ready(), 0);
  close(pipes[0]), close(pipes[1]);
  end();
}

static void one_shot(void) {
  begin();
  int event = eventfd(1, EFD_NONBLOCK);
  CHECK_EQ(add(event, EPOLLIN | EPOLLONESHOT, 5), 0);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(ready(), 0);
  CHECK_EQ(eventfd_write(event, 1), 0);
  CHECK_EQ(ready(), 0);
  CHECK_EQ(control(EPOLL_CTL_MOD, event, EPOLLIN | EPOLLONESHOT, 6), 0);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(got[0].data.u64, 6);
  CHECK_EQ(ready(), 0);
  close(event);
  end();
}

// Events come in the order in which they came up; what is still ready goes behind the others.
static void order(void) {
  begin();
  int events[4];
  for (int i = 0; i < 4; i++) {
    events[i] = eventfd(0, EFD_NONBLOCK);
    CHECK_EQ(add(events[i], EPOLLIN, i), 0);
  }
  const int sequence[] = {2, 0, 3, 1};
  for (int i = 0; i < 4; i++) CHECK_EQ(eventfd_write(events[sequence[i]], 1), 0);
  CHECK_EQ(ready(), 4);
  for (int i = 0; i < 4; i++) CHECK_EQ(got[i].data.u64, sequence[i]);
  // Two at a time: each gets its turn.
  CHECK_EQ(epoll_wait(set, got, 2, 0), 2);
  CHECK_EQ(got[0].data.u64, 2);
  CHECK_EQ(got[1].data.u64, 0);
  CHECK_EQ(epoll_wait(set, got, 2, 0), 2);
  CHECK_EQ(got[0].data.u64, 3);
  CHECK_EQ(got[1].data.u64, 1);
  CHECK_EQ(epoll_wait(set, got, 3, 0), 3);
  CHECK_EQ(got[0].data.u64, 2);
  CHECK_EQ(got[2].data.u64, 3);
  CHECK_EQ(epoll_wait(set, got, 3, 0), 3);
  CHECK_EQ(got[0].data.u64, 1);
  CHECK_EQ(got[1].data.u64, 2);
  for (int i = 0; i < 4; i++) close(events[i]);
  CHECK_EQ(ready(), 0);
  end();
}

// An item goes with the last descriptor of its file, not with the first.
static void closing(void) {
  begin();
  int event = eventfd(1, EFD_NONBLOCK);
  int copy = dup(event);
  CHECK_EQ(add(event, EPOLLIN, 1), 0);
  CHECK_EQ(add(copy, EPOLLIN, 2), 0);
  CHECK_EQ(ready(), 2);
  close(event);
  CHECK_EQ(ready(), 2);
  CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_DEL, event, NULL), EBADF);
  // The same number for another file: another item.
  int other = eventfd(1, EFD_NONBLOCK);
  CHECK_EQ(other, event);
  CHECK_EQ(add(other, EPOLLIN, 3), 0);
  CHECK_EQ(ready(), 3);
  close(copy);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(got[0].data.u64, 3);
  // A child holds it open.
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  close(other);
  CHECK_EQ(ready(), 1);
  kill(child, SIGKILL);
  CHECK_EQ(waitpid(child, NULL, 0), child);
  CHECK_EQ(ready(), 0);
  end();
}

static void nested(void) {
  begin();
  const int outer = set;
  const int inner = epoll_create1(0);
  int event = eventfd(0, EFD_NONBLOCK);
  CHECK_EQ(add(inner, EPOLLIN, 10), 0);
  set = inner;
  CHECK_EQ(add(event, EPOLLIN | EPOLLET, 20), 0);
  CHECK_ERRNO(add(outer, EPOLLIN, 0), ELOOP);
  CHECK_ERRNO(add(outer, EPOLLIN | EPOLLEXCLUSIVE, 0), EINVAL);
  set = outer;
  CHECK_EQ(ready(), 0);
  CHECK_EQ(eventfd_write(event, 1), 0);
  struct pollfd by_poll = {.fd = outer, .events = POLLIN};
  CHECK_EQ(poll(&by_poll, 1, 0), 1);
  CHECK_EQ(by_poll.revents, POLLIN);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(got[0].data.u64, 10);
  CHECK_EQ(ready(), 1);
  CHECK_EQ(epoll_wait(inner, got, 8, 0), 1);
  CHECK_EQ(got[0].data.u64, 20);
  // The edge was taken: nothing is ready in the inner set, nor in the outer one.
  CHECK_EQ(ready(), 0);
  CHECK_EQ(poll(&by_poll, 1, 0), 0);
  close(event), close(inner);
  CHECK_EQ(ready(), 0);
  // Deep nesting ends somewhere.
  int chain[12], refused = 0;
  for (int i = 0; i < 12; i++) {
    chain[i] = epoll_create1(0);
    struct epoll_event in = {.events = EPOLLIN};
    if (i > 0 && epoll_ctl(chain[i], EPOLL_CTL_ADD, chain[i - 1], &in) != 0) {
      CHECK_EQ(errno, ELOOP);
      refused++;
    }
  }
  CHECK(refused > 0 && refused < 10);
  for (int i = 0; i < 12; i++) close(chain[i]);
  end();
}

static int event_to_write;
static void* writes_soon(void* nothing) {
  (void)nothing;
  usleep(2000);
  CHECK_EQ(eventfd_write(event_to_write, 1), 0);
  return NULL;
}

static int handled;
static void handler(int signal) { handled = signal; }

static void waiting(void) {
  begin();
  event_to_write = eventfd(0, EFD_NONBLOCK);
  CHECK_EQ(add(event_to_write, EPOLLIN, 1), 0);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, writes_soon, NULL), 0);
  CHECK_EQ(epoll_wait(set, got, 8, -1), 1);
  CHECK_EQ(pthread_join(thread, NULL), 0);
  eventfd_t value;
  CHECK_EQ(eventfd_read(event_to_write, &value), 0);
  CHECK_EQ(epoll_wait(set, got, 8, 3), 0);
  // A signal ends the wait, with SA_RESTART too; epoll_pwait lets it in for the wait alone.
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
  sigset_t usr1, none;
  sigemptyset(&none);
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  CHECK_EQ(sigprocmask(SIG_BLOCK, &usr1, NULL), 0);
  raise(SIGUSR1);
  CHECK_EQ(epoll_wait(set, got, 8, 1), 0);
  CHECK_EQ(handled, 0);
  CHECK_ERRNO(epoll_pwait(set, got, 8, -1, &none), EINTR);
  CHECK_EQ(handled, SIGUSR1);
  // What is ready goes before a signal, which then stays pending.
  handled = 0;
  raise(SIGUSR1);
  CHECK_EQ(eventfd_write(event_to_write, 1), 0);
  CHECK_EQ(epoll_pwait(set, got, 8, -1, &none), 1);
  CHECK_EQ(handled, 0);
  CHECK_EQ(sigprocmask(SIG_UNBLOCK, &usr1, NULL), 0);
  CHECK_EQ(handled, SIGUSR1);
#ifdef SYS_epoll_pwait2
  struct {
    int64_t seconds, nanoseconds;
  } moment = {0, 1000}, wrong = {0, 1000000000}, negative = {-1, 0};
  CHECK_EQ(eventfd_read(event_to_write, &value), 0);
  CHECK_EQ(syscall(SYS_epoll_pwait2, set, got, 8, &moment, NULL, 0), 0);
  CHECK_ERRNO(syscall(SYS_epoll_pwait2, set, got, 8, &wrong, NULL, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_epoll_pwait2, set, got, 8, &negative, NULL, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_epoll_pwait2, set, got, 8, (void*)16, NULL, 0), EFAULT);
  CHECK_EQ(eventfd_write(event_to_write, 1), 0);
  CHECK_EQ(syscall(SYS_epoll_pwait2, set, got, 8, NULL, NULL, 0), 1);
#endif
  close(event_to_write);
  end();
}

// Several threads on one set: each event reaches exactly one of them.
enum { kWorkers = 4, kTokens = 200 };
static int tokens[2], seen;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void* works(void* nothing) {
  struct epoll_event mine;
  for (;;) {
    if (epoll_wait(set, &mine, 1, -1) != 1) continue;
    char c;
    if (read(tokens[0], &c, 1) != 1) continue;
    if (c == 'q') return nothing;
    pthread_mutex_lock(&mutex);
    ++seen;
    pthread_mutex_unlock(&mutex);
  }
}
static void workers(void) {
  begin();
  CHECK_EQ(pipe2(tokens, O_NONBLOCK), 0);
  CHECK_EQ(add(tokens[0], EPOLLIN, 0), 0);
  pthread_t threads[kWorkers];
  for (int i = 0; i < kWorkers; i++) pthread_create(&threads[i], NULL, works, NULL);
  for (int i = 0; i < kTokens; i++) put(tokens[1]);
  for (int i = 0; i < kWorkers; i++) CHECK_EQ(write(tokens[1], "q", 1), 1);
  for (int i = 0; i < kWorkers; i++) pthread_join(threads[i], NULL);
  CHECK_EQ(seen, kTokens);
  close(tokens[0]), close(tokens[1]);
  end();
}

static void links(void) {
  begin();
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", set);
  CHECK_EQ(readlink(path, text, sizeof text), (ssize_t)strlen("anon_inode:[eventpoll]"));
  CHECK_EQ(strncmp(text, "anon_inode:[eventpoll]", 22), 0);
  int event = eventfd(3, 0);
  CHECK_EQ(add(event, EPOLLIN | EPOLLET, 0xabc), 0);
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", set);
  FILE* file = fopen(path, "r");
  CHECK(file != NULL);
  int told = 0;
  while (file && fgets(text, sizeof text, file)) {
    int fd;
    unsigned events;
    unsigned long long data;
    if (sscanf(text, "tfd: %d events: %x data: %llx", &fd, &events, &data) != 3) continue;
    told++;
    CHECK_EQ(fd, event);
    CHECK_EQ(events, EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLET);
    CHECK_EQ(data, 0xabc);
  }
  CHECK_EQ(told, 1);
  if (file) fclose(file);
  close(event);
  end();
}

int main(void) {
  errors();
  level();
  edge();
  one_shot();
  order();
  closing();
  nested();
  waiting();
  workers();
  links();
  REPORT();
}
