// What clients see, and what they ask of jobs that are there.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "server/core/clock.h"
#include "server/core/codec.h"
#include "server/core/live_job.h"
#include "server/core/log.h"
#include "server/core/page_token.h"

namespace glovebox::server {
namespace {

constexpr std::size_t kMaxPageSize = 1'000;
// A page ends early when the specs in it are this large, bytes: a client takes messages of 4 MiB.
constexpr std::size_t kMaxPageBytes = 1 << 20;

Error NotFound(std::string_view id) {
  return Error{ErrorCode::kNotFound, "JOB_NOT_FOUND", fmt::format("there is no job {}", id),
               "name"};
}

bool Contains(const std::vector<JobState>& states, JobState state) {
  return std::ranges::find(states, state) != states.end();
}

std::size_t SpecBytes(const JobSpec& spec) {
  std::size_t bytes = 0;
  for (const std::string& argument : spec.argv) bytes += argument.size();
  for (const std::string& variable : spec.env) bytes += variable.size();
  for (const auto& [key, value] : spec.world) bytes += key.size() + value.size();
  for (const auto& [key, value] : spec.labels) bytes += key.size() + value.size();
  return bytes;
}

JobState StateOf(const JobRow& row) { return static_cast<JobState>(row.state); }

}  // namespace

JobManager::LiveJob* JobManager::Find(std::string_view id) {
  const auto found = jobs_.find(id);
  return found != jobs_.end() ? found->second.get() : nullptr;
}

std::optional<JobView> JobManager::ShownView(std::string_view id) {
  LiveJob* const job = Find(id);
  if (!job || !job->shown) return std::nullopt;
  JobView view = *job->shown;
  view.output_bytes = job->feed->output->visible_end();
  if (job->feed->trace) view.trace_events = job->feed->trace->visible_end();
  if (job->input.stream) view.input_bytes = job->input.stream->state().size;
  return view;
}

Result<JobView, Error> JobManager::ViewOf(const JobRow& row) {
  JobReader& reader = parts_.store->reader();
  const auto spec_bytes = reader.FindSpec(row.id);
  if (!spec_bytes) return std::unexpected(spec_bytes.error());
  if (!*spec_bytes) return std::unexpected(NotFound(row.id));
  auto spec = DecodeSpec(**spec_bytes);
  if (!spec) return std::unexpected(spec.error());
  auto outcome = DecodeOutcome(row.outcome);
  if (!outcome) return std::unexpected(outcome.error());
  const auto output = reader.LogUnits(row.id, LogKind::kOutput);
  const auto trace = reader.LogUnits(row.id, LogKind::kTrace);
  const auto input = reader.FindInput(row.id);
  if (!output) return std::unexpected(output.error());
  if (!trace) return std::unexpected(trace.error());
  if (!input) return std::unexpected(input.error());

  JobView view;
  view.id = row.id;
  view.spec = std::make_shared<const JobSpec>(std::move(*spec));
  view.state = StateOf(row);
  view.attempts = row.attempts;
  view.create_ns = row.create_ns;
  view.start_ns = row.start_ns;
  view.end_ns = row.end_ns;
  view.epoch = row.epoch;
  view.cancel_if_unwatched_s = row.unwatched_s;
  view.outcome = std::make_shared<const JobOutcome>(std::move(*outcome));
  view.output_bytes = *output;
  view.trace_events = *trace;
  view.input_bytes = *input ? (*input)->size : 0;
  return view;
}

Result<JobView, Error> JobManager::FindStored(const std::string& id) {
  const auto row = parts_.store->reader().FindJob(id);
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::unexpected(NotFound(id));
  return ViewOf(**row);
}

// A job that is not live is looked for in the store afterwards: it goes there before it is taken
// from the live ones.
Result<JobView, Error> JobManager::Get(const std::string& id) {
  {
    absl::MutexLock lock(&mu_);
    if (Find(id)) {
      auto view = ShownView(id);
      if (!view) return std::unexpected(NotFound(id));
      return std::move(*view);
    }
  }
  return FindStored(id);
}

Result<ListPage, Error> JobManager::List(const ListRequest& request) {
  std::string filter = "states";
  for (const JobState state : request.states) filter += fmt::format(" {}", static_cast<int>(state));
  JobQuery query;
  if (!request.page_token.empty()) {
    auto after = OpenPageToken(page_key_, filter, request.page_token);
    if (!after) {
      return Fail(ErrorCode::kInvalidArgument, "PAGE_TOKEN",
                  "the page token is not of this listing with this filter", "page_token");
    }
    query.before_id = std::move(*after);
  }
  // Rows of live jobs may lag behind what is shown, so all of them are asked for and filtered here.
  if (!request.states.empty()) {
    for (const JobStateName& row : kJobStateNames) {
      if (!IsTerminal(row.state) || Contains(request.states, row.state)) {
        query.states.push_back(static_cast<int>(row.state));
      }
    }
  }
  const std::size_t page_size = std::clamp<std::size_t>(request.page_size, 1, kMaxPageSize);
  query.limit = page_size + 1;

  ListPage page;
  std::size_t page_bytes = 0;
  while (true) {
    const auto rows = parts_.store->reader().ListJobs(query);
    if (!rows) return std::unexpected(rows.error());
    for (const JobRow& row : *rows) {
      query.before_id = row.id;
      auto view = IsTerminal(StateOf(row)) ? ViewOf(row) : Get(row.id);
      // Deleted, or not shown yet, since its row was read.
      if (!view && view.error().code == ErrorCode::kNotFound) continue;
      if (!view) return std::unexpected(view.error());
      if (!request.states.empty() && !Contains(request.states, view->state)) continue;
      page_bytes += SpecBytes(*view->spec);
      if (page.jobs.size() == page_size || (page_bytes > kMaxPageBytes && !page.jobs.empty())) {
        page.next_page_token = SealPageToken(page_key_, filter, page.jobs.back().id);
        return page;
      }
      page.jobs.push_back(std::move(*view));
    }
    if (rows->size() < query.limit) return page;
  }
}

void JobManager::Cancel(const std::string& id, const std::string& reason, JobDone done) {
  bool answer_now = true;
  {
    AfterUnlock after;
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    if (job && job->shown && !job->box_gone && !job->cancel_asked) {
      answer_now = false;
      job->cancel_asked = true;
      job->cancel_reason = reason.empty() ? "asked for by a client" : reason;
      if (job->next.state == JobState::kQueued) {
        EndQueued(*job, JobMove::kCancel, "cancelled: " + job->cancel_reason, std::move(done));
      } else {
        AddEvent(*job, "cancellation asked for: " + job->cancel_reason);
        Persist(*job, Durability::kPower, nullptr,
                [this, id, done = std::move(done)](const Result<void, Error>& result) {
                  done(result ? Get(id) : std::unexpected(result.error()));
                });
        if (job->handle) {
          after += [handle = job->handle, why = job->cancel_reason] { handle->Cancel(why, false); };
        }
      }
      LogJob(spdlog::level::info, id, fmt::format("cancel: {}", reason));
    }
  }
  if (answer_now) done(Get(id));
}

void JobManager::Delete(const std::string& id, Done done) {
  const auto view = Get(id);
  if (!view) return done(std::unexpected(view.error()));
  if (!IsTerminal(view->state)) {
    return done(Fail(
        ErrorCode::kFailedPrecondition, "JOB_NOT_ENDED",
        fmt::format("job {} is {}; only an ended job can be deleted", id, NameOf(view->state))));
  }
  absl::MutexLock lock(&mu_);
  ++under_way_;
  parts_.store->Submit([id](Transaction& transaction) { return transaction.DeleteJob(id); },
                       Durability::kPower,
                       [this, id, done = std::move(done)](const Result<void, Error>& result) {
                         if (result) {
                           // Readers that are at it keep their open files.
                           parts_.directory->RemoveLogs(id);
                           parts_.directory->RemoveInput(id);
                           LogJob(spdlog::level::info, id, "deleted");
                         }
                         done(result);
                         absl::MutexLock relock(&mu_);
                         feeds_.erase(id);
                         --under_way_;
                       });
}

Result<std::vector<JobEvent>, Error> JobManager::Events(const std::string& id,
                                                        std::uint64_t after_sequence) {
  {
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    if (job && job->shown) {
      const std::uint64_t first = std::min(after_sequence, job->committed_events);
      const auto begin = job->events.begin();
      return std::vector<JobEvent>(begin + static_cast<std::ptrdiff_t>(first),
                                   begin + static_cast<std::ptrdiff_t>(job->committed_events));
    }
  }
  if (const auto view = FindStored(id); !view) return std::unexpected(view.error());
  const auto rows = parts_.store->reader().Events(id, after_sequence);
  if (!rows) return std::unexpected(rows.error());
  std::vector<JobEvent> events;
  for (const EventRow& row : *rows) {
    events.push_back(
        {row.sequence, row.time_ns, static_cast<JobState>(row.state), row.attempt, row.message});
  }
  return events;
}

Result<std::unique_ptr<JobWatch>, Error> JobManager::Watch(const std::string& id,
                                                           std::function<void()> changed) {
  std::shared_ptr<JobFeed> feed;
  bool live = false;
  {
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    if (job && !job->shown) return std::unexpected(NotFound(id));
    if (job) {
      live = true;
      feed = job->feed;
      ++job->watchers;
      timers_.Cancel(std::exchange(job->unwatched_timer, 0));
    }
  }
  if (!live) {
    const auto view = FindStored(id);
    if (!view) return std::unexpected(view.error());
    auto stored = StoredFeed(*view);
    if (!stored) return std::unexpected(stored.error());
    feed = std::move(*stored);
  }
  const Bell::ListenerId listener = feed->bell.Listen(std::move(changed));
  auto leave = [this, id, feed, listener, live] {
    feed->bell.Leave(listener);
    if (live) Unwatch(id);
  };
  return std::make_unique<JobWatch>(id, feed, std::move(leave));
}

void JobManager::Unwatch(const std::string& id) {
  absl::MutexLock lock(&mu_);
  LiveJob* const job = Find(id);
  if (!job) return;
  --job->watchers;
  ArmUnwatched(*job);
}

void JobManager::ArmUnwatched(LiveJob& job) {
  const std::uint32_t seconds = job.next.cancel_if_unwatched_s;
  if (seconds == 0 || job.watchers > 0 || stopping_) return;
  timers_.Cancel(job.unwatched_timer);
  job.unwatched_timer =
      timers_.After(std::chrono::seconds(seconds), [this, id = job.next.id] { OnUnwatched(id); });
}

void JobManager::OnUnwatched(const std::string& id) {
  std::string reason;
  {
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    if (!job || job->watchers > 0) return;
    reason = fmt::format("nobody watched it for {} s", job->next.cancel_if_unwatched_s);
  }
  Cancel(id, reason, [](const Result<JobView, Error>&) {});
}

Result<std::shared_ptr<JobFeed>, Error> JobManager::StoredFeed(const JobView& view) {
  {
    absl::MutexLock lock(&mu_);
    if (const auto known = feeds_.find(view.id); known != feeds_.end()) {
      if (auto feed = known->second.lock()) return feed;
    }
  }
  auto feed = std::make_shared<JobFeed>();
  const auto open = [&](LogKind kind, FrameLog::Unit unit,
                        std::filesystem::path path) -> Result<std::shared_ptr<FrameLog>, Error> {
    auto row = parts_.store->reader().FindLog(view.id, kind);
    if (!row) return std::unexpected(row.error());
    if (!*row) return FrameLog::FromMemory(unit, {}, 0);
    if ((*row)->frames)
      return FrameLog::FromMemory(unit, std::move(*(*row)->frames), (*row)->units);
    return FrameLog::FromFile(unit, std::move(path), (*row)->units);
  };
  auto output =
      open(LogKind::kOutput, FrameLog::Unit::kBytes, parts_.directory->output_log(view.id));
  if (!output) return std::unexpected(output.error());
  feed->output = std::move(*output);
  if (view.spec->trace_syscalls) {
    auto trace =
        open(LogKind::kTrace, FrameLog::Unit::kFrames, parts_.directory->trace_log(view.id));
    if (!trace) return std::unexpected(trace.error());
    feed->trace = std::move(*trace);
  }
  feed->ended = true;
  absl::MutexLock lock(&mu_);
  std::erase_if(feeds_, [](const auto& entry) { return entry.second.expired(); });
  feeds_[view.id] = feed;
  return feed;
}

Result<JobManager::InputTaken, Error> JobManager::WriteInput(const std::string& id,
                                                             std::uint64_t offset,
                                                             std::span<const std::byte> bytes,
                                                             bool end) {
  const auto view = Get(id);
  if (!view) return std::unexpected(view.error());
  if (!view->spec->input_is_written()) {
    return Fail(ErrorCode::kFailedPrecondition, "NO_STREAMED_STDIN",
                fmt::format("the stdin of job {} is not streamed", id), "name");
  }
  std::shared_ptr<InputFile> input;
  {
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    if (!job || job->box_gone) return InputTaken{view->input_bytes, true, false};
    input = job->input.stream;
    const std::uint64_t room = job->input_position + options_.input_window;
    if (!bytes.empty() && offset + bytes.size() > room) {
      return InputTaken{input->state().size, false, true};
    }
  }
  if (offset + bytes.size() > options_.max_input_bytes) {
    return Fail(ErrorCode::kResourceExhausted, "INPUT_TOO_LARGE",
                fmt::format("stdin of more than {} bytes", options_.max_input_bytes),
                "offset_bytes");
  }
  if (auto written = input->Write(offset, bytes, end); !written)
    return std::unexpected(written.error());
  SupplyInput(id);
  return InputTaken{input->state().size, false, false};
}

void JobManager::SyncInput(const std::string& id,
                           std::function<void(Result<std::uint64_t, Error>)> done) {
  std::shared_ptr<InputFile> input;
  {
    absl::MutexLock lock(&mu_);
    if (LiveJob* const job = Find(id); job && !job->box_gone) input = job->input.stream;
    if (input) {
      Post([this, id, input, done] {
        const InputFile::State state = input->state();
        if (auto synced = input->Sync(); !synced) return done(std::unexpected(synced.error()));
        absl::MutexLock relock(&mu_);
        ++under_way_;
        parts_.store->Submit(
            [id, state](Transaction& transaction) {
              return transaction.PutInput(id, {state.size, state.ended});
            },
            Durability::kPower,
            [this, state, done](const Result<void, Error>& result) {
              done(result ? Result<std::uint64_t, Error>(state.size)
                          : std::unexpected(result.error()));
              absl::MutexLock again(&mu_);
              --under_way_;
            });
      });
      return;
    }
  }
  const auto view = Get(id);
  done(view ? Result<std::uint64_t, Error>(view->input_bytes) : std::unexpected(view.error()));
}

}  // namespace glovebox::server
