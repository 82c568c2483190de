// Sorting: the library's qsort over structures, heap sort over integers, radix sort over doubles,
// merge sort over strings.
#include "compute.h"

struct Point {
  int32_t x, y;
  double distance;
  char name[12];
};

static int ByDistance(const void* a, const void* b) {
  const struct Point *p = a, *q = b;
  if (p->distance != q->distance) return p->distance < q->distance ? -1 : 1;
  return memcmp(p->name, q->name, sizeof p->name);
}

static void HeapSort(int64_t* values, size_t count) {
  for (size_t end = count, start = count / 2; end > 1;) {
    int64_t moved;
    if (start > 0) {
      moved = values[--start];
    } else {
      moved = values[--end];
      values[end] = values[0];
    }
    size_t hole = start;
    for (size_t child; (child = 2 * hole + 1) < end; hole = child) {
      if (child + 1 < end && values[child + 1] > values[child]) ++child;
      if (values[child] <= moved) break;
      values[hole] = values[child];
    }
    values[hole] = moved;
  }
}

// By the bits of the number, turned so that they order as the numbers do.
static void RadixSort(double* values, double* spare, size_t count) {
  for (int shift = 0; shift < 64; shift += 8) {
    size_t places[257] = {0};
    for (size_t i = 0; i < count; ++i) {
      uint64_t bits;
      memcpy(&bits, &values[i], 8);
      bits ^= (bits >> 63) != 0 ? ~(uint64_t)0 : (uint64_t)1 << 63;
      ++places[(bits >> shift & 255) + 1];
    }
    for (int i = 1; i < 257; ++i) places[i] += places[i - 1];
    for (size_t i = 0; i < count; ++i) {
      uint64_t bits;
      memcpy(&bits, &values[i], 8);
      bits ^= (bits >> 63) != 0 ? ~(uint64_t)0 : (uint64_t)1 << 63;
      spare[places[bits >> shift & 255]++] = values[i];
    }
    memcpy(values, spare, count * sizeof *values);
  }
}

static void MergeSort(const char** lines, const char** spare, size_t count) {
  if (count < 2) return;
  const size_t half = count / 2;
  MergeSort(lines, spare, half);
  MergeSort(lines + half, spare, count - half);
  memcpy(spare, lines, count * sizeof *lines);
  for (size_t i = 0, j = half, k = 0; k < count; ++k)
    lines[k] =
        j == count || (i < half && strcmp(spare[i], spare[j]) <= 0) ? spare[i++] : spare[j++];
}

int main(void) {
  enum { kPoints = 4000, kNumbers = 20000, kLines = 5000 };
  static struct Point points[kPoints];
  for (int i = 0; i < kPoints; ++i) {
    points[i].x = (int32_t)Random() % 1000;
    points[i].y = (int32_t)Random() % 1000;
    points[i].distance = (double)points[i].x * points[i].x + (double)points[i].y * points[i].y;
    snprintf(points[i].name, sizeof points[i].name, "p%u", Random() % 100000);
  }
  qsort(points, kPoints, sizeof points[0], ByDistance);
  uint64_t hash = kHashStart;
  for (int i = 0; i < kPoints; ++i) {
    hash = Hash(hash, &points[i].x, 8);
    hash = Hash(hash, points[i].name, strlen(points[i].name));
  }
  Tell("qsort", hash);
  printf("nearest %s %.0f, farthest %s %.0f\n", points[0].name, points[0].distance,
         points[kPoints - 1].name, points[kPoints - 1].distance);

  static int64_t integers[kNumbers];
  for (int i = 0; i < kNumbers; ++i)
    integers[i] = (int64_t)((uint64_t)Random() << 32 | Random()) >> (Random() % 60);
  HeapSort(integers, kNumbers);
  for (int i = 1; i < kNumbers; ++i)
    if (integers[i - 1] > integers[i]) return 1;
  Tell("heap", Hash(kHashStart, integers, sizeof integers));

  static double doubles[kNumbers], spare[kNumbers];
  for (int i = 0; i < kNumbers; ++i) doubles[i] = (Fraction() - 0.5) * (1 << (Random() % 30));
  RadixSort(doubles, spare, kNumbers);
  Tell("radix", Hash(kHashStart, doubles, sizeof doubles));
  printf("%.17g %.17g %.17g\n", doubles[0], doubles[kNumbers / 2], doubles[kNumbers - 1]);

  static char text[kLines][16];
  static const char *lines[kLines], *more[kLines];
  for (int i = 0; i < kLines; ++i) {
    const unsigned length = Random() % 15;
    for (unsigned j = 0; j < length; ++j) text[i][j] = (char)('a' + Random() % 5);
    lines[i] = text[i];
  }
  MergeSort(lines, more, kLines);
  hash = kHashStart;
  for (int i = 0; i < kLines; ++i) hash = Hash(hash, lines[i], strlen(lines[i]) + 1);
  Tell("merge", hash);
  return 0;
}
