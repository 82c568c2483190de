// What signals do to waiting calls, and how they are told: signal(7), "Interruption of system
// calls"; masks for the length of a call; SIGCHLD; queues; signals for the events of files.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { kWait = 0 };  // FUTEX_WAIT: musl comes without Linux' headers

static volatile int count;
static void counts(int signal) {
  (void)signal;
  count++;
}

static void on_alarm(int flags) {
  struct sigaction action = {.sa_handler = counts, .sa_flags = flags};
  sigaction(SIGALRM, &action, NULL);
}
// SIGALRM soon, and again.
static void soon(void) {
  count = 0;
  struct itimerval it = {{0, 2000}, {0, 2000}};
  setitimer(ITIMER_REAL, &it, NULL);
}
static void calm(void) {
  struct itimerval off = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &off, NULL);
}

// Calls that wait for something that comes after the third signal: they fail with EINTR, or, with
// SA_RESTART, come back with it.
static int pipes[2], locked, counter;
static int read_pipe(void) {
  char c;
  return read(pipes[0], &c, 1) == 1 ? 0 : -1;
}
static int lock_file(void) { return flock(locked, LOCK_EX); }
static int lock_record(void) {
  struct flock lock = {.l_type = F_WRLCK};
  return fcntl(locked, F_SETLKW, &lock);
}
static int wait_child(void) { return waitpid(-1, NULL, 0) > 0 ? 0 : -1; }
static int read_counter(void) {
  eventfd_t value;
  return eventfd_read(counter, &value);
}
static unsigned word;
static int wait_word(void) { return syscall(SYS_futex, &word, kWait, 0, NULL, NULL, 0); }

static pid_t helper(int what) {
  int ready[2];
  CHECK_EQ(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    int mine = open("interrupts-file", O_RDWR | O_CREAT, 0600);
    struct flock lock = {.l_type = F_WRLCK};
    if (what == 1) flock(mine, LOCK_EX);
    if (what == 2) fcntl(mine, F_SETLK, &lock);
    (void)!write(ready[1], "r", 1);
    usleep(40000);
    if (what == 0) (void)!write(pipes[1], "x", 1);
    if (what == 4) eventfd_write(counter, 1);
    _exit(0);
  }
  char c;
  CHECK_EQ(read(ready[0], &c, 1), 1);
  close(ready[0]), close(ready[1]);
  return child;
}

static void restarted(void) {
  static int (*const calls[])(void) = {read_pipe, lock_file, lock_record, wait_child, read_counter};
  for (int i = 0; i < 5; i++) {
    for (int restarts = 0; restarts < 2; restarts++) {
      CHECK_EQ(pipe(pipes), 0);
      locked = open("interrupts-file", O_RDWR | O_CREAT, 0600);
      counter = eventfd(0, 0);
      on_alarm(restarts ? SA_RESTART : 0);
      pid_t child = helper(i);
      soon();
      errno = 0;
      int result = calls[i]();
      int error = errno;
      calm();
      if (result != (restarts ? 0 : -1) || (!restarts && error != EINTR)) {
        printf("call %d, restarts %d: %d, errno %d\n", i, restarts, result, error);
        failures++;
      }
      CHECK(count >= 1);
      waitpid(child, NULL, 0);
      close(pipes[0]), close(pipes[1]), close(locked), close(counter);
    }
  }
  unlink("interrupts-file");
  on_alarm(0);
  soon();
  CHECK_ERRNO(wait_word(), EINTR);
  calm();
}

// Those that never start again.
static void interrupted(void) {
  on_alarm(SA_RESTART);
  int set = epoll_create1(0);
  struct epoll_event event;
  sigset_t none, usr2;
  sigemptyset(&none);
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  struct timespec hour = {3600, 0}, left = {0, 0};
  struct timeval tv_hour = {3600, 0};
  siginfo_t info;
  soon();
  CHECK_ERRNO(pause(), EINTR);
  CHECK_ERRNO(sigsuspend(&none), EINTR);
  // musl's sigtimedwait starts again by itself.
  CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &usr2, &info, (long[2]){3600, 0}, 8), EINTR);
  CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &usr2, &info, NULL, 8), EINTR);
  CHECK_ERRNO(epoll_wait(set, &event, 1, -1), EINTR);
  CHECK_ERRNO(epoll_pwait(set, &event, 1, 3600000, &none), EINTR);
  CHECK_ERRNO(poll(NULL, 0, -1), EINTR);
  CHECK_ERRNO(ppoll(NULL, 0, &hour, NULL), EINTR);
  CHECK_ERRNO(select(0, NULL, NULL, NULL, &tv_hour), EINTR);
  CHECK_ERRNO(pselect(0, NULL, NULL, NULL, NULL, &none), EINTR);
  CHECK_ERRNO(nanosleep(&hour, &left), EINTR);
  CHECK(left.tv_sec >= 3599 - 60);
  CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, NULL), EINTR);
  CHECK_ERRNO(syscall(SYS_futex, &word, kWait, 0, (long[2]){3600, 0}, NULL, 0), EINTR);
  calm();
  close(set);
}

// A signal that is let in for the length of a call ends it, whenever it came.
static void let_in(void) {
  sigset_t alarm, none, old;
  sigemptyset(&none);
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  sigprocmask(SIG_BLOCK, &alarm, &old);
  on_alarm(SA_RESTART);
  struct timespec now = {0, 0};
  for (int i = 0; i < 3; i++) {
    count = 0;
    raise(SIGALRM);
    CHECK_ERRNO(i == 0   ? sigsuspend(&none)
                : i == 1 ? ppoll(NULL, 0, NULL, &none)
                         : pselect(0, NULL, NULL, NULL, NULL, &none),
                EINTR);
    CHECK_EQ(count, 1);
    sigprocmask(SIG_BLOCK, NULL, &old);
    CHECK_EQ(sigismember(&old, SIGALRM), 1);
  }
  // A call that does not wait does not let it in.
  count = 0;
  raise(SIGALRM);
  CHECK_EQ(pipe(pipes), 0);
  struct pollfd row = {.fd = pipes[1], .events = POLLOUT};
  CHECK_EQ(ppoll(&row, 1, &now, &none), 1);
  CHECK_EQ(count, 0);
  siginfo_t info;
  CHECK_EQ(sigtimedwait(&alarm, &info, &now), SIGALRM);
  CHECK(info.si_code == SI_TKILL || info.si_code == SI_USER);  // glibc makes one of the other
  CHECK_ERRNO(sigtimedwait(&alarm, &info, &now), EAGAIN);
  now.tv_nsec = -1;
  CHECK_ERRNO(sigtimedwait(&alarm, &info, &now), EINVAL);
  sigprocmask(SIG_UNBLOCK, &alarm, NULL);
  close(pipes[0]), close(pipes[1]);
}

static siginfo_t child_info;
static void on_child(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  child_info = *info;
  count++;
}
static void children(void) {
  sigset_t chld, old;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  sigprocmask(SIG_BLOCK, &chld, &old);
  struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO};
  sigaction(SIGCHLD, &action, NULL);
  siginfo_t info;
  pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  const struct {
    int signal, code, status;
  } steps[] = {{SIGSTOP, CLD_STOPPED, SIGSTOP}, {SIGCONT, CLD_CONTINUED, SIGCONT},
               {SIGTERM, CLD_KILLED, SIGTERM}};
  for (int i = 0; i < 3; i++) {
    kill(child, steps[i].signal);
    CHECK_EQ(sigwaitinfo(&chld, &info), SIGCHLD);
    CHECK_EQ(info.si_code, steps[i].code);
    CHECK_EQ(info.si_status, steps[i].status);
    CHECK_EQ(info.si_pid, child);
    CHECK_EQ(info.si_uid, getuid());
  }
  CHECK_EQ(waitpid(child, NULL, 0), child);
  // SA_NOCLDSTOP: nothing of stops.
  action.sa_flags |= SA_NOCLDSTOP;
  sigaction(SIGCHLD, &action, NULL);
  child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  int status;
  kill(child, SIGSTOP);
  CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  kill(child, SIGCONT);
  CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
  CHECK(WIFCONTINUED(status));
  sigset_t pending;
  sigpending(&pending);
  CHECK_EQ(sigismember(&pending, SIGCHLD), 0);
  kill(child, SIGKILL);
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(sigwaitinfo(&chld, &info), SIGCHLD);
  CHECK_EQ(info.si_status, SIGKILL);
  // SA_NOCLDWAIT: a signal, but no zombie.
  action.sa_flags |= SA_NOCLDWAIT;
  sigaction(SIGCHLD, &action, NULL);
  if (fork() == 0) _exit(3);
  CHECK_EQ(sigwaitinfo(&chld, &info), SIGCHLD);
  CHECK_EQ(info.si_status, 3);
  CHECK_ERRNO(waitpid(-1, &status, 0), ECHILD);
  // Ignored: a wait lasts until the last one is gone.
  signal(SIGCHLD, SIG_IGN);
  if (fork() == 0) _exit(3);
  CHECK_ERRNO(waitpid(-1, &status, 0), ECHILD);
  signal(SIGCHLD, SIG_DFL);
  sigprocmask(SIG_SETMASK, &old, NULL);
}

static void queues(void) {
  sigset_t set, old;
  sigemptyset(&set);
  const int first = SIGRTMIN + 1, second = SIGRTMIN + 2;
  sigaddset(&set, first), sigaddset(&set, second), sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, &old);
  union sigval value;
  for (int i = 0; i < 3; i++) {
    value.sival_int = 10 + i;
    CHECK_EQ(sigqueue(getpid(), second, value), 0);
    value.sival_int = 20 + i;
    CHECK_EQ(sigqueue(getpid(), first, value), 0);
    CHECK_EQ(sigqueue(getpid(), SIGUSR1, value), 0);
  }
  // Standard ones first and once; then by number, in the order of their coming.
  const int numbers[] = {SIGUSR1, first, first, first, second, second, second};
  const int values[] = {20, 20, 21, 22, 10, 11, 12};
  siginfo_t info;
  for (int i = 0; i < 7; i++) {
    CHECK_EQ(sigwaitinfo(&set, &info), numbers[i]);
    CHECK_EQ(info.si_value.sival_int, values[i]);
    CHECK_EQ(info.si_code, SI_QUEUE);
    CHECK_EQ(info.si_pid, getpid());
  }
  // No room: values are refused, kill(2) is not.
  struct rlimit limit, none = {0, 0};
  getrlimit(RLIMIT_SIGPENDING, &limit);
  none.rlim_max = limit.rlim_max;
  CHECK_EQ(setrlimit(RLIMIT_SIGPENDING, &none), 0);
  CHECK_ERRNO(sigqueue(getpid(), first, value), EAGAIN);
  CHECK_EQ(kill(getpid(), first), 0);
  CHECK_EQ(sigwaitinfo(&set, &info), first);
  CHECK_EQ(info.si_code, SI_USER);
  setrlimit(RLIMIT_SIGPENDING, &limit);
  CHECK_ERRNO(sigqueue(getpid(), 65, value), EINVAL);
  CHECK_ERRNO(sigqueue(4000000, first, value), ESRCH);
  CHECK_EQ(sigqueue(getpid(), 0, value), 0);
  // To another process, who says who sent it.
  pid_t child = fork();
  if (child == 0) {
    sigwaitinfo(&set, &info);
    _exit(info.si_pid == getppid() && info.si_value.sival_int == 99 ? 0 : 1);
  }
  value.sival_int = 99;
  CHECK_EQ(sigqueue(child, second, value), 0);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  // Codes of the kernel's own may not be claimed to others.
  memset(&info, 0, sizeof info);
  info.si_code = SI_USER;
  CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &info), EPERM);
  info.si_code = SI_TKILL;
  CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getppid(), getppid(), SIGUSR1, &info), EPERM);
  sigprocmask(SIG_SETMASK, &old, NULL);
}

static void of_files(void) {
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGIO), sigaddset(&set, SIGRTMIN + 3);
  sigprocmask(SIG_BLOCK, &set, &old);
  CHECK_EQ(pipe(pipes), 0);
  CHECK_EQ(fcntl(pipes[0], F_GETOWN), 0);
  CHECK_EQ(fcntl(pipes[0], F_SETOWN, getpid()), 0);
  CHECK_EQ(fcntl(pipes[0], F_GETOWN), getpid());
  CHECK_ERRNO(fcntl(pipes[0], F_SETOWN, 4000000), ESRCH);
  CHECK_EQ(fcntl(pipes[0], F_GETSIG), 0);
  CHECK_ERRNO(fcntl(pipes[0], F_SETSIG, 99), EINVAL);
  struct timespec now = {0, 0};
  siginfo_t info;
  CHECK_EQ(write(pipes[1], "a", 1), 1);
  CHECK_ERRNO(sigtimedwait(&set, &info, &now), EAGAIN);
  CHECK_EQ(fcntl(pipes[0], F_SETFL, O_ASYNC | O_NONBLOCK), 0);
  CHECK_EQ(fcntl(pipes[0], F_GETFL) & O_ASYNC, O_ASYNC);
  char c;
  CHECK_EQ(read(pipes[0], &c, 1), 1);
  while (sigtimedwait(&set, &info, &now) > 0) {
  }
  CHECK_EQ(write(pipes[1], "b", 1), 1);
  CHECK_EQ(sigtimedwait(&set, &info, &now), SIGIO);
  CHECK_EQ(fcntl(pipes[0], F_SETSIG, SIGRTMIN + 3), 0);
  CHECK_EQ(read(pipes[0], &c, 1), 1);
  while (sigtimedwait(&set, &info, &now) > 0) {
  }
  CHECK_EQ(write(pipes[1], "c", 1), 1);
  CHECK_EQ(sigtimedwait(&set, &info, &now), SIGRTMIN + 3);
  CHECK_EQ(info.si_fd, pipes[0]);
  CHECK_EQ(info.si_code, POLL_IN);
  CHECK_EQ(fcntl(pipes[0], F_SETFL, O_NONBLOCK), 0);
  CHECK_EQ(read(pipes[0], &c, 1), 1);
  CHECK_EQ(write(pipes[1], "d", 1), 1);
  CHECK_ERRNO(sigtimedwait(&set, &info, &now), EAGAIN);
  struct f_owner_ex owner = {F_OWNER_PGRP, getpgrp()}, back;
  CHECK_EQ(fcntl(pipes[0], F_SETOWN_EX, &owner), 0);
  CHECK_EQ(fcntl(pipes[0], F_GETOWN_EX, &back), 0);
  CHECK_EQ(back.type, F_OWNER_PGRP);
  CHECK_EQ(back.pid, getpgrp());
  close(pipes[0]), close(pipes[1]);
  sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  restarted();
  interrupted();
  let_in();
  children();
  queues();
  of_files();
  struct timex clock = {.modes = 0};
  CHECK(adjtimex(&clock) >= 0);
  CHECK(clock.tick >= 9000 && clock.tick <= 11000);
  CHECK(clock.time.tv_sec > 1000000000);
  REPORT();
}
