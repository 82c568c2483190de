#include <stdio.h>
#include <string.h>

struct pair {
  int first;
  double second;
};

int counter;
char text[64] = "hello";
struct pair pairs[3] = {{1, 1.5}, {2, 2.5}, {3, 3.5}};
static const char constant[] = "read-only";

int twice(int value) {
  int result = value * 2;
  return result;
}

double scale(double by, struct pair* of) {
  of->second *= by;
  return of->second;
}

int fill(int rounds) {
  int sum = 0;
  for (int i = 0; i < rounds; i++) {
    sum += i;
    counter = sum;
  }
  return sum;
}

int main(int argc, char** argv) {
  int local = twice(argc + 20);
  counter = 1;
  counter += local;
  int total = fill(10);
  double scaled = scale(2.0, &pairs[1]);
  memset(text, 'x', 8);
  printf("total %d counter %d scaled %.1f %s %s\n", total, counter, scaled, text, constant);
  return 7;
}
