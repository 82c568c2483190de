// What a guest of these tests needs: Linux system calls and nothing else. No libc, so that a test
// knows every instruction that runs.
#pragma once

#include <sys/syscall.h>

static inline long Call6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
#ifdef __i386__
  // The sixth argument is in the frame pointer's register.
  const long last[2] = {number, f};
  __asm__ volatile("push %%ebp\n mov 4(%%eax), %%ebp\n mov (%%eax), %%eax\n int $0x80\n pop %%ebp"
                   : "=a"(result)
                   : "0"(last), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                   : "memory");
#else
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
#endif
  return result;
}

static inline long Call(long number, long a, long b, long c, long d) {
  return Call6(number, a, b, c, d, 0, 0);
}

enum {
  kRead = __NR_read,
  kWrite = __NR_write,
  kOpen = __NR_open,
  kClose = __NR_close,
  kMmap = __NR_mmap,
  kMprotect = __NR_mprotect,
  kSigaction = __NR_rt_sigaction,
  kRtSigprocmask = __NR_rt_sigprocmask,
  kSigreturn = __NR_rt_sigreturn,
  kReadv = __NR_readv,
  kWritev = __NR_writev,
  kPipe = __NR_pipe,
  kDup = __NR_dup,
  kPause = __NR_pause,
  kNanosleep = __NR_nanosleep,
  kSetitimer = __NR_setitimer,
  kGetpid = __NR_getpid,
  kClone = __NR_clone,
  kFork = __NR_fork,
  kExecve = __NR_execve,
  kExit = __NR_exit,
  kWait4 = __NR_wait4,
  kKill = __NR_kill,
  kChdir = __NR_chdir,
  kMkdir = __NR_mkdir,
  kSymlink = __NR_symlink,
  kGetrandom = __NR_getrandom
};

static inline void Exit(int code) {
  for (;;) Call(kExit, code, 0, 0, 0);
}

static inline void Say(const char* text) {
  long n = 0;
  while (text[n]) ++n;
  Call(kWrite, 1, (long)text, n, 0);
}

// Says `good` where `result` is the errno that was wanted, and otherwise which it was.
static inline void SayErrno(long result, int wanted, const char* good) {
  if (result == -wanted) {
    Say(good);
    return;
  }
  char text[] = "other than wanted: 000\n";
  if (result < 0) result = -result;
  for (int i = 21; i > 18; --i, result /= 10) text[i] = (char)('0' + result % 10);
  Say(text);
}

void Main(void);

// The words that exec left on the stack: the number of arguments, pointers to them, ...
static long* start __attribute__((unused));
static __attribute__((used)) void Enter(long* words) {
  start = words;
  Main();
}

#ifdef __i386__
__asm__(
    ".globl _start\n_start: xor %ebp, %ebp\n mov %esp, %eax\n and $-16, %esp\n sub $12, %esp\n "
    "push %eax\n call Enter\n");
#else
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call Enter\n");
#endif
