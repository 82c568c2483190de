// A picture squeezed as JPEG does and opened again: colours apart, cosine transforms of blocks of 8
// by 8 (in double, in float, and in integers of 13 bits), quantised, in zigzag, runs and values in
// Huffman codes made for it. ITU-T T.81.
#include <math.h>

#include "compute.h"

enum { kWidth = 96, kHeight = 64, kBlock = 8, kPlanes = 3, kSymbols = 256 };

static uint8_t picture[kHeight][kWidth][3], again[kHeight][kWidth][3];
static int planes[kPlanes][kHeight][kWidth];
static double cosines[kBlock][kBlock];
static int fixed_cosines[kBlock][kBlock];
static int zigzag[64];

static int Bound(int value) { return value < 0 ? 0 : value > 255 ? 255 : value; }

static void MakePicture(void) {
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x) {
      const int dx = x - 40, dy = y - 30;
      const int disc = dx * dx + dy * dy < 500 ? 120 : 0;
      picture[y][x][0] = (uint8_t)Bound(x * 2 + disc);
      picture[y][x][1] = (uint8_t)Bound(y * 3 + (x / 8 + y / 8) % 2 * 40);
      picture[y][x][2] = (uint8_t)Bound(128 + disc - (int)(Random() % 16));
    }
}

static void MakeTables(void) {
  const double pi = acos(-1.0);
  for (int u = 0; u < kBlock; ++u)
    for (int x = 0; x < kBlock; ++x) {
      cosines[u][x] = cos((2 * x + 1) * u * pi / 16) * (u == 0 ? sqrt(0.125) : 0.5);
      fixed_cosines[u][x] = (int)lrint(cosines[u][x] * 8192);
    }
  int n = 0;
  for (int sum = 0; sum < 15; ++sum)
    for (int k = 0; k <= sum; ++k) {
      const int y = sum % 2 == 0 ? sum - k : k, x = sum - y;
      if (y < kBlock && x < kBlock) zigzag[n++] = y * kBlock + x;
    }
}

// Y, Cb, Cr in integers of 16 bits behind the point.
static void Part(void) {
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x) {
      const int r = picture[y][x][0], g = picture[y][x][1], b = picture[y][x][2];
      planes[0][y][x] = ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) - 128;
      planes[1][y][x] = (-11059 * r - 21709 * g + 32768 * b + 32768) >> 16;
      planes[2][y][x] = (32768 * r - 27439 * g - 5329 * b + 32768) >> 16;
    }
}

// The transform in a type of numbers, there and back.
#define TRANSFORM(Name, Number)                                                         \
  static void Name(const Number in[64], Number out[64], int back) {                     \
    Number half[64];                                                                    \
    for (int y = 0; y < kBlock; ++y)                                                    \
      for (int u = 0; u < kBlock; ++u) {                                                \
        Number sum = 0;                                                                 \
        for (int x = 0; x < kBlock; ++x)                                                \
          sum += in[y * kBlock + x] * (Number)(back ? cosines[x][u] : cosines[u][x]);   \
        half[y * kBlock + u] = sum;                                                     \
      }                                                                                 \
    for (int v = 0; v < kBlock; ++v)                                                    \
      for (int u = 0; u < kBlock; ++u) {                                                \
        Number sum = 0;                                                                 \
        for (int y = 0; y < kBlock; ++y)                                                \
          sum += half[y * kBlock + u] * (Number)(back ? cosines[y][v] : cosines[v][y]); \
        out[v * kBlock + u] = sum;                                                      \
      }                                                                                 \
  }
TRANSFORM(TransformDouble, double)
TRANSFORM(TransformFloat, float)

static void TransformInteger(const int in[64], int out[64]) {
  int half[64];
  for (int y = 0; y < kBlock; ++y)
    for (int u = 0; u < kBlock; ++u) {
      int sum = 4096;
      for (int x = 0; x < kBlock; ++x) sum += in[y * kBlock + x] * fixed_cosines[u][x];
      half[y * kBlock + u] = sum >> 13;
    }
  for (int v = 0; v < kBlock; ++v)
    for (int u = 0; u < kBlock; ++u) {
      int sum = 4096;
      for (int y = 0; y < kBlock; ++y) sum += half[y * kBlock + u] * fixed_cosines[v][y];
      out[v * kBlock + u] = sum >> 13;
    }
}

// --- Huffman ---

static unsigned long counts[kSymbols];
static int lengths[kSymbols];
static uint32_t codes[kSymbols];

// Lengths by joining the two rarest trees; codes in order of length and symbol.
static void MakeCodes(void) {
  int parents[2 * kSymbols], nodes = kSymbols;
  unsigned long weights[2 * kSymbols];
  for (int i = 0; i < 2 * kSymbols; ++i) {
    parents[i] = -1;
    weights[i] = i < kSymbols ? counts[i] : 0;
  }
  for (;;) {
    int rare[2] = {-1, -1};
    for (int i = 0; i < nodes; ++i) {
      if (weights[i] == 0 || parents[i] >= 0) continue;
      if (rare[0] < 0 || weights[i] < weights[rare[0]]) {
        rare[1] = rare[0];
        rare[0] = i;
      } else if (rare[1] < 0 || weights[i] < weights[rare[1]]) {
        rare[1] = i;
      }
    }
    if (rare[1] < 0) break;
    weights[nodes] = weights[rare[0]] + weights[rare[1]];
    parents[rare[0]] = parents[rare[1]] = nodes++;
  }
  uint32_t code = 0;
  for (int i = 0; i < kSymbols; ++i) {
    lengths[i] = 0;
    for (int at = i; counts[i] != 0 && parents[at] >= 0; at = parents[at]) ++lengths[i];
  }
  for (int length = 1; length < 32; ++length, code <<= 1)
    for (int i = 0; i < kSymbols; ++i)
      if (lengths[i] == length) codes[i] = code++;
}

static uint8_t stream[kWidth * kHeight * 4];
static size_t bits;

static void Put(uint32_t value, int count) {
  for (int i = count - 1; i >= 0; --i, ++bits)
    stream[bits / 8] |= (uint8_t)((value >> i & 1) << (7 - bits % 8));
}
static uint32_t Take(int count) {
  uint32_t value = 0;
  for (int i = 0; i < count; ++i, ++bits)
    value = value << 1 | (stream[bits / 8] >> (7 - bits % 8) & 1);
  return value;
}
static int TakeSymbol(void) {
  uint32_t code = 0;
  for (int length = 1; length < 32; ++length) {
    code = code << 1 | Take(1);
    for (int i = 0; i < kSymbols; ++i)
      if (lengths[i] == length && codes[i] == code) return i;
  }
  return -1;
}

static int SizeOf(int value) {
  const unsigned size = value < 0 ? (unsigned)-value : (unsigned)value;
  return size == 0 ? 0 : 32 - __builtin_clz(size);
}

// A block as symbols (zeros before it, size of the value) and bits; counted only where `write` is
// 0.
static void Code(const int block[64], int write) {
  int run = 0;
  for (int i = 0; i < 64; ++i) {
    const int value = block[zigzag[i]];
    if (value == 0 && i != 63) {
      ++run;
      continue;
    }
    for (; run > 15; run -= 16) {
      if (write) Put(codes[0xF0], lengths[0xF0]);
      ++counts[0xF0];
    }
    const int size = SizeOf(value), symbol = run << 4 | size;
    ++counts[symbol];
    if (write) {
      Put(codes[symbol], lengths[symbol]);
      Put((uint32_t)(value < 0 ? value + (1 << size) - 1 : value), size);
    }
    run = 0;
  }
}
static void Open(int block[64]) {
  memset(block, 0, 64 * sizeof *block);
  for (int i = 0; i < 64; ++i) {
    const int symbol = TakeSymbol();
    if (symbol < 0) return;
    i += symbol >> 4;
    const int size = symbol & 15;
    if (i > 63 || symbol == 0xF0) continue;
    const int value = (int)Take(size);
    if (size != 0) block[zigzag[i]] = value >> (size - 1) != 0 ? value : value - (1 << size) + 1;
  }
}

static int Step(int plane, int i) { return 3 + (i / kBlock + i % kBlock) * (plane == 0 ? 2 : 4); }

static void Join(int plane, int y, int x, const double values[64]) {
  for (int i = 0; i < 64; ++i)
    planes[plane][y + i / kBlock][x + i % kBlock] = (int)lrint(values[i]);
}

int main(void) {
  MakePicture();
  MakeTables();
  Part();
  static int blocks[kPlanes * (kHeight / kBlock) * (kWidth / kBlock)][64];
  uint64_t floats = kHashStart, integers = kHashStart;
  int n = 0, apart = 0;
  for (int p = 0; p < kPlanes; ++p)
    for (int y = 0; y < kHeight; y += kBlock)
      for (int x = 0; x < kWidth; x += kBlock, ++n) {
        double d[64], dt[64];
        float f[64], ft[64];
        int k[64], kt[64];
        for (int i = 0; i < 64; ++i) d[i] = f[i] = (float)(k[i] = planes[p][y + i / 8][x + i % 8]);
        TransformDouble(d, dt, 0);
        TransformFloat(f, ft, 0);
        TransformInteger(k, kt);
        floats = Hash(Hash(floats, ft, sizeof ft), dt, sizeof dt);
        integers = Hash(integers, kt, sizeof kt);
        for (int i = 0; i < 64; ++i) {
          apart += fabs(dt[i] - kt[i]) > 4;
          blocks[n][i] = (int)lrint(dt[i] / Step(p, i));
        }
      }
  Tell("floats", floats);
  Tell("integers", integers);
  for (int i = 0; i < n; ++i) Code(blocks[i], 0);
  MakeCodes();
  for (int i = 0; i < n; ++i) Code(blocks[i], 1);
  printf("%d far apart, %zu bits\n", apart, bits);
  Tell("stream", Hash(kHashStart, stream, bits / 8 + 1));

  bits = 0;
  int wrong = 0;
  n = 0;
  for (int p = 0; p < kPlanes; ++p)
    for (int y = 0; y < kHeight; y += kBlock)
      for (int x = 0; x < kWidth; x += kBlock, ++n) {
        int block[64];
        double values[64], opened[64];
        Open(block);
        wrong += memcmp(block, blocks[n], sizeof block) != 0;
        for (int i = 0; i < 64; ++i) values[i] = block[i] * Step(p, i);
        TransformDouble(values, opened, 1);
        Join(p, y, x, opened);
      }
  int64_t noise = 0;
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x) {
      const double l = planes[0][y][x] + 128, cb = planes[1][y][x], cr = planes[2][y][x];
      const double rgb[3] = {l + 1.402 * cr, l - 0.344136 * cb - 0.714136 * cr, l + 1.772 * cb};
      for (int c = 0; c < 3; ++c) {
        again[y][x][c] = (uint8_t)Bound((int)lrint(rgb[c]));
        const int difference = again[y][x][c] - picture[y][x][c];
        noise += difference * difference;
      }
    }
  printf("%d blocks wrong, noise %lld\n", wrong, (long long)noise);
  Tell("again", Hash(kHashStart, again, sizeof again));
  return 0;
}
