// A pool over a worker program, and launches on it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/limits/limit_table.h"
#include "recorder.h"
#include "server/pool/worker_pool.h"

namespace glovebox::server {

inline std::map<std::string, std::uint64_t> DefaultLimits() {
  std::map<std::string, std::uint64_t> limits;
  for (const engine::LimitRow& row : engine::kLimits)
    limits[std::string(row.name)] = row.default_value;
  return limits;
}

inline RunRequest RequestFor(std::string program, std::vector<std::string> argv = {}) {
  RunRequest request;
  request.job_name = "jobs/TEST";
  request.program = std::move(program);
  request.argv = std::move(argv);
  request.limits = DefaultLimits();
  request.open_blob = [](const Digest&) -> Result<HostFd, Error> {
    return Fail(ErrorCode::kNotFound, "BLOB_FOREIGN", "not of this job");
  };
  return request;
}

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
