// Symbolic links to each other, chains of them, and paths that only consist of them.
#include "guest.h"

static char path[8192];

void Main(void) {
  Call(kSymlink, (long)"/a", (long)"/b", 0, 0);
  Call(kSymlink, (long)"/b", (long)"/a", 0, 0);
  SayErrno(Call(kOpen, (long)"/a", 0, 0, 0), 40, "a circle: ELOOP\n");
  Call(kSymlink, (long)".", (long)"/self", 0, 0);
  long n = 0;
  for (int i = 0; i < 600; ++i) {
    for (const char* s = "/self"; *s; ++s) path[n++] = *s;
  }
  path[n] = 0;
  SayErrno(Call(kOpen, (long)path, 0, 0, 0), 40, "a chain: ELOOP\n");
  while (n < 5000) path[n++] = '/';
  path[n] = 0;
  SayErrno(Call(kOpen, (long)path, 0, 0, 0), 36, "a long path: ENAMETOOLONG\n");
  Exit(0);
}
