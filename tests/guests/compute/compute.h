// What the computing programs share: a generator of numbers that is the same everywhere, and the
// way in which results are told. No clock, no address, nothing of the host: two runs print the same
// bytes.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 88172645463325252u;

// xorshift64: G. Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (2003).
static inline uint32_t Random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (uint32_t)(random_state >> 32);
}

// In [0, 1), of 24 bits: exact in every floating point type.
static inline double Fraction(void) { return (Random() >> 8) / 16777216.0; }

// FNV-1a over what a program computed.
static inline uint64_t Hash(uint64_t hash, const void* data, size_t size) {
  const unsigned char* bytes = data;
  for (size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}
#define kHashStart 0xcbf29ce484222325u

static inline void Tell(const char* what, uint64_t value) {
  printf("%s %016llx\n", what, (unsigned long long)value);
}
