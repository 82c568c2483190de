// A program for tests/gdb/toy_machine.cc: no library, a handful of system calls.
static long Call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c)
                   : "rcx", "r11", "memory");
  return result;
}

struct Point {
  int x, y;
  double weight;
};

int counter = 0;
struct Point origin = {3, 4, 2.5};
static char stack[8192];

int Square(int n) {
  int result = n * n;
  return result;
}

int Factorial(int n) {
  if (n <= 1) return 1;
  return n * Factorial(n - 1);
}

int Sum(int limit) {
  int total = 0;
  for (int i = 0; i < limit; ++i) {
    total += Square(i);
    counter = total;
  }
  return total;
}

void Worker(void) {
  for (volatile long i = 0;; ++i) {
  }
}

void Finish(int code) { Call(231, code, 0, 0); }

void _start(void) {
  __asm__ volatile("and $-16, %rsp");
  Call(1000, (long)Worker, (long)(stack + sizeof stack - 64), 0);
  int sum = Sum(10);
  int product = Factorial(5);
  Call(1, 1, (long)"done\n", 5);
  Call(234, 1, 1, 10);
  Finish((sum + product) & 0x7f);
}
