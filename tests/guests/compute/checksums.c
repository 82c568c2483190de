// CRC-32, CRC-64, Adler-32, SHA-1, SHA-256 over generated data: shifts, rotates, carries, byte
// orders. FIPS 180-4; RFC 1950; ISO 3309.
#include "compute.h"

static uint32_t Left(uint32_t x, int n) { return x << n | x >> (32 - n); }
static uint32_t Right(uint32_t x, int n) { return x >> n | x << (32 - n); }

static uint32_t Crc32(const unsigned char* data, size_t size) {
  static uint32_t table[256];
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? c >> 1 ^ 0xedb88320u : c >> 1;
    table[i] = c;
  }
  uint32_t crc = ~0u;
  while (size-- > 0) crc = table[(crc ^ *data++) & 255] ^ crc >> 8;
  return ~crc;
}

static uint64_t Crc64(const unsigned char* data, size_t size) {
  uint64_t crc = 0;
  while (size-- > 0) {
    crc ^= (uint64_t)*data++ << 56;
    for (int k = 0; k < 8; ++k) crc = (crc >> 63) != 0 ? crc << 1 ^ 0x42f0e1eba9ea3693u : crc << 1;
  }
  return crc;
}

static uint32_t Adler32(const unsigned char* data, size_t size) {
  uint32_t a = 1, b = 0;
  while (size-- > 0) {
    a = (a + *data++) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

static uint32_t BigEndian(const unsigned char* p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void Sha1Block(uint32_t state[5], const unsigned char* block) {
  uint32_t w[80];
  for (int i = 0; i < 16; ++i) w[i] = BigEndian(block + 4 * i);
  for (int i = 16; i < 80; ++i) w[i] = Left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  for (int i = 0; i < 80; ++i) {
    const uint32_t f = i < 20   ? (b & c) | (~b & d)
                       : i < 40 ? b ^ c ^ d
                       : i < 60 ? (b & c) | (b & d) | (c & d)
                                : b ^ c ^ d;
    static const uint32_t kRound[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    const uint32_t t = Left(a, 5) + f + e + kRound[i / 20] + w[i];
    e = d;
    d = c;
    c = Left(b, 30);
    b = a;
    a = t;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

static uint32_t round_words[64];

// The fractional parts of the cube roots of the first primes, without floating point.
static void MakeRoundWords(void) {
  int found = 0;
  for (uint32_t candidate = 2; found < 64; ++candidate) {
    int prime = 1;
    for (uint32_t d = 2; d * d <= candidate; ++d) prime &= candidate % d != 0;
    if (!prime) continue;
    // The largest root with root^3 <= candidate * 2^96, by bisection in 36 bits.
    unsigned long long low = 0, high = 1ull << 36;
    while (high - low > 1) {
      const unsigned long long root = low + (high - low) / 2;
      // root^3 against candidate << 96, in three steps of 32 bits.
      unsigned long long square[4] = {0}, cube[5] = {0};
      const unsigned long long part[2] = {root & 0xffffffff, root >> 32};
      for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 2; ++j) {
          const unsigned long long product = part[i] * part[j];
          square[i + j] += product & 0xffffffff;
          square[i + j + 1] += product >> 32;
        }
      for (int i = 0; i < 3; ++i) {
        square[i + 1] += square[i] >> 32;
        square[i] &= 0xffffffff;
      }
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 2 && i + j < 4; ++j) {
          const unsigned long long product = square[i] * part[j];
          cube[i + j] += product & 0xffffffff;
          cube[i + j + 1] += product >> 32;
        }
      for (int i = 0; i < 4; ++i) {
        cube[i + 1] += cube[i] >> 32;
        cube[i] &= 0xffffffff;
      }
      const unsigned long long top = cube[4] << 32 | cube[3];
      if (top < candidate) {
        low = root;
      } else {
        high = root;
      }
    }
    round_words[found++] = (uint32_t)low;
  }
}

static void Sha256Block(uint32_t state[8], const unsigned char* block) {
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; ++i) w[i] = BigEndian(block + 4 * i);
  for (int i = 16; i < 64; ++i) {
    const uint32_t s0 = Right(w[i - 15], 7) ^ Right(w[i - 15], 18) ^ w[i - 15] >> 3;
    const uint32_t s1 = Right(w[i - 2], 17) ^ Right(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 64; ++i) {
    const uint32_t s1 = Right(s[4], 6) ^ Right(s[4], 11) ^ Right(s[4], 25);
    const uint32_t t1 = s[7] + s1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + round_words[i] + w[i];
    const uint32_t s0 = Right(s[0], 2) ^ Right(s[0], 13) ^ Right(s[0], 22);
    const uint32_t t2 = s0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += t1;
    s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; ++i) state[i] += s[i];
}

int main(void) {
  enum { kBytes = 1 << 16 };
  static unsigned char data[kBytes];
  for (int i = 0; i < kBytes; ++i) data[i] = (unsigned char)Random();
  Tell("crc32", Crc32(data, kBytes));
  printf("check %08x\n", Crc32((const unsigned char*)"123456789", 9));  // cbf43926
  Tell("crc64", Crc64(data, kBytes / 4));
  Tell("adler", Adler32(data, kBytes));
  uint32_t sha1[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  uint32_t sha256[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  MakeRoundWords();
  for (int i = 0; i < kBytes; i += 64) {
    Sha1Block(sha1, data + i);
    Sha256Block(sha256, data + i);
  }
  printf("sha1 ");
  for (int i = 0; i < 5; ++i) printf("%08x", sha1[i]);
  printf("\nsha256 ");
  for (int i = 0; i < 8; ++i) printf("%08x", sha256[i]);
  printf("\n");
  return 0;
}
