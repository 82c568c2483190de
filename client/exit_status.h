// The exit statuses of the program `glovebox`. One table: `run --help` prints it, the verbs return
// from it.
#pragma once

#include <array>
#include <string_view>

#include "glovebox/v1/job.pb.h"

namespace glovebox::client {

inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;  // of every verb but those that stand for a guest
inline constexpr int kExitUsage = 2;
inline constexpr int kExitDeadlock = 122;
inline constexpr int kExitLimit = 124;
inline constexpr int kExitService = 125;
inline constexpr int kExitCannotRun = 126;
inline constexpr int kExitNotFound = 127;
inline constexpr int kExitSignalBase = 128;

struct ExitRow {
  std::string_view status;
  std::string_view meaning;
};

inline constexpr std::array kExitRows{
    ExitRow{"0 to 255", "the exit status of the guest"},
    ExitRow{"122", "every thread of the guest waited for something that could not come (deadlock)"},
    ExitRow{"124", "a limit was hit (the message names it)"},
    ExitRow{"125", "Glovebox itself failed: bad option, no server, job failed or cancelled"},
    ExitRow{"126", "CMD is there but cannot be run"},
    ExitRow{"127", "CMD was not found"},
    ExitRow{"128+N", "the guest was killed by signal N, or glovebox itself was asked to end by it"},
};

// The status that stands for what became of a job that has ended.
int ExitStatusOf(const v1::Job& job);

}  // namespace glovebox::client
