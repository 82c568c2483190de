// Writes to one page after the other, for ever.
#include "guest.h"

enum { kPiece = 1 << 20, kPage = 4096 };

void Main(void) {
  for (;;) {
    char* const piece = (char*)Call6(kMmap, 0, kPiece, 3, 0x22, -1, 0);
    if ((long)piece < 0 && (long)piece > -4096) Exit(1);
    for (long at = 0; at < kPiece; at += kPage) piece[at] = 1;
  }
}
