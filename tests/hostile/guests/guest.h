// What a guest of these tests needs: Linux system calls of x86-64 and nothing else. No libc, so
// that a test knows every instruction that runs.
#pragma once

static inline long Call6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static inline long Call(long number, long a, long b, long c, long d) {
  return Call6(number, a, b, c, d, 0, 0);
}

enum {
  kRead = 0,
  kWrite = 1,
  kOpen = 2,
  kClose = 3,
  kMmap = 9,
  kMprotect = 10,
  kSigaction = 13,
  kRtSigprocmask = 14,
  kSigreturn = 15,
  kReadv = 19,
  kWritev = 20,
  kPipe = 22,
  kDup = 32,
  kPause = 34,
  kNanosleep = 35,
  kSetitimer = 38,
  kGetpid = 39,
  kClone = 56,
  kFork = 57,
  kExecve = 59,
  kExit = 60,
  kWait4 = 61,
  kChdir = 80,
  kMkdir = 83,
  kSymlink = 88,
  kGetrandom = 318
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

__asm__(".globl _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call Main\n");
