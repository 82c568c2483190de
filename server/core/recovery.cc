// What an earlier daemon left: jobs in the queue stay there, jobs that were under way run again
// from the start.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "server/core/clock.h"
#include "server/core/codec.h"
#include "server/core/journal.h"
#include "server/core/live_job.h"
#include "server/core/log.h"
#include "server/core/page_token.h"

namespace glovebox::server {
namespace {

std::vector<int> UnfinishedStates() {
  std::vector<int> states;
  for (const JobStateName& row : kJobStateNames) {
    if (!IsTerminal(row.state)) states.push_back(static_cast<int>(row.state));
  }
  return states;
}

bool IsUnfinished(const JobRow& row) { return !IsTerminal(static_cast<JobState>(row.state)); }

}  // namespace

Result<void, Error> JobManager::Recover() {
  auto key = LoadPageKey(*parts_.store);
  if (!key) return std::unexpected(key.error());
  page_key_ = std::move(*key);
  JobReader& reader = parts_.store->reader();
  JobQuery newest;
  newest.limit = 1;
  const auto last = reader.ListJobs(newest);
  if (!last) return std::unexpected(last.error());
  {
    absl::MutexLock lock(&mu_);
    ids_ = std::make_unique<JobIdMaker>(last->empty() ? "" : last->front().id);
  }

  auto swept = parts_.directory->Sweep([&reader](std::string_view job) {
    const auto row = reader.FindJob(job);
    if (!row)
      return StoreDirectory::Kept::kAll;  // what cannot be read now is not to be thrown away
    if (!*row) return StoreDirectory::Kept::kNothing;
    return IsUnfinished(**row) ? StoreDirectory::Kept::kInputOnly : StoreDirectory::Kept::kAll;
  });
  if (!swept) return swept;

  JobQuery unfinished;
  unfinished.states = UnfinishedStates();
  unfinished.limit = options_.max_queued * 2 + 1'000;
  auto rows = reader.ListJobs(unfinished);
  if (!rows) return std::unexpected(rows.error());
  std::ranges::reverse(*rows);  // oldest first, as they came
  for (const JobRow& row : *rows) {
    if (auto readmitted = Readmit(row); !readmitted) {
      // One damaged job must not keep the others from running; it stays as it is, for a person to
      // look at.
      LogJob(spdlog::level::err, row.id,
             fmt::format("cannot be taken up: {}", readmitted.error().message));
    }
  }
  return {};
}

Result<void, Error> JobManager::Readmit(const JobRow& row) {
  auto view = ViewOf(row);
  if (!view) return std::unexpected(view.error());
  JobReader& reader = parts_.store->reader();
  const auto events = reader.Events(row.id, 0);
  if (!events) return std::unexpected(events.error());
  const auto journal = reader.Journal(row.id);
  if (!journal) return std::unexpected(journal.error());
  const auto input_row = reader.FindInput(row.id);
  if (!input_row) return std::unexpected(input_row.error());

  auto job = std::make_unique<LiveJob>();
  job->outcome = *view->outcome;
  job->next = *view;
  job->shown = std::move(*view);
  for (const EventRow& event : *events) {
    job->events.push_back({event.sequence, event.time_ns, static_cast<JobState>(event.state),
                           event.attempt, event.message});
  }
  job->committed_events = job->events.size();
  for (const JournalRow& record : *journal) job->journal.push_back(RecordOf(record));
  job->input_position = TypedBytes(job->journal);
  job->feed = std::make_shared<JobFeed>();
  job->feed->output =
      std::make_shared<FrameLog>(FrameLog::Unit::kBytes, parts_.directory->output_log(row.id));
  if (job->next.spec->trace_syscalls) {
    job->feed->trace =
        std::make_shared<FrameLog>(FrameLog::Unit::kFrames, parts_.directory->trace_log(row.id));
  }
  std::optional<JobFailure> failure;
  if (job->next.spec->input_is_written()) {
    const InputRow known = input_row->value_or(InputRow{});
    auto input = InputFile::Open(parts_.directory->input(row.id), known.size, known.ended);
    if (input) {
      job->input.stream = std::move(*input);
    } else {
      failure = JobFailure{input.error().reason, input.error().message};
    }
  }

  absl::MutexLock lock(&mu_);
  LiveJob& taken = *jobs_.emplace(row.id, std::move(job)).first->second;
  const bool interrupted = IsInterruptible(taken.next.state);
  if (interrupted)
    Move(taken, JobMove::kInterrupt, "the daemon ended under the job: it runs again");
  if (interrupted && !failure && taken.next.attempts >= kMaxAttempts) {
    failure = JobFailure{
        "TOO_MANY_ATTEMPTS",
        fmt::format("{} attempts were broken off by an end of the daemon", taken.next.attempts)};
  }
  if (row.cancel_asked) {
    EndQueued(taken, JobMove::kCancel, "cancelled: asked for before the daemon ended", nullptr);
  } else if (failure) {
    taken.outcome.failure = failure;
    EndQueued(taken, JobMove::kGiveUp, failure->message, nullptr);
  } else {
    if (interrupted) Persist(taken, Durability::kPower, nullptr, nullptr);
    queue_.push_back(row.id);
    ArmUnwatched(taken);
  }
  return {};
}

}  // namespace glovebox::server
