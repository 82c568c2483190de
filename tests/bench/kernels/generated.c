/* Generated code: a function is written over and run, again and again, on one page, as JITs and
 * inline caches do. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

typedef unsigned (*Function)(void);

int main(void) {
  enum { kPage = 4096, kRounds = 400000, kPlaces = 200, kApart = 16 };
  unsigned char* code =
      mmap(NULL, kPage, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) return 1;
  unsigned sum = 0;
  for (unsigned i = 0; i < kRounds; ++i) {
    unsigned char* at = code + i % kPlaces * kApart;
    /* mov eax, i; ret */
    at[0] = 0xb8;
    memcpy(at + 1, &i, sizeof i);
    at[5] = 0xc3;
    __asm__ volatile("" ::: "memory");
    sum += ((Function)(uintptr_t)at)();
  }
  printf("%u\n", sum);
  return 0;
}
