// Random system calls with arguments that mean something, in processes that an alarm ends. What is
// drawn follows from the box' seed.
#include "guest.h"

#ifndef CHILDREN
#define CHILDREN 300
#endif

enum { kNumbers = 470, kCallsEach = 150, kPatienceUs = 5000 };

static unsigned long state;
static unsigned long Next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static char arena[1 << 16] __attribute__((aligned(4096)));

static long Argument(void) {
  static const char* const kNames[] = {"/",     "/tmp/a", "/proc/self/maps", "/dev/null", "a/b",
                                       "/tmp",  "",       "/proc/self/fd/1", "/dev/zero", "..",
                                       "/bin/random_calls"};
  switch (Next() % 10) {
    case 0: return 0;
    case 1: return -1;
    case 2: return (long)(Next() % 16);
    case 3: return (long)(1UL << Next() % 64);
    case 4: return (long)(Next() % 5000);
    case 5: return (long)(arena + Next() % sizeof arena);
    case 6: return (long)(arena + Next() % 16 * 4096);
    case 7: return (long)kNames[Next() % (sizeof kNames / sizeof *kNames)];
    case 8: return (long)(Next() % 16 * 4096);
    default: return (long)Next();
  }
}

static void Child(unsigned long seed) {
  state = seed | 1;
  const long timer[4] = {0, 0, 0, kPatienceUs};
  Call(kSetitimer, 0, (long)timer, 0, 0);
  for (unsigned i = 0; i < sizeof arena; i += 8) *(unsigned long*)(arena + i) = Next() % 3 ? Next() % 64 : Next();
  for (int i = 0; i < kCallsEach; ++i) {
    const long number = (long)(Next() % kNumbers);
    // Not those that end the whole box by design: a signal to everybody, or to the first process.
    if (number == 62 || number == 129 || number == 200 || number == 234 || number == 297 || number == 424) continue;
    Call6(number, Argument(), Argument(), Argument(), Argument(), Argument(), Argument());
  }
  Exit(0);
}

void Main(void) {
  unsigned long seed = 0;
  Call(kGetrandom, (long)&seed, sizeof seed, 0, 0);
  state = seed | 1;
  for (int i = 0; i < CHILDREN; ++i) {
    const unsigned long of_child = Next();
    const long child = Call(kFork, 0, 0, 0, 0);
    if (child == 0) Child(of_child);
    long ended;
    do ended = Call(kWait4, child, 0, 0, 0);
    while (ended == -4);
  }
  Say("survived\n");
  Exit(0);
}
