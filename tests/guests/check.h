// What a guest test is made of: it asserts Linux behaviour by itself, prints each difference, and
// exits 0 where there is none. It runs natively first, then in a box: Linux is the oracle.
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

// Calls whose raw numbers have other names on i386. Raw calls take `long` where the library has a
// time_t: that may be wider.
#ifdef __x86_64__
enum { kSelect = SYS_select, kFstatat = SYS_newfstatat, kClockGettime = SYS_clock_gettime };
#else
enum { kSelect = SYS__newselect, kFstatat = SYS_fstatat64, kClockGettime = 265 };
#endif

static int failures;

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      printf("%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
      ++failures;                                                              \
    }                                                                          \
  } while (0)

#define CHECK_EQ(actual, expected)                                                             \
  do {                                                                                         \
    long long a_ = (long long)(actual), e_ = (long long)(expected);                            \
    if (a_ != e_) {                                                                            \
      printf("%s:%d: %s is %lld, not %s (%lld)\n", __FILE__, __LINE__, #actual, a_, #expected, \
             e_);                                                                              \
      ++failures;                                                                              \
    }                                                                                          \
  } while (0)

// The call fails with -1 and this errno.
#define CHECK_ERRNO(call, error)                                                                   \
  do {                                                                                             \
    errno = 0;                                                                                     \
    long long r_ = (long long)(call);                                                              \
    if (r_ != -1 || errno != (error)) {                                                            \
      printf("%s:%d: %s gave %lld, errno %d (%s), not %s\n", __FILE__, __LINE__, #call, r_, errno, \
             strerror(errno), #error);                                                             \
      ++failures;                                                                                  \
    }                                                                                              \
  } while (0)

#define REPORT() return failures == 0 ? 0 : 1
