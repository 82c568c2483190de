// Several processes: fork(2), vfork(2), wait(2), exec(2), groups, orphans, pipes between them.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static pid_t start(void (*body)(void)) {
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    body();
    _exit(0);
  }
  return child;
}

static void exits_with_42(void) { _exit(42); }
static void dies_of_abort(void) { abort(); }
static void waits_for_ever(void) {
  for (;;) pause();
}

static void statuses(void) {
  int status;
  pid_t child = start(exits_with_42);
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
  child = start(dies_of_abort);
  CHECK_EQ(wait(&status), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  child = start(waits_for_ever);
  CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
  CHECK_EQ(kill(child, SIGTERM), 0);
  CHECK_EQ(waitpid(-1, &status, 0), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  CHECK_ERRNO(wait(&status), ECHILD);
  CHECK_ERRNO(waitpid(child, &status, 0), ECHILD);
  CHECK_ERRNO(kill(child, 0), ESRCH);
}

static void stops_and_goes_on(void) {
  int status;
  const pid_t child = start(waits_for_ever);
  CHECK_EQ(kill(child, SIGSTOP), 0);
  CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  CHECK_EQ(waitpid(child, &status, WUNTRACED | WNOHANG), 0);
  CHECK_EQ(kill(child, SIGCONT), 0);
  CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
  CHECK(WIFCONTINUED(status));
  CHECK_EQ(kill(child, SIGSTOP), 0);
  CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
  CHECK_EQ(kill(child, SIGKILL), 0);
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void waitid_tells_all(void) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  const pid_t child = start(exits_with_42);
  CHECK_EQ(waitid(P_PID, child, &info, WEXITED | WNOWAIT), 0);
  CHECK_EQ(info.si_pid, child);
  CHECK_EQ(info.si_signo, SIGCHLD);
  CHECK_EQ(info.si_code, CLD_EXITED);
  CHECK_EQ(info.si_status, 42);
  memset(&info, 0, sizeof info);
  CHECK_EQ(waitid(P_ALL, 0, &info, WEXITED), 0);
  CHECK_EQ(info.si_pid, child);
  CHECK_ERRNO(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
  CHECK_ERRNO(waitid(P_ALL, 0, &info, 0), EINVAL);
}

static volatile sig_atomic_t children_seen;
static volatile sig_atomic_t last_code;
static void on_child(int signal, siginfo_t* info, void* context) {
  (void)context;
  CHECK_EQ(signal, SIGCHLD);
  last_code = info->si_code;
  children_seen++;
}

static void sigchld(void) {
  struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGCHLD, &action, NULL);
  const pid_t child = start(exits_with_42);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(children_seen, 1);
  CHECK_EQ(last_code, CLD_EXITED);
  // Children whose parent ignores SIGCHLD leave no zombie.
  signal(SIGCHLD, SIG_IGN);
  start(exits_with_42);
  CHECK_ERRNO(wait(&status), ECHILD);
  signal(SIGCHLD, SIG_DFL);
}

static void memory_parts_ways(void) {
  static int own = 1;
  int* const shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  *shared = 1;
  const pid_t child = fork();
  if (child == 0) {
    own = 2;
    *shared = 2;
    _exit(own);
  }
  int status;
  waitpid(child, &status, 0);
  CHECK_EQ(WEXITSTATUS(status), 2);
  CHECK_EQ(own, 1);
  CHECK_EQ(*shared, 2);
  munmap(shared, 4096);
}

static void pipes(void) {
  int to_child[2], from_child[2];
  CHECK_EQ(pipe(to_child), 0);
  CHECK_EQ(pipe(from_child), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(to_child[1]);
    close(from_child[0]);
    char c;
    while (read(to_child[0], &c, 1) == 1) {
      c ^= 0x20;
      if (write(from_child[1], &c, 1) != 1) _exit(1);
    }
    _exit(0);
  }
  close(to_child[0]);
  close(from_child[1]);
  char answer[6] = "";
  for (int i = 0; i < 5; i++) {
    CHECK_EQ(write(to_child[1], &"hELLO"[i], 1), 1);
    struct pollfd ready = {.fd = from_child[0], .events = POLLIN};
    CHECK_EQ(poll(&ready, 1, -1), 1);
    CHECK_EQ(read(from_child[0], answer + i, 1), 1);
  }
  CHECK(strcmp(answer, "Hello") == 0);
  close(to_child[1]);
  char c;
  CHECK_EQ(read(from_child[0], &c, 1), 0);  // the end, once the child is gone
  close(from_child[0]);
  int status;
  waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
}

static void a_full_pipe_blocks_its_writer(void) {
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  const pid_t child = fork();
  enum { kBytes = 300000 };
  if (child == 0) {
    close(ends[0]);
    static char bytes[kBytes];
    for (int i = 0; i < kBytes; i++) bytes[i] = (char)(i * 7);
    _exit(write(ends[1], bytes, kBytes) == kBytes ? 0 : 1);
  }
  close(ends[1]);
  char piece[1000];
  long total = 0;
  for (ssize_t got; (got = read(ends[0], piece, sizeof piece)) > 0; total += got) {
    for (ssize_t i = 0; i < got; i++) {
      if (piece[i] != (char)((total + i) * 7)) CHECK(!"bytes in order");
    }
  }
  CHECK_EQ(total, kBytes);
  close(ends[0]);
  int status;
  waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
}

static void a_fifo_connects_two(void) {
  unlink("fifo-of-test");
  CHECK_EQ(mkfifo("fifo-of-test", 0600), 0);
  const pid_t child = fork();
  if (child == 0) {
    const int fd = open("fifo-of-test", O_WRONLY);
    _exit(fd >= 0 && write(fd, "x", 1) == 1 ? 0 : 1);
  }
  const int fd = open("fifo-of-test", O_RDONLY);
  CHECK(fd >= 0);
  char c = 0;
  CHECK_EQ(read(fd, &c, 1), 1);
  CHECK_EQ(c, 'x');
  CHECK_EQ(read(fd, &c, 1), 0);
  close(fd);
  int status;
  waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
  unlink("fifo-of-test");
}

static void positions_are_shared(void) {
  const int fd = open("position-of-test", O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK(fd >= 0);
  const pid_t child = fork();
  if (child == 0) _exit(write(fd, "child", 5) == 5 ? 0 : 1);
  int status;
  waitpid(child, &status, 0);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
  close(fd);
  unlink("position-of-test");
}

static void vfork_waits_for_exec(void) {
  static volatile int steps;
  const pid_t child = vfork();
  if (child == 0) {
    steps = 1;  // the parent's memory
    execl("/proc/self/exe", "processes", "as-child", "7", (char*)NULL);
    _exit(127);
  }
  CHECK_EQ(steps, 1);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(WEXITSTATUS(status), 7);
}

static void spawn_reports_failures(void) {
  pid_t child;
  char* argv[] = {"none", NULL};
  char* env[] = {NULL};
  CHECK_EQ(posix_spawn(&child, "/nonexistent/program", NULL, NULL, argv, env), ENOENT);
  char* good[] = {"processes", "as-child", "9", NULL};
  CHECK_EQ(posix_spawn(&child, "/proc/self/exe", NULL, NULL, good, env), 0);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(WEXITSTATUS(status), 9);
}

static void groups_and_sessions(void) {
  const pid_t group = getpgrp();
  const pid_t child = start(waits_for_ever);
  CHECK_EQ(getpgid(child), group);
  CHECK_EQ(setpgid(child, child), 0);
  CHECK_EQ(getpgid(child), child);
  CHECK_EQ(kill(-child, SIGUSR1), 0);
  int status;
  CHECK_EQ(waitpid(-child, &status, 0), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
  CHECK_ERRNO(kill(-child, SIGUSR1), ESRCH);
  CHECK_ERRNO(setpgid(getppid(), 0), ESRCH);
  const pid_t leader = fork();
  if (leader == 0) {
    const pid_t me = getpid();
    const int good = setsid() == me && getsid(0) == me && getpgrp() == me && setsid() == -1;
    _exit(good ? 0 : 1);
  }
  waitpid(leader, &status, 0);
  CHECK_EQ(status, 0);
}

static void orphans_get_a_subreaper(void) {
  CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  const pid_t middle = fork();
  if (middle == 0) {
    // Whatever signal its maker asked for, the heir gets SIGCHLD, and wait(2) finds it.
    const pid_t orphan = (pid_t)syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
    if (orphan == 0) {
      char c;
      close(ends[1]);
      if (read(ends[0], &c, 1) != 1) _exit(1);
      _exit(c);
    }
    _exit(0);
  }
  int status;
  CHECK_EQ(waitpid(middle, &status, 0), middle);
  CHECK_EQ(write(ends[1], "\5", 1), 1);
  CHECK(wait(&status) > 0);
  CHECK_EQ(WEXITSTATUS(status), 5);
  CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
  close(ends[0]);
  close(ends[1]);
}

static void timers_and_masks_of_children(void) {
  // Interval timers and pending signals are not inherited, the mask is.
  struct itimerval timer = {.it_value = {100, 0}};
  setitimer(ITIMER_REAL, &timer, NULL);
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, &old);
  raise(SIGUSR2);
  const pid_t child = fork();
  if (child == 0) {
    struct itimerval now;
    getitimer(ITIMER_REAL, &now);
    sigset_t pending, mask;
    sigpending(&pending);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    _exit(now.it_value.tv_sec == 0 && !sigismember(&pending, SIGUSR2) && sigismember(&mask, SIGUSR2)
              ? 0
              : 1);
  }
  int status;
  waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
  struct timespec none = {0, 0};
  CHECK_EQ(sigtimedwait(&set, NULL, &none), SIGUSR2);
  sigprocmask(SIG_SETMASK, &old, NULL);
  timer.it_value.tv_sec = 0;
  setitimer(ITIMER_REAL, &timer, NULL);
}

static void sigwait_gets_signals_of_others(void) {
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 1);
  sigprocmask(SIG_BLOCK, &set, &old);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 1; i <= 3; i++) sigqueue(parent, SIGRTMIN + 1, (union sigval){.sival_int = i});
    _exit(0);
  }
  for (int i = 1; i <= 3; i++) {
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN + 1);
    CHECK_EQ(info.si_code, SI_QUEUE);
    CHECK_EQ(info.si_value.sival_int, i);
    CHECK_EQ(info.si_pid, child);
  }
  int status;
  waitpid(child, &status, 0);
  sigprocmask(SIG_SETMASK, &old, NULL);
}

static void one_child_ends_another(void) {
  const pid_t child = start(waits_for_ever);
  const pid_t killer = fork();
  if (killer == 0) {
    struct timespec moment = {0, 20000000};
    nanosleep(&moment, NULL);
    kill(child, SIGKILL);
    _exit(0);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(WTERMSIG(status), SIGKILL);
  CHECK_EQ(waitpid(killer, &status, 0), killer);
}

static void usage_of_children(void) {
  const pid_t child = fork();
  if (child == 0) {
    for (volatile int i = 0; i < 30000000; i++) {
    }
    _exit(0);
  }
  struct rusage one, all;
  int status;
  CHECK_EQ(wait4(child, &status, 0, &one), child);
  CHECK(one.ru_utime.tv_sec > 0 || one.ru_utime.tv_usec > 1000);
  getrusage(RUSAGE_CHILDREN, &all);
  CHECK(all.ru_utime.tv_sec > 0 || all.ru_utime.tv_usec > 1000);
}

static void many_children(void) {
  enum { kChildren = 100 };
  pid_t children[kChildren];
  for (int i = 0; i < kChildren; i++) {
    children[i] = fork();
    if (children[i] == 0) _exit(i);
  }
  for (int i = kChildren; i-- > 0;) {
    int status;
    CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
    CHECK_EQ(WEXITSTATUS(status), i);
  }
}

static void proc_shows_children(void) {
  const pid_t child = start(waits_for_ever);
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/stat", child);
  const int fd = open(path, O_RDONLY);
  CHECK(fd >= 0);
  const ssize_t got = read(fd, line, sizeof line - 1);
  CHECK(got > 0);
  line[got > 0 ? got : 0] = 0;
  int pid, parent;
  char state;
  CHECK_EQ(sscanf(line, "%d (%*[^)]) %c %d", &pid, &state, &parent), 3);
  CHECK_EQ(pid, child);
  CHECK_EQ(parent, getpid());
  close(fd);
  int status;
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
}

// Who waits for a vfork(2) does so without regard to signals, but for one that ends it.
static void a_vfork_can_be_killed(void) {
  int ready[2];
  char byte;
  CHECK_EQ(pipe(ready), 0);
  const pid_t waiter = fork();
  if (waiter == 0) {
    if (vfork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      write(ready[1], "r", 1);
      for (;;) pause();
    }
    _exit(1);
  }
  CHECK_EQ(close(ready[1]), 0);
  CHECK_EQ(read(ready[0], &byte, 1), 1);
  CHECK_EQ(kill(waiter, SIGTERM), 0);
  int status = 0;
  CHECK_EQ(waitpid(waiter, &status, 0), waiter);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  // Until the child is gone too.
  CHECK_EQ(read(ready[0], &byte, 1), 0);
  CHECK_EQ(close(ready[0]), 0);
}

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "as-child") == 0) return atoi(argv[2]);
  statuses();
  stops_and_goes_on();
  waitid_tells_all();
  sigchld();
  memory_parts_ways();
  pipes();
  a_full_pipe_blocks_its_writer();
  a_fifo_connects_two();
  positions_are_shared();
  vfork_waits_for_exec();
  a_vfork_can_be_killed();
  spawn_reports_failures();
  groups_and_sessions();
  orphans_get_a_subreaper();
  timers_and_masks_of_children();
  sigwait_gets_signals_of_others();
  one_child_ends_another();
  usage_of_children();
  many_children();
  proc_shows_children();
  REPORT();
}
