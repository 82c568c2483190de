/* Indirect branches: a bytecode loop with computed goto. */
#include <stdint.h>
#include <stdio.h>

int main(void) {
  enum { kAdd, kSub, kXor, kShift, kLoop, kEnd };
  static const unsigned char program[] = {kAdd, kXor, kShift, kSub, kAdd, kXor, kXor, kAdd, kSub, kLoop, kEnd};
  static const void *labels[] = {&&add, &&sub, &&xor, &&shift, &&loop, &&end};
  uint64_t value = 1, counter = 6000000;
  const unsigned char *pc = program;
#define NEXT goto *labels[*pc++]
  NEXT;
add: value += counter; NEXT;
sub: value -= counter >> 1; NEXT;
xor: value ^= value << 5; NEXT;
shift: value = value >> 3 | value << 61; NEXT;
loop: if (--counter) pc = program; NEXT;
end:
  printf("%llu\n", (unsigned long long)value);
  return 0;
}
