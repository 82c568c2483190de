// GB_CHECK: a broken invariant of ours. Kept in release builds. No guest byte, packet or request
// may be able to reach one: what a guest can cause is a value (Errno, Fault, Error).
#pragma once

#include <cstdio>
#include <cstdlib>

namespace glovebox {

[[noreturn, gnu::cold, gnu::noinline]] inline void CheckFailed(const char* condition,
                                                               const char* file, int line) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace glovebox

#define GB_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::glovebox::CheckFailed(#condition, __FILE__, __LINE__))
