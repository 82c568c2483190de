// Floating point: control words, rounding, exceptions as flags and as SIGFPE, conversions, and what
// survives jumps and handlers.
#define _GNU_SOURCE
#include <fenv.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>

#include "check.h"

static uint64_t Bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static void Rounding(void) {
  static const struct {
    int mode;
    double third, minus_third, nearest;
    long double third_long;
    long rounded, rounded_minus;
  } kRows[] = {
      {FE_TONEAREST, 0x1.5555555555555p-2, -0x1.5555555555555p-2, 2, 0xa.aaaaaaaaaaaaaabp-5L, 2,
       -2},
      {FE_DOWNWARD, 0x1.5555555555555p-2, -0x1.5555555555556p-2, 2, 0xa.aaaaaaaaaaaaaaap-5L, 2, -3},
      {FE_UPWARD, 0x1.5555555555556p-2, -0x1.5555555555555p-2, 3, 0xa.aaaaaaaaaaaaaabp-5L, 3, -2},
      {FE_TOWARDZERO, 0x1.5555555555555p-2, -0x1.5555555555555p-2, 2, 0xa.aaaaaaaaaaaaaaap-5L, 2,
       -2},
  };
  volatile double one = 1, three = 3, half = 2.5, minus = -2.5;
  volatile long double lone = 1, lthree = 3;
  for (size_t i = 0; i < sizeof kRows / sizeof *kRows; ++i) {
    CHECK_EQ(fesetround(kRows[i].mode), 0);
    CHECK_EQ(fegetround(), kRows[i].mode);
    CHECK_EQ(Bits(one / three), Bits(kRows[i].third));
    CHECK_EQ(Bits(-one / three), Bits(kRows[i].minus_third));
    CHECK(rint(half) == kRows[i].nearest);
    CHECK_EQ(lrint(half), kRows[i].rounded);
    CHECK_EQ(lrint(minus), kRows[i].rounded_minus);
    CHECK(lone / lthree == kRows[i].third_long);
    CHECK_EQ((int)half, 2);  // conversion truncates whatever the mode
  }
  fesetround(FE_TONEAREST);
}

static void Flags(void) {
  volatile double zero = 0, one = 1, huge = DBL_MAX, tiny = DBL_MIN, three = 3, result;
  volatile long double lone = 1, lzero = 0, lresult;
  feclearexcept(FE_ALL_EXCEPT);
  CHECK_EQ(fetestexcept(FE_ALL_EXCEPT), 0);
  result = one / zero;
  CHECK_EQ(fetestexcept(FE_ALL_EXCEPT), FE_DIVBYZERO);
  CHECK(isinf(result));
  feclearexcept(FE_ALL_EXCEPT);
  result = zero / zero;
  CHECK_EQ(fetestexcept(FE_ALL_EXCEPT), FE_INVALID);
  CHECK_EQ(Bits(result), 0xfff8000000000000);  // the default NaN of x86 is negative
  feclearexcept(FE_ALL_EXCEPT);
  result = huge * huge;
  CHECK_EQ(fetestexcept(FE_ALL_EXCEPT), FE_OVERFLOW | FE_INEXACT);
  feclearexcept(FE_ALL_EXCEPT);
  result = tiny / three;
  CHECK_EQ(fetestexcept(FE_ALL_EXCEPT), FE_UNDERFLOW | FE_INEXACT);
  feclearexcept(FE_ALL_EXCEPT);
  lresult = lone / lzero;
  CHECK_EQ(fetestexcept(FE_ALL_EXCEPT), FE_DIVBYZERO);
  (void)lresult;
  feclearexcept(FE_ALL_EXCEPT);
  CHECK_EQ(feraiseexcept(FE_INVALID | FE_OVERFLOW), 0);
  CHECK(fetestexcept(FE_INVALID | FE_OVERFLOW) == (FE_INVALID | FE_OVERFLOW));
  fenv_t held;
  CHECK_EQ(feholdexcept(&held), 0);
  CHECK_EQ(fetestexcept(FE_ALL_EXCEPT), 0);
  CHECK_EQ(fesetenv(&held), 0);
  CHECK(fetestexcept(FE_INVALID) != 0);
  feclearexcept(FE_ALL_EXCEPT);
}

static void Converting(void) {
  volatile double nan = NAN, big = 1e300, minus = -1e300, fraction = -0.75;
  long wide;
  int32_t narrow;
  double x = nan;
  __asm__("cvttsd2si %1, %0" : "=r"(wide) : "x"(x));
  CHECK_EQ(wide, LONG_MIN);  // "integer indefinite"
  x = big;
  __asm__("cvttsd2si %1, %0" : "=r"(narrow) : "x"(x));
  CHECK_EQ(narrow, INT32_MIN);
  x = minus;
  __asm__("cvtsd2si %1, %0" : "=r"(wide) : "x"(x));
  CHECK_EQ(wide, LONG_MIN);
  CHECK_EQ((int)fraction, 0);
  volatile uint64_t large = 0xfffffffffffff800;
  CHECK(large == (uint64_t)(double)large);
  CHECK((float)16777217.0 == 16777216.0f);
  CHECK((double)(float)1e-46 == 0);
  CHECK((long double)UINT64_MAX == 18446744073709551615.0L);
  CHECK((uint64_t)18446744073709551615.0L == UINT64_MAX);
}

static void Denormals(void) {
  volatile double tiny = DBL_MIN, two = 2, half;
  unsigned mxcsr, flushing;
  half = tiny / two;
  CHECK(half > 0);
  __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
  flushing = mxcsr | 0x8040;  // FTZ, DAZ
  __asm__ volatile("ldmxcsr %0" ::"m"(flushing));
  volatile double flushed = tiny / two, treated = half * two;
  __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
  CHECK_EQ(Bits(flushed), 0);
  CHECK_EQ(Bits(treated), 0);
  CHECK(half * two == tiny);
}

static void Precision(void) {
  unsigned short control, single;
  __asm__ volatile("fnstcw %0" : "=m"(control));
  single = control & ~0x300;
  volatile long double one = 1, three = 3, third;
  __asm__ volatile("fldcw %0" ::"m"(single));
  third = one / three;
  __asm__ volatile("fldcw %0" ::"m"(control));
  CHECK(third == (long double)(1.0f / 3.0f));
  // setjmp keeps the control words of its caller out of it: longjmp leaves them as they are.
  jmp_buf buffer;
  fesetround(FE_UPWARD);
  if (setjmp(buffer) == 0) {
    fesetround(FE_DOWNWARD);
    longjmp(buffer, 1);
  }
  CHECK_EQ(fegetround(), FE_DOWNWARD);
  fesetround(FE_TONEAREST);
}

static sigjmp_buf back;
static volatile int got_code;

static void OnFloat(int signal, siginfo_t* info, void* context) {
  unsigned mxcsr;
  unsigned short control;
  (void)signal;
  (void)context;
  got_code = info->si_code;
  // A handler starts with the control words of a new program.
  __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(control));
  CHECK_EQ(mxcsr, 0x1f80);
  CHECK_EQ(control, 0x37f);
  siglongjmp(back, 1);
}

static void Unmasked(void) {
  static const struct {
    double a, b;
    unsigned unmask;  // bit in MXCSR
    int code;
  } kRows[] = {
      {1, 0, 0x200, FPE_FLTDIV},
      {0, 0, 0x80, FPE_FLTINV},
      {DBL_MAX, DBL_MIN, 0x400, FPE_FLTOVF},
      {DBL_MIN, 3, 0x800, FPE_FLTUND},
      {1, 3, 0x1000, FPE_FLTRES},
  };
  struct sigaction action = {.sa_sigaction = OnFloat, .sa_flags = SA_SIGINFO};
  sigaction(SIGFPE, &action, NULL);
  for (volatile size_t i = 0; i < sizeof kRows / sizeof *kRows; ++i) {
    unsigned open = 0x1f80 & ~kRows[i].unmask, closed = 0x1f80;
    volatile double a = kRows[i].a, b = kRows[i].b;
    got_code = 0;
    if (sigsetjmp(back, 1) == 0) {
      __asm__ volatile("ldmxcsr %0" ::"m"(open));
      volatile double c = a / b;
      (void)c;
    }
    __asm__ volatile("ldmxcsr %0" ::"m"(closed));
    CHECK_EQ(got_code, kRows[i].code);
  }
  // The x87 tells at its next instruction that waits.
  unsigned short open = 0x37b, closed = 0x37f;
  volatile long double one = 1, zero = 0;
  got_code = 0;
  if (sigsetjmp(back, 1) == 0) {
    __asm__ volatile("fldcw %0" ::"m"(open));
    volatile long double c = one / zero;
    __asm__ volatile("fwait");
    (void)c;
  }
  __asm__ volatile("fninit; fldcw %0" ::"m"(closed));
  CHECK_EQ(got_code, FPE_FLTDIV);
}

// Printing and reading go through long double, integers of many words and the control words.
static void Text(void) {
  static const struct {
    const char *format, *text;
    double value;
  } kRows[] = {
      {"%.17g", "0.10000000000000001", 0.1},
      {"%a", "0x1.999999999999ap-4", 0.1},
      {"%.0f", "123456789012345683968", 123456789012345683968.0},
      {"%.3e", "4.941e-324", 4.9406564584124654e-324},
      {"%g", "inf", INFINITY},
      {"%g", "-nan", -NAN},
      {"%.20f", "0.33333333333333331483", 1.0 / 3},
      {"%.15g", "1.79769313486232e+308", DBL_MAX},
  };
  char text[64];
  for (size_t i = 0; i < sizeof kRows / sizeof *kRows; ++i) {
    snprintf(text, sizeof text, kRows[i].format, kRows[i].value);
    if (strcmp(text, kRows[i].text) != 0) {
      printf("%s printed %s, not %s\n", kRows[i].format, text, kRows[i].text);
      ++failures;
    }
    if (isfinite(kRows[i].value) && i < 2) CHECK_EQ(Bits(strtod(text, NULL)), Bits(kRows[i].value));
  }
  snprintf(text, sizeof text, "%.30Lf", 1.0L / 3);
  CHECK(strncmp(text, "0.33333333333333333334236", 25) == 0);
  CHECK(strtold("1e4932", NULL) > 1e4931L);
  CHECK(sqrt(2.0) == 0x1.6a09e667f3bcdp+0);
  CHECK(fma(0x1p53, 1, 1) == 0x1p53);
  CHECK(fmod(1e300, 3) == 2 || fmod(1e300, 3) == 1 || fmod(1e300, 3) == 0);
  CHECK(remainder(5, 3) == -1);
  CHECK(floor(-0.5) == -1 && ceil(-0.5) == 0 && signbit(ceil(-0.5)));
  CHECK(nearbyint(0.5) == 0 && nearbyint(1.5) == 2);
  CHECK(ldexp(1, -1074) > 0 && ldexp(1, -1075) == 0);
}

int main(void) {
  Rounding();
  Flags();
  Converting();
  Denormals();
  Precision();
  Unmasked();
  Text();
  REPORT();
}
