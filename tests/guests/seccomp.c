// seccomp(2): strict mode, programs and their answers, what is refused.
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#ifdef __x86_64__
enum { kArch = 0xc000003e };
#else
enum { kArch = 0x40000003 };
#endif

static int EndOf(pid_t pid) {
  int status = 0;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
static int In(int (*body)(void)) {
  fflush(stdout);
  const pid_t pid = fork();
  if (pid == 0) _exit(body());
  return EndOf(pid);
}

static long Install(struct sock_filter* filter, unsigned short length, unsigned flags) {
  const struct sock_fprog program = {length, filter};
  return syscall(SYS_seccomp, (long)SECCOMP_SET_MODE_FILTER, (long)flags, &program);
}
#define INSTALL(filter) Install(filter, sizeof(filter) / sizeof *(filter), 0)

#define NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ANSWER(number, answer) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, (answer))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int Strict(void) {
  if (prctl(PR_GET_SECCOMP) != 0) return 1;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) return 2;
  if (write(1, "", 0) != 0) syscall(SYS_exit, 3L);
  syscall(SYS_exit, 4L);
  return 5;
}
static int StrictKills(void) {
  if (syscall(SYS_seccomp, (long)SECCOMP_SET_MODE_STRICT, 0L, 0L) != 0) return 1;
  syscall(SYS_getppid);
  return 2;
}

static int Errors(void) {
  struct sock_filter filter[] = {NUMBER, ANSWER(SYS_getppid, SECCOMP_RET_ERRNO | 77),
                                 ANSWER(SYS_getpgid, SECCOMP_RET_ERRNO | 0),
                                 ANSWER(SYS_getsid, SECCOMP_RET_ERRNO | 0xffff), ALLOW};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || INSTALL(filter) != 0) return 1;
  CHECK_ERRNO(syscall(SYS_getppid), 77);
  CHECK_EQ(syscall(SYS_getpgid, 0L), 0);
  // As far as there are errnos: the rest is no error to a C library.
  CHECK_ERRNO(syscall(SYS_getsid, 0L), 4095);
  CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
  CHECK_ERRNO(syscall(SYS_seccomp, (long)SECCOMP_SET_MODE_STRICT, 0L, 0L), EINVAL);
  // One more: the strictest answer counts, of equals the newest.
  struct sock_filter more[] = {NUMBER, ANSWER(SYS_getppid, SECCOMP_RET_ERRNO | 78),
                               ANSWER(SYS_getpgid, SECCOMP_RET_LOG), ALLOW};
  CHECK_EQ(INSTALL(more), 0);
  CHECK_ERRNO(syscall(SYS_getppid), 78);
  CHECK_EQ(syscall(SYS_getpgid, 0L), 0);
  // A child has them too, and no new ones come from it.
  const pid_t pid = fork();
  if (pid == 0) _exit(syscall(SYS_getppid) == -1 && errno == 78 ? 6 : 7);
  CHECK_EQ(EndOf(pid), 6);
  fflush(stdout);
  return failures != 0;
}

// Arithmetic, memory and every jump, over the call's arguments.
static int Programs(void) {
  enum {
    kLow = offsetof(struct seccomp_data, args),
    kArchAt = offsetof(struct seccomp_data, arch)
  };
  struct sock_filter filter[] = {
      NUMBER,
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup, 1, 0),
      ALLOW,
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kArchAt),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)kArch, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kLow),  // A = x
      BPF_STMT(BPF_ST, 3),
      BPF_STMT(BPF_LDX | BPF_IMM, 7),
      BPF_STMT(BPF_STX, 4),
      BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0),  // 7x
      BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 5),  // 7x + 5
      BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 3),  // 8 (7x + 5)
      BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),  // - 7
      BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 0x55),
      BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 1),
      BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1),
      BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 3),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      BPF_STMT(BPF_LD | BPF_MEM, 3),
      BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),  // + x
      BPF_STMT(BPF_ALU | BPF_NEG, 0),
      BPF_STMT(BPF_ALU | BPF_NEG, 0),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
      BPF_STMT(BPF_LDX | BPF_MEM, 4),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_X, 0, 0, 1),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 200, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 2, 1, 0),
      BPF_STMT(BPF_JMP | BPF_JA, 1),
      BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1000),
      BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
      BPF_STMT(BPF_RET | BPF_A, 0),
  };
  if (INSTALL(filter) != 0) return 1;
  for (uint32_t x = 0; x < 400; x += 3) {
    uint32_t a = x * 7 + 5;
    a = ((((a << 3) - 7) ^ 0x55) | 1) >> 1;
    a = (a / 3 + x) & 0xff;
    if (a > 7 ? a >= 200 || (a & 2) != 0 : (a & 2) != 0) a += 1000;
    errno = 0;
    const long result = syscall(SYS_dup, (long)x);
    CHECK_EQ(a == 0 ? result : -errno, -(long)a);
  }
  fflush(stdout);
  return failures != 0;
}

static int Kill(unsigned answer) {
  struct sock_filter filter[] = {NUMBER, ANSWER(SYS_getppid, answer), ALLOW};
  if (INSTALL(filter) != 0) return 1;
  return (int)syscall(SYS_getppid) == -1 ? errno : 9;
}
static int KillsProcess(void) { return Kill(SECCOMP_RET_KILL_PROCESS); }
static int KillsThread(void) { return Kill(SECCOMP_RET_KILL_THREAD); }
static int NoSuchAction(void) { return Kill(0x12340000); }
static int NoTracer(void) { return Kill(SECCOMP_RET_TRACE | 3) == ENOSYS ? 8 : 7; }

static void* CallsParent(void* unused) {
  (void)unused;
  syscall(SYS_getppid);
  return NULL;
}
static int KillsOneThread(void) {
  struct sock_filter filter[] = {NUMBER, ANSWER(SYS_getppid, SECCOMP_RET_KILL_THREAD), ALLOW};
  if (INSTALL(filter) != 0) return 1;
  pthread_t thread;
  if (pthread_create(&thread, NULL, CallsParent, NULL) != 0) return 2;
  pthread_join(thread, NULL);  // its word is cleared all the same
  return 10;
}

static volatile int waits = 1;
static volatile long others_answer;
static void* Waits(void* unused) {
  (void)unused;
  while (waits) sched_yield();
  others_answer = syscall(SYS_getppid) == -1 ? errno : 0;
  return NULL;
}
static int Synchronises(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, Waits, NULL) != 0) return 2;
  struct sock_filter filter[] = {NUMBER, ANSWER(SYS_getppid, SECCOMP_RET_ERRNO | 55), ALLOW};
  if (Install(filter, 4, SECCOMP_FILTER_FLAG_TSYNC) != 0) return 1;
  waits = 0;
  pthread_join(thread, NULL);
  return others_answer == 55 ? 11 : 12;
}

static volatile siginfo_t trapped;
static void OnTrap(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  trapped = *info;
}
static int Traps(void) {
  struct sigaction action = {.sa_sigaction = OnTrap, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &action, NULL);
  struct sock_filter filter[] = {NUMBER, ANSWER(SYS_getppid, SECCOMP_RET_TRAP | 42), ALLOW};
  if (INSTALL(filter) != 0) return 1;
  // The register still holds the number.
  CHECK_EQ(syscall(SYS_getppid), SYS_getppid);
  CHECK_EQ(trapped.si_signo, SIGSYS);
  CHECK_EQ(trapped.si_code, 1);
  CHECK_EQ(trapped.si_errno, 42);
  CHECK_EQ(trapped.si_syscall, SYS_getppid);
  CHECK_EQ(trapped.si_arch, (unsigned)kArch);
  CHECK(trapped.si_call_addr != NULL);
  fflush(stdout);
  return failures != 0;
}

static void CheckRefused(struct sock_filter* filter, unsigned short length) {
  CHECK_ERRNO(Install(filter, length, 0), EINVAL);
}
#define REFUSED(...)                                         \
  do {                                                       \
    struct sock_filter filter_[] = {__VA_ARGS__};            \
    CheckRefused(filter_, sizeof filter_ / sizeof *filter_); \
  } while (0)

static void TestRefused(void) {
  REFUSED(NUMBER);                                               // no end
  REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ALLOW);        // beyond the data
  REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ALLOW);         // not aligned
  REFUSED(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), ALLOW);         // no bytes
  REFUSED(BPF_STMT(BPF_LD | BPF_MEM, 2), ALLOW);                 // never written
  REFUSED(BPF_STMT(BPF_ST, 16), ALLOW);                          // no such word
  REFUSED(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ALLOW);        // by zero
  REFUSED(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), ALLOW);       // too far
  REFUSED(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), ALLOW);        // not in such programs
  REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 1), ALLOW);                 // beyond the end
  REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), ALLOW);        // backwards
  REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), ALLOW);  // likewise
  REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_ST, 1),
          BPF_STMT(BPF_LD | BPF_MEM, 1), ALLOW);  // on one way alone
  REFUSED({0xffff, 0, 0, 0}, ALLOW);
  struct sock_filter filter[] = {ALLOW};
  CheckRefused(filter, 0);
  CHECK_ERRNO(Install(filter, 1, 0x4000), EINVAL);
  CHECK_ERRNO(syscall(SYS_seccomp, 1L, 0L, 8L), EFAULT);
  CHECK_ERRNO(syscall(SYS_seccomp, 77L, 0L, 0L), EINVAL);
  CHECK_ERRNO(prctl(PR_SET_SECCOMP, 3, 0), EINVAL);
  unsigned action = SECCOMP_RET_ERRNO;
  CHECK_EQ(syscall(SYS_seccomp, (long)SECCOMP_GET_ACTION_AVAIL, 0L, &action), 0);
  action = 0x12340000;
  CHECK_ERRNO(syscall(SYS_seccomp, (long)SECCOMP_GET_ACTION_AVAIL, 0L, &action), EOPNOTSUPP);
}

static int Unprivileged(void) {
  if (setresgid(1000, 1000, 1000) != 0 || setresuid(1000, 1000, 1000) != 0) return 14;
  struct sock_filter filter[] = {ALLOW};
  if (INSTALL(filter) != -1 || errno != EACCES) return 1;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 2;
  return INSTALL(filter) == 0 ? 14 : 3;
}

int main(void) {
  CHECK_EQ(In(Strict), 4);
  CHECK_EQ(In(StrictKills), -SIGKILL);
  CHECK_EQ(In(Errors), 0);
  CHECK_EQ(In(Programs), 0);
  CHECK_EQ(In(KillsProcess), -SIGSYS);
  CHECK_EQ(In(KillsThread), -SIGSYS);
  CHECK_EQ(In(NoSuchAction), -SIGSYS);
  CHECK_EQ(In(NoTracer), 8);
  CHECK_EQ(In(KillsOneThread), 10);
  CHECK_EQ(In(Synchronises), 11);
  CHECK_EQ(In(Traps), 0);
  CHECK_EQ(In(Unprivileged), 14);
  TestRefused();
  REPORT();
}
