/* Floating point: SSE2 arithmetic and conversions, vectors as compilers make them, x87 through printf and long double. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

static double Matrix(void) {
  static double a[40][40], b[40][40], c[40][40];
  for (int i = 0; i < 40; ++i)
    for (int j = 0; j < 40; ++j) a[i][j] = 1.0 / (i + j + 1), b[i][j] = (i - j) * 0.125;
  for (int i = 0; i < 40; ++i)
    for (int k = 0; k < 40; ++k)
      for (int j = 0; j < 40; ++j) c[i][j] += a[i][k] * b[k][j];
  double trace = 0;
  for (int i = 0; i < 40; ++i) trace += c[i][i];
  return trace;
}

int main(void) {
  printf("%.17g\n", Matrix());
  volatile double zero = 0, tiny = 4.9e-324, one = 1;
  printf("%g %g %g %g\n", one / zero, -one / zero, tiny / 2, sqrt(2 * one));
  printf("%d %d %d\n", (int)(one * 1e9), (int)(-2.5 * one), (int)lrint(2.5 * one));
  float series = 0;
  for (int i = 1; i < 3000; ++i) series += 1.0f / (float)i;
  printf("%.9g\n", series);
  long double product = 1;
  for (int i = 1; i <= 25; ++i) product *= (long double)i / 3;
  printf("%.21Lg\n", product);
  int32_t ints[256];
  float floats[256];
  for (int i = 0; i < 256; ++i) ints[i] = i * 7919 - 1000000;
  for (int i = 0; i < 256; ++i) floats[i] = (float)ints[i] * 0.5f;
  double sum = 0;
  for (int i = 0; i < 256; ++i) sum += floats[i];
  printf("%.17g\n", sum);
  return 0;
}
