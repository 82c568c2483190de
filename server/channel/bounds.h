// How large anything on a worker's channel may be. The worker keeps to these bounds; the daemon
// kills a worker that does not, because only one that was taken over would.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glovebox::channel {

// One frame, without its length. A RunJob holds argv, env and the journal of an earlier attempt.
inline constexpr std::size_t kMaxToWorkerBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxFromWorkerBytes = std::size_t{1} << 20;

inline constexpr std::size_t kMaxOutputBytes = std::size_t{64} << 10;  // of one Output
inline constexpr std::size_t kMaxInputBytes = std::size_t{64} << 10;   // of one InputReply

inline constexpr std::size_t kMaxLiveBytes = std::size_t{64} << 10;  // on their way to a worker
inline constexpr std::size_t kMaxDebugBytes = std::size_t{64}
                                              << 10;  // of one DebugInput or DebugOutput
inline constexpr std::size_t kMaxCoreBytes = std::size_t{256} << 10;  // of one CorePiece
inline constexpr std::uint64_t kMaxCoreFileBytes = std::uint64_t{1} << 62;
// Of a job's journal, what debuggers changed: one record, and all of them.
inline constexpr std::size_t kMaxChangeBytes = std::size_t{80} << 10;
inline constexpr std::size_t kMaxChangesBytes = std::size_t{16} << 20;
inline constexpr std::uint32_t kMaxTerminalSide = 65535;  // struct winsize

// Of one job: a guest that sleeps for a millisecond at a time gets a quarter of an hour.
inline constexpr std::uint64_t kMaxClockRecords = 1'000'000;

// Where a zygote finds its control socket.
inline constexpr int kZygoteControlFd = 3;

// Trace events. Longer strings are cut by the worker and end in "...".
inline constexpr std::size_t kMaxTraceEvents = 256;  // in one message
inline constexpr std::size_t kMaxTraceArguments = 16;
inline constexpr std::size_t kMaxTraceStringBytes = 2048;
inline constexpr std::size_t kMaxNameBytes =
    64;  // of system calls, limits, layers, mnemonics, reasons

inline constexpr std::size_t kMaxDetailBytes = 16384;  // free text
inline constexpr std::size_t kMaxAbsentSyscalls = 1024;
inline constexpr std::size_t kMaxLayers = 32;
inline constexpr std::size_t kMaxInstructionBytes = 15;  // Intel SDM vol. 2A, 2.3.11
inline constexpr int kMaxSignal = 64;
inline constexpr int kMaxErrno = 4095;

}  // namespace glovebox::channel
