// ptrace(2), one tracee: its stops, registers, memory, system calls, steps and signals.
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>

#include "tracer.h"

static volatile long word = 0x1234;

static void ExitWithWord(void) { _exit((int)(word & 0x7f)); }

static void TestMemory(void) {
  const pid_t pid = Traced(ExitWithWord);
  long value = 0;
  CHECK_EQ(TRACE(kPeekData, pid, &word, &value), 0);
  CHECK_EQ(value, 0x1234);
  CHECK_EQ(TRACE(kPeekText, pid, &word, &value), 0);
  CHECK_EQ(TRACE(kPokeData, pid, &word, 42), 0);
  CHECK_ERRNO(TRACE(kPeekData, pid, 8, &value), EIO);
  CHECK_ERRNO(TRACE(kPokeData, pid, 8, 1), EIO);
  CHECK_ERRNO(TRACE(kPeekData, pid, &word, 8), EFAULT);
  // Code is read-only, for everybody else.
  CHECK_EQ(TRACE(kPeekText, pid, &ExitWithWord, &value), 0);
  CHECK_EQ(TRACE(kPokeText, pid, &ExitWithWord, value), 0);
  CHECK_EQ(word, 0x1234);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  const int fd = open(path, O_RDWR);
  CHECK(fd >= 0);
  value = 0;
  CHECK_EQ(pread(fd, &value, sizeof value, (off_t)(unsigned long)&word), sizeof value);
  CHECK_EQ(value, 42);
  value = 43;
  CHECK_EQ(pwrite(fd, &value, sizeof value, (off_t)(unsigned long)&word), sizeof value);
  CHECK_ERRNO(pread(fd, &value, sizeof value, 16), EIO);
  // Code by way of the file too.
  CHECK_EQ(pread(fd, &value, 4, (off_t)(unsigned long)&ExitWithWord), 4);
  CHECK_EQ(pwrite(fd, &value, 4, (off_t)(unsigned long)&ExitWithWord), 4);
  long more = 44;
  struct iovec own = {&more, sizeof more}, other = {(void*)&word, sizeof more};
  CHECK_EQ(process_vm_writev(pid, &own, 1, &other, 1, 0), sizeof more);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 44);
  CHECK_EQ(pread(fd, &value, 4, (off_t)(unsigned long)&word), 0);
  close(fd);
}

static void Three(void) {
  register long result __asm__("eax");
  __asm__ volatile("int3" : "=r"(result) : "0"(7L));
  _exit((int)(result & 0x7f));
}

static void TestRegisters(void) {
  const pid_t pid = Traced(Three);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGTRAP);
  siginfo_t info;
  CHECK_EQ(TRACE(kGetSiginfo, pid, 0, &info), 0);
  CHECK_EQ(info.si_signo, SIGTRAP);
  CHECK_EQ(info.si_code, 0x80);
  Regs regs;
  CHECK_EQ(TRACE(kGetRegs, pid, 0, &regs), 0);
  CHECK_EQ(REG_AX(regs), 7);
  CHECK_EQ(REG_NR(regs), -1);
  unsigned char byte = 0;
  struct iovec own = {&byte, 1}, other = {(void*)(unsigned long)(REG_IP(regs) - 1), 1};
  CHECK_EQ(process_vm_readv(pid, &own, 1, &other, 1, 0), 1);
  CHECK_EQ(byte, 0xcc);
  long value = 0;
  CHECK_EQ(TRACE(kPeekUser, pid, (char*)&REG_IP(regs) - (char*)&regs, &value), 0);
  CHECK_EQ((unsigned long)value, (unsigned long)REG_IP(regs));
  CHECK_ERRNO(TRACE(kPeekUser, pid, 1, &value), EIO);
  CHECK_ERRNO(TRACE(kPeekUser, pid, 4096, &value), EIO);
  CHECK_EQ(TRACE(kPokeUser, pid, (char*)&REG_AX(regs) - (char*)&regs, 21), 0);
  CHECK_ERRNO(TRACE(kPokeUser, pid, 400, 1), EIO);
  struct iovec vector = {&regs, sizeof regs};
  memset(&regs, 0, sizeof regs);
  CHECK_EQ(TRACE(kGetRegset, pid, 1, &vector), 0);
  CHECK_EQ(vector.iov_len, sizeof regs);
  CHECK_EQ(REG_AX(regs), 21);
  REG_AX(regs) = 22;
  CHECK_EQ(TRACE(kSetRegset, pid, 1, &vector), 0);
  CHECK_ERRNO(TRACE(kGetRegset, pid, 0x7777, &vector), EINVAL);
  vector.iov_len = 3;
  CHECK_ERRNO(TRACE(kGetRegset, pid, 1, &vector), EINVAL);
#ifdef __x86_64__
  regs.cs = 0x10;
  CHECK_ERRNO(TRACE(kSetRegs, pid, 0, &regs), EIO);
#else
  regs.xcs = 0x10;
  CHECK_ERRNO(TRACE(kSetRegs, pid, 0, &regs), EIO);
#endif
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 22);
}

static void FloatBody(void) {
  double x = 1.5;
  __asm__ volatile("movsd %0, %%xmm3\n\tfldl %0\n\tint3\n\tmovsd %%xmm3, %0\n\tfstp %%st(0)"
                   : "+m"(x)
                   :
                   : "xmm3");
  _exit((int)x);
}

static void TestFloat(void) {
  const pid_t pid = Traced(FloatBody);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGTRAP);
  struct user_fpregs_struct fp;
  CHECK_EQ(TRACE(kGetFpRegs, pid, 0, &fp), 0);
#ifdef __x86_64__
  CHECK_EQ(fp.cwd, 0x37f);
  double seen;
  memcpy(&seen, (char*)&fp + 160 + 3 * 16, 8);
  CHECK(seen == 1.5);
#else
  CHECK_EQ(fp.cwd & 0xffff, 0x37f);
  CHECK_EQ(sizeof fp, 108);
#endif
  CHECK_EQ(TRACE(kSetFpRegs, pid, 0, &fp), 0);
  static uint64_t area[1024];
  struct iovec vector = {area, sizeof area};
  CHECK_EQ(TRACE(kGetRegset, pid, 0x202, &vector), 0);
  CHECK(vector.iov_len >= 832);
  CHECK_EQ(area[464 / 8] & 7, 7);
  const double to = 77;
  memcpy((char*)area + 160 + 3 * 16, &to, 8);
  CHECK_EQ(TRACE(kSetRegset, pid, 0x202, &vector), 0);
  vector.iov_len = 576;
  CHECK_ERRNO(TRACE(kSetRegset, pid, 0x202, &vector), EFAULT);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 77);
}

static void CallTwice(void) {
  syscall(SYS_getppid);
  const long group = syscall(SYS_getpgid, 0);
  _exit(group == 5 ? 5 : 6);
}

struct SyscallInfo {
  uint8_t op, pad[3];
  uint32_t arch;
  uint64_t ip, sp, number, arguments[6];
};

static void TestSyscalls(void) {
  const pid_t pid = Traced(CallTwice);
  CHECK_EQ(TRACE(kSetOptions, pid, 0, kSysGood), 0);
  CHECK_ERRNO(TRACE(kSetOptions, pid, 0, 0x80000000ul), EINVAL);
  Regs regs;
  struct SyscallInfo info;
  int stops = 0;
  // The call that raised the stop was over: the first one is getppid.
  do {
    CHECK_EQ(TRACE(kSyscall, pid, 0, 0), 0);
    CHECK_EQ(NextStop(pid), SIGTRAP | 0x80);
    CHECK_EQ(TRACE(kGetRegs, pid, 0, &regs), 0);
  } while (REG_NR(regs) != SYS_getppid && ++stops < 20);
  CHECK_EQ((long)REG_AX(regs), -ENOSYS);
  siginfo_t signal_info;
  CHECK_EQ(TRACE(kGetSiginfo, pid, 0, &signal_info), 0);
  CHECK_EQ(signal_info.si_code, SIGTRAP | 0x80);
  CHECK_EQ(signal_info.si_pid, pid);
  unsigned long message = 0;
  CHECK_EQ(TRACE(kGetEventMessage, pid, 0, &message), 0);
  CHECK_EQ(message, 1);
  CHECK_EQ(TRACE(kGetSyscallInfo, pid, sizeof info, &info), 80);
  CHECK_EQ(info.op, 1);
  CHECK_EQ(info.number, SYS_getppid);
  CHECK_EQ(info.ip, (unsigned long)REG_IP(regs));
  CHECK_EQ(TRACE(kSyscall, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGTRAP | 0x80);
  CHECK_EQ(TRACE(kGetRegs, pid, 0, &regs), 0);
  CHECK_EQ(REG_AX(regs), getpid());
  CHECK_EQ(REG_NR(regs), SYS_getppid);
  CHECK_EQ(TRACE(kGetSyscallInfo, pid, sizeof info, &info), 33);
  CHECK_EQ(info.op, 2);
  CHECK_EQ(info.number, (unsigned)getpid());
  CHECK_EQ(info.arguments[0] & 0xff, 0);
  // The next call is not made at all, and has another result.
  CHECK_EQ(TRACE(kSyscall, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGTRAP | 0x80);
  CHECK_EQ(TRACE(kGetRegs, pid, 0, &regs), 0);
  CHECK_EQ(REG_NR(regs), SYS_getpgid);
  REG_NR(regs) = -1;
  CHECK_EQ(TRACE(kSetRegs, pid, 0, &regs), 0);
  CHECK_EQ(TRACE(kSyscall, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGTRAP | 0x80);
  CHECK_EQ(TRACE(kGetRegs, pid, 0, &regs), 0);
  CHECK_EQ((long)REG_AX(regs), -ENOSYS);
  REG_AX(regs) = 5;
  CHECK_EQ(TRACE(kSetRegs, pid, 0, &regs), 0);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 5);
}

static void Steps(void) {
  __asm__ volatile("int3\n\tnop\n\tnop\n\taddl $1, %%ebx\n\tcltd" : : "b"(1), "a"(0) : "edx", "cc");
  syscall(SYS_getppid);
  _exit(9);
}

static void TestSteps(void) {
  const pid_t pid = Traced(Steps);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGTRAP);
  Regs before, after;
  static const int kLengths[] = {1, 1, 3, 1};
  for (unsigned i = 0; i < 4; ++i) {
    CHECK_EQ(TRACE(kGetRegs, pid, 0, &before), 0);
    CHECK_EQ(TRACE(kStep, pid, 0, 0), 0);
    CHECK_EQ(NextStop(pid), SIGTRAP);
    CHECK_EQ(TRACE(kGetRegs, pid, 0, &after), 0);
    CHECK_EQ(REG_IP(after) - REG_IP(before), kLengths[i]);
  }
  CHECK_EQ(REG_BX(after), 2);
  siginfo_t info;
  CHECK_EQ(TRACE(kGetSiginfo, pid, 0, &info), 0);
  CHECK_EQ(info.si_code, 2);  // TRAP_TRACE
  CHECK_EQ((unsigned long)info.si_addr, (unsigned long)REG_IP(after));
  // Over the call: a stop behind it.
  int steps = 0;
  do {
    CHECK_EQ(TRACE(kStep, pid, 0, 0), 0);
    CHECK_EQ(NextStop(pid), SIGTRAP);
    CHECK_EQ(TRACE(kGetRegs, pid, 0, &after), 0);
  } while ((pid_t)REG_AX(after) != getpid() && ++steps < 200);
  CHECK(steps < 200);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 9);
}

static __attribute__((noinline)) int Target(int x) { return x * 3 + 1; }
static int (*volatile target)(int) = &Target;
static void CallTarget(void) {
  int sum = 0;
  for (int i = 0; i < 3; ++i) sum += target(i);
  _exit(sum);
}

static void TestBreakpoint(void) {
  const pid_t pid = Traced(CallTarget);
  long code = 0;
  CHECK_EQ(TRACE(kPeekText, pid, &Target, &code), 0);
  for (int i = 0; i < 3; ++i) {
    CHECK_EQ(TRACE(kPokeText, pid, &Target, (code & ~0xffl) | 0xcc), 0);
    CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
    CHECK_EQ(NextStop(pid), SIGTRAP);
    Regs regs;
    CHECK_EQ(TRACE(kGetRegs, pid, 0, &regs), 0);
    CHECK_EQ((unsigned long)REG_IP(regs), (unsigned long)&Target + 1);
    CHECK_EQ(TRACE(kPokeText, pid, &Target, code), 0);
    REG_IP(regs) -= 1;
    CHECK_EQ(TRACE(kSetRegs, pid, 0, &regs), 0);
    CHECK_EQ(TRACE(kStep, pid, 0, 0), 0);
    CHECK_EQ(NextStop(pid), SIGTRAP);
  }
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 12);
  CHECK_EQ(target(0), 1);  // nobody else's code has changed
}

static volatile int caught, caught_code, caught_value;
static void OnSignal(int signal, siginfo_t* info, void* context) {
  (void)context;
  caught = signal;
  caught_code = info->si_code;
  caught_value = info->si_value.sival_int;
}

static void Signals(void) {
  struct sigaction action = {.sa_sigaction = OnSignal, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGUSR2, &action, NULL);
  kill(getpid(), SIGUSR1);  // dropped
  if (caught != 0) _exit(1);
  kill(getpid(), SIGUSR1);  // becomes another one
  if (caught != SIGUSR2 || caught_code != SI_USER) _exit(2);
  kill(getpid(), SIGUSR1);  // with other contents
  if (caught != SIGUSR1 || caught_code != SI_QUEUE || caught_value != 99) _exit(3);
  signal(SIGHUP, SIG_IGN);
  kill(getpid(), SIGHUP);   // ignored, but seen
  kill(getpid(), SIGCHLD);  // likewise
  kill(getpid(), SIGTERM);  // and dead
  _exit(4);
}

static void TestSignals(void) {
  const pid_t pid = Traced(Signals);
  siginfo_t info;
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGUSR1);
  CHECK_EQ(TRACE(kGetSiginfo, pid, 0, &info), 0);
  CHECK_EQ(info.si_code, SI_USER);
  CHECK_EQ(info.si_pid, pid);
  CHECK_ERRNO(TRACE(kCont, pid, 0, 65), EIO);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGUSR1);
  CHECK_EQ(TRACE(kCont, pid, 0, SIGUSR2), 0);
  CHECK_EQ(NextStop(pid), SIGUSR1);
  CHECK_EQ(TRACE(kGetSiginfo, pid, 0, &info), 0);
  info.si_code = SI_QUEUE;
  info.si_value.sival_int = 99;
  CHECK_EQ(TRACE(kSetSiginfo, pid, 0, &info), 0);
  CHECK_EQ(TRACE(kCont, pid, 0, SIGUSR1), 0);
  CHECK_EQ(NextStop(pid), SIGHUP);
  uint64_t mask = ~0ull;
  CHECK_EQ(TRACE(kGetSigmask, pid, 8, &mask), 0);
  CHECK_EQ(mask, 0);
  CHECK_ERRNO(TRACE(kGetSigmask, pid, 4, &mask), EINVAL);
  CHECK_EQ(TRACE(kCont, pid, 0, SIGHUP), 0);
  CHECK_EQ(NextStop(pid), SIGCHLD);
  CHECK_EQ(TRACE(kCont, pid, 0, SIGCHLD), 0);
  CHECK_EQ(NextStop(pid), SIGTERM);
  CHECK_EQ(TRACE(kCont, pid, 0, SIGTERM), 0);
  CHECK_EQ(ExitOf(pid), -SIGTERM);
}

// Blocked signals wait, and can be looked at.
static void TestPending(void) {
  const pid_t pid = Traced(ExitWithWord);
  uint64_t mask = ~0ull;
  CHECK_EQ(TRACE(kSetSigmask, pid, 8, &mask), 0);
  CHECK_EQ(TRACE(kGetSigmask, pid, 8, &mask), 0);
  CHECK_EQ(mask, ~0ull & ~(1ull << (SIGKILL - 1)) & ~(1ull << (SIGSTOP - 1)));
  for (int i = 0; i < 3; ++i) {
    union sigval value = {.sival_int = i};
    CHECK_EQ(sigqueue(pid, SIGRTMIN + 1, value), 0);
  }
  struct {
    uint64_t offset;
    uint32_t flags;
    int32_t count;
  } asked = {1, 1, 8};
  siginfo_t infos[8];
  CHECK_EQ(TRACE(kPeekSiginfo, pid, &asked, infos), 2);
  CHECK_EQ(infos[0].si_value.sival_int, 1);
  asked.flags = 0;
  CHECK_EQ(TRACE(kPeekSiginfo, pid, &asked, infos), 0);
  asked.flags = 4;
  CHECK_ERRNO(TRACE(kPeekSiginfo, pid, &asked, infos), EINVAL);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 0x34);
}

static int pipe_fds[2];
static void ReadByte(void) {
  char byte = 0;
  _exit(read(pipe_fds[0], &byte, 1) == 1 ? byte : 100);
}
static void Sleeps(void) {
  struct timespec time = {0, 30000000};
  _exit(nanosleep(&time, NULL) == 0 ? 8 : 100);
}

// Who is stopped in a call goes on with it, if the signal is dropped.
static void TestRestart(void) {
  CHECK_EQ(pipe(pipe_fds), 0);
  static void (*const kBodies[])(void) = {ReadByte, Sleeps};
  for (int i = 0; i < 2; ++i) {
    const pid_t pid = Traced(kBodies[i]);
    CHECK_EQ(TRACE(kSetOptions, pid, 0, kSysGood), 0);
    Regs regs;
    const unsigned long number = i == 0 ? SYS_read : SYS_nanosleep;
    int calls = 0;
    do {
      CHECK_EQ(TRACE(kSyscall, pid, 0, 0), 0);
      CHECK_EQ(NextStop(pid), SIGTRAP | 0x80);
      CHECK_EQ(TRACE(kGetRegs, pid, 0, &regs), 0);
      // Some libraries sleep by another call.
      if (i == 1 && (long)REG_AX(regs) == -ENOSYS && ++calls > 0 &&
          REG_NR(regs) != SYS_rt_sigprocmask)
        break;
    } while ((unsigned long)REG_NR(regs) != number && calls < 20);
    const unsigned long made = (unsigned long)REG_NR(regs);
    CHECK_EQ(kill(pid, SIGWINCH), 0);
    CHECK_EQ(TRACE(kSyscall, pid, 0, 0), 0);
    CHECK_EQ(NextStop(pid), SIGTRAP | 0x80);
    CHECK_EQ(TRACE(kGetRegs, pid, 0, &regs), 0);
    CHECK_EQ((long)REG_AX(regs), i == 0 ? -512 : -516);
    CHECK_EQ(REG_NR(regs), made);
    CHECK_EQ(TRACE(kSyscall, pid, 0, 0), 0);
    CHECK_EQ(NextStop(pid), SIGWINCH);
    CHECK_EQ(TRACE(kSyscall, pid, 0, i == 0 ? 0 : SIGWINCH), 0);
    CHECK_EQ(NextStop(pid), SIGTRAP | 0x80);
    CHECK_EQ(TRACE(kGetRegs, pid, 0, &regs), 0);
    CHECK_EQ(REG_NR(regs), i == 0 ? SYS_read : SYS_restart_syscall);
    if (i == 0) CHECK_EQ(write(pipe_fds[1], "\x07", 1), 1);
    CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
    CHECK_EQ(ExitOf(pid), i == 0 ? 7 : 8);
  }
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

static void TestErrors(void) {
  long value;
  CHECK_ERRNO(TRACE(kPeekData, getpid(), &word, &value), ESRCH);
  CHECK_ERRNO(TRACE(kCont, 0, 0, 0), ESRCH);
  CHECK_ERRNO(TRACE(kAttach, -5, 0, 0), ESRCH);
  CHECK_ERRNO(TRACE(kAttach, getpid(), 0, 0), EPERM);
  CHECK_ERRNO(TRACE(kSeize, getpid(), 1, 0), EIO);
  const pid_t pid = Traced(ExitWithWord);
  CHECK_ERRNO(TRACE(kAttach, pid, 0, 0), EPERM);
  CHECK_ERRNO(TRACE(kInterrupt, pid, 0, 0), EIO);
  CHECK_ERRNO(TRACE(kListen, pid, 0, 0), EIO);
  CHECK_ERRNO(TRACE(0x7654, pid, 0, 0), EIO);
  CHECK_EQ(TRACE(kKill, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), -SIGKILL);
  CHECK_ERRNO(TRACE(kCont, pid, 0, 0), ESRCH);
}

static char State(pid_t pid, int* tracer) {
  char path[64], line[256], state = 0;
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE* const file = fopen(path, "r");
  if (file == NULL) return 0;
  while (fgets(line, sizeof line, file) != NULL) {
    sscanf(line, "State:\t%c", &state);
    sscanf(line, "TracerPid:\t%d", tracer);
  }
  fclose(file);
  return state;
}

static void TestStatus(void) {
  const pid_t pid = Traced(ExitWithWord);
  int tracer = -1;
  CHECK_EQ(State(pid, &tracer), 't');
  CHECK_EQ(tracer, getpid());
  CHECK_EQ(TRACE(kDetach, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 0x34);
}

int main(void) {
  TestMemory();
  TestRegisters();
  TestFloat();
  TestSyscalls();
  TestSteps();
  TestBreakpoint();
  TestSignals();
  TestPending();
  TestRestart();
  TestErrors();
  TestStatus();
  REPORT();
}
