// Runs the one job of this process: makes the box, runs it in slices, and listens to the daemon in
// between.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "engine/process.h"
#include "server/worker/channel.h"

namespace glovebox::worker {

// How a box is made: engine::Box::Make, or a box of a test.
using BoxMaker = std::function<Result<std::unique_ptr<engine::Box>, Error>(
    const engine::BoxSpec&, engine::TreeSource&, engine::BoxHost&)>;

// Returns when Ended has been sent, or when the channel has closed and nobody waits for it.
// Whatever happens in between becomes a kind of Ended; also a std::bad_alloc.
void RunJob(Channel& channel, const wire::RunJob& job, const BoxMaker& make_box);

}  // namespace glovebox::worker
