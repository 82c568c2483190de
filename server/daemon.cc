#include "server/daemon.h"

#include <utility>

#include "server/rpc/convert.h"

namespace glovebox::server {
namespace {

// Open calls are given this long to bring out what they have, once all jobs are at rest.
constexpr std::chrono::milliseconds kCallGrace{500};

}  // namespace

Result<std::unique_ptr<Daemon>, Error> Daemon::Start(const DaemonOptions& options,
                                                     const LauncherMaker& make_launcher) {
  auto directory = StoreDirectory::Acquire(options.store);
  if (!directory) return std::unexpected(directory.error());
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(*directory)));

  auto store = JobStore::Open(daemon->directory_.database());
  if (!store) return std::unexpected(store.error());
  daemon->store_ = std::move(*store);
  auto blobs = BlobStore::Open(daemon->directory_.root());
  if (!blobs) return std::unexpected(blobs.error());
  daemon->blobs_ = std::move(*blobs);

  auto launcher = make_launcher();
  if (!launcher) return std::unexpected(launcher.error());
  auto manager = JobManager::Start(
      {&daemon->directory_, daemon->store_.get(), daemon->blobs_.get(), ParseDirectory},
      std::move(*launcher), options.jobs);
  if (!manager) return std::unexpected(manager.error());
  daemon->manager_ = std::move(*manager);

  auto roots = RootNames::Open(*daemon->store_, *daemon->blobs_, ParseDirectory);
  if (!roots) return std::unexpected(roots.error());
  daemon->roots_ = std::move(*roots);

  auto rpc = RpcServer::Start(options.socket, *daemon->manager_, *daemon->blobs_, *daemon->roots_,
                              options.version);
  if (!rpc) return std::unexpected(rpc.error());
  daemon->rpc_ = std::move(*rpc);
  return daemon;
}

Daemon::~Daemon() {
  if (manager_) {
    manager_->StopAdmission();
    manager_->HandBack();
  }
  if (rpc_) rpc_->Stop(kCallGrace);
  rpc_.reset();
  manager_.reset();
}

std::chrono::nanoseconds Daemon::QuietFor() {
  return manager_->Idle() ? rpc_->activity().QuietFor() : std::chrono::nanoseconds(0);
}

void Daemon::BeginDrain() {
  rpc_->AnnounceEnd();
  manager_->StopAdmission();
}

bool Daemon::AwaitDrained(std::chrono::milliseconds timeout) {
  return manager_->AwaitQuiet(timeout);
}

}  // namespace glovebox::server
