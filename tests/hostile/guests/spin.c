// Never calls, never ends.
#include "guest.h"

void Main(void) {
  Say("ready\n");
  for (;;) __asm__ volatile("");
}
