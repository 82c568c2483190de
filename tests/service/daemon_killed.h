// What the program daemon_killed and its test agree on.
#pragma once

#include <string>

namespace glovebox::server {

enum class KillPoint {
  kNone,
  kAccepting,        // kills itself when the acceptance is written, before anybody is told
  kPreparing,        // waits with a worker that never comes up
  kRunning,          // waits with half of the output said
  kOutputNotSynced,  // waits in FINALIZING, with a large output that is not durable yet
  kCommitting,       // kills itself when the result is written, before anybody is told
};

// What the box of a job says: a little, or with the argument "large" more than stays in memory.
inline std::string KilledOutput(const std::string& argument) {
  std::string output;
  const int lines = argument == "large" ? 60'000 : 100;
  for (int i = 0; i < lines; ++i) output += "line " + std::to_string(i) + "\n";
  return output;
}

}  // namespace glovebox::server
