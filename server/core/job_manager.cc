#include "server/core/job_manager.h"

#include <utility>

#include <absl/time/time.h>

#include "server/core/live_job.h"
#include "server/core/replays.h"

namespace glovebox::server {
namespace {

constexpr unsigned kPoolThreads = 4;

}  // namespace

JobManager::JobManager(Parts parts, std::unique_ptr<BoxLauncher> launcher,
                       const JobManagerOptions& options)
    : parts_(std::move(parts)),
      options_(options),
      launcher_(std::move(launcher)),
      pool_(kPoolThreads) {}

Result<std::unique_ptr<JobManager>, Error> JobManager::Start(Parts parts,
                                                             std::unique_ptr<BoxLauncher> launcher,
                                                             const JobManagerOptions& options) {
  std::unique_ptr<JobManager> manager(
      new JobManager(std::move(parts), std::move(launcher), options));
  if (auto recovered = manager->Recover(); !recovered) return std::unexpected(recovered.error());
  absl::MutexLock lock(&manager->mu_);
  manager->StartQueued();
  return manager;
}

JobManager::~JobManager() {
  {
    AfterUnlock after;
    absl::MutexLock lock(&mu_);
    draining_ = true;
    stopping_ = true;
    after += [gone = std::exchange(replays_, {})] {};
    for (auto& [id, job] : jobs_) {
      job->box_gone = true;
      if (job->handle) after += [handle = std::exchange(job->handle, nullptr)] {};
    }
  }
  {
    absl::MutexLock lock(&mu_);
    const auto none_launching = [this]()
                                    ABSL_SHARED_LOCKS_REQUIRED(mu_) { return launching_ == 0; };
    mu_.Await(absl::Condition(&none_launching));
  }
  launcher_.reset();  // no box says anything any more
  timers_.Stop();
  {
    absl::MutexLock lock(&mu_);
    const auto quiet = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return under_way_ == 0; };
    mu_.Await(absl::Condition(&quiet));
  }
  // The writer has counted its last call back, but may be on its way out of it still: wait until it
  // has gone on.
  static_cast<void>(
      parts_.store->Commit([](Transaction&) { return Result<void, Error>(); }, Durability::kCrash));
}

void JobManager::Post(std::function<void()> task) {
  ++under_way_;
  pool_.Post([this, task = std::move(task)] {
    task();
    absl::MutexLock lock(&mu_);
    --under_way_;
  });
}

void JobManager::StopAdmission() {
  absl::MutexLock lock(&mu_);
  draining_ = true;
}

bool JobManager::AwaitQuiet(std::chrono::milliseconds timeout) {
  absl::MutexLock lock(&mu_);
  const auto quiet = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return boxes_ == 0 && finalizing_ == 0;
  };
  return mu_.AwaitWithTimeout(absl::Condition(&quiet), absl::FromChrono(timeout));
}

bool JobManager::Idle() {
  absl::MutexLock lock(&mu_);
  return jobs_.empty() && replays_.empty();
}

void JobManager::HandBack() {
  AfterUnlock after;
  absl::MutexLock lock(&mu_);
  draining_ = true;
  after += [gone = std::exchange(replays_, {})] {
    for (const auto& [number, replay] : gone) replay->debugger->OnClosed();
  };
  for (auto& [id, job] : jobs_) {
    if (job->box_gone || !IsInterruptible(job->next.state)) continue;
    job->box_gone = true;
    --boxes_;
    if (job->handle) after += [handle = std::exchange(job->handle, nullptr)] {};
    EndDebugging(*job, after);
    --job->next.attempts;
    Move(*job, JobMove::kInterrupt,
         "handed back by a daemon that ends; the attempt does not count");
    Persist(*job, Durability::kPower, nullptr, nullptr);
  }
}

ManagerInfo JobManager::Info() {
  ManagerInfo info;
  info.warnings = launcher_->Warnings();
  info.concurrent_boxes = options_.concurrent_boxes;
  absl::MutexLock lock(&mu_);
  info.epoch = epoch_;
  info.queued = queue_.size();
  info.running = boxes_;
  return info;
}

}  // namespace glovebox::server
