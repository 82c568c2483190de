/* Forks until the box says no: where that is must not depend on how much the host has. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  for (int count = 0;; ++count) {
    const int child = fork();
    if (child == 0) pause();
    if (child < 0) {
      printf("%d forks, then %s\n", count, strerror(errno));
      return 0;
    }
  }
}
