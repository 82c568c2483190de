/* A short process: what a start costs. */
#include <stdio.h>

int main(void) {
  puts("hello");
  return 0;
}
