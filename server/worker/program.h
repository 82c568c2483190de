// The worker program, apart from what makes its boxes.
#pragma once

#include "server/worker/job_runner.h"

namespace glovebox::worker {

// main() of glovebox-worker. Returns for the modes that print something and for bad arguments; a
// zygote and a worker end inside.
int RunProgram(int argc, char** argv, const BoxMaker& make_box);

}  // namespace glovebox::worker
