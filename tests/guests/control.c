// How processes are controlled and looked into: nice(2), sched_setscheduler(2), ioprio_set(2),
// membarrier(2), prctl(2), kcmp(2), process_vm_readv(2), unshare(2), capset(2), futex_waitv(2) and
// locks that are moved to.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

// musl comes without Linux' headers.
enum {
  kWake = 1 | 128,
  kUnlockPi = 7 | 128,
  kWaitRequeuePi = 11 | 128,
  kCmpRequeuePi = 12 | 128,
  kPrivate = 128,
  kTidMask = 0x3fffffff,
  kCapabilityVersion = 0x20080522,
  kResetOnFork = 0x40000000,
};

static int child_result(int (*test)(void)) {
  pid_t child = fork();
  if (child == 0) _exit(test());
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  return status;
}

static int drops_privileges(void) {
  CHECK_EQ(setuid(1234), 0);
  CHECK_EQ(setpriority(PRIO_PROCESS, 0, 5), 0);
  CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, 4), EACCES);
  CHECK_ERRNO(setpriority(PRIO_PROCESS, getppid(), 19), EPERM);
  struct sched_param parameter = {.sched_priority = 1};
  CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameter), EPERM);
  return failures;
}

// Of another process: prlimit(2).
static int others_limits(void) {
  struct rlimit limit, old;
  CHECK_EQ(setuid(1234), 0);
  CHECK_EQ(prlimit(getpid(), RLIMIT_CORE, NULL, &old), 0);
  CHECK_ERRNO(prlimit(getppid(), RLIMIT_CORE, NULL, &limit), EPERM);
  CHECK_ERRNO(prlimit(1, RLIMIT_CORE, NULL, &limit), EPERM);
  CHECK_ERRNO(prlimit(4000000, RLIMIT_CORE, NULL, &limit), ESRCH);
  return failures;
}
static void limits(void) {
  int ready[2];
  char byte;
  CHECK_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ready[1]);
    CHECK_EQ(read(ready[0], &byte, 1), 0);
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    _exit(limit.rlim_cur == 4096 && limit.rlim_max == 8192 ? failures != 0 : 9);
  }
  close(ready[0]);
  struct rlimit limit = {4096, 8192}, old, now;
  CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  CHECK_EQ(prlimit(child, RLIMIT_FSIZE, &limit, &now), 0);
  CHECK_EQ(now.rlim_cur, old.rlim_cur);
  CHECK_EQ(prlimit(child, RLIMIT_FSIZE, NULL, &now), 0);
  CHECK_EQ(now.rlim_cur, 4096);
  CHECK_EQ(now.rlim_max, 8192);
  CHECK_EQ(getrlimit(RLIMIT_FSIZE, &now), 0);
  CHECK_EQ(now.rlim_cur, old.rlim_cur);
  limit.rlim_cur = 10000;
  CHECK_ERRNO(prlimit(child, RLIMIT_FSIZE, &limit, NULL), EINVAL);
  CHECK_ERRNO(prlimit(child, 99, NULL, &now), EINVAL);
  close(ready[1]);
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(child_result(others_limits), 0);
}

static int has_nice_7(void) { return getpriority(PRIO_PROCESS, 0) == 7 ? 0 : 1; }

static void priorities(void) {
  // Natively the tests may have been started at another priority.
  if (geteuid() == 0) CHECK_EQ(setpriority(PRIO_PROCESS, 0, 0), 0);
  errno = 0;
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
  CHECK_ERRNO(syscall(SYS_getpriority, 3, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_getpriority, PRIO_PROCESS, 4000000), ESRCH);
  CHECK_ERRNO(setpriority(7, 0, 1), EINVAL);
  CHECK_EQ(setpriority(PRIO_PROCESS, 0, 7), 0);
  CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 13);
  CHECK_EQ(child_result(has_nice_7), 0);
  CHECK_EQ(setpriority(PRIO_PROCESS, getpid(), 100), 0);
  CHECK_EQ(getpriority(PRIO_PROCESS, getpid()), 19);
  if (geteuid() == 0) {
    CHECK_EQ(setpriority(PRIO_PROCESS, 0, -100), 0);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), -20);
    CHECK_EQ(setpriority(PRIO_PROCESS, 0, 0), 0);
    CHECK_EQ(child_result(drops_privileges), 0);
  }
}

static int is_reset(void) { return syscall(SYS_sched_getscheduler, 0) == SCHED_OTHER ? 0 : 1; }

static void policies(void) {
  struct sched_param parameter = {.sched_priority = 0};
  CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
  CHECK_ERRNO(syscall(SYS_sched_getscheduler, -1), EINVAL);
  CHECK_ERRNO(syscall(SYS_sched_getscheduler, 4000000), ESRCH);
  CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, 99, &parameter), EINVAL);
  CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, NULL), EINVAL);
  CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, (void*)16), EFAULT);
  CHECK_EQ(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &parameter), 0);
  CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_BATCH);
  CHECK_EQ(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &parameter), 0);
  parameter.sched_priority = 1;
  CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &parameter), EINVAL);
  parameter.sched_priority = 100;
  CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameter), EINVAL);
  const int least[] = {0, 1, 1, 0, -1, 0}, most[] = {0, 99, 99, 0, -1, 0};
  for (int policy = 0; policy < 6; policy++) {
    CHECK_EQ(syscall(SYS_sched_get_priority_min, policy), least[policy]);
    CHECK_EQ(syscall(SYS_sched_get_priority_max, policy), most[policy]);
  }
  if (geteuid() == 0) {
    parameter.sched_priority = 5;
    CHECK_EQ(syscall(SYS_sched_setscheduler, 0, SCHED_RR | kResetOnFork, &parameter), 0);
    CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_RR | kResetOnFork);
    CHECK_EQ(syscall(SYS_sched_getparam, 0, &parameter), 0);
    CHECK_EQ(parameter.sched_priority, 5);
    CHECK_EQ(child_result(is_reset), 0);
    struct {
      uint32_t size, policy;
      uint64_t flags;
      int32_t nice;
      uint32_t priority;
      uint64_t runtime, deadline, period;
    } attributes = {0};
    CHECK_EQ(syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0), 0);
    CHECK_EQ(attributes.size, 48);
    CHECK_EQ(attributes.policy, SCHED_RR);
    CHECK_EQ(attributes.priority, 5);
    CHECK_EQ(attributes.flags, 1);
    CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &attributes, 40, 0), EINVAL);
    attributes.policy = SCHED_OTHER, attributes.priority = 0, attributes.nice = 3,
    attributes.flags = 0;
    CHECK_EQ(syscall(SYS_sched_setattr, 0, &attributes, 0), 0);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 3);
    setpriority(PRIO_PROCESS, 0, 0);
  }
  CHECK_EQ(sched_yield(), 0);
}

enum { kIoShift = 13 };
static void io_priorities(void) {
  CHECK_ERRNO(syscall(SYS_ioprio_get, 0, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_ioprio_get, 1, 4000000), ESRCH);
  CHECK_ERRNO(syscall(SYS_ioprio_set, 1, 0, 5 << kIoShift), EINVAL);
  CHECK_ERRNO(syscall(SYS_ioprio_set, 9, 0, 2 << kIoShift), EINVAL);
  CHECK_EQ(syscall(SYS_ioprio_set, 1, 0, 2 << kIoShift | 6), 0);
  CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), 2 << kIoShift | 6);
}

static void barriers(void) {
  const long known = syscall(SYS_membarrier, 0, 0, 0);
  CHECK_EQ(known & 0x19, 0x19);
  CHECK_ERRNO(syscall(SYS_membarrier, 1 << 20, 0, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_membarrier, 0, 7, 0), EINVAL);
  CHECK_EQ(syscall(SYS_membarrier, 1, 0, 0), 0);
  CHECK_ERRNO(syscall(SYS_membarrier, 8, 0, 0), EPERM);
  CHECK_EQ(syscall(SYS_membarrier, 16, 0, 0), 0);
  CHECK_EQ(syscall(SYS_membarrier, 8, 0, 0), 0);
}

static int lost_parent(void) {
  int pipes[2];
  CHECK_EQ(pipe(pipes), 0);
  pid_t middle = fork();
  if (middle == 0) {
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGUSR1);
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGUSR1);
      sigprocmask(SIG_BLOCK, &set, NULL);
      char c = 'r';
      if (write(pipes[1], &c, 1) != 1) _exit(1);
      siginfo_t info;
      c = sigwaitinfo(&set, &info) == SIGUSR1 ? 'd' : 'e';
      _exit(write(pipes[1], &c, 1) != 1);
    }
    pause();
    _exit(0);
  }
  char c = 0;
  CHECK_EQ(read(pipes[0], &c, 1), 1);
  usleep(1000);
  kill(middle, SIGKILL);
  CHECK_EQ(read(pipes[0], &c, 1), 1);
  CHECK_EQ(c, 'd');
  int status;
  CHECK_EQ(waitpid(middle, &status, 0), middle);
  // This process is the subreaper: the grandchild is its child now.
  CHECK(waitpid(-1, &status, 0) > 0);
  CHECK_EQ(status, 0);
  return failures;
}

static void options(void) {
  CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  int value = 0;
  CHECK_EQ(prctl(PR_GET_CHILD_SUBREAPER, &value), 0);
  CHECK_EQ(value, 1);
  lost_parent();
  CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
  CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
  CHECK_EQ(prctl(PR_SET_TIMERSLACK, 1000), 0);
  CHECK_EQ(prctl(PR_GET_TIMERSLACK), 1000);
  CHECK_EQ(prctl(PR_SET_TIMERSLACK, 0), 0);
  CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
  CHECK_EQ(prctl(PR_GET_KEEPCAPS), 0);
  CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1), 0);
  CHECK_EQ(prctl(PR_GET_KEEPCAPS), 1);
  CHECK_ERRNO(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
  CHECK_EQ(prctl(PR_SET_KEEPCAPS, 0), 0);
  CHECK_EQ(prctl(PR_CAPBSET_READ, 0), 1);
  CHECK_ERRNO(prctl(PR_CAPBSET_READ, 1000), EINVAL);
  CHECK_EQ(prctl(PR_GET_TSC, &value), 0);
  CHECK_EQ(value, PR_TSC_ENABLE);
  CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
  CHECK_ERRNO(prctl(0x7fffffff), EINVAL);
}

static void capabilities(void) {
  struct {
    uint32_t version;
    int pid;
  } header = {kCapabilityVersion, 0};
  uint32_t data[6];
  CHECK_EQ(syscall(SYS_capget, &header, data), 0);
  CHECK_EQ(syscall(SYS_capset, &header, data), 0);
  header.version = 1;
  CHECK_ERRNO(syscall(SYS_capset, &header, data), EINVAL);
  CHECK_EQ(header.version, kCapabilityVersion);
}

static void comparing(void) {
  const pid_t me = getpid();
  int fd = open("/dev/null", O_RDONLY), other = open("/dev/null", O_RDONLY), copy = dup(fd);
  CHECK_EQ(syscall(SYS_kcmp, me, me, 0, fd, copy), 0);
  CHECK(syscall(SYS_kcmp, me, me, 0, fd, other) > 0);
  CHECK_ERRNO(syscall(SYS_kcmp, me, me, 0, fd, 999), EBADF);
  CHECK_ERRNO(syscall(SYS_kcmp, me, 4000000, 0, fd, fd), ESRCH);
  CHECK_ERRNO(syscall(SYS_kcmp, me, me, 99, 0, 0), EINVAL);
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  CHECK_EQ(syscall(SYS_kcmp, me, child, 0, fd, fd), 0);
  CHECK(syscall(SYS_kcmp, me, child, 1, 0, 0) > 0);
  CHECK(syscall(SYS_kcmp, me, child, 2, 0, 0) > 0);
  // Its memory, read and written.
  static char here[64] = "what the child has", there[64];
  struct iovec own[2] = {{there, 5}, {there + 32, 20}}, its = {here, 18};
  CHECK_EQ(process_vm_readv(child, own, 2, &its, 1, 0), 18);
  CHECK_EQ(memcmp(there, "what ", 5), 0);
  CHECK_EQ(memcmp(there + 32, "the child has", 13), 0);
  own[0] = (struct iovec){"WHAT", 4};
  CHECK_EQ(process_vm_writev(child, own, 1, &its, 1, 0), 4);
  own[0] = (struct iovec){there, 4};
  CHECK_EQ(process_vm_readv(child, own, 1, &its, 1, 0), 4);
  CHECK_EQ(memcmp(there, "WHAT", 4), 0);
  CHECK_EQ(memcmp(here, "what", 4), 0);
  CHECK_ERRNO(process_vm_readv(child, own, 1, &its, 1, 1), EINVAL);
  CHECK_ERRNO(process_vm_readv(4000000, own, 1, &its, 1, 0), ESRCH);
  struct iovec nowhere = {(void*)16, 4};
  CHECK_ERRNO(process_vm_readv(child, own, 1, &nowhere, 1, 0), EFAULT);
  kill(child, SIGKILL);
  CHECK_EQ(waitpid(child, NULL, 0), child);
  close(fd), close(other), close(copy);
}

static void* shares_files(void* file) {
  CHECK_EQ(unshare(CLONE_FILES), 0);
  CHECK_EQ(close((int)(intptr_t)file), 0);
  CHECK_EQ(unshare(CLONE_FS), 0);
  umask(077);
  return NULL;
}
static void unsharing(void) {
  int fd = open("/dev/null", O_RDONLY);
  umask(022);
  pthread_t thread;
  pthread_create(&thread, NULL, shares_files, (void*)(intptr_t)fd);
  pthread_join(thread, NULL);
  CHECK_EQ(fcntl(fd, F_GETFD), 0);
  CHECK_EQ(umask(022), 022);
  CHECK_ERRNO(unshare(0x1), EINVAL);
  close(fd);
}

#ifndef SYS_futex_waitv
enum { SYS_futex_waitv = 449 };
#endif
struct waiter {
  uint64_t value, word;
  uint32_t flags, reserved;
};
static uint32_t words[3];
static void* wakes_second(void* nothing) {
  // Until it waits, nobody is woken.
  while (syscall(SYS_futex, &words[1], kWake, 1, NULL, NULL, 0) != 1) usleep(500);
  return nothing;
}
static void several_words(void) {
  struct waiter rows[3];
  for (int i = 0; i < 3; i++) rows[i] = (struct waiter){0, (uintptr_t)&words[i], 2 | kPrivate, 0};
  struct {
    int64_t seconds, nanoseconds;
  } moment = {0, 1};
  CHECK_ERRNO(syscall(SYS_futex_waitv, rows, 0, 0, NULL, CLOCK_MONOTONIC), EINVAL);
  CHECK_ERRNO(syscall(SYS_futex_waitv, rows, 129, 0, NULL, CLOCK_MONOTONIC), EINVAL);
  CHECK_ERRNO(syscall(SYS_futex_waitv, rows, 3, 1, NULL, CLOCK_MONOTONIC), EINVAL);
  CHECK_ERRNO(syscall(SYS_futex_waitv, NULL, 3, 0, NULL, CLOCK_MONOTONIC), EINVAL);
  CHECK_ERRNO(syscall(SYS_futex_waitv, rows, 3, 0, &moment, 2), EINVAL);
  CHECK_ERRNO(syscall(SYS_futex_waitv, rows, 3, 0, &moment, CLOCK_MONOTONIC), ETIMEDOUT);
  rows[2].value = 5;
  CHECK_ERRNO(syscall(SYS_futex_waitv, rows, 3, 0, NULL, CLOCK_MONOTONIC), EAGAIN);
  rows[2].value = 0;
  rows[1].flags = 0x40;
  CHECK_ERRNO(syscall(SYS_futex_waitv, rows, 3, 0, NULL, CLOCK_MONOTONIC), EINVAL);
  rows[1].flags = 2 | kPrivate;
  pthread_t thread;
  pthread_create(&thread, NULL, wakes_second, NULL);
  CHECK_EQ(syscall(SYS_futex_waitv, rows, 3, 0, NULL, CLOCK_MONOTONIC), 1);
  pthread_join(thread, NULL);
}

static uint32_t condition, lock;
static int owners;
static void* waits_for_lock(void* nothing) {
  const uint32_t mine = syscall(SYS_gettid);
  CHECK_EQ(syscall(SYS_futex, &condition, kWaitRequeuePi, 0, NULL, &lock, 0), 0);
  CHECK_EQ(lock & kTidMask, mine);
  __atomic_add_fetch(&owners, 1, __ATOMIC_SEQ_CST);
  CHECK_EQ(syscall(SYS_futex, &lock, kUnlockPi, 0, NULL, NULL, 0), 0);
  return nothing;
}
static void moved_to_locks(void) {
  pthread_t threads[3];
  CHECK_ERRNO(syscall(SYS_futex, &condition, kCmpRequeuePi, 2, (void*)9, &lock, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_futex, &condition, kCmpRequeuePi, 1, (void*)9, &lock, 7), EAGAIN);
  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, waits_for_lock, NULL);
  long served = 0;
  while (served < 3) {
    long now = syscall(SYS_futex, &condition, kCmpRequeuePi, 1, (void*)9, &lock, 0);
    CHECK(now >= 0);
    served += now;
    usleep(500);
  }
  CHECK_EQ(served, 3);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  CHECK_EQ(owners, 3);
  CHECK_EQ(lock & kTidMask, 0);
}

int main(void) {
  limits();
  priorities();
  policies();
  io_priorities();
  barriers();
  options();
  capabilities();
  comparing();
  unsharing();
  several_words();
  moved_to_locks();
  REPORT();
}
