/* Recursive calls: Fibonacci and Ackermann. */
#include <stdio.h>

__attribute__((noinline)) static unsigned Fibonacci(unsigned n) { return n < 2 ? n : Fibonacci(n - 1) + Fibonacci(n - 2); }
__attribute__((noinline)) static unsigned Ackermann(unsigned m, unsigned n) {
  if (m == 0) return n + 1;
  return Ackermann(m - 1, n == 0 ? 1 : Ackermann(m, n - 1));
}

int main(void) {
  printf("%u %u\n", Fibonacci(35), Ackermann(2, 2500));
  return 0;
}
