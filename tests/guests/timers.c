// Timers and clocks: timer_create(2) and its kin, setitimer(2), clocks of CPU time.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#ifdef SYS_timer_settime32
enum {
  SYS_timer_settime = SYS_timer_settime32,
  SYS_timer_gettime = SYS_timer_gettime32,
  SYS_clock_nanosleep = SYS_clock_nanosleep_time32,
};
#endif

// The calls themselves: C libraries keep numbers of their own.
typedef int timer_number;
struct event {
  union sigval value;
  int signal, notify, thread, pad[12];
};
static int create(int clock, int notify, int signal, int value, int thread, timer_number* id) {
  struct event event = {.signal = signal, .notify = notify, .thread = thread};
  event.value.sival_int = value;
  return syscall(SYS_timer_create, clock, &event, id);
}
struct moments {
  struct {
    long seconds, nanoseconds;
  } interval, value;
};
static int set(timer_number id, int flags, long first_us, long interval_us, struct moments* old) {
  struct moments it = {{interval_us / 1000000, interval_us % 1000000 * 1000},
                       {first_us / 1000000, first_us % 1000000 * 1000}};
  return syscall(SYS_timer_settime, id, flags, &it, old);
}
static int get(timer_number id, struct moments* out) {
  return syscall(SYS_timer_gettime, id, out);
}
static int delete(timer_number id) { return syscall(SYS_timer_delete, id); }
static int overrun(timer_number id) { return syscall(SYS_timer_getoverrun, id); }

static sigset_t only(int signal) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, signal);
  return mask;
}

static void errors(void) {
  timer_number id = -1;
  CHECK_ERRNO(create(77, SIGEV_SIGNAL, SIGUSR1, 0, 0, &id), EINVAL);
  CHECK_ERRNO(create(CLOCK_MONOTONIC_RAW, SIGEV_SIGNAL, SIGUSR1, 0, 0, &id), EOPNOTSUPP);
  CHECK_ERRNO(create(CLOCK_MONOTONIC, SIGEV_SIGNAL, 0, 0, 0, &id), EINVAL);
  CHECK_ERRNO(create(CLOCK_MONOTONIC, SIGEV_SIGNAL, 65, 0, 0, &id), EINVAL);
  CHECK_ERRNO(create(CLOCK_MONOTONIC, 9, SIGUSR1, 0, 0, &id), EINVAL);
  CHECK_ERRNO(create(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGUSR1, 0, 1, &id), EINVAL);
  CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, (void*)16, &id), EFAULT);
  CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, (void*)16), EFAULT);
  struct moments out;
  CHECK_ERRNO(set(4711, 0, 1, 0, NULL), EINVAL);
  CHECK_ERRNO(get(4711, &out), EINVAL);
  CHECK_ERRNO(overrun(4711), EINVAL);
  CHECK_ERRNO(delete (4711), EINVAL);
  CHECK_EQ(create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0, &id), 0);
  CHECK_ERRNO(set(id, 0, -1, 0, NULL), EINVAL);
  CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, NULL, NULL), EINVAL);
  CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, (void*)16, NULL), EFAULT);
  CHECK_EQ(set(id, 0, 1000000, 0, NULL), 0);
  CHECK_EQ(get(id, &out), 0);
  CHECK(out.value.seconds == 0 && out.value.nanoseconds > 0);
  CHECK_EQ(delete (id), 0);
  CHECK_ERRNO(get(id, &out), EINVAL);
}

static void signals(void) {
  sigset_t mask = only(SIGRTMIN + 2), before;
  sigprocmask(SIG_BLOCK, &mask, &before);
  const int clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
  for (int i = 0; i < 3; i++) {
    timer_number id;
    CHECK_EQ(create(clocks[i], SIGEV_SIGNAL, SIGRTMIN + 2, 4321 + i, 0, &id), 0);
    CHECK_EQ(set(id, 0, 1000, 0, NULL), 0);
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&mask, &info), SIGRTMIN + 2);
    CHECK_EQ(info.si_code, SI_TIMER);
    CHECK_EQ(info.si_value.sival_int, 4321 + i);
    CHECK_EQ(info.si_timerid, id);
    CHECK_EQ(info.si_overrun, 0);
    struct moments out = {{9, 9}, {9, 9}};
    CHECK_EQ(get(id, &out), 0);
    CHECK_EQ(out.value.seconds + out.value.nanoseconds, 0);
    // Who is late learns how often it went off: one signal, and a count.
    CHECK_EQ(set(id, 0, 1000, 1000, NULL), 0);
    usleep(20000);
    CHECK_EQ(sigwaitinfo(&mask, &info), SIGRTMIN + 2);
    CHECK(info.si_overrun >= 18 && info.si_overrun < 2000);
    CHECK_EQ(overrun(id), info.si_overrun);
    CHECK_EQ(sigwaitinfo(&mask, &info), SIGRTMIN + 2);
    CHECK_EQ(set(id, 0, 0, 0, &out), 0);
    CHECK_EQ(out.interval.nanoseconds, 1000000);
    CHECK(out.value.nanoseconds > 0);
    // A moment that has passed.
    struct timespec none = {0, 0};
    while (sigtimedwait(&mask, &info, &none) > 0) {
    }
    CHECK_EQ(set(id, TIMER_ABSTIME, 1, 0, NULL), 0);
    CHECK_EQ(sigwaitinfo(&mask, &info), SIGRTMIN + 2);
    CHECK_EQ(delete (id), 0);
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
}

static volatile int count;
static volatile pid_t handled_by;
static void counts(int signal) {
  (void)signal;
  handled_by = syscall(SYS_gettid);
  count++;  // last: who waits for it looks at the other
}

static volatile pid_t other_thread;
static volatile int done;
static void* waits(void* nothing) {
  other_thread = syscall(SYS_gettid);
  while (!done) usleep(500);
  return nothing;
}

static void handlers(void) {
  struct sigaction action = {.sa_handler = counts};
  sigaction(SIGUSR1, &action, NULL);
  timer_number id;
  CHECK_EQ(create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0, 0, &id), 0);
  count = 0;
  CHECK_EQ(set(id, 0, 500, 500, NULL), 0);
  while (count < 5) pause();
  CHECK_EQ(delete (id), 0);
  // To one thread.
  pthread_t thread;
  pthread_create(&thread, NULL, waits, NULL);
  while (other_thread == 0) usleep(100);
  CHECK_EQ(create(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGUSR1, 0, other_thread, &id), 0);
  count = 0;
  CHECK_EQ(set(id, 0, 500, 0, NULL), 0);
  while (count < 1) usleep(500);
  CHECK_EQ(handled_by, other_thread);
  done = 1;
  pthread_join(thread, NULL);
  CHECK_EQ(delete (id), 0);
  // SIGALRM with the number as its value, where nothing is said.
  sigset_t mask = only(SIGALRM);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id), 0);
  CHECK_EQ(set(id, 0, 100, 0, NULL), 0);
  siginfo_t info;
  CHECK_EQ(sigwaitinfo(&mask, &info), SIGALRM);
  CHECK_EQ(info.si_value.sival_int, id);
  sigprocmask(SIG_UNBLOCK, &mask, NULL);
  CHECK_EQ(delete (id), 0);
  // Children have none.
  CHECK_EQ(create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0, &id), 0);
  pid_t child = fork();
  if (child == 0) {
    struct moments out;
    _exit(get(id, &out) == -1 && errno == EINVAL ? 0 : 1);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(delete (id), 0);
}

static void burn(long until_us) {
  struct timespec now;
  do {
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  } while (now.tv_sec * 1000000l + now.tv_nsec / 1000 < until_us);
}
static long cpu_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1000000l + now.tv_nsec / 1000;
}

// Linux looks at such timers at its ticks only.
static void burn_until_counted(void) {
  const long most = cpu_us() + 20000000;
  while (count < 2 && cpu_us() < most) {
    for (volatile int i = 0; i < 10000; i++) {
    }
  }
  CHECK(count >= 2);
}

static void* burns(void* nothing) {
  burn(cpu_us() + 60000);
  return nothing;
}

static void cpu_time(void) {
  struct sigaction action = {.sa_handler = counts};
  sigaction(SIGUSR2, &action, NULL);
  timer_number id;
  const int clocks[] = {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(create(clocks[i], SIGEV_SIGNAL, SIGUSR2, 0, 0, &id), 0);
    count = 0;
    CHECK_EQ(set(id, 0, 10000, 10000, NULL), 0);
    // Sleeping costs nothing.
    usleep(30000);
    CHECK_EQ(count, 0);
    burn_until_counted();
    CHECK_EQ(delete (id), 0);
  }
  sigaction(SIGVTALRM, &action, NULL);
  sigaction(SIGPROF, &action, NULL);
  const int which[] = {ITIMER_VIRTUAL, ITIMER_PROF};
  for (int i = 0; i < 2; i++) {
    struct itimerval it = {{0, 10000}, {0, 10000}}, off = {{0, 0}, {0, 0}}, old;
    count = 0;
    CHECK_EQ(setitimer(which[i], &it, NULL), 0);
    burn_until_counted();
    CHECK_EQ(setitimer(which[i], &off, &old), 0);
    CHECK_EQ(old.it_interval.tv_usec, 10000);
  }
  // A sleep on the clock of the process lasts while others run.
  struct timespec moment = {0, 5000000};
  pthread_t thread;
  pthread_create(&thread, NULL, burns, NULL);
  CHECK_EQ(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &moment, NULL), 0);
  pthread_join(thread, NULL);
  CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &moment, NULL), EINVAL);
  CHECK_ERRNO(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, (long[2]){0, 1}, NULL),
              EOPNOTSUPP);
  clockid_t clock;
  CHECK_EQ(clock_getcpuclockid(getpid(), &clock), 0);
  CHECK_EQ(clock_gettime(clock, &moment), 0);
  CHECK(moment.tv_sec * 1000000l + moment.tv_nsec / 1000 <= cpu_us());
  struct timespec resolution;
  CHECK_EQ(clock_getres(CLOCK_MONOTONIC, &resolution), 0);
  CHECK_EQ(resolution.tv_nsec, 1);
  CHECK_EQ(clock_getres(CLOCK_PROCESS_CPUTIME_ID, &resolution), 0);
  CHECK_EQ(resolution.tv_nsec, 1);
}

static void real_timer(void) {
  struct sigaction action = {.sa_handler = counts};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval it = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}}, old;
  count = 0;
  CHECK_EQ(setitimer(ITIMER_REAL, &it, NULL), 0);
  while (count < 5) pause();
  CHECK_EQ(setitimer(ITIMER_REAL, &off, &old), 0);
  CHECK_EQ(old.it_interval.tv_usec, 1000);
  // Blocked for long, it is pending once.
  sigset_t mask = only(SIGALRM);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  CHECK_EQ(setitimer(ITIMER_REAL, &it, NULL), 0);
  usleep(10000);
  count = 0;
  CHECK_EQ(setitimer(ITIMER_REAL, &off, NULL), 0);
  sigprocmask(SIG_UNBLOCK, &mask, NULL);
  CHECK_EQ(count, 1);
  CHECK_EQ(alarm(10), 0);
  CHECK_EQ(alarm(0), 10);
  // A child has none, execve(2) keeps it.
  alarm(100);
  pid_t child = fork();
  if (child == 0) _exit(alarm(0) == 0 ? 0 : 1);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(alarm(0), 100);
}

int main(void) {
  errors();
  signals();
  handlers();
  cpu_time();
  real_timer();
  REPORT();
}
