// Rijndael with keys of 128, 192 and 256 bits, its tables computed; a Feistel cipher of 16 rounds
// with S-boxes that its key schedule makes (as Blowfish does, from generated boxes); a stream
// cipher of 20 rounds. Encrypted, decrypted and chained. FIPS 197; RFC 8439.
#include "compute.h"

// --- Rijndael ---

static uint8_t forward_box[256], inverse_box[256];

static uint8_t Times(uint8_t a, uint8_t b) {  // modulo x^8 + x^4 + x^3 + x + 1
  uint8_t product = 0;
  for (; b != 0; b >>= 1) {
    if ((b & 1) != 0) product ^= a;
    a = (uint8_t)(a << 1 ^ ((a & 0x80) != 0 ? 0x1b : 0));
  }
  return product;
}

static void MakeBoxes(void) {
  for (int i = 0; i < 256; ++i) {
    uint8_t inverse = 0;
    for (int j = 1; j < 256 && inverse == 0; ++j)
      if (Times((uint8_t)i, (uint8_t)j) == 1) inverse = (uint8_t)j;
    uint8_t value = 0x63;
    for (int k = 0; k < 5; ++k) value ^= (uint8_t)(inverse << k | inverse >> (8 - k));
    forward_box[i] = value;
    inverse_box[value] = (uint8_t)i;
  }
}

typedef struct {
  int rounds;
  uint8_t keys[15][16];
} Rijndael;

static void Schedule(Rijndael* cipher, const uint8_t* key, int words) {
  uint8_t(*w)[4] = (uint8_t(*)[4])cipher->keys;
  cipher->rounds = words + 6;
  memcpy(w, key, (size_t)words * 4);
  uint8_t constant = 1;
  for (int i = words; i < 4 * (cipher->rounds + 1); ++i) {
    uint8_t t[4];
    memcpy(t, w[i - 1], 4);
    if (i % words == 0) {
      const uint8_t first = t[0];
      t[0] = forward_box[t[1]] ^ constant;
      t[1] = forward_box[t[2]];
      t[2] = forward_box[t[3]];
      t[3] = forward_box[first];
      constant = Times(constant, 2);
    } else if (words > 6 && i % words == 4) {
      for (int k = 0; k < 4; ++k) t[k] = forward_box[t[k]];
    }
    for (int k = 0; k < 4; ++k) w[i][k] = w[i - words][k] ^ t[k];
  }
}

static void AddKey(uint8_t state[16], const uint8_t key[16]) {
  for (int i = 0; i < 16; ++i) state[i] ^= key[i];
}

// Rows are rotated by `step` columns times their number, through `box`.
static void Shift(uint8_t state[16], const uint8_t* box, int step) {
  uint8_t moved[16];
  for (int column = 0; column < 4; ++column)
    for (int row = 0; row < 4; ++row)
      moved[4 * column + row] = box[state[4 * ((column + step * row) & 3) + row]];
  memcpy(state, moved, 16);
}

static void Mix(uint8_t state[16], const uint8_t factors[4]) {
  for (int column = 0; column < 4; ++column) {
    uint8_t* const at = state + 4 * column;
    uint8_t mixed[4];
    for (int row = 0; row < 4; ++row) {
      mixed[row] = 0;
      for (int k = 0; k < 4; ++k) mixed[row] ^= Times(at[k], factors[(k - row) & 3]);
    }
    memcpy(at, mixed, 4);
  }
}

static void Encrypt(const Rijndael* cipher, uint8_t block[16]) {
  static const uint8_t kFactors[4] = {2, 3, 1, 1};
  AddKey(block, cipher->keys[0]);
  for (int round = 1; round <= cipher->rounds; ++round) {
    Shift(block, forward_box, 1);
    if (round != cipher->rounds) Mix(block, kFactors);
    AddKey(block, cipher->keys[round]);
  }
}

static void Decrypt(const Rijndael* cipher, uint8_t block[16]) {
  static const uint8_t kFactors[4] = {14, 11, 13, 9};
  for (int round = cipher->rounds; round >= 1; --round) {
    AddKey(block, cipher->keys[round]);
    if (round != cipher->rounds) Mix(block, kFactors);
    Shift(block, inverse_box, 3);
  }
  AddKey(block, cipher->keys[0]);
}

static void RunRijndael(void) {
  MakeBoxes();
  for (int words = 4; words <= 8; words += 2) {
    uint8_t key[32], block[16];
    for (int i = 0; i < 32; ++i) key[i] = (uint8_t)i;
    for (int i = 0; i < 16; ++i) block[i] = (uint8_t)(i * 0x11);
    Rijndael cipher;
    Schedule(&cipher, key, words);
    Encrypt(&cipher, block);
    printf("rijndael-%d ", words * 32);  // FIPS 197, appendix C: 69c4e0d8, dda97ca4, 8ea2b7ca
    for (int i = 0; i < 16; ++i) printf("%02x", block[i]);
    Decrypt(&cipher, block);
    printf(" %s\n", block[15] == 0xff && block[0] == 0 ? "and back" : "NOT back");

    uint64_t hash = kHashStart;
    uint8_t chain[16] = {0};
    for (int n = 0; n < 200; ++n) {
      for (int i = 0; i < 16; ++i) chain[i] ^= (uint8_t)Random();
      Encrypt(&cipher, chain);
      hash = Hash(hash, chain, sizeof chain);
    }
    Tell("chained", hash);
  }
}

// --- A Feistel cipher ---

typedef struct {
  uint32_t keys[18];
  uint32_t boxes[4][256];
} Feistel;

static uint32_t Round(const Feistel* cipher, uint32_t x) {
  return ((cipher->boxes[0][x >> 24] + cipher->boxes[1][x >> 16 & 255]) ^
          cipher->boxes[2][x >> 8 & 255]) +
         cipher->boxes[3][x & 255];
}

// `first` to `last` in either direction: the keys backwards decrypt.
static void Feist(const Feistel* cipher, uint32_t* left, uint32_t* right, int first, int step) {
  uint32_t l = *left, r = *right;
  for (int i = 0; i < 16; ++i) {
    l ^= cipher->keys[first + step * i];
    r ^= Round(cipher, l);
    const uint32_t t = l;
    l = r;
    r = t;
  }
  *left = r ^ cipher->keys[first + step * 17];
  *right = l ^ cipher->keys[first + step * 16];
}

static void RunFeistel(void) {
  static Feistel cipher;
  static const char kKey[] = "a key of some length";
  for (int i = 0; i < 18; ++i) cipher.keys[i] = Random() ^ (uint32_t)kKey[i] * 0x01010101u;
  for (int b = 0; b < 4; ++b)
    for (int i = 0; i < 256; ++i) cipher.boxes[b][i] = Random();
  uint32_t l = 0, r = 0;
  for (int i = 0; i < 18; i += 2) {
    Feist(&cipher, &l, &r, 0, 1);
    cipher.keys[i] = l;
    cipher.keys[i + 1] = r;
  }
  for (int b = 0; b < 4; ++b)
    for (int i = 0; i < 256; i += 2) {
      Feist(&cipher, &l, &r, 0, 1);
      cipher.boxes[b][i] = l;
      cipher.boxes[b][i + 1] = r;
    }
  uint64_t hash = kHashStart;
  int back = 0;
  for (int n = 0; n < 4000; ++n) {
    const uint32_t plain[2] = {Random(), Random()};
    uint32_t block[2] = {plain[0], plain[1]};
    Feist(&cipher, &block[0], &block[1], 0, 1);
    hash = Hash(hash, block, sizeof block);
    Feist(&cipher, &block[0], &block[1], 17, -1);
    back += memcmp(plain, block, sizeof block) == 0;
  }
  Tell("feistel", hash);
  printf("%d back\n", back);
}

// --- ChaCha20 ---

static uint32_t Left(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void Quarter(uint32_t* a, uint32_t* b, uint32_t* c, uint32_t* d) {
  *a += *b, *d = Left(*d ^ *a, 16);
  *c += *d, *b = Left(*b ^ *c, 12);
  *a += *b, *d = Left(*d ^ *a, 8);
  *c += *d, *b = Left(*b ^ *c, 7);
}

static void RunStream(void) {
  // RFC 8439, 2.3.2: the block begins with e4e7f110.
  uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  for (uint32_t i = 0; i < 8; ++i) start[4 + i] = 0x03020100 + i * 0x04040404;
  start[12] = 1, start[13] = 0x09000000, start[14] = 0x4a000000;
  uint64_t hash = kHashStart;
  for (int n = 0; n < 600; ++n, ++start[12]) {
    uint32_t x[16];
    memcpy(x, start, sizeof x);
    for (int i = 0; i < 10; ++i) {
      for (int k = 0; k < 4; ++k) Quarter(&x[k], &x[4 + k], &x[8 + k], &x[12 + k]);
      for (int k = 0; k < 4; ++k)
        Quarter(&x[k], &x[4 + (k + 1) % 4], &x[8 + (k + 2) % 4], &x[12 + (k + 3) % 4]);
    }
    for (int i = 0; i < 16; ++i) x[i] += start[i];
    if (n == 0) printf("stream %08x\n", x[0]);
    hash = Hash(hash, x, sizeof x);
  }
  Tell("stream", hash);
}

int main(void) {
  RunRijndael();
  RunFeistel();
  RunStream();
  return 0;
}
