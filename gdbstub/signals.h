// Signal numbers: those of gdb are its own, whatever the target. Source: GDB manual, "Stop Reply
// Packets", and include/gdb/signals.def of gdb for the numbers.
#pragma once

namespace glovebox::gdbstub {

// Linux (x86) to gdb; 0 for 0; 143 ("unknown signal") for what gdb has no number for.
int GdbSignal(int linux_signal);
// gdb to Linux; 0 for 0; -1 for what Linux does not have.
int LinuxSignal(int gdb_signal);

inline constexpr int kGdbSignalUnknown = 143;
inline constexpr int kLastLinuxSignal = 64;
inline constexpr int kLinuxSigint = 2;
inline constexpr int kLinuxSigtrap = 5;
inline constexpr int kLinuxSigkill = 9;
inline constexpr int kLinuxSigstop = 19;

}  // namespace glovebox::gdbstub
