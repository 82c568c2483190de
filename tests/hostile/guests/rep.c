// One REP instruction that reads 8 GiB, again and again.
#include "guest.h"

void Main(void) {
  const long size = 8L << 30;
  char* base;
  {
    register long r8 __asm__("r8") = -1;
    register long r9 __asm__("r9") = 0;
    register long r10 __asm__("r10") = 0x4022;  // MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    __asm__ volatile("syscall"
                     : "=a"(base)
                     : "0"((long)kMmap), "D"(0L), "S"(size), "d"(1L), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
  }
  if ((unsigned long)base > -4096UL) Exit(2);
  Say("ready\n");
  for (;;) {
    long count = size;
    char* at = base;
    __asm__ volatile("rep lodsb" : "+c"(count), "+S"(at) : : "rax", "memory");
  }
}
