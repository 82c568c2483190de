// Every system call with pointers that lead nowhere, each in a process of its own that an alarm
// ends.
#include "guest.h"

enum { kNumbers = 470, kVariants = 12, kPatienceUs = 2000 };

static long Variant(int variant, const char* edge, const char* read_only) {
  switch (variant) {
    case 0:
      return 0;
    case 1:
      return 1;
    case 2:
      return -1;
    case 3:
      return -4096;
    case 4:
      return (long)0x8000000000000000UL;
    case 5:
      return 0x7fffffffffffL;
    case 6:
      return 0x7ffffffff000L;
    case 7:
      return (long)0xffffffff80000000UL;
    case 8:
      return (long)edge - 1;
    case 9:
      return (long)edge - 8;
    case 10:
      return (long)read_only;
    default:
      return (long)edge;
  }
}

void Main(void) {
  // kill(-1, 1) is among the calls: it reaches everybody.
  const long hangup = 1;
  Call(kRtSigprocmask, 0, (long)&hangup, 0, 8);
  // A page that ends where nothing is mapped, and one that cannot be written to.
  char* const page = (char*)Call6(kMmap, 0, 8192, 3, 0x22, -1, 0);
  Call(kMprotect, (long)page + 4096, 4096, 0, 0);
  char* const read_only = (char*)Call6(kMmap, 0, 4096, 1, 0x22, -1, 0);
  for (int number = 0; number < kNumbers; ++number) {
    for (int variant = 0; variant < kVariants; ++variant) {
      const long child = Call(kFork, 0, 0, 0, 0);
      if (child == 0) {
        const long timer[4] = {0, 0, 0, kPatienceUs};
        Call(kSetitimer, 0, (long)timer, 0, 0);
        const long bad = Variant(variant, page + 4096, read_only);
        // Pointers are at any place; what stands at the others is small and often allowed.
        for (int place = 0; place < 64; ++place) {
          long a[6];
          for (int i = 0; i < 6; ++i) a[i] = place >> i & 1 ? bad : i == 0 ? 3 : 1;
          Call6(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        }
        Exit(0);
      }
      long ended;
      do ended = Call(kWait4, child, 0, 0, 0);
      while (ended == -4);
      // What it has made by fork(2) goes on making more.
      Call(kKill, -1, 9, 0, 0);
    }
  }
  Say("survived\n");
  Exit(0);
}
