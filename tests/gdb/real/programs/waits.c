#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

volatile unsigned long spins;

int main(int argc, char** argv) {
  if (strcmp(argv[1], "spin") == 0) {
    while (spins != ~0ul) spins++;
  } else if (strcmp(argv[1], "sleep") == 0) {
    for (;;) {
      struct timespec year = {.tv_sec = 31536000};
      nanosleep(&year, NULL);
      spins++;
    }
  } else {
    char byte;
    ssize_t got = read(0, &byte, 1);
    printf("read %zd\n", got);
  }
  return 0;
}
