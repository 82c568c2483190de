// Cubic equations, integer roots, angles, gcds, the functions of libm over ranges, conversions
// between all types: what the "basicmath" of benchmark suites does.
#include <fenv.h>
#include <float.h>
#include <math.h>

#include "compute.h"

// The real roots of x^3 + a x^2 + b x + c: Viète and Cardano.
static int Cubic(double a, double b, double c, double roots[3]) {
  const double q = (a * a - 3 * b) / 9, r = (2 * a * a * a - 9 * a * b + 27 * c) / 54;
  const double pi = acos(-1.0);
  if (r * r < q * q * q) {
    const double angle = acos(r / sqrt(q * q * q)), scale = -2 * sqrt(q);
    for (int i = 0; i < 3; ++i) roots[i] = scale * cos((angle + 2 * pi * (i - 1)) / 3) - a / 3;
    return 3;
  }
  const double s = -copysign(cbrt(fabs(r) + sqrt(r * r - q * q * q)), r);
  roots[0] = s + (s == 0 ? 0 : q / s) - a / 3;
  return 1;
}

static uint32_t IntegerRoot(uint64_t n) {
  uint64_t root = 0;
  for (uint64_t bit = (uint64_t)1 << 31; bit != 0; bit >>= 1)
    if ((root | bit) * (root | bit) <= n) root |= bit;
  return (uint32_t)root;
}

static uint64_t Gcd(uint64_t a, uint64_t b) {
  while (b != 0) {
    const uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static double (*const kFunctions[])(double) = {
    sin,  cos,  tan, asin,  acos, atan, sinh,  cosh,  tanh, exp,   exp2,  log,    log2,  log10,
    sqrt, cbrt, erf, floor, ceil, rint, trunc, round, fabs, expm1, log1p, lgamma, tgamma};

int main(void) {
  double roots[3];
  uint64_t hash = kHashStart;
  for (int a = -4; a <= 4; ++a)
    for (int b = -10; b <= 10; b += 2)
      for (int c = -15; c <= 15; c += 3) {
        const int count = Cubic(a, b + 0.25, c, roots);
        hash = Hash(hash, roots, (size_t)count * sizeof *roots);
        if (a == 0 && b == -10) printf("%d roots, the first %.15g\n", count, roots[0]);
      }
  Tell("cubic", hash);

  uint64_t sum = 0;
  for (int i = 0; i < 2000; ++i) {
    const uint64_t n = (uint64_t)Random() << 32 | Random();
    sum = sum * 31 + IntegerRoot(n >> (i % 64));
    sum ^= Gcd(n, (uint64_t)Random() * Random() + 1);
    sum += (uint64_t)((int64_t)n / (int32_t)(Random() | 1)) + (uint64_t)((int64_t)n % 1000003);
  }
  Tell("integers", sum);

  for (size_t f = 0; f < sizeof kFunctions / sizeof *kFunctions; ++f) {
    hash = kHashStart;
    double shown = 0;
    for (int i = -200; i <= 200; ++i) {
      double y = kFunctions[f](i * 0.0371);
      if (isnan(y)) y = -1;  // the sign of a NaN is nobody's business
      hash = Hash(hash, &y, sizeof y);
      if (i == 17) shown = y;
    }
    printf("f%zu %.17g %016llx\n", f, shown, (unsigned long long)hash);
  }

  static const double kValues[] = {0.0,  -0.0, 0.5, 1.5,  2.5,     -0.5,   1e10,      -1e10,
                                   3e18, 1e19, 7.9, -7.9, DBL_MIN, 5e-324, 1.0 / 3.0, 4294967295.5};
  static const int kModes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
  for (size_t m = 0; m < 4; ++m) {
    fesetround(kModes[m]);
    for (size_t i = 0; i < sizeof kValues / sizeof *kValues; ++i) {
      volatile double x = kValues[i];
      volatile float narrow = (float)x;
      volatile long double wide = (long double)x / 3;
      printf("%.17g %.9g %.21Lg %lld %.0f\n", x, narrow, wide, fabs(x) < 9e18 ? llrint(x) : 0,
             rint(x));
    }
  }
  fesetround(FE_TONEAREST);
  for (int i = 0; i < 40; ++i) {
    char text[64];
    const double x = ldexp(Fraction() + 0.5, (int)(Random() % 2000) - 1000);
    snprintf(text, sizeof text, "%.17g", x);
    if (strtod(text, NULL) != x) printf("%s does not come back\n", text);
    printf("%s %a %.3e\n", text, x, x);
  }
  printf("%.17g %.17g\n", fmod(1e300, 7.3), remainder(1e15, 3.7));
  printf("%.17g %.17g %.17g\n", pow(1.0001, 12345.0), hypot(3e200, 4e200), atan2(-1.0, -1.0));
  return 0;
}
