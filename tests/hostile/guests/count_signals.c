// Counts; at each SIGUSR1 its handler writes the count so far. The third ends it.
#include "guest.h"

static volatile unsigned long count;
static volatile int seen;

static void Handler(int number) {
  (void)number;
  char text[18];
  unsigned long n = count;
  for (int i = 17; i-- > 0; n >>= 4) text[i] = "0123456789abcdef"[n & 15];
  text[17] = '\n';
  Call(kWrite, 1, (long)text, sizeof text, 0);
  if (++seen == 3) Exit(0);
}

__asm__("Restorer: mov $15, %eax\n syscall\n");
extern void Restorer(void);

void Main(void) {
  struct {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
  } action = {Handler, 0x04000000 /* SA_RESTORER */, Restorer, 0};
  if (Call(kSigaction, 10, (long)&action, 0, 8) != 0) Exit(2);
  Say("ready\n");
  for (;;) ++count;
}
