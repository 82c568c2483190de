// Builds with a sanitizer, which are for tests only.
#include <sys/syscall.h>

#include "server/worker/lockdown/seccomp_table.h"

// No symbolizer process, no look at the terminal, and a fault that dies as itself: the lock allows
// nothing else.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "symbolize=0:color=never:handle_segv=0:handle_sigbus=0:detect_leaks=0";
}

namespace glovebox::worker {
namespace {

constexpr SeccompRow kRows[] = {
    {SYS_sigaltstack,
     "sigaltstack",
     {},
     "AddressSanitizer, before a function that does not return"},
};

}  // namespace

std::span<const SeccompRow> SanitizerRows() { return kRows; }

}  // namespace glovebox::worker
