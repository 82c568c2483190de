/* Lines to step over, a function to stop in, a variable that changes. lines COUNT */
#include <stdio.h>
#include <stdlib.h>

volatile long counter;
static char block[1 << 20];

__attribute__((noinline)) void Hit(long n) { counter = n; }

__attribute__((noinline)) void Done(void) { __asm__ volatile(""); }

__attribute__((noinline)) long Lines(long n) {
  long a = n, b = 0;
  for (;;) {
    a = a * 3 + 1;
    b ^= a >> 7;
    a += b & 15;
    if (a == 42) break;
  }
  return a;
}

int main(int argc, char **argv) {
  long count = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
  for (long i = 0; i < (long)sizeof block; i++) block[i] = (char)(i * 7 + (i >> 8));
  for (long n = 1; n <= count; n++) Hit(n);
  Done();
  long last = Lines(block[99]);
  printf("%ld %ld\n", counter, last);
  return 0;
}
