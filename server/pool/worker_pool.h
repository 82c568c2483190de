// The daemon's side of the workers: a zygote, a few warm workers, and the sockets to them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "server/core/box_launcher.h"

namespace glovebox::server {

struct WorkerPoolOptions {
  // The program glovebox-worker, of this very build.
  std::string worker_path;
  // Workers that are started and wait for a job. At least 1.
  unsigned warm = 2;
  // Layers of the sandbox without which no job may run, by the names of worker.v1.Locked. A job
  // that is given to a worker without one of them ends FAILED, SANDBOX_INCOMPLETE, before anything
  // of the guest is looked at.
  std::vector<std::string> required_layers;
  // A worker that does not end within this time after Cancel is killed.
  std::chrono::milliseconds cancel_grace{5000};
  // One line for the operator's log: a zygote that died, a host that lacks a layer. Called on the
  // pool's thread.
  std::function<void(const std::string&)> log;
};

// Starts the zygote and the first workers. One thread of its own carries all sockets and calls
// BoxEvents and RunRequest::open_blob, so these must not wait for anything that the pool does.
// Destroying the launcher ends all workers; no event is called afterwards. Handles may outlive it
// and then do nothing. Errors: kNotFound (no such program), kUnavailable (the zygote did not come
// up; the message says why).
Result<std::unique_ptr<BoxLauncher>, Error> MakeWorkerPool(const WorkerPoolOptions& options);

// The worker program beside the running program, as installed and as built: "<folder of this
// program>/glovebox-worker".
std::string DefaultWorkerPath();

}  // namespace glovebox::server
