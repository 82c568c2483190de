// Events as files: eventfd(2), timerfd_create(2), signalfd(2), pidfd_open(2).
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static int events_of(int fd) {
  struct pollfd row = {.fd = fd, .events = POLLIN | POLLOUT};
  CHECK(poll(&row, 1, 0) >= 0);
  return row.revents;
}

static int link_is(int fd, const char* text) {
  char path[64], link[64] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return readlink(path, link, sizeof link - 1) >= 0 && strcmp(link, text) == 0;
}

// The value of a line of /proc/self/fdinfo; -1: there is none.
static long long info_of(int fd, const char* format) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  FILE* file = fopen(path, "r");
  unsigned long long value = -1;
  while (file && fgets(line, sizeof line, file) && sscanf(line, format, &value) != 1) {
  }
  if (file) fclose(file);
  return (long long)value;
}

static void* adds_later(void* fd) {
  usleep(2000);
  CHECK_EQ(eventfd_write((int)(intptr_t)fd, 7), 0);
  return NULL;
}

static void counters(void) {
  CHECK_ERRNO(eventfd(0, 0x40000000), EINVAL);
  int fd = eventfd(5, EFD_NONBLOCK | EFD_CLOEXEC);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
  CHECK(link_is(fd, "anon_inode:[eventfd]"));
  CHECK_EQ(info_of(fd, "eventfd-count: %llx"), 5);
  uint64_t value = 0, small = 0;
  CHECK_EQ(events_of(fd), POLLIN | POLLOUT);
  CHECK_ERRNO(read(fd, &small, 7), EINVAL);
  CHECK_EQ(read(fd, &value, 8), 8);
  CHECK_EQ(value, 5);
  CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
  CHECK_EQ(events_of(fd), POLLOUT);
  CHECK_ERRNO(write(fd, &value, 7), EINVAL);
  value = ~0ull;
  CHECK_ERRNO(write(fd, &value, 8), EINVAL);
  value = 3;
  CHECK_EQ(write(fd, &value, 8), 8);
  char big[32];
  CHECK_EQ(read(fd, big, sizeof big), 8);
  value = ~0ull - 1;
  CHECK_EQ(write(fd, &value, 8), 8);
  CHECK_EQ(events_of(fd), POLLIN);
  value = 1;
  CHECK_ERRNO(write(fd, &value, 8), EAGAIN);
  value = 0;
  CHECK_EQ(write(fd, &value, 8), 8);
  CHECK_EQ(read(fd, &value, 8), 8);
  CHECK_EQ(value, ~0ull - 1);
  CHECK_ERRNO(pread(fd, &value, 8, 0), ESPIPE);
  close(fd);

  fd = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, 1);
  }
  CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
  close(fd);

  fd = eventfd(0, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, adds_later, (void*)(intptr_t)fd);
  CHECK_EQ(read(fd, &value, 8), 8);
  CHECK_EQ(value, 7);
  pthread_join(thread, NULL);
  // Between processes.
  pid_t child = fork();
  if (child == 0) _exit(eventfd_write(fd, 11) != 0);
  CHECK_EQ(read(fd, &value, 8), 8);
  CHECK_EQ(value, 11);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  close(fd);
}

static struct itimerspec spec(long first_ns, long interval_ns) {
  struct itimerspec it = {.it_value = {first_ns / 1000000000, first_ns % 1000000000},
                          .it_interval = {interval_ns / 1000000000, interval_ns % 1000000000}};
  return it;
}
static long long nanoseconds(struct timespec t) { return t.tv_sec * 1000000000ll + t.tv_nsec; }

static void timers(void) {
  CHECK_ERRNO(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
  CHECK_ERRNO(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
  struct itimerspec it = spec(1000, 0), old;
  CHECK_ERRNO(timerfd_settime(0, 0, &it, NULL), EINVAL);
  CHECK_ERRNO(timerfd_settime(999, 0, &it, NULL), EBADF);
  CHECK_ERRNO(timerfd_gettime(0, &it), EINVAL);
  const int clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
  for (int i = 0; i < 3; i++) {
    int fd = timerfd_create(clocks[i], TFD_NONBLOCK | TFD_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(link_is(fd, "anon_inode:[timerfd]"));
    uint64_t ticks = 0;
    CHECK_ERRNO(read(fd, &ticks, 8), EAGAIN);
    CHECK_ERRNO(read(fd, &ticks, 4), EINVAL);
    CHECK_ERRNO(write(fd, &ticks, 8), EINVAL);
    CHECK_EQ(events_of(fd), 0);
    CHECK_EQ(timerfd_gettime(fd, &old), 0);
    CHECK_EQ(nanoseconds(old.it_value), 0);
    // Once, in a second that will not come.
    it = spec(1000000000, 5000000);
    CHECK_EQ(timerfd_settime(fd, 0, &it, &old), 0);
    CHECK_EQ(timerfd_gettime(fd, &old), 0);
    CHECK(nanoseconds(old.it_value) > 0 && nanoseconds(old.it_value) <= 1000000000);
    CHECK_EQ(nanoseconds(old.it_interval), 5000000);
    CHECK_EQ(info_of(fd, "clockid: %llu"), clocks[i]);
    CHECK_EQ(info_of(fd, "ticks: %llu"), 0);
    it.it_value.tv_nsec = 1000000000;
    CHECK_ERRNO(timerfd_settime(fd, 0, &it, NULL), EINVAL);
    it = spec(1, 0);
    it.it_value.tv_sec = -1;
    CHECK_ERRNO(timerfd_settime(fd, 0, &it, NULL), EINVAL);
    CHECK_ERRNO(timerfd_settime(fd, 4, &old, NULL), EINVAL);
    // Each millisecond: a reader who is late learns how often it went off.
    it = spec(1000000, 1000000);
    CHECK_EQ(timerfd_settime(fd, 0, &it, NULL), 0);
    usleep(20000);
    CHECK_EQ(events_of(fd), POLLIN);
    CHECK_EQ(read(fd, &ticks, 8), 8);
    CHECK(ticks >= 19 && ticks < 2000);
    struct pollfd row = {.fd = fd, .events = POLLIN};
    CHECK_EQ(poll(&row, 1, -1), 1);
    CHECK_EQ(read(fd, &ticks, 8), 8);
    CHECK(ticks >= 1);
    // A moment that has passed: at once, and all periods since.
    struct timespec now;
    clock_gettime(clocks[i], &now);
    it = spec(0, 1000000);
    it.it_value = now;
    const int long_ago = now.tv_sec >= 1;  // a machine may have started just now
    if (long_ago) it.it_value.tv_sec -= 1;
    CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &it, NULL), 0);
    CHECK_EQ(poll(&row, 1, -1), 1);
    CHECK_EQ(read(fd, &ticks, 8), 8);
    CHECK(ticks >= (long_ago ? 1000 : 1) && ticks < 5000);
    it = spec(0, 0);
    CHECK_EQ(timerfd_settime(fd, 0, &it, NULL), 0);
    CHECK_ERRNO(read(fd, &ticks, 8), EAGAIN);
    // One that went off and was not read is forgotten when it is set again.
    it = spec(1, 0);
    CHECK_EQ(timerfd_settime(fd, 0, &it, NULL), 0);
    CHECK_EQ(poll(&row, 1, -1), 1);
    it = spec(1000000000, 0);
    CHECK_EQ(timerfd_settime(fd, 0, &it, &old), 0);
    CHECK_EQ(nanoseconds(old.it_value), 0);
    CHECK_ERRNO(read(fd, &ticks, 8), EAGAIN);
    close(fd);
  }
  // Blocking, and in a set of edges.
  int fd = timerfd_create(CLOCK_MONOTONIC, 0), set = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
  it = spec(2000000, 2000000);
  CHECK_EQ(timerfd_settime(fd, 0, &it, NULL), 0);
  uint64_t ticks;
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(epoll_wait(set, &event, 1, -1), 1);
    CHECK_EQ(read(fd, &ticks, 8), 8);
    CHECK_EQ(read(fd, &ticks, 8), 8);
  }
  close(fd), close(set);
}

static sigset_t signals_of(int a, int b) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, a);
  if (b) sigaddset(&set, b);
  return set;
}

static void* kills_later(void* thread) {
  usleep(2000);
  CHECK_EQ(kill(getpid(), SIGUSR2), 0);
  return thread;
}

static void signals(void) {
  sigset_t set = signals_of(SIGUSR1, SIGUSR2), before;
  sigaddset(&set, SIGRTMIN + 1);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, &before);
  CHECK_ERRNO(signalfd(0, &set, 0), EINVAL);
  CHECK_ERRNO(signalfd(999, &set, 0), EBADF);
  CHECK_ERRNO(signalfd(-1, &set, 1), EINVAL);
  CHECK_ERRNO(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
  int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  CHECK(fd >= 0);
  CHECK(link_is(fd, "anon_inode:[signalfd]"));
  struct signalfd_siginfo info[4];
  CHECK_ERRNO(read(fd, info, sizeof info), EAGAIN);
  CHECK_ERRNO(read(fd, info, sizeof info[0] - 1), EINVAL);
  CHECK_EQ(events_of(fd), 0);
  CHECK_EQ(kill(getpid(), SIGUSR2), 0);
  CHECK_EQ(raise(SIGUSR1), 0);
  union sigval value = {.sival_int = 77};
  CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 1, value), 0);
  value.sival_int = 78;
  CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 1, value), 0);
  CHECK_EQ(events_of(fd), POLLIN);
  CHECK_EQ(read(fd, info, sizeof info), (ssize_t)sizeof info);
  CHECK_EQ(info[0].ssi_signo, SIGUSR1);
  CHECK_EQ(info[0].ssi_code, SI_TKILL);
  CHECK_EQ(info[0].ssi_pid, getpid());
  CHECK_EQ(info[1].ssi_signo, SIGUSR2);
  CHECK_EQ(info[1].ssi_code, SI_USER);
  CHECK_EQ(info[1].ssi_uid, getuid());
  CHECK_EQ(info[2].ssi_signo, SIGRTMIN + 1);
  CHECK_EQ(info[2].ssi_code, SI_QUEUE);
  CHECK_EQ(info[2].ssi_int, 77);
  CHECK_EQ(info[3].ssi_int, 78);
  CHECK_EQ(events_of(fd), 0);
  // What a child says when it ends.
  pid_t child = fork();
  if (child == 0) _exit(42);
  struct pollfd row = {.fd = fd, .events = POLLIN};
  CHECK_EQ(poll(&row, 1, -1), 1);
  CHECK_EQ(read(fd, info, sizeof info), (ssize_t)sizeof info[0]);
  CHECK_EQ(info[0].ssi_signo, SIGCHLD);
  CHECK_EQ(info[0].ssi_code, CLD_EXITED);
  CHECK_EQ(info[0].ssi_pid, child);
  CHECK_EQ(info[0].ssi_status, 42);
  CHECK_EQ(waitpid(child, NULL, 0), child);
  // Another mask for the same descriptor.
  sigset_t only = signals_of(SIGUSR1, 0);
  CHECK_EQ(signalfd(fd, &only, 0), fd);
  raise(SIGUSR2);
  CHECK_EQ(events_of(fd), 0);
  CHECK_EQ(signalfd(fd, &set, 0), fd);
  CHECK_EQ(events_of(fd), POLLIN);
  CHECK_EQ(read(fd, info, sizeof info), (ssize_t)sizeof info[0]);
  // By way of a set, and blocking.
  int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
  CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
  pthread_t thread;
  pthread_create(&thread, NULL, kills_later, NULL);
  CHECK_EQ(epoll_wait(epoll, &event, 1, -1), 1);
  CHECK_EQ(read(fd, info, sizeof info), (ssize_t)sizeof info[0]);
  CHECK_EQ(info[0].ssi_signo, SIGUSR2);
  pthread_join(thread, NULL);
  fcntl(fd, F_SETFL, 0);
  pthread_create(&thread, NULL, kills_later, NULL);
  CHECK_EQ(read(fd, info, sizeof info), (ssize_t)sizeof info[0]);
  pthread_join(thread, NULL);
  close(fd), close(epoll);
  sigprocmask(SIG_SETMASK, &before, NULL);
}

#ifndef SYS_pidfd_open
enum { SYS_pidfd_send_signal = 424, SYS_pidfd_open = 434, SYS_clone3 = 435, SYS_pidfd_getfd = 438 };
#endif
enum { kClonePidfd = 0x1000 };
#define kPPidfd ((idtype_t)3)

static int handled;
static void handler(int signal, siginfo_t* info, void* context) {
  (void)context;
  handled = signal * 1000 + info->si_code;
}

static void processes(void) {
  CHECK_ERRNO(syscall(SYS_pidfd_open, 0, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_pidfd_open, -5, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_pidfd_open, 4000000, 0), ESRCH);
  CHECK_ERRNO(syscall(SYS_pidfd_open, getpid(), 1), EINVAL);
  int own = syscall(SYS_pidfd_open, getpid(), 0);
  CHECK_EQ(fcntl(own, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(info_of(own, "Pid: %llu"), getpid());
  CHECK_EQ(events_of(own), 0);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  CHECK_EQ(syscall(SYS_pidfd_send_signal, own, SIGUSR1, NULL, 0), 0);
  CHECK_EQ(handled, SIGUSR1 * 1000 + SI_USER);
  siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
  CHECK_EQ(syscall(SYS_pidfd_send_signal, own, SIGUSR1, &info, 0), 0);
  CHECK_EQ(handled, SIGUSR1 * 1000 + SI_QUEUE);
  CHECK_ERRNO(syscall(SYS_pidfd_send_signal, own, SIGUSR2, &info, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_pidfd_send_signal, own, 65, NULL, 0), EINVAL);
  char path[32];
  snprintf(path, sizeof path, "/proc/%d", getpid());
  const int in_proc = open(path, O_RDONLY | O_DIRECTORY);  // as good, for this call
  CHECK_EQ(syscall(SYS_pidfd_send_signal, in_proc, 0, NULL, 0), 0);
  CHECK_ERRNO(syscall(SYS_pidfd_getfd, in_proc, 0, 0), EBADF);
  close(in_proc);
  CHECK_ERRNO(syscall(SYS_pidfd_send_signal, 0, SIGUSR1, NULL, 0), EBADF);
  CHECK_ERRNO(syscall(SYS_pidfd_send_signal, 999, SIGUSR1, NULL, 0), EBADF);
  CHECK_ERRNO(read(own, &info, sizeof info), EINVAL);
  close(own);

  int pipes[2];
  CHECK_EQ(pipe(pipes), 0);
  pid_t child = fork();
  if (child == 0) {
    close(pipes[1]);
    char c;
    _exit(read(pipes[0], &c, 1) == 0 ? 33 : 1);
  }
  int fd = syscall(SYS_pidfd_open, child, 0);
  CHECK_EQ(events_of(fd), 0);
  CHECK_EQ(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), 0);
  memset(&info, 0, sizeof info);
  CHECK_EQ(waitid(kPPidfd, fd, &info, WEXITED | WNOHANG), 0);
  CHECK_EQ(info.si_pid, 0);
  // A descriptor of the child's: the same pipe.
  int theirs = syscall(SYS_pidfd_getfd, fd, pipes[0], 0);
  CHECK(theirs >= 0);
  CHECK_EQ(fcntl(theirs, F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(syscall(SYS_pidfd_getfd, fd, 999, 0), EBADF);
  CHECK_ERRNO(syscall(SYS_pidfd_getfd, fd, 0, 1), EINVAL);
  CHECK_ERRNO(syscall(SYS_pidfd_getfd, pipes[0], 0, 0), EBADF);
  int set = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
  close(pipes[1]);
  CHECK_EQ(epoll_wait(set, &event, 1, -1), 1);
  CHECK_EQ(waitid(kPPidfd, fd, &info, WEXITED | WNOWAIT), 0);
  CHECK_EQ(info.si_status, 33);
  CHECK_EQ(waitid(kPPidfd, fd, &info, WEXITED), 0);
  CHECK_EQ(info.si_code, CLD_EXITED);
  CHECK_EQ(info.si_pid, child);
  CHECK_EQ(events_of(fd) & POLLIN, POLLIN);
  CHECK_ERRNO(waitid(kPPidfd, fd, &info, WEXITED), ECHILD);
  CHECK_ERRNO(waitid(kPPidfd, 999, &info, WEXITED), EBADF);
  CHECK_ERRNO(waitid(kPPidfd, pipes[0], &info, WEXITED), EBADF);
  CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), ESRCH);
  CHECK_ERRNO(syscall(SYS_pidfd_getfd, fd, 0, 0), ESRCH);
  close(fd), close(set), close(theirs), close(pipes[0]);

  // From clone and clone3.
  int made = -1;
  child = syscall(SYS_clone, kClonePidfd | SIGCHLD, 0, &made, 0, 0);
  if (child == 0) {
    pause();
    _exit(0);
  }
  CHECK(child > 0 && made >= 0);
  CHECK_EQ(syscall(SYS_pidfd_send_signal, made, SIGKILL, NULL, 0), 0);
  CHECK_EQ(waitid(kPPidfd, made, &info, WEXITED), 0);
  CHECK_EQ(info.si_code, CLD_KILLED);
  CHECK_EQ(info.si_status, SIGKILL);
  close(made);
  CHECK_ERRNO(syscall(SYS_clone, kClonePidfd | CLONE_PARENT_SETTID | SIGCHLD, 0, &made, 0, 0),
              EINVAL);
  struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
  } arguments = {.flags = kClonePidfd, .pidfd = (uintptr_t)&made, .exit_signal = SIGCHLD};
  child = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) _exit(9);
  CHECK_EQ(waitid(kPPidfd, made, &info, WEXITED), 0);
  CHECK_EQ(info.si_status, 9);
  close(made);
  arguments.pidfd = 16;
  CHECK_ERRNO(syscall(SYS_clone3, &arguments, sizeof arguments), EFAULT);
  CHECK_ERRNO(waitpid(-1, NULL, WNOHANG), ECHILD);
  // PIDFD_NONBLOCK: waitid does not wait.
  child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  fd = syscall(SYS_pidfd_open, child, O_NONBLOCK);
  CHECK_ERRNO(waitid(kPPidfd, fd, &info, WEXITED), EAGAIN);
  kill(child, SIGKILL);
  CHECK_EQ(waitpid(child, NULL, 0), child);
  close(fd);
}

int main(void) {
  counters();
  timers();
  signals();
  processes();
  REPORT();
}
