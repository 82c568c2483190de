// ptrace(2): calls that a program of seccomp(2) sends to the tracer, and calls that a tracer makes
// itself (PTRACE_SYSEMU).
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "tracer.h"

enum { kSysemu = 31, kSysemuStep = 32, kSeccompOption = 128, kEventSeccomp = 7, kData = 0x123 };

// getpid goes to the tracer, everything else is allowed.
static void Filter(void) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | kData),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog prog = {sizeof program / sizeof *program, program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(91);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0) _exit(92);
}

static long Getpid(void) { return syscall(SYS_getpid); }

static Regs Registers(pid_t pid) {
  Regs regs;
  CHECK_EQ(TRACE(kGetRegs, pid, 0, &regs), 0);
  return regs;
}

struct info {
  uint8_t op, pad[3];
  uint32_t architecture;
  uint64_t ip, sp, number, arguments[6];
  uint32_t data, pad2;
};

// What the tracee does is simple enough that each stop is known.
static void FourCalls(void) {
  Filter();
  const long first = Getpid();
  const long second = Getpid();
  const long third = Getpid();
  errno = 0;
  const long fourth = Getpid();
  _exit((first > 0) | (second == getppid()) << 1 | (third == 4711) << 2 |
        (fourth == -1 && errno == ENOSYS) << 3);
}

static void TestAnswers(void) {
  const pid_t pid = Traced(FourCalls);
  CHECK_EQ(TRACE(kSetOptions, pid, 0, kSeccompOption | kSysGood), 0);
  Regs regs;
  for (int call = 0; call < 4; ++call) {
    CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
    CHECK_EQ(NextStop(pid), Stopped(SIGTRAP, kEventSeccomp));
    regs = Registers(pid);
    CHECK_EQ(REG_NR(regs), SYS_getpid);
    CHECK_EQ((long)REG_AX(regs), -ENOSYS);
    unsigned long message = 0;
    CHECK_EQ(TRACE(kGetEventMessage, pid, 0, &message), 0);
    CHECK_EQ(message, kData);
    struct info info;
    CHECK_EQ(TRACE(kGetSyscallInfo, pid, sizeof info, &info), 84);
    CHECK_EQ(info.op, 3);
    CHECK_EQ(info.number, SYS_getpid);
    CHECK_EQ(info.data, kData);
    if (call == 1) REG_NR(regs) = SYS_getppid;
    if (call >= 2) REG_NR(regs) = -1;
    if (call == 2) REG_AX(regs) = 4711;
    CHECK_EQ(TRACE(kSetRegs, pid, 0, &regs), 0);
  }
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 15);
}

// Who stops at every call stops before it first, then for the program, then behind it.
static void TwoCalls(void) {
  Filter();
  kill((pid_t)syscall(SYS_gettid), SIGSTOP);
  _exit(Getpid() > 0 ? 5 : 6);
}
static void TestOrder(void) {
  const pid_t pid = Traced(TwoCalls);
  CHECK_EQ(TRACE(kSetOptions, pid, 0, kSeccompOption | kSysGood), 0);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGSTOP);
  CHECK_EQ(TRACE(kSyscall, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGTRAP | 0x80);
  CHECK_EQ(REG_NR(Registers(pid)), SYS_getpid);
  CHECK_EQ(TRACE(kSyscall, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), Stopped(SIGTRAP, kEventSeccomp));
  CHECK_EQ(TRACE(kSyscall, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGTRAP | 0x80);
  CHECK_EQ((long)REG_AX(Registers(pid)), pid);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 5);
}

// Without the option it is as without a tracer.
static void TestNotAsked(void) {
  const pid_t pid = Traced(FourCalls);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 8);
}

static void Emulated(void) {
  kill((pid_t)syscall(SYS_gettid), SIGSTOP);
  const long first = syscall(SYS_getpid);
  const long second = syscall(SYS_write, 1, "not written\n", 12);
  const long third = syscall(SYS_getppid);
  _exit((first == 1234) | (second == 12) << 1 | (third == getppid()) << 2);
}

static void TestSysemu(void) {
  const pid_t pid = Traced(Emulated);
  CHECK_EQ(TRACE(kSetOptions, pid, 0, kSysGood), 0);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGSTOP);
  CHECK_EQ(TRACE(kSysemu, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGTRAP | 0x80);
  Regs regs = Registers(pid);
  CHECK_EQ(REG_NR(regs), SYS_getpid);
  CHECK_EQ((long)REG_AX(regs), -ENOSYS);
  REG_AX(regs) = 1234;
  CHECK_EQ(TRACE(kSetRegs, pid, 0, &regs), 0);
  // No stop behind it: the next one is before the next call.
  CHECK_EQ(TRACE(kSysemu, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGTRAP | 0x80);
  regs = Registers(pid);
  CHECK_EQ(REG_NR(regs), SYS_write);
  REG_AX(regs) = 12;
  CHECK_EQ(TRACE(kSetRegs, pid, 0, &regs), 0);
  // The third one is made.
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 7);
}

static void TestSysemuStep(void) {
  const pid_t pid = Traced(Emulated);
  CHECK_EQ(TRACE(kSetOptions, pid, 0, kSysGood), 0);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGSTOP);
  // A step is a stop, and a call another.
  int steps = 0, stop;
  do {
    CHECK_EQ(TRACE(kSysemuStep, pid, 0, 0), 0);
    stop = NextStop(pid);
  } while (stop == SIGTRAP && ++steps < 10000);
  CHECK(steps > 0);
  CHECK_EQ(stop, SIGTRAP | 0x80);
  CHECK_EQ(REG_NR(Registers(pid)), SYS_getpid);
  CHECK_EQ(TRACE(kSysemuStep, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGTRAP);
  CHECK_EQ(kill(pid, SIGKILL), 0);
  CHECK_EQ(ExitOf(pid), -SIGKILL);
}

int main(void) {
  TestAnswers();
  TestOrder();
  TestNotAsked();
  TestSysemu();
  TestSysemuStep();
  REPORT();
}
