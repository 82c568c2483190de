// A debugger comes, holds the box, lets it go, leaves.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "server/core/live_job.h"
#include "server/core/log.h"

namespace glovebox::server {
namespace {

// A box that goes on for less than this between two stops counts as standing: a debugger that steps
// would otherwise make an event, and a commit, of each step.
constexpr std::chrono::milliseconds kUnseenRun{250};

}  // namespace

Result<std::unique_ptr<DebugSession>, Error> JobManager::Debug(
    const std::string& id, std::shared_ptr<DebuggerEvents> debugger, const DebugOptions& options) {
  {
    AfterUnlock after;
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    if (job && job->shown && !job->box_gone && !IsTerminal(job->next.state)) {
      if (job->debugger) {
        return Fail(ErrorCode::kFailedPrecondition, "DEBUGGER_BUSY",
                    fmt::format("job {} has a debugger already, and takes one at a time", id),
                    "name");
      }
      if (options.at_icount) {
        return Fail(ErrorCode::kFailedPrecondition, "JOB_NOT_ENDED",
                    fmt::format("job {} has not ended: to stand at an icount is for replays", id),
                    "at_icount");
      }
      job->debugger = debugger;
      job->wants_core = options.core;
      if (IsReady(*job)) JoinDebugger(*job, after);
      return std::make_unique<DebugSession>(
          [this, id]() -> std::shared_ptr<BoxHandle> {
            absl::MutexLock relock(&mu_);
            const LiveJob* const live = Find(id);
            return live && live->debugger_joined ? live->handle : nullptr;
          },
          [this, id, of = debugger.get()] { LeaveDebugger(id, of); });
    }
  }
  return DebugEnded(id, std::move(debugger), options);
}

void JobManager::JoinDebugger(LiveJob& job, AfterUnlock& after) {
  if (!job.debugger || job.debugger_joined) return;
  job.debugger_joined = true;
  after += [handle = job.handle, debugger = job.debugger, core = job.wants_core] {
    core ? handle->OpenCore(*core) : handle->OpenDebugger();
    debugger->OnJoined();
  };
  // Another attempt does not wait for it again.
  if (!job.wants_core && std::exchange(job.outcome.waits_for_debugger, false))
    Persist(job, Durability::kCrash, nullptr, nullptr);
}

void JobManager::LeaveDebugger(const std::string& id, const DebuggerEvents* debugger) {
  AfterUnlock after;
  absl::MutexLock lock(&mu_);
  LiveJob* const job = Find(id);
  if (!job || job->debugger.get() != debugger) return;
  after += [gone = std::exchange(job->debugger, nullptr)] {};
  if (std::exchange(job->debugger_joined, false) && job->handle)
    after += [handle = job->handle] { handle->CloseDebugger(); };
}

void JobManager::OnDebug(const std::string& id, const DebugNews& news) {
  AfterUnlock after;
  absl::MutexLock lock(&mu_);
  LiveJob* const job = Find(id);
  if (!job || job->box_gone) return;
  if (job->debugger) {
    after += [debugger = job->debugger, news] {
      if (!news.notice.empty()) debugger->OnNotice(news.notice);
      if (!news.bytes.empty()) debugger->OnBytes(news.bytes);
      if (news.core) debugger->OnCore(*news.core);
    };
  }
  if (news.altered && !std::exchange(job->outcome.altered, true)) {
    LogJob(spdlog::level::info, id, "altered by a debugger");
    AddEvent(*job, "a debugger has altered it: its result is not that of its spec");
    Persist(*job, Durability::kCrash, nullptr, nullptr);
  }
  if (news.stopped) OnStanding(*job, *news.stopped);
  if (news.closed && job->debugger) {
    job->debugger_joined = false;
    after += [debugger = std::exchange(job->debugger, nullptr)] { debugger->OnClosed(); };
  }
}

void JobManager::OnStanding(LiveJob& job, bool stands) {
  if (job.stands == stands) return;
  job.stands = stands;
  timers_.Cancel(std::exchange(job.goes_on_timer, 0));
  if (!stands) {
    if (job.handle) ArmWallLimit(job);
    job.goes_on_timer = timers_.After(kUnseenRun, [this, id = job.next.id] { OnGoesOn(id); });
    return;
  }
  if (job.wall_timer != 0) {
    timers_.Cancel(std::exchange(job.wall_timer, 0));
    const auto ran = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - job.wall_since);
    job.wall_left = std::max(job.wall_left - ran, std::chrono::milliseconds(0));
  }
  if (!Next(job.next.state, JobMove::kStop)) return;  // it stands already
  Move(job, JobMove::kStop, "a debugger holds it");
  Persist(job, Durability::kCrash, nullptr, nullptr);
}

void JobManager::OnGoesOn(const std::string& id) {
  absl::MutexLock lock(&mu_);
  LiveJob* const job = Find(id);
  if (!job || job->box_gone || job->stands || !Next(job->next.state, JobMove::kContinue)) return;
  Move(*job, JobMove::kContinue, "its debugger has let it go on");
  Persist(*job, Durability::kCrash, nullptr, nullptr);
}

void JobManager::EndDebugging(LiveJob& job, AfterUnlock& after) {
  timers_.Cancel(std::exchange(job.goes_on_timer, 0));
  job.debugger_joined = false;
  if (job.debugger)
    after += [debugger = std::exchange(job.debugger, nullptr)] { debugger->OnClosed(); };
}

void JobManager::ArmWallLimit(LiveJob& job) {
  job.wall_since = std::chrono::steady_clock::now();
  job.wall_timer = timers_.After(job.wall_left, [this, id = job.next.id] { OnWallLimit(id); });
}

}  // namespace glovebox::server
