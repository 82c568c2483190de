// RLIMIT_CPU, and CPU time as getrusage(2), times(2) and interval timers tell it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int told[2];
static void OnLimit(int signal) {
  (void)signal;
  struct rlimit seen;
  getrlimit(RLIMIT_CPU, &seen);
  const char byte = (char)seen.rlim_cur;
  if (write(told[1], &byte, 1) != 1) _exit(91);
}

static int EndOf(pid_t pid) {
  int status = 0;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void Limit(rlim_t soft, rlim_t hard) {
  const struct rlimit limit = {soft, hard};
  if (setrlimit(RLIMIT_CPU, &limit) != 0) _exit(90);
}

// Bytes cost a box' clock more than they cost the machine.
static void Burn(void) {
  static char zeros[1 << 20];
  const int zero = open("/dev/zero", O_RDONLY);
  while (read(zero, zeros, sizeof zeros) == sizeof zeros) continue;
  _exit(92);
}

static void TestLimits(void) {
  pid_t pid = fork();
  if (pid == 0) {
    Limit(1, RLIM_INFINITY);
    Burn();
  }
  CHECK_EQ(EndOf(pid), -SIGXCPU);
  // The soft limit moves on by a second, the hard one ends it.
  CHECK_EQ(pipe(told), 0);
  pid = fork();
  if (pid == 0) {
    signal(SIGXCPU, OnLimit);
    Limit(1, 2);
    // A child begins anew.
    const pid_t child = fork();
    if (child == 0) _exit(7);
    if (EndOf(child) != 7) _exit(8);
    Burn();
  }
  CHECK_EQ(EndOf(pid), -SIGKILL);
  close(told[1]);
  char bytes[8] = "";
  CHECK_EQ(read(told[0], bytes, sizeof bytes), 1);
  CHECK_EQ(bytes[0], 2);
  close(told[0]);
}

static volatile sig_atomic_t ticks;
static void OnTick(int signal) {
  (void)signal;
  ++ticks;
}

static void TestTimers(void) {
  static const int kTimers[] = {ITIMER_VIRTUAL, ITIMER_PROF};
  static const int kSignals[] = {SIGVTALRM, SIGPROF};
  for (int i = 0; i < 2; ++i) {
    ticks = 0;
    signal(kSignals[i], OnTick);
    const struct itimerval every = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
    CHECK_EQ(setitimer(kTimers[i], &every, NULL), 0);
    volatile unsigned long spin = 0;
    while (ticks < 3) ++spin;
    CHECK_EQ(setitimer(kTimers[i], &never, NULL), 0);
  }
}

static long long Microseconds(struct timeval time) {
  return time.tv_sec * 1000000ll + time.tv_usec;
}

static void TestTimes(void) {
  struct rusage before, after;
  CHECK_EQ(getrusage(RUSAGE_SELF, &before), 0);
  do {
    for (int i = 0; i < 1000; ++i) syscall(SYS_getppid);
    CHECK_EQ(getrusage(RUSAGE_SELF, &after), 0);
  } while (Microseconds(after.ru_stime) < Microseconds(before.ru_stime) + 20000);
  // Instructions that are none of the kernel's.
  before = after;
  volatile unsigned long spin = 0;
  do {
    for (int i = 0; i < 1000000; ++i) ++spin;
    CHECK_EQ(getrusage(RUSAGE_SELF, &after), 0);
  } while (Microseconds(after.ru_utime) < Microseconds(before.ru_utime) + 20000);
  struct tms times_now;
  CHECK(times(&times_now) != (clock_t)-1);
  CHECK(times_now.tms_utime >= 2);
  CHECK(times_now.tms_cutime + times_now.tms_cstime >= 100);  // of the first test's
}

int main(void) {
  TestLimits();
  TestTimers();
  TestTimes();
  REPORT();
}
