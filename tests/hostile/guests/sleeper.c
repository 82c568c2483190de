// Sleeps for ever, a second at a time. In virtual time each sleep is over at once.
#include "guest.h"

void Main(void) {
  const long second[2] = {1, 0};
  Say("ready\n");
  for (;;) Call(kNanosleep, (long)second, 0, 0, 0);
}
