#include "client/exit_status.h"

#include <cerrno>

namespace glovebox::client {

int ExitStatusOf(const v1::Job& job) {
  if (job.state() != v1::SUCCEEDED) return kExitService;
  const v1::Termination& termination = job.result().termination();
  switch (termination.kind_case()) {
    case v1::Termination::kExited:
      return termination.exited() & 0xff;
    case v1::Termination::kSignaled:
      return kExitSignalBase + termination.signaled();
    case v1::Termination::kLimit:
      return kExitLimit;
    case v1::Termination::kDeadlock:
      return kExitDeadlock;
    case v1::Termination::kNotStarted:
      return termination.not_started().error_number() == ENOENT ? kExitNotFound : kExitCannotRun;
    case v1::Termination::KIND_NOT_SET:
      break;
  }
  return kExitService;
}

}  // namespace glovebox::client
