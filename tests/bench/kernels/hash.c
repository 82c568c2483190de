/* Random access: an open hash table over 64 MiB. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  const uint64_t slots = 1u << 23;
  uint64_t *table = calloc(slots, sizeof *table), state = 88172645463325252u, probes = 0;
  for (int i = 0; i < 3000000; ++i) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    uint64_t at = state * 0x9e3779b97f4a7c15u >> 41;
    while (table[at] != 0 && table[at] != state) at = (at + 1) & (slots - 1), ++probes;
    table[at] = state;
  }
  printf("%llu\n", (unsigned long long)probes);
  return 0;
}
