// Bits counted in seven ways that must agree; reversed, spread and gathered; big numbers multiplied
// and divided with the carries of every width.
#include "compute.h"

static int Shift(uint64_t x) {
  int count = 0;
  for (; x != 0; x >>= 1) count += (int)(x & 1);
  return count;
}
static int Sparse(uint64_t x) {
  int count = 0;
  for (; x != 0; x &= x - 1) ++count;
  return count;
}
static int Parallel(uint64_t x) {
  x -= x >> 1 & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return (int)(x * 0x0101010101010101u >> 56);
}
static int Table(uint64_t x) {
  static const char kNibble[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};
  int count = 0;
  for (int i = 0; i < 16; ++i) count += kNibble[x >> (4 * i) & 15];
  return count;
}
static int Recursive(uint64_t x, int width) {
  if (width == 1) return (int)(x & 1);
  return Recursive(x, width / 2) + Recursive(x >> (width / 2), width / 2);
}
static int Builtin(uint64_t x) { return __builtin_popcountll(x); }
static int Modulo(uint64_t x) {
  int count = 0;
  for (; x != 0; x /= 2) count += (int)(x % 2);
  return count;
}

static uint64_t Reverse(uint64_t x) {
  uint64_t r = 0;
  for (int i = 0; i < 64; ++i) r |= (x >> i & 1) << (63 - i);
  return r;
}
static uint64_t Spread(uint32_t x) {
  uint64_t r = 0;
  for (int i = 0; i < 32; ++i) r |= (uint64_t)(x >> i & 1) << (2 * i);
  return r;
}

enum { kWords = 40 };

static void Multiply(uint32_t* number, uint32_t by) {
  uint64_t carry = 0;
  for (int i = 0; i < kWords; ++i) {
    carry += (uint64_t)number[i] * by;
    number[i] = (uint32_t)carry;
    carry >>= 32;
  }
}
static uint32_t Divide(uint32_t* number, uint32_t by) {
  uint64_t rest = 0;
  for (int i = kWords; i-- > 0;) {
    rest = rest << 32 | number[i];
    number[i] = (uint32_t)(rest / by);
    rest %= by;
  }
  return (uint32_t)rest;
}

int main(void) {
  int differences = 0;
  uint64_t total = 0, hash = kHashStart;
  for (int i = 0; i < 20000; ++i) {
    const uint64_t x = ((uint64_t)Random() << 32 | Random()) >> (i % 64);
    const int count = Shift(x);
    differences += (Sparse(x) != count) + (Parallel(x) != count) + (Table(x) != count) +
                   (Recursive(x, 64) != count) + (Builtin(x) != count) + (Modulo(x) != count);
    total += (uint64_t)count;
    if (i % 16 != 0) continue;
    const uint64_t mixed[5] = {Reverse(x), Spread((uint32_t)x), __builtin_bswap64(x),
                               (uint64_t)__builtin_clzll(x | 1),
                               (uint64_t)__builtin_ctzll(x | 1ull << 63)};
    hash = Hash(hash, mixed, sizeof mixed);
  }
  printf("%d differences, %llu bits\n", differences, (unsigned long long)total);
  Tell("mixed", hash);

  uint32_t number[kWords] = {1};
  for (uint32_t i = 2; i <= 200; ++i) Multiply(number, i);
  Tell("factorial", Hash(kHashStart, number, sizeof number));
  char digits[500];
  int count = 0;
  for (int more = 1; more;) {
    digits[count++] = (char)('0' + Divide(number, 10));
    more = 0;
    for (int i = 0; i < kWords; ++i) more |= number[i] != 0;
  }
  for (int i = count; i-- > 0;) putchar(digits[i]);
  putchar('\n');
  return 0;
}
