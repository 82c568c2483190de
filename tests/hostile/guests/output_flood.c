// Output and nothing else.
#include "guest.h"

void Main(void) {
  Say("ready\n");
  for (;;) Say("more and more\n");
}
