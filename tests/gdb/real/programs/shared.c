// Memory that is shown at several places: by two mappings, by a file, by two processes; and what system calls touch.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kBytes = 8192 };
volatile int *one, *two;  // a page of a file, mapped twice
volatile int *nameless;
char buffer[64];
volatile int sum;

__attribute__((noinline)) void Ready(void) { __asm__ volatile(""); }

static void *Map(int flags, int fd) { return mmap(0, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0); }

int main(void) {
  int ends[2];
  int fd = open("/tmp/shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, kBytes) != 0 || pipe(ends) != 0) return 1;
  one = Map(0, fd);
  two = Map(0, fd);
  nameless = Map(MAP_ANONYMOUS, -1);
  one[0] = 1;
  Ready();
  two[3] = two[5] = 55;  // beside
  two[4] = 7;
  if (pwrite(fd, "x", 1, 20) != 1 || pwrite(fd, "abcdefgh", 8, 14) != 8) return 2;
  *(volatile long *)(two + 26) = 5;  // from 104 on: beside
  *(volatile long *)(two + 24) = -1;  // 96 to 103: over 3 bytes from 101 on
  sum += two[6];
  if (write(ends[1], "hello world", 11) != 11 || read(ends[0], buffer + 8, 11) != 11) return 3;
  if (fork() == 0) {
    nameless[1] = 3;
    nameless[2] = 4;
    one[4] = 99;
    _exit(0);
  }
  wait(0);
  munmap((void *)two, kBytes);
  two = Map(0, fd);
  two[4] = 8;  // a mapping that is younger than the watchpoint
  return one[4] + nameless[2] + sum;
}
