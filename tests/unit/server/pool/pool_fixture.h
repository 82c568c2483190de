// A pool over a worker program, and launches on it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "recorder.h"
#include "requests.h"
#include "server/pool/worker_pool.h"

namespace glovebox::server {

// What a launch needs to stay alive in a test.
struct Launched {
  std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
  std::unique_ptr<BoxHandle> handle;
};

inline std::unique_ptr<BoxLauncher> PoolOf(WorkerPoolOptions options) {
  auto pool = MakeWorkerPool(options);
  EXPECT_TRUE(pool.has_value()) << pool.error().message;
  return pool ? std::move(*pool) : nullptr;
}

inline Launched LaunchOn(BoxLauncher& pool, RunRequest request) {
  Launched launched;
  launched.handle = pool.Launch(std::move(request), launched.recorder);
  return launched;
}

}  // namespace glovebox::server
