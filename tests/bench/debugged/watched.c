/* What is watched changes never, and lies beside what changes all the time. watched WHERE, of globals, stack, heap, text */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Row {
  volatile long before[4];
  volatile long watched;
  volatile long behind[4];
};
struct Row globals __attribute__((aligned(4096)));
struct Row *place;

__attribute__((noinline)) static void Work(struct Row *row, long count) {
  for (long i = 0; i < count; i++) {
    row->before[i & 3] += i;
    row->behind[i & 3] ^= row->before[(i + 1) & 3];
  }
}

__attribute__((noinline)) static long Nested(long n) { return n < 2 ? n : Nested(n - 1) + Nested(n - 2); }

__attribute__((noinline)) void Ready(void) { __asm__ volatile(""); }
__attribute__((noinline)) void Done(void) { __asm__ volatile(""); }

int main(int argc, char **argv) {
  const char *where = argc > 1 ? argv[1] : "globals";
  struct Row local;
  memset(&local, 0, sizeof local);
  char *text = calloc(1, 65536);
  place = &globals;
  if (!strcmp(where, "stack")) place = &local;
  if (!strcmp(where, "heap")) place = calloc(1, sizeof local);
  if (!strcmp(where, "text")) place = (struct Row *)(text + 8192);
  Ready();
  long sum = 0;
  if (!strcmp(where, "stack")) sum = Nested(32);
  if (!strcmp(where, "text")) {
    for (int i = 0; i < 16000; i++) {
      char *to = text + 8192 + sizeof local;
      size_t size = 4096 - sizeof local;
      __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(i) : "memory");
      sum += text[8192 + 4000];
    }
  } else if (!sum) {
    Work(place, 12000000);
  }
  Done();
  printf("%ld %ld\n", sum, place->before[1] + place->behind[2]);
  return 0;
}
