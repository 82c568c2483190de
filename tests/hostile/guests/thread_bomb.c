// Starts threads until it is told that there can be no more.
#include "guest.h"

enum { kVm = 0x100, kFs = 0x200, kFiles = 0x400, kSighand = 0x800, kThread = 0x10000 };

static char stack[4096] __attribute__((aligned(16)));  // none of them gets to use it

void Main(void) {
  for (;;) {
    long thread;
    // The new thread waits at once, and writes nothing to the stack that all of them share.
    __asm__ volatile(
        "syscall\n test %%rax, %%rax\n jnz 2f\n1: mov $34, %%eax\n syscall\n jmp 1b\n2:"
        : "=a"(thread)
        : "0"((long)kClone), "D"((long)(kVm | kFs | kFiles | kSighand | kThread)),
          "S"(stack + sizeof stack), "d"(0L)
        : "rcx", "r11", "memory");
    if (thread > 0) continue;
    SayErrno(thread, 11, "EAGAIN\n");
    Call(231, 0, 0, 0, 0);  // exit_group
  }
}
