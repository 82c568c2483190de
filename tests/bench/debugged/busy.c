/* What a ^C has to get through. busy WHAT, of spin, sleep, stdin, rep, calls */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "spin";
  if (!strcmp(what, "sleep")) {
    for (;;) {
      struct timespec day = {86400, 0};
      nanosleep(&day, NULL);
    }
  }
  if (!strcmp(what, "stdin")) {
    char c;
    while (read(0, &c, 1) >= 0) {
    }
  }
  if (!strcmp(what, "rep")) {
    const size_t size = (size_t)8 << 30;
    const char *zeros = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (;;) {
      const char *at = zeros;
      size_t count = size;
      __asm__ volatile("repe scasb" : "+D"(at), "+c"(count) : "a"(0) : "cc", "memory");
    }
  }
  if (!strcmp(what, "calls")) {
    for (;;) getppid();
  }
  for (;;) __asm__ volatile("");
}
