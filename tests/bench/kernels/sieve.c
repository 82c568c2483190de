/* Integer loops over bytes: primes below 5 million, several times. */
#include <stdio.h>
#include <string.h>

static unsigned char composite[5000001];

int main(void) {
  unsigned count = 0;
  for (int round = 0; round < 6; ++round) {
    memset(composite, 0, sizeof composite);
    count = 0;
    for (unsigned i = 2; i <= 5000000; ++i) {
      if (composite[i]) continue;
      ++count;
      for (unsigned long j = (unsigned long)i * i; j <= 5000000; j += i) composite[j] = 1;
    }
  }
  printf("%u\n", count);
  return 0;
}
