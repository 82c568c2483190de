#include "guest.h"

void Main(void) {
  Say("hello\n");
  Exit(0);
}
