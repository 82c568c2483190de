// Fills the disk with a file, then with names, then with deep directories; each ends with ENOSPC.
#include "guest.h"

static char block[65536];

static void Number(char* at, long n) {
  for (int i = 8; i-- > 0; n /= 10) at[i] = (char)('0' + n % 10);
}

void Main(void) {
  long result;
  const long fd = Call(kOpen, (long)"/big", 0101, 0600, 0);
  do result = Call(kWrite, fd, (long)block, sizeof block, 0);
  while (result > 0);
  SayErrno(result, 28, "a file: ENOSPC\n");
  Call(77, fd, 0, 0, 0);  // ftruncate
  char name[] = "/00000000";
  long count = 0;
  do {
    Number(name + 1, count++);
    result = Call(kSymlink, (long)"/target", (long)name, 0, 0);
  } while (result == 0);
  SayErrno(result, 28, "names: ENOSPC\n");
  while (--count >= 0) {
    Number(name + 1, count);
    Call(87, (long)name, 0, 0, 0);  // unlink
  }
  do {
    result = Call(kMkdir, (long)"deep", 0700, 0, 0);
    if (result == 0) result = Call(kChdir, (long)"deep", 0, 0, 0);
  } while (result == 0);
  SayErrno(result, 28, "directories: ENOSPC\n");
  Exit(0);
}
