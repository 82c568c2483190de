/* Code that is written and run: a page of generated code, patched in turn, and code that changes its own next bytes. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

typedef int (*Function)(void);

int main(void) {
  unsigned char *code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int sum = 0;
  for (int i = 0; i < 3000; ++i) {
    unsigned char *at = code + (i * 16) % 4096;
    const unsigned char body[] = {0xb8, 0, 0, 0, 0, 0xc3}; /* mov eax, imm32; ret */
    memcpy(at, body, sizeof body);
    memcpy(at + 1, &i, 4);
    sum += ((Function)(uintptr_t)at)();
  }
  printf("sum %d\n", sum);

  /* mov byte [rip + 1], 42 ; mov eax, 7 -> the store patches the immediate of the instruction behind it */
  const unsigned char self[] = {0xc6, 0x05, 0x01, 0, 0, 0, 42, 0xb8, 7, 0, 0, 0, 0xc3};
  memcpy(code + 4096, self, sizeof self);
  printf("patched itself: %d\n", ((Function)(uintptr_t)(code + 4096))());
  return 0;
}
