// System calls and nothing else.
#include "guest.h"

void Main(void) {
  Say("ready\n");
  for (;;) Call(kGetpid, 0, 0, 0, 0);
}
