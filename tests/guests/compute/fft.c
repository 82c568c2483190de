// A fast Fourier transform of powers of two, forwards and back, in double, float and long double;
// and a convolution by it.
#include <math.h>

#include "compute.h"

#define TRANSFORM(Name, Real, Sin, Cos)                                       \
  static void Name(Real* re, Real* im, int bits, int sign) {                  \
    const int n = 1 << bits;                                                  \
    for (int i = 0; i < n; ++i) {                                             \
      int j = 0;                                                              \
      for (int b = 0; b < bits; ++b) j |= (i >> b & 1) << (bits - 1 - b);     \
      if (j <= i) continue;                                                   \
      const Real r = re[i], m = im[i];                                        \
      re[i] = re[j], im[i] = im[j];                                           \
      re[j] = r, im[j] = m;                                                   \
    }                                                                         \
    for (int half = 1; half < n; half *= 2) {                                 \
      for (int k = 0; k < half; ++k) {                                        \
        const Real angle = (Real)(sign * 3.14159265358979323846L * k / half); \
        const Real wr = Cos(angle), wi = Sin(angle);                          \
        for (int i = k; i < n; i += 2 * half) {                               \
          const Real tr = wr * re[i + half] - wi * im[i + half];              \
          const Real ti = wr * im[i + half] + wi * re[i + half];              \
          re[i + half] = re[i] - tr;                                          \
          im[i + half] = im[i] - ti;                                          \
          re[i] += tr;                                                        \
          im[i] += ti;                                                        \
        }                                                                     \
      }                                                                       \
    }                                                                         \
  }

TRANSFORM(TransformDouble, double, sin, cos)
TRANSFORM(TransformFloat, float, sinf, cosf)
TRANSFORM(TransformLong, long double, sinl, cosl)

enum { kBits = 10, kSize = 1 << kBits };

int main(void) {
  static double dr[kSize], di[kSize];
  static float fr[kSize], fi[kSize];
  static long double lr[kSize], li[kSize];
  for (int i = 0; i < kSize; ++i) {
    const double value = sin(i * 0.1) + 0.25 * cos(i * 0.7) + Fraction() * 0.01;
    dr[i] = value, fr[i] = (float)value, lr[i] = value;
    di[i] = 0, fi[i] = 0, li[i] = 0;
  }
  TransformDouble(dr, di, kBits, -1);
  TransformFloat(fr, fi, kBits, -1);
  TransformLong(lr, li, kBits, -1);
  for (int i = 0; i < kSize; i += 61)
    printf("%4d %.17g %.17g %.9g %.9g %.20Lg\n", i, dr[i], di[i], fr[i], fi[i], lr[i]);
  Tell("double", Hash(Hash(kHashStart, dr, sizeof dr), di, sizeof di));
  Tell("float", Hash(Hash(kHashStart, fr, sizeof fr), fi, sizeof fi));
  uint64_t hash = kHashStart;
  for (int i = 0; i < kSize; ++i) hash = Hash(hash, &lr[i], 10);  // the rest is padding
  Tell("long double", hash);

  // The spectrum squared is the signal convolved with itself.
  for (int i = 0; i < kSize; ++i) {
    const double r = dr[i], m = di[i];
    dr[i] = (r * r - m * m) / kSize;
    di[i] = 2 * r * m / kSize;
  }
  TransformDouble(dr, di, kBits, 1);
  Tell("convolution", Hash(kHashStart, dr, sizeof dr));
  printf("%.17g %.17g\n", dr[1], di[1]);
  return 0;
}
