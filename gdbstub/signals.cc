#include "gdbstub/signals.h"

#include <cstddef>
#include <cstdint>

namespace glovebox::gdbstub {
namespace {

// Index: the Linux number; value: gdb's. signal(7) for x86, signals.def of gdb.
constexpr std::uint8_t kFromLinux[] = {
    0,
    1,    // SIGHUP
    2,    // SIGINT
    3,    // SIGQUIT
    4,    // SIGILL
    5,    // SIGTRAP
    6,    // SIGABRT
    10,   // SIGBUS
    8,    // SIGFPE
    9,    // SIGKILL
    30,   // SIGUSR1
    11,   // SIGSEGV
    31,   // SIGUSR2
    13,   // SIGPIPE
    14,   // SIGALRM
    15,   // SIGTERM
    143,  // SIGSTKFLT: none of gdb's
    20,   // SIGCHLD
    19,   // SIGCONT
    17,   // SIGSTOP
    18,   // SIGTSTP
    21,   // SIGTTIN
    22,   // SIGTTOU
    16,   // SIGURG
    24,   // SIGXCPU
    25,   // SIGXFSZ
    26,   // SIGVTALRM
    27,   // SIGPROF
    28,   // SIGWINCH
    23,   // SIGIO
    32,   // SIGPWR
    12,   // SIGSYS
    77,   // SIG32, which gdb counts apart from the other real-time signals
};
constexpr int kFirstPlain = 33;  // SIG33 .. SIG63 are 45 .. 75
constexpr int kGdbSig33 = 45;
constexpr int kGdbSig64 = 78;

}  // namespace

int GdbSignal(int linux_signal) {
  if (linux_signal < 0 || linux_signal > kLastLinuxSignal) return kGdbSignalUnknown;
  if (linux_signal == kLastLinuxSignal) return kGdbSig64;
  if (linux_signal >= kFirstPlain) return linux_signal - kFirstPlain + kGdbSig33;
  return kFromLinux[linux_signal];
}

int LinuxSignal(int gdb_signal) {
  if (gdb_signal == kGdbSignalUnknown) return -1;
  for (int number = 0; number <= kLastLinuxSignal; ++number) {
    if (GdbSignal(number) == gdb_signal) return number;
  }
  return -1;
}

}  // namespace glovebox::gdbstub
