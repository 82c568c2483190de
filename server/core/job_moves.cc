// The moves of a job: made in memory, submitted, and shown once they are committed.
#include <utility>

#include <fmt/format.h>

#include "engine/base/check.h"
#include "server/core/clock.h"
#include "server/core/codec.h"
#include "server/core/live_job.h"
#include "server/core/log.h"

namespace glovebox::server {

void JobManager::Move(LiveJob& job, JobMove move, std::string message) {
  const std::optional<JobState> to = Next(job.next.state, move);
  GB_CHECK(to.has_value());  // callers look first: no request and no box leads to a move that is
                             // not in the table
  job.next.state = *to;
  AddEvent(job, std::move(message));
}

void JobManager::AddEvent(LiveJob& job, std::string message) {
  job.events.push_back({job.events.size() + 1, WallClockNs(), job.next.state, job.next.attempts,
                        std::move(message)});
}

void JobManager::Persist(LiveJob& job, Durability durability, JobStore::Write more, Done then) {
  job.next.outcome = std::make_shared<const JobOutcome>(job.outcome);
  JobRow row;
  row.id = job.next.id;
  row.state = static_cast<int>(job.next.state);
  row.attempts = job.next.attempts;
  row.start_ns = job.next.start_ns;
  row.end_ns = job.next.end_ns;
  row.epoch = job.next.epoch;
  row.unwatched_s = job.next.cancel_if_unwatched_s;
  row.cancel_asked = job.cancel_asked;
  row.outcome = Encode(job.outcome);
  // All that no commit has confirmed, also what is on its way: should that commit fail, this one
  // makes up for it.
  std::vector<EventRow> events;
  for (std::size_t i = job.committed_events; i < job.events.size(); ++i) {
    const JobEvent& event = job.events[i];
    events.push_back({event.sequence, event.time_ns, static_cast<int>(event.state), event.attempt,
                      event.message});
  }
  ++under_way_;
  parts_.store->Submit(
      [row = std::move(row), events = std::move(events),
       more = std::move(more)](Transaction& transaction) -> Result<void, Error> {
        Result<void, Error> written;
        if (more) written = more(transaction);
        if (written) written = transaction.UpdateJob(row);
        if (written) written = transaction.AddEvents(row.id, events);
        return written;
      },
      durability,
      [this, id = job.next.id, view = job.next, sequence = job.events.size(),
       then = std::move(then)](const Result<void, Error>& result) {
        Committed(id, view, sequence, result, then);
      });
}

void JobManager::Committed(const std::string& id, const JobView& view, std::uint64_t sequence,
                           const Result<void, Error>& result, const Done& then) {
  if (!result) {
    LogJob(spdlog::level::err, id, fmt::format("commit failed: {}", result.error().message));
  }
  {
    AfterUnlock after;
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    if (job && result) {
      job->shown = view;
      job->committed_events = std::max(job->committed_events, sequence);
      after += [feed = job->feed] { feed->bell.Ring(); };
    }
  }
  if (then) then(result);
  absl::MutexLock lock(&mu_);
  --under_way_;
}

// The count of attempts is on its way to the kernel before the box is: a job that takes the daemon
// down does so three times at most.
void JobManager::PersistStart(LiveJob& job) {
  Persist(job, Durability::kCrash, nullptr,
          [this, id = job.next.id](const Result<void, Error>& result) {
            if (!result) return Again(id, &JobManager::PersistStart);
            absl::MutexLock lock(&mu_);
            if (!stopping_) Post([this, id] { Launch(id); });
          });
}

// The job's last commit: result, logs and input together. What it holds has been made durable
// before.
void JobManager::PersistEnd(LiveJob& job, JobDone done) {
  std::vector<LogRow> logs;
  const auto keep = [&logs](LogKind kind, const std::shared_ptr<FrameLog>& log) {
    if (log) logs.push_back({kind, log->end(), log->FramesForCommit()});
  };
  keep(LogKind::kOutput, job.feed->output);
  keep(LogKind::kTrace, job.feed->trace);
  std::optional<InputRow> input;
  if (const auto& stream = job.input.stream)
    input = InputRow{stream->state().size, stream->state().ended};
  const auto put = [id = job.next.id, logs = std::move(logs),
                    input](Transaction& transaction) -> Result<void, Error> {
    Result<void, Error> written;
    for (const LogRow& log : logs) {
      if (written) written = transaction.PutLog(id, log);
    }
    if (written && input) written = transaction.PutInput(id, *input);
    return written;
  };
  Persist(job, Durability::kPower, put,
          [this, id = job.next.id, done = std::move(done)](const Result<void, Error>& result) {
            if (!result) {
              Again(id, &JobManager::PersistEndAgain);
              if (done) done(std::unexpected(result.error()));
              return;
            }
            Retire(id);
            if (done) done(Get(id));
          });
}

// A step whose commit failed (a full disk, say) is tried again until it succeeds or the daemon
// ends.
void JobManager::Again(const std::string& id, void (JobManager::*step)(LiveJob&)) {
  absl::MutexLock lock(&mu_);
  if (stopping_) return;
  timers_.After(options_.commit_retry, [this, id, step] {
    absl::MutexLock relock(&mu_);
    LiveJob* const job = Find(id);
    if (job && !stopping_) (this->*step)(*job);
  });
}

// From here on the store alone knows the job.
void JobManager::Retire(const std::string& id) {
  AfterUnlock after;
  absl::MutexLock lock(&mu_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  LiveJob& job = *found->second;
  if (job.finalizing) --finalizing_;
  timers_.Cancel(job.unwatched_timer);
  timers_.Cancel(job.wall_timer);
  feeds_[id] = job.feed;
  std::erase_if(feeds_, [](const auto& entry) { return entry.second.expired(); });
  after += [feed = job.feed] {
    feed->ended = true;
    feed->bell.Ring();
  };
  LogJob(spdlog::level::info, id,
         fmt::format("{}: {}", NameOf(job.next.state),
                     job.events.empty() ? "" : job.events.back().message));
  // What hangs on the job (a last handle, a timer's function) is let go without the lock.
  after += [gone = std::shared_ptr<LiveJob>(std::move(found->second))] {};
  jobs_.erase(found);
}

// The end of a job that holds no box.
void JobManager::EndQueued(LiveJob& job, JobMove move, std::string message, JobDone done) {
  std::erase(queue_, job.next.id);
  job.next.end_ns = WallClockNs();
  job.box_gone = true;
  job.finalizing = true;
  ++finalizing_;
  Move(job, move, std::move(message));
  PersistEnd(job, std::move(done));
}

}  // namespace glovebox::server
