// 64-bit code that calls by `int 0x80`: Linux takes the table and the structures of i386, arguments
// cut to 32 bits, results extended to 64.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

static long Int80(long number, long a, long b, long c, long d) {
  long result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d)
                   : "memory", "r8", "r9", "r10", "r11");
  return result;
}

int main(void) {
  char* low =
      mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  CHECK(low != MAP_FAILED && (uintptr_t)low < 0x80000000);
  CHECK_EQ(Int80(20, 0, 0, 0, 0), getpid());
  CHECK_EQ(Int80(20 + (1L << 40), 0, 0, 0, 0), getpid());
  int fds[2];
  CHECK_EQ(pipe(fds), 0);
  strcpy(low, "text");
  CHECK_EQ(Int80(4, fds[1], (long)low, 4, 0), 4);  // write
  CHECK_EQ(Int80(3, fds[0], (long)low + 100 + (7L << 32), 10, 0), 4);
  CHECK(memcmp(low + 100, "text", 4) == 0);
  strcpy(low, "/missing");
  CHECK_EQ(Int80(5, (long)low, O_RDONLY, 0, 0), -ENOENT);
  CHECK_EQ(Int80(39 + 10000, 0, 0, 0, 0), -ENOSYS);
  // Structures of i386.
  int32_t* narrow = (int32_t*)low;
  memset(low, 0xee, 64);
  CHECK_EQ(Int80(265, 1, (long)low, 0, 0), 0);
  CHECK(narrow[0] >= 0 && narrow[1] >= 0 && narrow[1] < 1000000000);
  CHECK_EQ(narrow[2], (int32_t)0xeeeeeeee);
  struct iovec32 {
    uint32_t base, length;
  }* vector = (struct iovec32*)(low + 200);
  vector[0] = (struct iovec32){(uint32_t)(uintptr_t)low + 300, 2};
  vector[1] = (struct iovec32){(uint32_t)(uintptr_t)low + 310, 3};
  memcpy(low + 300, "ab", 2);
  memcpy(low + 310, "cde", 3);
  CHECK_EQ(Int80(146, fds[1], (long)vector, 2, 0), 5);
  CHECK_EQ(read(fds[0], low, 10), 5);
  CHECK(memcmp(low, "abcde", 5) == 0);
  // Registers that the call does not name stay.
  uint64_t r8 = 0x8888888888888888, r15 = 0x1515151515151515;
  __asm__ volatile(
      "mov %0, %%r8\n\tmov %1, %%r15\n\tmov $20, %%eax\n\tint $0x80\n\tmov %%r8, %0\n\tmov %%r15, "
      "%1"
      : "+r"(r8), "+r"(r15)
      :
      : "rax", "r8", "r15", "memory");
  CHECK(r8 == 0x8888888888888888 && r15 == 0x1515151515151515);
  REPORT();
}
