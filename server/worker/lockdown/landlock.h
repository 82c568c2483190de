// Landlock without a single rule: whatever it can forbid is forbidden.
#pragma once

#include "server/worker/lockdown/layer.h"

namespace glovebox::worker {

// Takes every access that the running kernel's Landlock knows from the calling process, for good.
// Needs no_new_privs. Detail: "ABI 7".
Layer ForbidByLandlock();

}  // namespace glovebox::worker
