// The daemon put together: store, core, RPC server, and the order in which they begin and end.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/result.h"
#include "server/core/box_launcher.h"
#include "server/core/job_manager.h"
#include "server/core/root_names.h"
#include "server/rpc/rpc_server.h"
#include "server/store/blob_store.h"
#include "server/store/job_store.h"
#include "server/store/store_directory.h"

namespace glovebox::server {

struct DaemonOptions {
  std::filesystem::path socket;
  std::filesystem::path store;
  std::string version;
  JobManagerOptions jobs;
};

class Daemon {
 public:
  using LauncherMaker = std::function<Result<std::unique_ptr<BoxLauncher>, Error>()>;

  // Takes the store, takes up what is in it, and serves. `make_launcher` is called once the store
  // is ours, so that a second daemon on it does not start workers first.
  static Result<std::unique_ptr<Daemon>, Error> Start(const DaemonOptions& options,
                                                      const LauncherMaker& make_launcher);
  // Ends at once: what runs is left for the next start.
  ~Daemon();

  // How long there has been neither a job to run nor an open call; zero while there is one.
  std::chrono::nanoseconds QuietFor();
  // No job is taken in or started any more; those that run go on.
  void BeginDrain();
  // Waits for running jobs, at most so long. Returns: whether all have ended.
  bool AwaitDrained(std::chrono::milliseconds timeout);

 private:
  explicit Daemon(StoreDirectory directory) : directory_(std::move(directory)) {}

  StoreDirectory directory_;
  std::unique_ptr<JobStore> store_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<JobManager> manager_;
  std::unique_ptr<RootNames> roots_;
  std::unique_ptr<RpcServer> rpc_;
};

}  // namespace glovebox::server
