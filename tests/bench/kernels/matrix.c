/* Double precision matrix product. */
#include <stdio.h>

enum { kSize = 240 };
static double a[kSize][kSize], b[kSize][kSize], c[kSize][kSize];

int main(void) {
  for (int i = 0; i < kSize; ++i)
    for (int j = 0; j < kSize; ++j) a[i][j] = i + j * 0.5, b[i][j] = i - j * 0.25;
  for (int round = 0; round < 8; ++round)
    for (int i = 0; i < kSize; ++i)
      for (int j = 0; j < kSize; ++j) {
        double sum = 0;
        for (int k = 0; k < kSize; ++k) sum += a[i][k] * b[k][j];
        c[i][j] += sum;
      }
  printf("%.6f\n", c[kSize / 2][kSize / 3]);
  return 0;
}
