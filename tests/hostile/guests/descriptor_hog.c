// Opens what can be opened until there is no descriptor left.
#include "guest.h"

void Main(void) {
  int ends[2];
  long result;
  do result = Call(kPipe, (long)ends, 0, 0, 0);
  while (result == 0);
  SayErrno(result, 24, "pipes: EMFILE\n");
  do result = Call(kDup, 1, 0, 0, 0);
  while (result >= 0);
  SayErrno(result, 24, "copies: EMFILE\n");
  SayErrno(Call(kOpen, (long)"/", 0, 0, 0), 24, "files: EMFILE\n");
  Exit(0);
}
