// Mounts one file system over the other until there is no room.
#include "guest.h"

void Main(void) {
  enum { kMkdir = 83, kMount = 165 };
  long result;
  Call(kMkdir, (long)"/m", 0700, 0, 0);
  do result = Call(kMount, (long)"none", (long)"/m", (long)"tmpfs", 0);
  while (result == 0);
  SayErrno(result, 28, "mounts: ENOSPC\n");
  Exit(0);
}
