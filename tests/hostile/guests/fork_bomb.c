// Every process forks until it is told that there can be no more; the first one says what it was told.
#include "guest.h"

void Main(void) {
  int first = 1;
  for (;;) {
    const long child = Call(kFork, 0, 0, 0, 0);
    if (child == 0) first = 0;
    if (child >= 0) continue;
    if (!first) Call(kPause, 0, 0, 0, 0);
    SayErrno(child, 11, "EAGAIN\n");
    Exit(0);
  }
}
