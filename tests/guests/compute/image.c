// A picture smoothed, its edges and its corners found, brightness equalised, in integers of 8 to 32
// bits: as the "susan" of benchmark suites.
#include "compute.h"

enum { kWidth = 160, kHeight = 120 };
typedef unsigned char Picture[kHeight][kWidth];

static void Draw(Picture picture) {
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x) {
      int value = (x * 3 + y * 2) / 4;
      if ((x - 60) * (x - 60) + (y - 50) * (y - 50) < 900) value = 220 - value / 2;
      if (x > 90 && x < 140 && y > 60 && y < 100) value ^= 0x70;
      picture[y][x] = (unsigned char)(value + (int)(Random() % 17) - 8);
    }
}

// How alike two brightnesses are, 0 to 100, by their difference.
static unsigned char alike[511];
static void MakeAlike(int threshold) {
  for (int d = -255; d <= 255; ++d) {
    int value = 100;
    for (int i = 0; i < 6; ++i) value = value * threshold / (threshold + abs(d));
    alike[d + 255] = (unsigned char)value;
  }
}

static void Smooth(Picture from, Picture to) {
  memcpy(to, from, sizeof(Picture));
  for (int y = 2; y < kHeight - 2; ++y)
    for (int x = 2; x < kWidth - 2; ++x) {
      int total = 0, weight = 0;
      for (int dy = -2; dy <= 2; ++dy)
        for (int dx = -2; dx <= 2; ++dx) {
          const int w = alike[from[y + dy][x + dx] - from[y][x] + 255] * (9 - dx * dx - dy * dy);
          total += w * from[y + dy][x + dx];
          weight += w;
        }
      to[y][x] = (unsigned char)(total / weight);
    }
}

static int Edges(Picture from, Picture to) {
  int found = 0;
  memset(to, 0, sizeof(Picture));
  for (int y = 1; y < kHeight - 1; ++y)
    for (int x = 1; x < kWidth - 1; ++x) {
      const int gx = from[y - 1][x + 1] + 2 * from[y][x + 1] + from[y + 1][x + 1] -
                     from[y - 1][x - 1] - 2 * from[y][x - 1] - from[y + 1][x - 1];
      const int gy = from[y + 1][x - 1] + 2 * from[y + 1][x] + from[y + 1][x + 1] -
                     from[y - 1][x - 1] - 2 * from[y - 1][x] - from[y - 1][x + 1];
      const int size = abs(gx) + abs(gy);
      to[y][x] = (unsigned char)(size > 255 ? 255 : size);
      found += size > 120;
    }
  return found;
}

static int Corners(Picture from, long* where) {
  int found = 0;
  for (int y = 3; y < kHeight - 3; ++y)
    for (int x = 3; x < kWidth - 3; ++x) {
      int area = 0;
      for (int dy = -3; dy <= 3; ++dy)
        for (int dx = -3; dx <= 3; ++dx) area += alike[from[y + dy][x + dx] - from[y][x] + 255];
      if (area < 1900) {
        ++found;
        *where += (long)x * y;
      }
    }
  return found;
}

static void Equalise(Picture picture) {
  uint32_t histogram[256] = {0};
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x) ++histogram[picture[y][x]];
  for (int i = 1; i < 256; ++i) histogram[i] += histogram[i - 1];
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x)
      picture[y][x] = (unsigned char)(histogram[picture[y][x]] * 255u / (kWidth * kHeight));
}

int main(void) {
  static Picture picture, smooth, edges;
  Draw(picture);
  Tell("drawn", Hash(kHashStart, picture, sizeof picture));
  MakeAlike(20);
  Smooth(picture, smooth);
  Tell("smooth", Hash(kHashStart, smooth, sizeof smooth));
  printf("%d edge points\n", Edges(smooth, edges));
  Tell("edges", Hash(kHashStart, edges, sizeof edges));
  long where = 0;
  printf("%d corner points", Corners(smooth, &where));
  printf(" at %ld\n", where);
  Equalise(smooth);
  Tell("equal", Hash(kHashStart, smooth, sizeof smooth));
  for (int y = 0; y < kHeight; y += 12) {
    for (int x = 0; x < kWidth; x += 4) putchar(" .:-=+*#%@"[edges[y][x] * 10 / 256]);
    putchar('\n');
  }
  return 0;
}
