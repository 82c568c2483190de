// As many processes at once as a build system or a server of processes has: 500 children live
// together, each with memory of its own, and all of them are waited for.
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { kChildren = 500 };

static int start[2], ready[2];
static volatile int own = 7;

static int Child(int index) {
  // Written after the fork: each process has its own copy.
  own = index;
  close(start[1]);
  char byte = (char)index;
  if (write(ready[1], &byte, 1) != 1) return 1;
  // Until the parent has seen all of them.
  if (read(start[0], &byte, 1) != 0) return 2;
  return own == index ? index % 100 : 3;
}

int main(void) {
  static pid_t pids[kChildren];
  CHECK_EQ(pipe(start), 0);
  CHECK_EQ(pipe(ready), 0);
  for (int i = 0; i < kChildren; ++i) {
    pids[i] = fork();
    if (pids[i] == 0) _exit(Child(i));
    CHECK(pids[i] > 0);
    if (pids[i] < 0) break;
  }
  int sum = 0, alive = 0;
  for (; alive < kChildren; ++alive) {
    unsigned char byte = 0;
    if (read(ready[0], &byte, 1) != 1) break;
    sum += byte;
  }
  CHECK_EQ(alive, kChildren);
  int expected = 0;
  for (int i = 0; i < kChildren; ++i) expected += (unsigned char)i;
  CHECK_EQ(sum, expected);
  CHECK_EQ(own, 7);
  close(start[1]);
  for (int i = 0; i < kChildren; ++i) {
    int status = 0;
    CHECK_EQ(waitpid(pids[i], &status, 0), pids[i]);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), i % 100);
  }
  CHECK_ERRNO(wait(NULL), ECHILD);
  REPORT();
}
