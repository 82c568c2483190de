/* Integer work of every width: sieve, sorting, hashing, 128-bit products, division, shifts and rotates. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252u;
static uint64_t Next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static int Compare(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static unsigned Sieve(unsigned limit) {
  unsigned char *composite = calloc(limit + 1, 1);
  unsigned count = 0;
  for (unsigned i = 2; i <= limit; ++i) {
    if (composite[i]) continue;
    ++count;
    for (uint64_t j = (uint64_t)i * i; j <= limit; j += i) composite[j] = 1;
  }
  free(composite);
  return count;
}

static uint64_t Fnv(const void *bytes, size_t size) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < size; ++i) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
  return hash;
}

int main(void) {
  printf("primes below 200000: %u\n", Sieve(200000));

  static int64_t numbers[20000];
  for (int i = 0; i < 20000; ++i) numbers[i] = (int64_t)Next();
  qsort(numbers, 20000, sizeof numbers[0], Compare);
  printf("sorted: %016llx\n", (unsigned long long)Fnv(numbers, sizeof numbers));

  uint64_t mix = 0;
  for (int i = 0; i < 50000; ++i) {
    const uint64_t a = Next(), b = Next() | 1;
    const unsigned __int128 product = (unsigned __int128)a * b;
    mix += (uint64_t)(product >> 64) ^ (uint64_t)product;
    mix ^= a / b + a % b + (uint64_t)((int64_t)a / (int32_t)(b | 1));
    mix = mix << (a & 63) | mix >> (-a & 63);
    mix += (uint8_t)((uint8_t)a * (uint8_t)b) + (uint16_t)((uint16_t)a / ((uint16_t)b | 1));
    mix ^= (uint64_t)__builtin_popcountll(a) << 32 | (uint64_t)__builtin_clzll(b) << 16 | __builtin_ctzll(a | 1u << 31);
  }
  printf("mixed: %016llx\n", (unsigned long long)mix);

  char text[4096];
  size_t used = 0;
  for (int i = 0; i < 300; ++i) used += (size_t)snprintf(text + used, sizeof text - used, "%d,", (int)(Next() % 100000));
  printf("text: %zu %016llx\n", strlen(text), (unsigned long long)Fnv(text, used));
  return 0;
}
