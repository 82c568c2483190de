// What a guest of these tests needs: Linux system calls of x86-64 and nothing else. No libc, so
// that a test knows every instruction that runs.
#pragma once

static inline long Call(long number, long a, long b, long c, long d) {
  long result;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}

enum {
  kRead = 0,
  kWrite = 1,
  kOpen = 2,
  kClose = 3,
  kMmap = 9,
  kSigaction = 13,
  kSigreturn = 15,
  kNanosleep = 35,
  kGetpid = 39,
  kExit = 60
};

static inline void Exit(int code) {
  for (;;) Call(kExit, code, 0, 0, 0);
}

static inline void Say(const char* text) {
  long n = 0;
  while (text[n]) ++n;
  Call(kWrite, 1, (long)text, n, 0);
}

void Main(void);

__asm__(".globl _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call Main\n");
