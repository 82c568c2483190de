// A job's box: started, listened to, ended.
#include <algorithm>
#include <array>
#include <utility>

#include <absl/cleanup/cleanup.h>
#include <fmt/format.h>

#include "engine/limits/limit_table.h"
#include "server/core/box_session.h"
#include "server/core/clock.h"
#include "server/core/journal.h"
#include "server/core/live_job.h"
#include "server/core/log.h"
#include "server/core/spec_check.h"
#include "server/store/file_io.h"

namespace glovebox::server {
namespace {

constexpr std::uint32_t kMaxInputReply = 64 << 10;

// What a box' report makes of its job.
struct VerdictRow {
  BoxEnd::Kind kind;
  JobMove verdict;
  const char* text;  // {0} code, {1} limit, {2} detail
};
constexpr std::array kVerdicts{
    VerdictRow{BoxEnd::Kind::kExited, JobMove::kDurableEnd, "exited with {0}"},
    VerdictRow{BoxEnd::Kind::kSignaled, JobMove::kDurableEnd, "ended by signal {0}"},
    VerdictRow{BoxEnd::Kind::kLimit, JobMove::kDurableEnd, "limit {1} reached"},
    VerdictRow{BoxEnd::Kind::kDeadlock, JobMove::kDurableEnd, "deadlock: {2}"},
    VerdictRow{BoxEnd::Kind::kNotStarted, JobMove::kDurableEnd, "the program cannot be run: {2}"},
    VerdictRow{BoxEnd::Kind::kCancelled, JobMove::kDurableCancel, "cancelled: {2}"},
    VerdictRow{BoxEnd::Kind::kFailed, JobMove::kDurableFail, "{2}"},
};
constexpr bool EachKindInOrder() {
  for (std::size_t i = 0; i < kVerdicts.size(); ++i) {
    if (static_cast<std::size_t>(kVerdicts[i].kind) != i) return false;
  }
  return kVerdicts.size() == static_cast<std::size_t>(BoxEnd::Kind::kFailed) + 1;
}
static_assert(EachKindInOrder());

Result<HostFd, Error> OpenOfJob(BlobStore& blobs, const std::vector<Digest>& closure,
                                const Digest& digest) {
  if (!std::ranges::binary_search(closure, digest)) {
    return Fail(ErrorCode::kNotFound, "BLOB_MISSING",
                fmt::format("blob {} is not of this job's root", HexOf(digest)));
  }
  return blobs.OpenVerified(digest);
}

}  // namespace

void JobManager::StartQueued() {
  while (!draining_ && boxes_ < options_.concurrent_boxes && !queue_.empty()) {
    LiveJob* const job = Find(queue_.front());
    queue_.pop_front();
    if (!job) continue;
    ++boxes_;
    ++job->next.attempts;
    job->next.start_ns = WallClockNs();
    Move(*job, JobMove::kStart, "handed to a worker");
    PersistStart(*job);
  }
}

Result<RunRequest, Error> JobManager::PrepareRun(const std::string& id,
                                                 std::shared_ptr<BoxEvents>& events) {
  RunRequest run;
  std::shared_ptr<const JobSpec> spec;
  std::shared_ptr<const std::vector<Digest>> closure;
  bool waits_for_debugger = false;
  {
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    if (!job || job->box_gone) return Fail(ErrorCode::kCancelled, "CANCELLED", "the job has ended");
    if (job->cancel_asked) return Fail(ErrorCode::kCancelled, "CANCELLED", job->cancel_reason);
    spec = job->next.spec;
    closure = job->closure;
    run.journal = job->journal;
    // What the journal has the worker knows; the rest is typed behind it.
    job->typed = TypedBytes(job->journal);
    job->typed_end =
        !job->journal.empty() && std::ranges::any_of(job->journal, &JournalRecord::input_end);
    events = std::make_shared<BoxSession>(*this, id, job->feed);
    waits_for_debugger = job->outcome.waits_for_debugger || job->debugger;
  }
  if (!closure) {
    bool is_new = false;
    auto found = Closure(spec->root, is_new);
    if (!found) return std::unexpected(found.error());
    closure = std::move(*found);
  }
  if (spec->stdin_blob) {
    auto blob = parts_.blobs->OpenVerified(*spec->stdin_blob);
    if (!blob) return std::unexpected(blob.error());
    absl::MutexLock lock(&mu_);
    if (LiveJob* const job = Find(id)) {
      job->input.blob = std::make_shared<const HostFd>(std::move(*blob));
      job->input.blob_bytes = spec->stdin_blob->size_bytes;
    }
  }
  run.waits_for_debugger = waits_for_debugger;
  FillRun(id, *spec, std::move(closure), run);
  return run;
}

void JobManager::FillRun(const std::string& id, const JobSpec& spec,
                         std::shared_ptr<const std::vector<Digest>> closure,
                         RunRequest& run) const {
  run.job_name = std::string(kJobNamePrefix) + id;
  run.argv = spec.argv;
  run.env = spec.env;
  run.program = spec.program.empty() ? spec.argv.front() : spec.program;
  run.working_directory = spec.working_directory.empty() ? "/" : spec.working_directory;
  run.root = spec.root;
  run.seed = spec.seed;
  run.limits = CompleteLimits(spec);
  run.trace_syscalls = spec.trace_syscalls;
  run.world = spec.world;
  run.has_stdin = spec.stdin_blob.has_value() || spec.stdin_stream;
  run.live_input = spec.stdin_live;
  run.terminal = spec.terminal;
  run.real_clock = spec.real_clock;
  run.open_blob = [blobs = parts_.blobs, closure = std::move(closure)](const Digest& digest) {
    return OpenOfJob(*blobs, *closure, digest);
  };
}

void JobManager::Launch(const std::string& id) {
  std::shared_ptr<BoxEvents> events;
  auto run = PrepareRun(id, events);
  if (!run) {
    BoxEnd end;
    end.kind = run.error().code == ErrorCode::kCancelled ? BoxEnd::Kind::kCancelled
                                                         : BoxEnd::Kind::kFailed;
    end.failure_reason = run.error().reason;
    end.detail = run.error().message;
    return OnBoxGone(id, std::move(end), {});
  }
  const std::uint64_t wall_ms =
      run->limits.at(std::string(engine::Row(engine::LimitId::kWallTime).name));
  {
    absl::MutexLock lock(&mu_);
    if (stopping_) return;  // the job is in the store, and taken up from there
    ++launching_;
  }
  // Last of all, when the handle may have been dropped: until then the launcher has to live.
  const absl::Cleanup launched = [this] {
    absl::MutexLock lock(&mu_);
    --launching_;
  };
  std::shared_ptr<BoxHandle> handle = launcher_->Launch(std::move(*run), events);
  LogJob(spdlog::level::info, id, "handed to a worker");

  AfterUnlock after;
  after += [this, id] { SupplyInput(id); };
  absl::MutexLock lock(&mu_);
  LiveJob* const job = Find(id);
  if (!job || job->box_gone) {
    after += [handle] {};  // dropped without the lock
    return;
  }
  job->handle = handle;
  job->wall_left = std::chrono::milliseconds(wall_ms);
  if (!job->stands) ArmWallLimit(*job);
  if (job->cancel_asked)
    after += [handle, why = job->cancel_reason] { handle->Cancel(why, false); };
  if (job->store_error) after += [handle] { handle->Kill(); };
  if (job->next.state == JobState::kRunning) {
    SendEarly(*job, after);
  }
}

void JobManager::OnLocked(const std::string& id, std::vector<SandboxLayer> layers,
                          std::uint32_t epoch) {
  AfterUnlock after;
  absl::MutexLock lock(&mu_);
  epoch_ = epoch;
  LiveJob* const job = Find(id);
  if (!job || job->box_gone || !Next(job->next.state, JobMove::kReady)) return;
  job->outcome.sandbox = std::move(layers);
  std::string message = "the worker is locked up and runs the guest";
  if (job->next.epoch != 0 && job->next.epoch != epoch) {
    message +=
        fmt::format("; it is of epoch {}, the attempt before was of {}", epoch, job->next.epoch);
    if (!job->journal.empty()) {
      // Inputs took effect at instructions of the other epoch: there is no replaying them here.
      job->store_error =
          Error{ErrorCode::kFailedPrecondition,
                "EPOCH_UNAVAILABLE",
                fmt::format("the job's inputs are of epoch {}, the workers here of {}",
                            job->next.epoch, epoch),
                {}};
      if (job->handle) after += [handle = job->handle] { handle->Kill(); };
    }
  }
  if (job->journal.empty()) job->next.epoch = epoch;
  Move(*job, JobMove::kReady, std::move(message));
  Persist(*job, Durability::kCrash, nullptr, nullptr);
  if (!job->handle) return;
  SendEarly(*job, after);
  after += [this, id] { SupplyInput(id); };
}

// What the guest writes after an input from outside must not be seen before that input is on disk:
// a re-run after a power cut could not give the same bytes again.
void JobManager::OnJournal(const std::string& id, const JournalRecord& record) {
  AfterUnlock after;
  absl::MutexLock lock(&mu_);
  LiveJob* const job = Find(id);
  if (!job || job->box_gone) return;
  job->journal.push_back(record);
  job->outcome.journal_records = job->journal.size();
  if (!record.input.empty()) {
    job->input_position += record.input.size();
    after += [this, id, bell_of = job->feed] {
      SupplyInput(id);
      bell_of->bell.Ring();  // there may be room for more
    };
  }
  const auto feed = job->feed;
  feed->output->Hold();
  if (feed->trace) feed->trace->Hold();
  Persist(
      *job, Durability::kPower,
      [id, number = job->journal.size(), record](Transaction& transaction) {
        return transaction.AddJournal(id, number, RowOf(record));
      },
      [this, id, feed](const Result<void, Error>& result) {
        if (!result) return OnStoreFailed(id, result.error());
        feed->output->Release();
        if (feed->trace) feed->trace->Release();
        feed->bell.Ring();
      });
}

void JobManager::OnStoreFailed(const std::string& id, const Error& error) {
  AfterUnlock after;
  absl::MutexLock lock(&mu_);
  LiveJob* const job = Find(id);
  if (!job || job->store_error) return;
  job->store_error = error;
  if (job->handle) after += [handle = job->handle] { handle->Kill(); };
}

void JobManager::OnWallLimit(const std::string& id) {
  AfterUnlock after;
  absl::MutexLock lock(&mu_);
  LiveJob* const job = Find(id);
  if (!job || job->box_gone || job->cancel_asked || !job->handle) return;
  job->wall_limit_hit = true;
  after += [handle = job->handle] { handle->Cancel("wall limit", true); };
}

void JobManager::OnInputWanted(const std::string& id, std::uint64_t offset, std::uint32_t size) {
  {
    AfterUnlock after;
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    if (!job || job->box_gone) return;
    job->input_wanted = LiveJob::InputWanted{offset, size};
    job->input_position = offset;
    after += [feed = job->feed] { feed->bell.Ring(); };  // there may be room for more
  }
  SupplyInput(id);
}

// Answers the box' wish for input, if it has one and there is something to answer.
void JobManager::SupplyInput(const std::string& id) {
  if (IsLive(id)) return SupplyLive(id);
  std::shared_ptr<BoxHandle> handle;
  InputSource source;
  LiveJob::InputWanted wanted;
  {
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    if (!job || job->box_gone || !job->handle || !job->input_wanted) return;
    wanted = *job->input_wanted;
    source = job->input;
    if (!source.Has(wanted.offset)) return;  // WriteInput comes by when there is something
    handle = job->handle;
    job->input_wanted.reset();
  }
  const auto piece =
      source.Read(wanted.offset, std::min<std::uint32_t>(wanted.size, kMaxInputReply));
  if (!piece) return OnStoreFailed(id, piece.error());
  if (*piece) handle->SupplyInput(BytesOf((*piece)->bytes), (*piece)->last);
}

void JobManager::OnBoxGone(const std::string& id, std::optional<BoxEnd> end,
                           const std::string& lost) {
  bool wait = false;  // for a disk, before the result can be committed
  {
    AfterUnlock after;
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    if (!job || job->box_gone) return;
    job->box_gone = true;
    job->finalizing = true;
    ++finalizing_;
    --boxes_;
    timers_.Cancel(job->wall_timer);
    EndDebugging(*job, after);
    if (job->handle) after += [handle = std::exchange(job->handle, nullptr)] {};
    job->outcome.end = std::move(end);
    JudgeEnd(*job, lost);
    Move(*job, JobMove::kBoxEnd,
         lost.empty() ? "the box has ended" : "the worker is lost: " + lost);
    const auto finalize_on_pool = [this, id] { Finalize(id); };
    if (!job->journal.empty()) {
      // Whether the journal could be stored decides about the end too: its commits come before this
      // one.
      wait = true;
      Persist(*job, Durability::kCrash, nullptr,
              [this, finalize_on_pool](const Result<void, Error>&) {
                absl::MutexLock relock(&mu_);
                if (!stopping_) Post(finalize_on_pool);
              });
    } else {
      Persist(*job, Durability::kCrash, nullptr, nullptr);
      wait = job->input.stream || job->feed->output->spilled() ||
             (job->feed->trace && job->feed->trace->spilled());
      if (wait) Post(finalize_on_pool);
    }
    StartQueued();
  }
  if (!wait) Finalize(id);
}

// Decides between SUCCEEDED, FAILED and CANCELLED.
void JobManager::JudgeEnd(LiveJob& job, const std::string& lost) {
  const auto fail = [&job](std::string reason, std::string message) {
    job.verdict = JobMove::kDurableFail;
    job.verdict_message = message;
    job.outcome.failure = JobFailure{std::move(reason), std::move(message)};
  };
  if (job.store_error) return fail(job.store_error->reason, job.store_error->message);
  if (!job.outcome.end) {
    if (!job.cancel_asked) return fail("WORKER_LOST", lost);
    job.verdict = JobMove::kDurableCancel;
    job.verdict_message =
        fmt::format("cancelled: {} (the worker was lost: {})", job.cancel_reason, lost);
    return;
  }
  const BoxEnd& end = *job.outcome.end;
  const VerdictRow& row = kVerdicts[static_cast<std::size_t>(end.kind)];
  if (row.verdict == JobMove::kDurableFail) return fail(end.failure_reason, end.detail);
  job.verdict = row.verdict;
  job.verdict_message = fmt::format(fmt::runtime(row.text), end.code, end.limit, end.detail);
}

// FINALIZING has an order: output durable, result committed, then visible. The first is here, the
// second in PersistEnd, the third in its callback.
void JobManager::Finalize(const std::string& id) {
  std::shared_ptr<JobFeed> feed;
  std::shared_ptr<InputFile> input;
  {
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    if (!job) return;
    feed = job->feed;
    input = job->input.stream;
  }
  Result<void, Error> synced = feed->output->Sync();
  if (synced && feed->trace) synced = feed->trace->Sync();
  if (synced && input) synced = input->Sync();

  absl::MutexLock lock(&mu_);
  LiveJob* const job = Find(id);
  if (!job) return;
  const auto fail = [job](const std::string& reason, const std::string& message) {
    job->verdict = JobMove::kDurableFail;
    job->verdict_message = message;
    job->outcome.failure = JobFailure{reason, message};
  };
  if (job->verdict != JobMove::kDurableFail) {
    // A failed fsync is not tried again: the kernel may have dropped the pages and call the next
    // one a success.
    if (!synced) fail("OUTPUT_NOT_STORED", synced.error().message);
    // Found out after the box had ended.
    if (job->store_error) fail(job->store_error->reason, job->store_error->message);
  }
  job->next.end_ns = WallClockNs();
  Move(*job, job->verdict, job->verdict_message);
  PersistEnd(*job, nullptr);
}

}  // namespace glovebox::server
